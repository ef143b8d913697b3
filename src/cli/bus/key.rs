//! `flywheel bus key`.

use super::{Context, Exit, Mistake};
use anyhow::Context as _;
use nkeys::KeyPair;
use serde_json::json;
use std::{
    fs::OpenOptions,
    io::{ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
};

/// More than any seed takes.
const SEED_BYTES_MAX: u64 = 1024;

/// Make a user's key for the bus, and print its public half.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  flywheel bus key worker.nk\n\nA file that is there already is kept, and its public key printed. The file is the setting `nats_nkey`; the\npublic key goes into the server's configuration."
)]
pub struct Args {
    /// The file with the secret seed, which only its owner may read.
    file: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let public = match make(&args.file)? {
        Some(made) => made.public_key(),
        None => read(&args.file)?.public_key(),
    };
    match context.console.json {
        true => context.console.document(&json!({ "public_key": public, "file": args.file })),
        false => context.console.line(public),
    }
    Ok(Exit::Done)
}

/// A new key in a new file, or nothing where there is a file.
fn make(path: &Path) -> anyhow::Result<Option<KeyPair>> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot make {}", path.display())),
    };
    let key = KeyPair::new_user();
    let seed = key.seed().context("cannot write the key down")?;
    let written = writeln!(file, "{seed}").and_then(|()| file.sync_all());
    written.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Some(key))
}

fn read(path: &Path) -> anyhow::Result<KeyPair> {
    let no_key = || {
        Mistake::new(
            format!("{} is there, and is no seed of a user's key", path.display()),
            "give a file that is not there yet",
        )
    };
    let mut seed = String::new();
    let file = OpenOptions::new().read(true).open(path);
    file.and_then(|file| file.take(SEED_BYTES_MAX).read_to_string(&mut seed))
        .with_context(|| format!("cannot read {}", path.display()))?;
    // What is wrong with a seed may quote it.
    let key = KeyPair::from_seed(seed.trim()).map_err(|_| no_key())?;
    if matches!(key.key_pair_type(), nkeys::KeyPairType::User) { Ok(key) } else { Err(no_key().into()) }
}
