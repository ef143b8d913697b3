//! Waiting out a server that is restarting, electing a leader or out of reach.

use super::Bus;
use crate::log::Error;
use rand::RngExt as _;
use std::time::Duration;
use tokio::time::Instant;

/// The first wait, doubled each time.
const WAIT_FIRST: Duration = Duration::from_millis(50);

/// The longest wait between two tries.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// How long trouble is waited out where it is. After that whoever supervises begins anew.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is left of the patience with one call.
#[derive(Debug)]
pub(crate) struct Patience {
    since: Option<Instant>,
    wait: Duration,
}

impl Patience {
    /// All of it.
    pub fn new() -> Self {
        Self { since: None, wait: WAIT_FIRST }
    }

    /// Waits before another try.
    ///
    /// # Errors
    /// With the error itself, where no try helps: the connection is gone for good, or it has gone on for too long.
    pub async fn wait(&mut self, bus: &Bus, error: Error) -> Result<(), Error> {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() > PATIENCE || !matches!(error, Error::Bus(_)) || bus.is_dead().await {
            return Err(error);
        }
        tracing::warn!("{error}; trying again");
        tokio::time::sleep(jittered(self.wait)).await;
        self.wait = (self.wait * 2).min(WAIT_MAX);
        Ok(())
    }
}

/// A wait, ± half.
pub(super) fn jittered(wait: Duration) -> Duration {
    wait.saturating_mul(rand::rng().random_range(50..=150_u32)) / 100
}
