//! A replica: the log's file of a data folder, filled from the stream and followed.
//!
//! Invariants:
//! - The consumer that is read begins with the last fact that is here, which must be the same there: a server that has lost its
//!   last moments is noticed whatever came behind them. In another epoch the whole of what is here is compared.
//! - A position that does not come, a stream that ends before the replica, another epoch with other facts, a fact that does
//!   not read: the replica stops, says what to do, and keeps what it has. A connection that goes is made again.
//! - A stored message can end every connection that it is delivered on. Where nothing comes, what is next is read without a
//!   delivery, so that such a message is named and stops the replica like everything else that is no fact.
//! - Facts are written in large durable transactions while more are on their way, and at once when there are none.

mod aside;
pub(super) mod check;
pub(super) mod reader;

use super::{Address, Bus, Refused, Topology, connect, differences, setup, topology::LOG};
use crate::log::{Arrived, Error, Filler, Head};
use async_nats::jetstream::stream;
use check::check;
use futures::StreamExt as _;
use rand::RngExt as _;
use reader::{Batch, Reader};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Batches that wait for the file's transaction: what is checked while one waits for the disk.
const BATCHES_WAITING_MAX: usize = 24;

/// Batches that are being checked at once.
const CHECKS_MAX: usize = 3;

/// Most facts in one transaction: the larger, the fewer pages of the keys' index are written twice.
const TRANSACTION_FACTS_MAX: usize = 65_536;

/// Most bytes of events in one transaction.
const TRANSACTION_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long a transaction waits for what is on its way.
const TRANSACTION_WAIT: Duration = Duration::from_millis(200);

/// The waits between two tries to reach the bus: doubled from the first to the last.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// After how many tries in a row that came to nothing whoever waits for the end of a replica is told so.
const TRIES_MAX: u32 = 8;

/// A connection that lasted so long was a good one.
const STEADY: Duration = Duration::from_secs(30);

/// For how long a stream that seems to end before the replica is looked at again, and how often: a leader that was elected a moment ago
/// may not have come to its end.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(3), Duration::from_millis(200));

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// To the end of the stream at the start.
    Head,
    /// On and on.
    Ended,
}

/// How far the replica is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is in the file, durably.
    pub position: u64,
    /// What was in the stream when it was looked at last.
    pub stream: u64,
}

/// What filling came to.
#[derive(Debug, Clone)]
pub struct Filled {
    /// The stream's epoch; none where it was never reached.
    pub epoch: Option<String>,
    /// The end of the file before.
    pub from: u64,
    /// The end of the file.
    pub head: Head,
}

