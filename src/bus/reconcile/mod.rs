//! Bringing what a replica has into a stream that has lost it.
//!
//! Invariants:
//! - Nothing is removed that is not here or carried over, and nothing that is there is replaced: a taken key is a duplicate.
//! - Where the stream is the beginning of what is here, the rest is appended in order, and each publish expects the position
//!   it had: the stream comes to the same positions, or the publish is refused and everything is looked at anew.
//! - A row that does not fit its chain is not published.
//! - Done twice it changes nothing.

mod carried;
mod order;

use super::{
    Bus, Refused, Topology,
    connect::with_causes,
    differences, failed,
    replica::{check, reader::Reader},
    setup::{self, EPOCH},
    topology::LOG,
};
use crate::log::{Appended, Chained, EmbeddedLog, Error};
use async_nats::jetstream::stream::{Config, Info};
use flywheel_events::{Digest, Key};
use futures::StreamExt as _;
use serde::Serialize;
use std::{collections::HashMap, path::Path, time::Duration};
use uuid::Uuid;

/// In a stream's metadata: the epoch of the stream that it was restored from, and the position and chain to which.
const RESTORED: [&str; 3] = ["flywheel.restored.epoch", "flywheel.restored.position", "flywheel.restored.chain"];

/// How often the stream may change under the work before it is given up.
const TRIES_MAX: usize = 8;

/// How long the work waits before it looks at a stream anew.
const PAUSE: Duration = Duration::from_millis(500);

/// Rows read at once.
const READ_ROWS: usize = 1024;

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    /// What became of the stream itself.
    pub stream: Stream,
    /// Its epoch.
    pub epoch: String,
    /// Facts that were appended to it.
    pub appended: u64,
    /// Among them those that only the stream had, before it was made anew.
    pub carried: u64,
    /// Facts of this log that are there.
    pub known: u64,
    /// Keys under which the stream has other content, and keeps it.
    pub conflicts: Vec<Key>,
    /// Whether every fact of this log stands at its position there.
    pub same_positions: bool,
}

/// What became of the stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// It was there, and stays.
    #[default]
    There,
    /// There was none.
    Made,
    /// It had lost facts, and was made anew.
    MadeAnew,
}

