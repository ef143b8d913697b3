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

/// How long trouble is waited out by whoever has nothing to lose. After that whoever supervises begins anew.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is left of the patience with one call.
#[derive(Debug)]
pub(crate) struct Patience {
    is_endless: bool,
    since: Option<Instant>,
    wait: Duration,
    tries: u32,
}

impl Patience {
    /// All of it: a minute.
    pub fn new() -> Self {
        Self { is_endless: false, since: None, wait: WAIT_FIRST, tries: 0 }
    }

    /// As long as it takes. Whoever waits must be one that can be dropped.
    pub fn endless() -> Self {
        Self { is_endless: true, ..Self::new() }
    }

    /// Waits before another try.
    ///
    /// # Errors
    /// With the error itself, where no try helps: the connection is gone for good, or it has gone on for too long.
    pub async fn wait(&mut self, bus: &Bus, error: Error) -> Result<(), Error> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let is_over = since.elapsed() > PATIENCE && !self.is_endless;
        if is_over || !matches!(error, Error::Bus(_)) || bus.is_dead().await {
            return Err(error);
        }
        self.tries += 1;
        // Of what goes on for hours something is said now and then.
        if self.tries.is_power_of_two() {
            tracing::warn!("{error}; trying again");
        }
        tokio::time::sleep(jittered(self.wait)).await;
        self.wait = (self.wait * 2).min(WAIT_MAX);
        Ok(())
    }

    /// When the trouble began, if there was any.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// How often it was waited.
    pub fn tries(&self) -> u32 {
        self.tries
    }
}

/// A wait, ± half.
pub(super) fn jittered(wait: Duration) -> Duration {
    wait.saturating_mul(rand::rng().random_range(50..=150_u32)) / 100
}