/// Fills a replica from the bus, and says how far it is.
///
/// # Errors
/// [`Error::Diverged`] and [`Error::Foreign`] where the two cannot be one log; [`Error::Bus`] where it is to go to the head, and the
/// bus cannot be reached at the start, or not be read again and again. What has come before is in the file.
pub async fn fill(
    address: &Address,
    topology: &Topology,
    mut filler: Filler,
    until: Until,
    ended: impl Future<Output = ()>,
    progress: &watch::Sender<Progress>,
) -> Result<Filled, Error> {
    let from = filler.head()?.position;
    progress.send_modify(|progress| progress.position = from);
    let mut ended = std::pin::pin!(ended);
    let (mut wait, mut tries, mut target) = (RETRY.0, 0, None);
    loop {
        let (before, since) = (filler.head()?.position, Instant::now());
        let mut answered = false;
        let attached = async {
            let bus = connect(address).await?;
            attach(&bus, topology, &filler).await
        };
        let outcome = match attached.await {
            Ok((reader, epoch, last)) => {
                answered = true;
                progress.send_modify(|progress| progress.stream = last);
                let target = *target.get_or_insert(last);
                let target = (until == Until::Head).then_some(target);
                let (back, outcome) = pump(reader, filler, &epoch, target, &mut ended, progress).await?;
                filler = back;
                outcome
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => return Ok(Filled { epoch: filler.epoch()?, from, head: filler.head()? }),
            Err(Error::Bus(why)) => {
                if filler.head()?.position == before {
                    let until = target.filter(|_| until == Until::Head);
                    match aside::take(address, topology, &mut filler, until).await {
                        Ok(()) | Err(Error::Bus(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                let position = filler.head()?.position;
                if position > before || (answered && since.elapsed() > STEADY) {
                    (tries, wait) = (0, RETRY.0);
                } else {
                    tries += 1;
                }
                // Who stays has time: a server that is away, or a leader to be elected, is there again some day.
                if until == Until::Head {
                    if position == before && target.is_none() {
                        return Err(Error::Bus(why));
                    }
                    if tries >= TRIES_MAX {
                        return Err(Error::Bus(format!("the log cannot be read behind position {position}: {why}")));
                    }
                }
                tracing::warn!("{why}; trying again");
            }
            Err(error) => return Err(error),
        }
        let jittered = wait.mul_f64(rand::rng().random_range(0.5..=1.0));
        tokio::select! {
            () = tokio::time::sleep(jittered) => wait = (wait * 2).min(RETRY.1),
            () = &mut ended => return Ok(Filled { epoch: filler.epoch()?, from, head: filler.head()? }),
        }
    }
}

/// Looks at the stream, decides where to begin, and begins to read.
async fn attach(bus: &Bus, topology: &Topology, filler: &Filler) -> Result<(Reader, String, u64), Error> {
    let head = filler.head()?.position;
    let (epoch, last) = look(bus, topology, head).await?;
    let known = filler.epoch()?;
    let same_stream = known.as_ref() == Some(&epoch);
    if !same_stream && head > 0 {
        let known = known.unwrap_or_else(|| "none".to_owned());
        tracing::warn!("the stream is another (epoch {epoch}, the replica's is {known}): comparing what is here");
    }
    let start = if same_stream { head.max(1) } else { 1 };
    let reader = Reader::start(bus, start).await?;
    // A consumer ends with its stream: where the epoch is still the same, it reads that epoch.
    match look(bus, topology, head).await? {
        (now, last) if now == epoch => Ok((reader, epoch, last)),
        _ => Err(Error::Bus(format!("the stream {LOG} was replaced a moment ago; last position {last}"))),
    }
}

/// The stream as it is, if it is there, once it has come to `head`, or has had time to.
async fn settled(bus: &Bus, head: u64) -> Result<Option<stream::Info>, Error> {
    let since = Instant::now();
    loop {
        let found = setup::find_stream(bus, LOG).await?;
        let is_behind = found.as_ref().is_some_and(|info| info.state.last_sequence < head);
        if !is_behind || since.elapsed() > LOOK_AGAIN.0 {
            return Ok(found);
        }
        tokio::time::sleep(LOOK_AGAIN.1).await;
    }
}

/// The stream's epoch and last position, if a replica that goes to `head` can follow it.
async fn look(bus: &Bus, topology: &Topology, head: u64) -> Result<(String, u64), Error> {
    let diverged = |what: String| Err(Error::Diverged(what));
    let Some(stream::Info { config, state, .. }) = settled(bus, head).await? else {
        return diverged(format!(
            "the stream {LOG} is not there: `flywheel bus setup` makes it; if it was lost, `flywheel bus reconcile` restores it from a replica"
        ));
    };
    let differences = differences(&topology.log(), &config);
    if !differences.is_empty() {
        return diverged(Refused { what: "stream", name: LOG.to_owned(), differences }.to_string());
    }
    let Some(epoch) = config.metadata.get(setup::EPOCH) else {
        return diverged(format!(
            "the stream {LOG} has no `{}` in its metadata: flywheel did not make it",
            setup::EPOCH
        ));
    };
    let last = state.last_sequence;
    if last < head {
        return diverged(format!(
            "the stream {LOG} ends at position {last}, and this replica at {head}: the bus has lost facts; `flywheel bus reconcile` restores them from this replica"
        ));
    }
    if state.messages != last {
        let lost = last - state.messages;
        return diverged(format!("the stream {LOG} has lost {lost} of its {last} facts: {}", crate::log::HOLE));
    }
    Ok((epoch.clone(), last))
}

/// Reads, checks and writes until it is to end, or cannot go on. What has come is written either way.
async fn pump(
    reader: Reader,
    filler: Filler,
    epoch: &str,
    target: Option<u64>,
    ended: &mut (impl Future<Output = ()> + Unpin),
    progress: &watch::Sender<Progress>,
) -> Result<(Filler, Result<(), Error>), Error> {
    let (sender, receiver) = mpsc::channel(BATCHES_WAITING_MAX);
    let writing = tokio::task::spawn_blocking({
        let (epoch, progress) = (epoch.to_owned(), progress.clone());
        move || write_all(filler, &epoch, receiver, &progress)
    });
    let reading = async {
        let check = |batch: Result<Batch, Error>| async {
            let batch = batch?;
            tokio::task::spawn_blocking(|| check_all(batch)).await.map_err(|_| Error::Closed)
        };
        let mut checked = std::pin::pin!(reader.batches(target).map(check).buffered(CHECKS_MAX));
        while let Some(next) = checked.next().await {
            let (facts, is_last, fault) = next?;
            // A writer that has stopped says why itself.
            if sender.send((facts, is_last)).await.is_err() || fault.is_some() {
                return fault.map_or(Ok(()), Err);
            }
        }
        Ok(())
    };
    let read = tokio::select! {
        read = reading => read,
        () = ended => Ok(()),
    };
    drop(sender);
    let (filler, written) = writing.await.map_err(|_| Error::Closed)?;
    Ok((filler, written.and(read)))
}

/// Facts, whether they are the last for now, and what ended them early.
type Checked = (Vec<Arrived>, bool, Option<Error>);

fn check_all(batch: Batch) -> Checked {
    let mut facts = Vec::with_capacity(batch.messages.len());
    for (position, message) in &batch.messages {
        match check(*position, message) {
            Ok(fact) => facts.push(fact),
            Err(error) => return (facts, true, Some(error)),
        }
    }
    (facts, batch.is_last, None)
}

type Facts = (Vec<Arrived>, bool);

fn write_all(
    mut filler: Filler,
    epoch: &str,
    mut receiver: mpsc::Receiver<Facts>,
    progress: &watch::Sender<Progress>,
) -> (Filler, Result<(), Error>) {
    let runtime = tokio::runtime::Handle::current();
    let mut written = filler.take(epoch, std::iter::empty()).map(drop);
    while written.is_ok()
        && let Some(first) = receiver.blocking_recv()
    {
        written = filler.take(epoch, transaction(first, &mut receiver, &runtime)).map(|head| {
            progress.send_modify(|progress| {
                progress.position = head.position;
                progress.stream = progress.stream.max(head.position);
            });
        });
    }
    (filler, written)
}

/// The facts of one transaction: what comes until there is no more for now, or it is large enough.
fn transaction(
    first: Facts,
    receiver: &mut mpsc::Receiver<Facts>,
    runtime: &tokio::runtime::Handle,
) -> impl Iterator<Item = Arrived> {
    let (mut count, mut bytes, mut next) = (0, 0, Some(first));
    std::iter::from_fn(move || {
        let (facts, is_last) = next.take()?;
        count += facts.len();
        bytes += facts.iter().map(Arrived::size).sum::<usize>();
        if !is_last && count < TRANSACTION_FACTS_MAX && bytes < TRANSACTION_BYTES_MAX {
            let waited = runtime.block_on(async { tokio::time::timeout(TRANSACTION_WAIT, receiver.recv()).await });
            next = waited.ok().flatten();
        }
        Some(facts)
    })
    .flatten()
}
