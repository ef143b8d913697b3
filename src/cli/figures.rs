//! Figures of a process that stays, for Prometheus.

use super::{Context, bus};
use crate::{
    bus::{Address, Bus, Parts, Topology, connect},
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
    /// Begins to serve them, where that is asked for; of what waits, that in these streams.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn begin(
        &self,
        parts: &mut Parts,
        address: &Address,
        streams: &'static [&'static str],
        context: &Context,
    ) -> anyhow::Result<()> {
        let Some(listen) = self.metrics_listen else { return Ok(()) };
        let bound = telemetry::listen(listen).await?;
        context.console.note(format_args!("figures are on http://{bound}/metrics"));
        let (address, topology, stop) = (address.clone(), bus::topology(&context.settings), parts.stop().clone());
        parts.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = look(&address, &topology, streams) => {}
            }
            Ok::<_, Error>(())
        });
        Ok(())
    }
}

/// Measures what waits for each consumer of these streams, for ever.
async fn look(address: &Address, topology: &Topology, streams: &[&str]) {
    loop {
        if let Ok(bus) = connect(address).await {
            while measure_once(&bus, topology, streams).await {
                tokio::time::sleep(LOOK).await;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether the bus said anything.
async fn measure_once(bus: &Bus, topology: &Topology, streams: &[&str]) -> bool {
    let mut answered = false;
    for (stream, config) in topology.consumers().into_iter().filter(|(stream, _)| streams.contains(stream)) {
        let name = config.durable_name.unwrap_or_default();
        let Ok(stream) = bus.jetstream.get_stream_no_info(stream).await else { continue };
        if let Ok(info) = stream.consumer_info(&name).await {
            answered = true;
            measure::waits(&name, info.num_pending, info.num_ack_pending as u64);
        }
    }
    answered
}