/// Appends to the stream what this log has and it has not. `recreate` allows to make a stream anew that has lost facts in its
/// middle or all of them; what only it has is kept in a file of the data folder meanwhile, and appended behind the rest.
///
/// # Errors
/// [`Error::Diverged`] where the stream has lost facts and may not be made anew; [`Error::Foreign`] where it holds what is no
/// fact, or this log does not hold; or when the bus does not answer.
pub async fn reconcile(
    bus: &Bus,
    topology: &Topology,
    data: &Path,
    log: &EmbeddedLog,
    recreate: bool,
    progress: impl Fn(u64),
) -> Result<Reconciled, Error> {
    let mut done = Reconciled::default();
    let mut tries = 0;
    loop {
        let info = match setup::find_stream(bus, LOG).await? {
            None => {
                done.stream = Stream::Made;
                make(bus, topology, log).await?
            }
            Some(info) => match judge(topology, &info, recreate)? {
                Judged::Whole => info,
                Judged::MakeAnew => {
                    carried::keep(bus, data, log, &info).await?;
                    done.stream = Stream::MadeAnew;
                    let deleted = bus.jetstream.delete_stream(LOG).await;
                    deleted.map_err(|error| failed("remove the stream", with_causes(&error)))?;
                    make(bus, topology, log).await?
                }
            },
        };
        done.epoch = info.config.metadata.get(EPOCH).cloned().unwrap_or_default();
        let (common, last) = (info.state.last_sequence.min(log.head_now()?.position), info.state.last_sequence);
        match first_difference(bus, log, common).await? {
            None => match order::append(bus, log, common, last, &mut done, &progress).await? {
                order::End::All => {
                    done.same_positions = true;
                    break;
                }
                order::End::Moved(why) if tries == TRIES_MAX => return Err(failed("restore the stream", why)),
                order::End::Moved(why) => {
                    tracing::warn!("{why}; looking at the stream anew");
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(position) => {
                append_missing(bus, topology, log, position, last, &mut done, &progress).await?;
                break;
            }
        }
    }
    done.carried = carried::append(bus, topology, data).await?;
    done.appended += done.carried;
    done.known = log.head_now()?.position - (done.appended - done.carried) - done.conflicts.len() as u64;
    // The consumers went with the stream, and other streams with the server.
    setup::setup(bus, topology).await?;
    Ok(done)
}

enum Judged {
    Whole,
    MakeAnew,
}

fn judge(topology: &Topology, info: &Info, recreate: bool) -> Result<Judged, Error> {
    let lost = info.state.last_sequence - info.state.messages;
    let differences = differences(&topology.log(), &info.config);
    match (lost, differences.is_empty()) {
        (0, true) => Ok(Judged::Whole),
        _ if recreate => Ok(Judged::MakeAnew),
        (0, false) => Err(Refused { what: "stream", name: LOG.to_owned(), differences }.into()),
        (lost, _) => Err(Error::Diverged(format!(
            "the stream {LOG} has lost {lost} of its {} facts, and no position can be filled again: `flywheel bus reconcile --recreate` makes the stream anew from this log, with whatever only the stream has behind it; stop the workers first",
            info.state.last_sequence
        ))),
    }
}

/// Makes the stream, in an epoch of its own that names where it is restored from.
async fn make(bus: &Bus, topology: &Topology, log: &EmbeddedLog) -> Result<Info, Error> {
    let head = log.head_now()?;
    let from = log.replica_of()?.unwrap_or_else(|| "a log of its own".to_owned());
    let origin = [from, head.position.to_string(), head.chain.to_string()];
    let metadata = RESTORED.map(str::to_owned).into_iter().zip(origin).collect();
    setup::create_stream(bus, Config { metadata, ..topology.log() }).await?;
    let made = setup::find_stream(bus, LOG).await?;
    made.ok_or_else(|| failed("make the stream", "it is gone again"))
}

/// The first position up to `until` at which the stream and this log have different facts.
async fn first_difference(bus: &Bus, log: &EmbeddedLog, until: u64) -> Result<Option<u64>, Error> {
    if until == 0 {
        return Ok(None);
    }
    let mut batches = std::pin::pin!(Reader::start(bus, 1).await?.batches(Some(until)));
    while let Some(batch) = batches.next().await {
        let messages = batch?.messages;
        let Some((first, _)) = messages.first() else { continue };
        let rows = log.read_now(first - 1, messages.len())?;
        for ((position, message), row) in messages.iter().zip(&rows) {
            let same = *message.payload == *row.record.event.as_bytes() && *message.subject == row.record.key.subject();
            if !same && *position <= until {
                return Ok(Some(*position));
            }
        }
    }
    Ok(None)
}

/// Appends every fact from a position on whose key the stream does not have.
async fn append_missing(
    bus: &Bus,
    topology: &Topology,
    log: &EmbeddedLog,
    from: u64,
    last: u64,
    done: &mut Reconciled,
    progress: &impl Fn(u64),
) -> Result<(), Error> {
    let mut there: HashMap<Uuid, Digest> = HashMap::new();
    let mut batches = std::pin::pin!(Reader::start(bus, from).await?.batches(Some(last)));
    while let Some(batch) = batches.next().await {
        for (position, message) in batch?.messages {
            let fact = check::check(position, &message)?;
            there.insert(fact.id(), fact.content());
        }
    }
    let bus_log = super::BusLog::open(bus.clone(), topology.clone()).await?;
    let mut rows = Rows::behind(log, from - 1)?;
    while let Some(rows) = rows.next(log)? {
        let at = rows.last().map_or(0, |row| row.record.position);
        let mut missing = vec![];
        for Chained { record, .. } in rows {
            match there.get(&record.key.event_id()) {
                None => missing.push(record),
                Some(digest) if *digest == record.digest => {}
                Some(_) => done.conflicts.push(record.key),
            }
        }
        let keys: Vec<Key> = missing.iter().map(|record| record.key.clone()).collect();
        for (key, outcome) in keys.into_iter().zip(super::publish::again(&bus_log, missing).await?) {
            match outcome {
                Appended::Appended(_) => done.appended += 1,
                Appended::Duplicate(_) => {}
                Appended::Conflict(_) => done.conflicts.push(key),
            }
        }
        progress(at);
    }
    bus_log.close().await;
    Ok(())
}

/// The rows of a log, each checked against the chain of the row before it.
struct Rows {
    position: u64,
    chain: Digest,
}

impl Rows {
    fn behind(log: &EmbeddedLog, position: u64) -> Result<Self, Error> {
        let chain = if position == 0 { Some(Digest::GENESIS) } else { log.chain_at(position)? };
        let chain = chain.ok_or_else(|| Error::Foreign(format!("this log has no position {position}")))?;
        Ok(Self { position, chain })
    }

    fn next(&mut self, log: &EmbeddedLog) -> Result<Option<Vec<Chained>>, Error> {
        let rows = log.read_now(self.position, READ_ROWS)?;
        for row in &rows {
            let record = &row.record;
            let chain = self.chain.chain(&record.key, &Digest::of(record.event.as_bytes()));
            if record.position != self.position + 1 || chain != row.chain {
                return Err(Error::Foreign(format!(
                    "position {} of this log is not what was recorded: `flywheel verify` says more; restore from another replica",
                    self.position + 1
                )));
            }
            (self.position, self.chain) = (record.position, chain);
        }
        Ok((!rows.is_empty()).then_some(rows))
    }
}
