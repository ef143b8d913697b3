//! Parts of a process that stay: each lives on connections of its own, and is begun anew where one fails.

use super::{Address, Bus, connect, patience::jittered};
use crate::log::Error;
use std::{future::Future, time::Duration};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

/// The first wait before a part is begun anew, doubled each time.
const WAIT_FIRST: Duration = Duration::from_millis(50);

/// The longest wait. Whoever publishes what ends connections must not buy much silence with it.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// One life of a part.
#[derive(Debug)]
pub struct Life {
    /// The connection it has for itself.
    pub bus: Bus,
    /// How many lives there were before.
    pub before: u64,
}

/// Lives a part's lives until one ends by itself, which it does when `stop` is said. Who cannot use the bus at all has been told so
/// by [`reach`](super::reach) before: from then on a connection that fails is one that is waited for.
///
/// # Errors
/// When something fails that no new beginning changes.
pub async fn supervise<F: Future<Output = Result<(), Error>>>(
    part: &str,
    address: &Address,
    stop: &CancellationToken,
    live: impl Fn(Life) -> F,
) -> Result<(), Error> {
    let (mut before, mut wait) = (0, WAIT_FIRST);
    loop {
        let began = Instant::now();
        let ended = match connect(address).await {
            Ok(bus) => {
                before += 1;
                live(Life { bus, before: before - 1 }).await
            }
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => return Ok(()),
            Err(error) if !is_passing(&error) => return Err(error),
            Err(error) if stop.is_cancelled() => {
                tracing::warn!("{part}: {error}");
                return Ok(());
            }
            Err(error) => tracing::warn!("{part}: {error}; beginning anew"),
        }
        if began.elapsed() > WAIT_MAX {
            wait = WAIT_FIRST;
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(jittered(wait)) => {}
        }
        wait = (wait * 2).min(WAIT_MAX);
    }
}

/// Whether a new beginning may help: not where the log holds what this program did not write, the bus is not as it must be, or a file
/// is in the way.
fn is_passing(error: &Error) -> bool {
    matches!(error, Error::Bus(_) | Error::Closed)
}

/// The parts of one process: all go on until they are asked to stop, or one cannot.
#[derive(Debug, Default)]
pub struct Parts {
    running: JoinSet<Result<(), Error>>,
    stop: CancellationToken,
}

impl Parts {
    /// What the parts are asked to stop by.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Begins a part, which must end when it is asked to.
    pub fn spawn(&mut self, part: impl Future<Output = Result<(), Error>> + Send + 'static) {
        self.running.spawn(part);
    }

    /// Waits for the end of all, which the end of any brings about.
    ///
    /// # Errors
    /// As the first part that failed.
    pub async fn wait(mut self) -> Result<(), Error> {
        let mut outcome = Ok(());
        while let Some(ended) = self.running.join_next().await {
            self.stop.cancel();
            let ended = ended.unwrap_or_else(|error| Err(Error::File(format!("a part of the process died: {error}"))));
            outcome = outcome.and(ended);
        }
        outcome
    }
}
