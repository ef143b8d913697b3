//! `flywheel failures`: what failed or was refused, why, and what to do.

mod list;
mod show;

use super::{Context, Exit};

/// `failures` and its commands.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:\n  flywheel failures list\n  flywheel failures show 17")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List failures in the order of the log, a page at once.
    List(list::Args),
    /// Print one failure with what to do about it.
    Show(show::Args),
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    match args.command {
        Command::List(args) => list::run(&args, context),
        Command::Show(args) => show::run(&args, context),
    }
}
