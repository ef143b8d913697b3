//! Figures of a process that stays, for Prometheus.

use super::{Context, bus};
use crate::{
    bus::{Address, Parts, Topology, connect},
    log::Error,
    telemetry::{self, measure},
};
use std::{net::SocketAddr, time::Duration};

/// How often it is looked what waits for each consumer.
const LOOK: Duration = Duration::from_secs(5);

/// Whether figures are served, and where.
#[derive(Debug, Clone, clap::Args)]
pub struct Figures {
    /// Serve figures for Prometheus on this address, as /metrics.
    #[arg(long, value_name = "ADDR:PORT")]
    metrics_listen: Option<SocketAddr>,
}

impl Figures {
    /// Begins to serve them, where that is asked for. Whether it is.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn listen(&self, context: &Context) -> anyhow::Result<bool> {
        let Some(listen) = self.metrics_listen else { return Ok(false) };
        let bound = telemetry::listen(listen).await?;
        context.console.note(format_args!("figures are on http://{bound}/metrics"));
        Ok(true)
    }

    /// Begins to serve them, where that is asked for, and among them what waits for each consumer.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn begin(&self, parts: &mut Parts, address: &Address, context: &Context) -> anyhow::Result<()> {
        if !self.listen(context).await? {
            return Ok(());
        }
        let (address, topology, stop) = (address.clone(), bus::topology(&context.settings), parts.stop().clone());
        parts.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = look(&address, &topology) => {}
            }
            Ok::<_, Error>(())
        });
        Ok(())
    }
}

/// Measures what waits for each consumer, for ever. What this process may not ask about has no figure.
async fn look(address: &Address, topology: &Topology) {
    loop {
        if let Ok(bus) = connect(address).await {
            while measure_once(&bus, topology).await {
                tokio::time::sleep(LOOK).await;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether the bus said anything.
async fn measure_once(bus: &crate::bus::Bus, topology: &Topology) -> bool {
    let mut answered = false;
    for (stream, config) in topology.consumers() {
        let name = config.durable_name.unwrap_or_default();
        let Ok(stream) = bus.jetstream.get_stream_no_info(stream).await else { continue };
        if let Ok(info) = stream.consumer_info(&name).await {
            answered = true;
            measure::waits(&name, info.num_pending, info.num_ack_pending as u64);
        }
    }
    answered
}
