//! `flywheel completions`: completions for a shell.

use super::{Cli, Context, Exit};
use clap::CommandFactory as _;

/// For which shell.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  flywheel completions bash > ~/.local/share/bash-completion/completions/flywheel\n  flywheel completions zsh > ~/.zfunc/_flywheel"
)]
pub struct Args {
    /// The shell.
    shell: clap_complete::Shell,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut Cli::command(), "flywheel", &mut script);
    context.console.text(&String::from_utf8(script)?);
    Ok(Exit::Done)
}
