//! `flywheel blob`: binary files in the blob store.

mod get;
mod put;

use super::{Context, Exit};
use crate::{blobs, images};
use flywheel_events::Digest;
use serde_json::{Value, json};

/// `blob` and its commands.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "The store is the setting `blobs`: a folder or s3://bucket/prefix; without it the bus's own where a bus is named, else `blobs` inside the data folder.\n\nExamples:\n  flywheel blob put screenshots/*.png\n  flywheel blob get 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 --out play.png"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Upload files, and print the digest of each, by which a session names it.
    Put(put::Args),
    /// Fetch a file by its digest.
    Get(get::Args),
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    match args.command {
        Command::Put(args) => put::run(&args, context),
        Command::Get(args) => get::run(&args, context),
    }
}

/// What is said of a blob.
fn described(digest: &Digest, bytes: &[u8]) -> Value {
    json!({ "sha256": digest, "size": bytes.len(), "media_type": images::media_type(bytes) })
}

/// What could not be done, why, and what to do.
fn failed(what: String, error: &blobs::Error) -> anyhow::Error {
    let hint = match error {
        blobs::Error::NotFound => "; `flywheel blob put FILE` uploads it, and the setting `blobs` names the store",
        blobs::Error::Damaged => "; `flywheel blob put FILE` uploads it again",
        _ => "",
    };
    anyhow::anyhow!("{what}: {error}{hint}")
}
