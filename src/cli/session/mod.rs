//! `flywheel session`: make, track and check session files.

mod draft;
mod new;
mod note;
mod repository;
mod start;
mod stop;
mod tracking;
mod validate;
mod when;

pub use when::When;

use super::{Context, Exit};
pub use validate::unreadable;

/// `session` and its commands.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  flywheel session new --agent Agent-7 --repo . --since 2h\n  flywheel session start --agent Agent-7 --repo .\n  flywheel session validate sessions/*.json"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check session files and show everything that is wrong with them.
    Validate(validate::Args),
    /// Make a session file from a repository and a window of time.
    New(new::Args),
    /// Start to track a session while it happens.
    Start(start::Args),
    /// Add a note, a screenshot or a creation to the session being tracked.
    Note(note::Args),
    /// End the session being tracked and write its file.
    Stop(stop::Args),
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    match args.command {
        Command::Validate(args) => validate::run(args, context),
        Command::New(args) => new::run(args, context),
        Command::Start(args) => start::run(args, context),
        Command::Note(args) => note::run(args, context),
        Command::Stop(args) => stop::run(args, context),
    }
}

/// Reads a session type, with clap's own "did you mean".
fn session_type() -> impl clap::builder::TypedValueParser<Value = flywheel_events::SessionType> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    use flywheel_events::SessionType;
    PossibleValuesParser::new(SessionType::ALL.map(SessionType::as_str)).map(|name| {
        SessionType::ALL.into_iter().find(|kind| kind.as_str() == name).expect("only the names of types get here")
    })
}
