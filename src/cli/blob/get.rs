//! `flywheel blob get`.

use super::{Context, Exit, described, failed};
use crate::{
    cli::{
        Mistake,
        bus::{Reach, runtime},
        workshop,
    },
    files,
};
use flywheel_events::Digest;
use std::path::PathBuf;

/// Fetch a file by its digest.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is fetched has the digest, or nothing is.\n\nExamples:\n  flywheel blob get 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 --out play.png\n  flywheel blob get 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 > play.png"
)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    /// SHA-256 of the file, 64 hexadecimal digits.
    #[arg(value_parser = parse_digest)]
    digest: Digest,
    /// Write it here instead of to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn parse_digest(text: &str) -> Result<Digest, String> {
    text.parse().map_err(|_| "expected 64 hexadecimal digits, as `flywheel blob put` prints them".to_owned())
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let console = context.console;
    if console.json && args.out.is_none() {
        return Err(Mistake::new("a file and JSON cannot both go to standard output", "give --out FILE").into());
    }
    let store = workshop::blobs(&args.reach, &context.settings)?;
    let bytes = runtime()?
        .block_on(store.get(&args.digest))
        .map_err(|error| failed(format!("cannot fetch {}", args.digest), &error))?;
    match &args.out {
        None => console.bytes(&bytes),
        Some(file) => {
            files::write_atomically(file, &bytes)?;
            let mut blob = described(&args.digest, &bytes);
            blob["file"] = file.to_string_lossy().into();
            if console.json {
                console.document(&blob);
            } else {
                console.line(format_args!("{}  {} bytes", file.display(), bytes.len()));
            }
        }
    }
    Ok(Exit::Done)
}
