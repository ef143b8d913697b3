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

/// For how many looks a consumer is left out that nothing was said of: a role may not ask about every one, and the server says
/// so with silence, which takes time.
const LEFT_OUT: u32 = 60;

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

    /// Begins to serve them, where that is asked for, and among them what waits for each consumer of these streams.
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
        if !self.listen(context).await? {
            return Ok(());
        }
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
    let mut consumers: Vec<_> = topology
        .consumers()
        .into_iter()
        .filter(|(stream, _)| streams.contains(stream))
        .map(|(stream, config)| Looked { stream, name: config.durable_name.unwrap_or_default(), left_out: 0 })
        .collect();
    loop {
        if let Ok(bus) = connect(address).await {
            while measure_once(&bus, &mut consumers).await {
                tokio::time::sleep(LOOK).await;
            }
            // That was the bus, and none of them.
            consumers.iter_mut().for_each(|consumer| consumer.left_out = 0);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A consumer that is looked at.
struct Looked {
    stream: &'static str,
    name: String,
    /// For how many more looks it is left out.
    left_out: u32,
}

/// Whether the bus said anything.
async fn measure_once(bus: &Bus, consumers: &mut [Looked]) -> bool {
    let mut answered = false;
    for consumer in consumers {
        consumer.left_out = consumer.left_out.saturating_sub(1);
        if consumer.left_out > 0 {
            continue;
        }
        let Ok(stream) = bus.jetstream.get_stream_no_info(consumer.stream).await else { continue };
        match stream.consumer_info(&consumer.name).await {
            Ok(info) => {
                answered = true;
                measure::waits(&consumer.name, info.num_pending, info.num_ack_pending as u64);
            }
            Err(_) => consumer.left_out = LEFT_OUT,
        }
    }
    answered
}
