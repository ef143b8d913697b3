//! `flywheel log import`.
#![expect(clippy::disallowed_methods, reason = "reads the file it was given")]

use super::{Context, Exit, Mistake, open_or_make};
use crate::log::Error;
use serde_json::json;
use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::PathBuf,
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
    let lines: Box<dyn BufRead> = if name == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let file = File::open(&args.file).map_err(|error| {
            Mistake::new(format!("{name}: cannot be read: {error}"), "give the file of a `log export`")
        })?;
        Box::new(BufReader::new(file))
    };
    let log = open_or_make(context)?;
    let (known, appended) = log.import(lines, &name).map_err(|error| match error {
        Error::Import(message) => {
            Mistake::new(message, "import into an empty data folder, or take a whole export").into()
        }
        error => anyhow::Error::from(error),
    })?;
    if context.console.json {
        context.console.document(&json!({ "appended": appended, "known": known }));
    } else {
        context.console.line(format_args!("{appended} facts appended, {known} were there already"));
    }
    Ok(Exit::Done)
}
