//! The command line: one file a command, one row in [`Command`].
//!
//! Invariants: results go to stdout, everything else to stderr; with `--json` a result is one JSON document (or one a
//! line); the exit code is [`Exit`].

mod console;
mod session;

pub use console::Console;

use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Turns every finished work session of a swarm of agents into public artifacts.
#[derive(Debug, Parser)]
#[command(name = "flywheel", version, propagate_version = true, max_term_width = 100, infer_long_args = true)]
pub struct Cli {
    /// The folder that holds the log and what is rebuilt from it.
    #[arg(long, value_name = "DIR", env = "FLYWHEEL_DATA", global = true, help_heading = "Global options")]
    pub data: Option<PathBuf>,

    /// Print results as JSON.
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,

    #[command(subcommand)]
    command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
enum Command {
    /// Make, track and check session files.
    Session(session::Args),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Something failed, or is partial.
    Failed = 1,
    /// The request or the input was wrong; nothing was changed.
    Wrong = 2,
}

/// A mistake of the operator: what is wrong, and what to do. Exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Mistake {
    /// What is wrong, naming what and where.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Mistake {
    /// A mistake that says what to do.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }
}

/// What every command is given.
#[derive(Debug)]
pub struct Context {
    /// The data folder.
    pub data: PathBuf,
    /// Where to print, and how.
    pub console: Console,
}

/// Parses the arguments of the process, runs the command and says how it ended.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let context =
        Context { data: cli.data.unwrap_or_else(|| PathBuf::from(".flywheel")), console: Console::new(cli.json) };
    let result = match cli.command {
        Command::Session(args) => session::run(args, &context),
    };
    let exit = result.unwrap_or_else(|error| {
        let exit = if error.is::<Mistake>() { Exit::Wrong } else { Exit::Failed };
        context.console.error(&error);
        exit
    });
    ExitCode::from(exit as u8)
}
