//! The command line: one file a command, one row in [`Command`].
//!
//! Invariants: results go to stdout, everything else to stderr; with `--json` a result is one JSON document (or one a
//! line); the exit code is [`Exit`].

mod again;
mod asyncapi;
mod blob;
mod bus;
mod completions;
mod config;
mod console;
mod failures;
mod feedback;
mod figures;
mod intake;
mod log;
mod man;
mod manifest;
mod metrics;
mod queue;
mod read;
mod replay;
mod replica;
mod rerun;
mod retry;
mod run;
mod schema;
mod serve;
mod session;
mod stages;
mod staying;
mod table;
mod through;
mod verify;
mod watch;
mod worker;
mod workshop;

pub use console::Console;

use crate::{config::Settings, telemetry::Tracing};
use clap::{Parser, Subcommand};
use flywheel_events::SessionId;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Turns every finished work session of a swarm of agents into public artifacts.
#[derive(Debug, Parser)]
#[command(name = "flywheel", version, propagate_version = true, max_term_width = 100, infer_long_args = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 something failed or is partial, 2 the request or the input was wrong.\n\nExamples:\n  flywheel session new --agent Agent-7 --repo . --since 2h\n  flywheel run session.json\n  flywheel log tail"
)]
pub struct Cli {
    // The environment is read with the other settings, where an empty variable is one that is not set.
    /// The folder that holds the log and what is rebuilt from it [env: FLYWHEEL_DATA] [default: .flywheel]
    #[arg(long, value_name = "DIR", global = true, help_heading = "Global options")]
    pub data: Option<PathBuf>,

    /// Read the settings from this file instead of flywheel.toml [env: FLYWHEEL_CONFIG]
    #[arg(long, value_name = "FILE", global = true, help_heading = "Global options")]
    pub config: Option<PathBuf>,

    /// Print results as JSON.
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,

