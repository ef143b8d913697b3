//! `flywheel session`: make, track and check session files.

use super::{Context, Exit};

/// `session` and its commands.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {}

/// Runs the command.
pub fn run(args: Args, _context: &Context) -> anyhow::Result<Exit> {
    match args.command {}
}
