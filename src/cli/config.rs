//! `flywheel config`: the settings, documented and as they are.

use super::{Context, Exit};

/// `config` and its commands.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:\n  flywheel config template > flywheel.toml\n  flywheel config show")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print every key with its documentation, as a flywheel.toml to start from.
    #[command(after_help = "Examples:\n  flywheel config template > flywheel.toml")]
    Template,
    /// Print the settings in force.
    #[command(
        after_help = "Examples:\n  flywheel config show\n  FLYWHEEL_DATA=/srv/flywheel flywheel config show --json"
    )]
    Show,
}

impl Args {
    /// Whether the settings in force are asked for.
    pub fn needs_settings(&self) -> bool {
        matches!(self.command, Command::Show)
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let console = context.console;
    match args.command {
        Command::Template => console.text(&crate::config::template()),
        Command::Show if console.json => console.document(&context.settings),
        Command::Show => console.text(&toml::to_string(&context.settings)?),
    }
    Ok(Exit::Done)
}
