//! `flywheel blob put`.

use super::{Context, Exit, described};
use crate::{
    blobs::{BYTES_MAX, Store},
    cli::{
        bus::{Reach, runtime},
        workshop,
    },
    files,
};
use anyhow::Context as _;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Upload files, and print the digest of each, by which a session names it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A screenshot of a session names its file by the digest: {\"path\": \"play.png\", \"sha256\": \"…\"}. The same file again is no error.\n\nExit codes: 0 every file is stored, 1 one is not.\n\nExamples:\n  flywheel blob put play.png\n  flywheel blob put screenshots/*.png --nats nats://localhost:4222 --json"
)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Files, up to 64 MiB each.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Runs the command. Each file stands alone.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let store = workshop::blobs(&args.reach, &context.settings)?;
    let (console, runtime) = (context.console, runtime()?);
    let (mut stored, mut exit) = (vec![], Exit::Done);
    for file in &args.files {
        match runtime.block_on(put(&store, file)) {
            Ok(blob) if console.json => stored.push(blob),
            Ok(blob) => console.line(format_args!(
                "{}  {:>10}  {}  {}",
                blob["sha256"].as_str().unwrap_or_default(),
                blob["size"],
                blob["media_type"].as_str().unwrap_or_default(),
                file.display()
            )),
            Err(error) => {
                console.error(&error);
                exit = Exit::Failed;
            }
        }
    }
    if console.json {
        console.document(&stored);
    }
    Ok(exit)
}

async fn put(store: &Store, file: &Path) -> anyhow::Result<Value> {
    let limit = usize::try_from(BYTES_MAX + 1).expect("64 MiB");
    let failed = || format!("cannot upload {}", file.display());
    let bytes = bytes::Bytes::from(files::read_at_most(file, limit).with_context(failed)?);
    let put = store.put(bytes.clone()).await.map_err(|error| super::failed(failed(), &error))?;
    let mut blob = described(&put.digest, &bytes);
    blob["was_there"] = put.was_there.into();
    blob["file"] = file.to_string_lossy().into();
    Ok(blob)
}