    #[command(subcommand)]
    command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
enum Command {
    /// Turn session files into artifacts: the main job.
    Run(run::Args),
    /// Repeat the failed steps of a session, and everything that follows from them.
    Retry(retry::Args),
    /// Run a session again from its beginning.
    Rerun(rerun::Args),
    /// Make, track and check session files.
    Session(session::Args),
    /// Export, import and read the event log.
    Log(log::Args),
    /// Print the metrics.
    Metrics(metrics::Args),
    /// Say what you think of a session's artifacts.
    Feedback(feedback::Args),
    /// Rebuild the read models from the log.
    Replay(replay::Args),
    /// Watch the log grow, one readable line a fact.
    Watch(watch::Args),
    /// Ask what there is: sessions, steps, artifacts, duplicates.
    Manifest(manifest::Args),
    /// See and fill the queue of what is to be published.
    Queue(queue::Args),
    /// See what failed, why, and what to do.
    Failures(failures::Args),
    /// Check that the log, the files and the read models are what was recorded.
    Verify(verify::Args),
    /// Upload and fetch binary files: screenshots.
    Blob(blob::Args),
    /// Set up and examine the bus of a swarm.
    Bus(bus::Args),
    /// Run everything the swarm needs in one process.
    Serve(serve::Args),
    /// Take sessions in from the swarm.
    Intake(intake::Args),
    /// Work on stages for the swarm.
    Worker(worker::Args),
    /// Keep the bus's log in the data folder, for the commands that read.
    Replica(replica::Args),
    /// Print the JSON Schema of an event or of the session file.
    Schema(schema::Args),
    /// Print the AsyncAPI document of the bus.
    Asyncapi(asyncapi::Args),
    /// Print the pipeline graph.
    Stages(stages::Args),
    /// Print the settings and their documentation.
    Config(config::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
    /// Print the manual page.
    Man(man::Args),
}

impl Command {
    /// Whether the settings matter: what documents the program must work while they are wrong, to set them right.
    fn needs_settings(&self) -> bool {
        match self {
            Self::Run(_) | Self::Session(_) | Self::Log(_) | Self::Replay(_) | Self::Queue(_) => true,
            Self::Manifest(_) | Self::Failures(_) | Self::Verify(_) | Self::Watch(_) => true,
            Self::Retry(_) | Self::Rerun(_) | Self::Metrics(_) | Self::Feedback(_) => true,
            Self::Blob(_) | Self::Bus(_) | Self::Worker(_) | Self::Intake(_) | Self::Serve(_) | Self::Replica(_) => {
                true
            }
            Self::Config(args) => args.needs_settings(),
            Self::Schema(_) | Self::Asyncapi(_) | Self::Stages(_) | Self::Completions(_) | Self::Man(_) => false,
        }
    }
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

/// Makes sure that results and session files, which are JSON, can name a path that is written to.
///
/// # Errors
/// When it is not UTF-8.
pub fn check_utf8(path: &Path, what: &str) -> Result<(), Mistake> {
    match path.to_str() {
        Some(_) => Ok(()),
        None => Err(Mistake::new(
            format!("{what} {} is not UTF-8, so no JSON can name it", path.display()),
            "rename it, or give another",
        )),
    }
}

/// A session's id, in either case of its letters.
fn parse_session(text: &str) -> Result<SessionId, String> {
    text.parse().map_err(|error: flywheel_events::id::Error| error.to_string())
}

/// What every command is given.
#[derive(Debug, Clone)]
pub struct Context {
    /// The settings in force.
    pub settings: Settings,
    /// Where to print, and how.
    pub console: Console,
}

/// Parses the arguments of the process, runs the command and says how it ended.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let console = Console::new(cli.json);
    let tracing = Tracing::of_environment().unwrap_or_else(|error| {
        console.note(format_args!("warning: nothing is traced: {error:#}"));
        None
    });
    console.show_diagnostics(tracing.as_ref());
    let mut exit = start(cli, console).unwrap_or_else(|error| {
        console.error(&error);
        if error.is::<Mistake>() { Exit::Wrong } else { Exit::Failed }
    });
    // A reader that has seen enough is no fault; a full disk is.
    if let Some(error) = console.lost().filter(|error| error.kind() != std::io::ErrorKind::BrokenPipe) {
        console.note(format_args!("error: cannot write the results to standard output: {error}"));
        exit = exit.max(Exit::Failed);
    }
    if let Some(tracing) = tracing {
        tracing.end();
    }
    ExitCode::from(exit as u8)
}

fn start(cli: Cli, console: Console) -> anyhow::Result<Exit> {
    let mut settings = if cli.command.needs_settings() {
        crate::config::load(cli.config.as_deref())
            .map_err(|error| Mistake { message: error.message, hint: Some(error.hint) })?
    } else {
        Settings::built_in()
    };
    if let Some(data) = cli.data {
        settings.data = data;
    }
    check_utf8(&settings.data, "the data folder")?;
    let context = &Context { settings, console };
    match cli.command {
        Command::Run(args) => run::run(args, context),
        Command::Session(args) => session::run(args, context),
        Command::Log(args) => log::run(args, context),
        Command::Retry(args) => retry::run(&args, context),
        Command::Rerun(args) => rerun::run(&args, context),
        Command::Metrics(args) => metrics::run(&args, context),
        Command::Feedback(args) => feedback::run(&args, context),
        Command::Replay(args) => replay::run(&args, context),
        Command::Manifest(args) => manifest::run(args, context),
        Command::Failures(args) => failures::run(args, context),
        Command::Verify(args) => verify::run(&args, context),
        Command::Watch(args) => watch::run(&args, context),
        Command::Queue(args) => queue::run(args, context),
        Command::Blob(args) => blob::run(args, context),
        Command::Bus(args) => bus::run(args, context),
        Command::Serve(args) => serve::run(&args, context),
        Command::Intake(args) => intake::run(&args, context),
        Command::Worker(args) => worker::run(&args, context),
        Command::Replica(args) => replica::run(&args, context),
        Command::Schema(args) => schema::run(args, context),
        Command::Asyncapi(args) => asyncapi::run(&args, context),
        Command::Stages(args) => stages::run(&args, context),
        Command::Config(args) => config::run(&args, context),
        Command::Completions(args) => completions::run(&args, context),
        Command::Man(args) => man::run(&args, context),
    }
}
