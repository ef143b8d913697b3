//! Commands that stay until they are asked to end, and the parts they are made of.

use super::{Exit, bus};
use crate::{
    bus::{Address, BusLog, Life, Parts, Topology, supervise},
    log::{Error, Scope},
    runner::{self, Tools},
    stages::pipelines,
};
use flywheel_events::Step;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Begins the parts, and waits until the process is asked to end and they have, or one fails.
pub fn run(begin: impl AsyncFnOnce(&mut Parts) -> anyhow::Result<()>) -> anyhow::Result<Exit> {
    bus::runtime()?.block_on(async {
        let mut parts = Parts::default();
        begin(&mut parts).await?;
        let stop = parts.stop().clone();
        parts.spawn(async move {
            tokio::select! {
                asked = bus::asked_to_end() => asked.map_err(|error| Error::File(error.to_string())),
                () = stop.cancelled() => Ok(()),
            }
        });
        parts.wait().await?;
        Ok(Exit::Done)
    })
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
