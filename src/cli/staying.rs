//! Commands that stay until they are asked to end, and the parts they are made of.

use super::{Context, Exit, bus};
use crate::{
    bus::{Address, Bus, BusLog, Life, Parts, Topology, supervise},
    log::{Error, Scope},
    runner::{self, Tools},
    stages::pipelines,
};
use flywheel_events::Step;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long the parts may take to end once they are asked to. What they have in hand comes again.
const END_MAX: Duration = Duration::from_secs(15);

/// How long what no part waits for any more may go on: a stage's look at the world, a look-up of a name.
const REST_MAX: Duration = Duration::from_secs(2);

/// Begins the parts, and waits until the process is asked to end and they have, or one fails.
pub fn run(begin: impl AsyncFnOnce(&mut Parts) -> anyhow::Result<()>) -> anyhow::Result<Exit> {
    let runtime = bus::runtime()?;
    let ended = runtime.block_on(async {
        let mut parts = Parts::default();
        let stop = parts.stop().clone();
        let asked = stop.clone();
        parts.spawn(async move {
            tokio::select! {
                ended = bus::asked_to_end() => ended.map_err(|error| Error::File(error.to_string()))?,
                () = asked.cancelled() => {}
            }
            asked.cancel();
            Ok(())
        });
        begin(&mut parts).await?;
        tokio::select! {
            ended = parts.wait() => ended?,
            () = too_long(&stop) => {
                tracing::warn!("not everything ended in {} s; what was in hand comes again", END_MAX.as_secs());
            }
        }
        Ok(Exit::Done)
    });
    runtime.shutdown_timeout(REST_MAX);
    ended
}

/// Returns when the parts were asked to end, and have had their time for it.
async fn too_long(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(END_MAX).await;
}

/// The first connection to the bus, once somebody answers there; none where the process is asked to end before.
///
/// # Errors
/// When somebody answers, and is no bus that can be used.
pub async fn reach(address: &Address, stop: &CancellationToken, context: &Context) -> anyhow::Result<Option<Bus>> {
    let waiting = |why: &Error| context.console.note(format_args!("waiting for {why}"));
    tokio::select! {
        () = stop.cancelled() => Ok(None),
        reached = crate::bus::reach(address, waiting) => Ok(Some(reached?)),
    }
}

/// Works on these stages, or on all where none is named.
pub async fn worker(
    address: Address,
    topology: Topology,
    tools: Arc<Tools>,
    stages: Vec<Step>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let wanted = |step: &Step| stages.is_empty() || stages.contains(step);
    supervise("the worker", &address, &stop, async |life: Life| {
        let log = BusLog::open_for_work(life.bus, topology.clone()).await?;
        let until = async {
            stop.cancelled().await;
            Ok(())
        };
        let ended = runner::work(&log, pipelines(), &tools, Scope::All, wanted, until).await;
        // What is in hand goes back, whyever it ended.
        log.close().await;
        ended
    })
    .await
}
