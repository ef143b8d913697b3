//! `flywheel asyncapi`: the contract of the bus.

use super::{Context, Exit};

/// No options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  flywheel asyncapi > asyncapi.json")]
pub struct Args {}

/// Runs the command.
pub fn run(_: &Args, context: &Context) -> anyhow::Result<Exit> {
    context.console.document(&flywheel_events::asyncapi::document());
    Ok(Exit::Done)
}
