//! `flywheel log import`.
#![expect(clippy::disallowed_methods, reason = "reads the file it was given")]

use super::{Context, Exit, Mistake, open_or_make};
use crate::log::{EmbeddedLog, Error};
use anyhow::Context as _;
use serde_json::json;
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Seek as _},
    path::{Path, PathBuf},
};

/// Where from.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "All lines are appended, or none. A log that has facts already must begin with the same ones.\n\nExamples:\n  flywheel --data restored log import log.ndjson\n  ssh host flywheel log export | flywheel --data copy log import -"
)]
pub struct Args {
    /// An export; `-` for standard input.
    file: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let name = args.file.display().to_string();
    let mut lines: Box<dyn BufRead> =
        if name == "-" { Box::new(BufReader::new(io::stdin())) } else { Box::new(BufReader::new(open(&args.file)?)) };
    let progress = context.console.progress(None, "importing");
    // A damaged export must not leave an empty log behind: where there is none yet, the lines are checked first.
    if !context.settings.data.join("log.db").exists() {
        let mut copy = match fs::metadata(&args.file) {
            Ok(metadata) if metadata.is_file() => open(&args.file)?,
            // Standard input or a pipe, which can be read only once.
            _ => spooled(&mut lines, &name)?,
        };
        EmbeddedLog::check_export(BufReader::new(&copy), &name).map_err(mistaken)?;
        copy.rewind().with_context(|| format!("cannot read {name} again"))?;
        lines = Box::new(BufReader::new(copy));
    }
    let log = open_or_make(context)?;
    let (known, appended) = log.import(progress.wrap_read(lines), &name).map_err(mistaken)?;
    progress.finish_and_clear();
    if context.console.json {
        context.console.document(&json!({ "appended": appended, "known": known }));
    } else {
        context.console.line(format_args!("{appended} facts appended, {known} were there already"));
    }
    Ok(Exit::Done)
}

fn open(path: &Path) -> anyhow::Result<File> {
    let wrong = |why: String| {
        Mistake::new(format!("{}: cannot be read: {why}", path.display()), "give the file of a `flywheel log export`")
    };
    if path.is_dir() {
        return Err(wrong("it is a directory".into()).into());
    }
    Ok(File::open(path).map_err(|error| wrong(error.to_string()))?)
}

/// What can be read only once, in a file that can be read again.
fn spooled(lines: &mut dyn BufRead, name: &str) -> anyhow::Result<File> {
    let mut copy = tempfile::tempfile().context("cannot make a temporary file")?;
    io::copy(lines, &mut copy).with_context(|| format!("cannot keep a copy of {name}"))?;
    copy.rewind().context("cannot read a temporary file")?;
    Ok(copy)
}

fn mistaken(error: Error) -> anyhow::Error {
    match error {
        Error::Import(message) => {
            Mistake::new(message, "import into an empty data folder, or take a whole export").into()
        }
        Error::IsReplica => Mistake::new(error.to_string(), "name another data folder with --data").into(),
        error => error.into(),
    }
}
