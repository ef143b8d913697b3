//! `flywheel intake`: takes sessions in from the swarm.

use super::{
    Context, Exit,
    bus::{self, Reach},
    figures::Figures,
    staying, workshop,
};
use crate::{
    bus::{Address, INBOX, Parts, Topology, intake},
    safety::Cleaner,
};
use std::sync::Arc;

/// Take sessions in from the swarm.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Agents publish a CloudEvent on swarm.session.completed.<agent_id>, or request it on swarm.session.submit.<agent_id>\nand get the answer. What is refused is told on flywheel.rejected.<agent_id>.\n\nExamples:\n  flywheel intake --nats nats://localhost:4222\n\nIt ends on SIGTERM or Ctrl-C, and gives back what it has in hand. While the bus is away it waits."
)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    figures: Figures,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let address = args.reach.address(&context.settings)?;
    let topology = bus::topology(&context.settings);
    staying::run(async |parts| {
        args.figures.begin(parts, &address, &[INBOX], context).await?;
        let Some(_) = staying::reach(&address, parts.stop(), context).await? else { return Ok(()) };
        context.console.note("taking sessions in");
        begin(parts, &address, &topology);
        Ok(())
    })
}

/// Begins the inbox and the submissions.
pub fn begin(parts: &mut Parts, address: &Address, topology: &Topology) {
    let cleaner = Arc::new(Cleaner::new(workshop::own_context()));
    let given = || (address.clone(), topology.clone(), cleaner.clone(), parts.stop().clone());
    let (inbox, requests) = (given(), given());
    parts.spawn(async move {
        let (address, topology, cleaner, stop) = inbox;
        intake::take_from_inbox(&address, &topology, &cleaner, &stop).await
    });
    parts.spawn(async move {
        let (address, topology, cleaner, stop) = requests;
        intake::take_by_request(&address, &topology, &cleaner, &stop).await
    });
}
