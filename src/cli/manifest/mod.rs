//! `flywheel manifest`: sessions, how their steps ended, and what they made.

mod duplicates;
mod list;
mod show;

use super::{Context, Exit};

/// `manifest` and its commands.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  flywheel manifest list --status partial\n  flywheel manifest show a1b2c3d4\n  flywheel manifest duplicates --json"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List sessions by their time, a page at once.
    List(list::Args),
    /// Print everything there is on a session.
    Show(show::Args),
    /// List the content that several sessions made.
    Duplicates(duplicates::Args),
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    match args.command {
        Command::List(args) => list::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Duplicates(args) => duplicates::run(&args, context),
    }
}
