//! `flywheel serve`: everything a swarm needs beside its bus, in one process.

use super::{
    Context, Exit,
    bus::{self, Reach},
    intake, staying,
    worker::ToolArgs,
};

/// Run everything the swarm needs in one process.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It makes what is missing on the bus, takes sessions in and works on every stage. The same parts run on machines of\ntheir own as `flywheel bus setup`, `flywheel intake` and `flywheel worker`.\n\nExamples:\n  flywheel serve --nats nats://localhost:4222\n\nIt ends on SIGTERM or Ctrl-C, and gives back what it has in hand. While the bus is away it waits."
)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    tools: ToolArgs,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let tools = args.tools.open(context)?;
    let address = args.reach.address(&context.settings)?;
    let topology = bus::topology(&context.settings);
    staying::run(async |parts| {
        crate::bus::setup(&args.reach.connect(&context.settings).await?, &topology).await?;
        context.console.note("taking sessions in, and working on every stage");
        intake::begin(parts, &address, &topology);
        parts.spawn(staying::worker(address, topology, tools, vec![], parts.stop().clone()));
        Ok(())
    })
}
