//! `flywheel man`: the manual page.

use super::{Cli, Context, Exit, Mistake};
use clap::CommandFactory as _;

/// Of which command.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  flywheel man | man -l -\n  flywheel man session new | man -l -")]
pub struct Args {
    /// The command; without it, the program's page.
    command: Vec<String>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let mut command = Cli::command();
    command.build();
    for name in &args.command {
        command = command
            .find_subcommand(name)
            .ok_or_else(|| Mistake::new(format!("there is no command `{name}`"), "`flywheel help` lists the commands"))?
            .clone();
    }
    let mut page = vec![];
    clap_mangen::Man::new(command).render(&mut page)?;
    context.console.text(&String::from_utf8(page)?);
    Ok(Exit::Done)
}
