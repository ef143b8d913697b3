//! `flywheel queue`: what waits to be published.

mod add;
mod list;
mod show;

use super::{Context, Exit};

/// `queue` and its commands.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  flywheel queue list --target social\n  flywheel queue add --type readme --file README.md --targets github,website"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Queue a file as an artifact of its own.
    Add(add::Args),
    /// List what waits to be published, a page at once.
    List(list::Args),
    /// Print one item.
    Show(show::Args),
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    match args.command {
        Command::Add(args) => add::run(&args, context),
        Command::List(args) => list::run(&args, context),
        Command::Show(args) => show::run(&args, context),
    }
}
