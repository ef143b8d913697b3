//! `flywheel feedback`: what somebody thinks of a session's artifacts.

mod add;

use super::{Context, Exit};

/// `feedback` and its commands.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  flywheel feedback add --session a1b2c3d4-e5f6-7890-abcd-ef1234567890 --agent Agent-5 --quality 4"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Rate a session's artifacts.
    Add(add::Args),
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Add(args) => add::run(args, context),
    }
}
