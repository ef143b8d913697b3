//! `flywheel serve`: everything a swarm needs beside its bus, in one process.

use super::{
    Context, Exit,
    bus::{self, Reach},
    figures::Figures,
    intake, replica, staying,
    worker::ToolArgs,
};
use crate::{
    bus::{Bus, INBOX, LOG, Patience, Topology},
    log::Error,
};

/// Run everything the swarm needs in one process.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It makes what is missing on the bus, takes sessions in, works on every stage, keeps the log in the data\nfolder and sends the metrics. The same parts run on machines of their own as `flywheel bus setup`, `flywheel intake`,\n`flywheel worker` and `flywheel replica --emit-metrics`.\n\nExamples:\n  flywheel serve --nats nats://localhost:4222\n\nIt ends on SIGTERM or Ctrl-C, and gives back what it has in hand. While the bus is away it waits."
)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    tools: ToolArgs,
    #[command(flatten)]
    figures: Figures,
}

/// Makes what is missing, once there is a leader who can.
async fn set_up(bus: &Bus, topology: &Topology) -> Result<(), Error> {
    let mut patience = Patience::new();
    while let Err(error) = crate::bus::setup(bus, topology).await {
        patience.wait(bus, error).await?;
    }
    Ok(())
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let tools = args.tools.open(&args.reach, context)?;
    let address = args.reach.address(&context.settings)?;
    let topology = bus::topology(&context.settings);
    staying::run(async |parts| {
        args.figures.begin(parts, &address, &[INBOX, LOG], context).await?;
        let Some(bus) = staying::reach(&address, parts.stop(), context).await? else { return Ok(()) };
        tokio::select! {
            () = parts.stop().cancelled() => return Ok(()),
            done = set_up(&bus, &topology) => done?,
        }
        bus.is_narrow().iter().for_each(|why| context.console.note(format_args!("warning: {why}")));
        context.console.note("taking sessions in, working on every stage, and keeping a replica");
        intake::begin(parts, &address, &topology);
        parts.spawn(staying::worker(address.clone(), topology, tools, vec![], parts.stop().clone()));
        let (context, stop) = (context.clone(), parts.stop().clone());
        // It holds a database, which belongs to one thread.
        let runtime = tokio::runtime::Handle::current();
        let keep = move || runtime.block_on(replica::keep(&address, true, stop.cancelled_owned(), &context));
        let keeping = tokio::task::spawn_blocking(keep);
        parts.spawn(async move {
            let kept = keeping.await.map_err(anyhow::Error::from).and_then(|kept| kept);
            kept.map(drop).map_err(|error| Error::File(format!("the replica: {error:#}")))
        });
        Ok(())
    })
}
