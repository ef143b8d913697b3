//! Sending metrics while a replica is filled.

use crate::{
    bus::{
        Address, connect,
        metrics::{Emitter, Position},
        replica::Progress,
    },
    cli::{Context, log},
    log::EmbeddedLog,
    views,
};
use chrono::{DateTime, Utc};
use flywheel_events::envelope::Envelope;
use flywheel_projections::metrics::{self, Row};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// The shortest time between two looks at the metrics, so that a busy swarm does not send each of its facts' own.
const PAUSE: Duration = Duration::from_secs(1);

/// Sends metrics of a data folder that have changed.
pub(super) struct Sender {
    address: Address,
    data: Arc<PathBuf>,
    log: EmbeddedLog,
    emitter: Option<Emitter>,
}

impl Sender {
    pub(super) fn new(address: &Address, context: &Context) -> anyhow::Result<Self> {
        let data = Arc::new(context.settings.data.clone());
        Ok(Self { address: address.clone(), data, log: log::open(context)?, emitter: None })
    }

    /// Sends what changes, whenever the replica has caught up, until it ends.
    pub(super) async fn follow(mut self, mut seen: watch::Receiver<Progress>) -> Self {
        let mut looked_at = 0;
        loop {
            let Progress { position, stream } = *seen.borrow_and_update();
            if position > looked_at && position >= stream {
                match self.send().await {
                    Ok(_) => looked_at = position,
                    Err(error) => tracing::warn!("cannot send the metrics: {error:#}; trying again"),
                }
            }
            let waiting = async {
                tokio::time::sleep(PAUSE).await;
                // A try that failed is not repeated by the next fact alone.
                if position <= looked_at { seen.changed().await.is_ok() } else { seen.has_changed().is_ok() }
            };
            if !waiting.await {
                return self;
            }
        }
    }

    /// Sends what has changed up to the end of the log.
    pub(super) async fn send(&mut self) -> anyhow::Result<usize> {
        let (data, log) = (self.data.clone(), self.log.clone());
        let rows = tokio::task::spawn_blocking(move || metrics_of(&data, &log)).await??;
        let Some(Metrics { rows, epoch, position, time }) = rows else { return Ok(0) };
        let mut emitter = match self.emitter.take() {
            Some(emitter) => emitter,
            None => Emitter::open(connect(&self.address).await?).await?,
        };
        let sent = emitter.emit(&rows, Position { epoch: &epoch, position, time }).await?;
        // After an error the next try begins with a new connection.
        self.emitter = Some(emitter);
        Ok(sent)
    }
}

/// The metrics up to a position of a replica, and the time of its fact.
struct Metrics {
    rows: Vec<Row>,
    epoch: String,
    position: u64,
    time: DateTime<Utc>,
}

/// The metrics at the end of the log; nothing of an empty one.
fn metrics_of(data: &Path, log: &EmbeddedLog) -> anyhow::Result<Option<Metrics>> {
    let view = flywheel_projections::find("metrics").expect("a row of the table");
    let connection = views::caught_up(data, log, view)?;
    let position: u64 = connection.query_row("SELECT position FROM checkpoint", [], |row| row.get(0))?;
    if position == 0 {
        return Ok(None);
    }
    let facts = log.read_now(position - 1, 1)?;
    let time = facts.first().and_then(|fact| Envelope::parse(fact.record.event.as_bytes()).ok()?.time());
    let rows = metrics::rows(&connection, position, None)?;
    // Facts are here, so the stream they came from is known.
    let epoch = log.replica_of()?.unwrap_or_default();
    Ok(Some(Metrics { rows, epoch, position, time: time.unwrap_or_default().to_utc() }))
}
