//! The log: a fact is written once, under its key, for ever.
//!
//! `append` is the only write primitive of the system. Everything else follows from it: at-least-once delivery and a
//! once-only key make an effect happen once, a taken key with the same content is a success, and a taken key with
//! other content changes nothing.
//!
//! Deliberately absent: update, delete, a way to write a fact without a key.

pub mod embedded;
mod fact;

pub use embedded::{Arrived, Audit, Chained, EmbeddedLog, Fault, Filler, HOLE, Line};
pub use fact::{AnyFact, Data, Event, NewFact, Record};

use flywheel_events::{Digest, Key, SessionId, Step};
use std::{
    collections::{HashMap, HashSet},
    future::Future,
    sync::Arc,
    time::Duration,
};

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// The key was free: the fact is durable at this position.
    Appended(u64),
    /// The key was taken by the same content, which is a success.
    Duplicate(u64),
    /// The key was taken by other content, and nothing was written.
    Conflict(u64),
}

impl Appended {
    /// Where the key's fact is, whosever it is.
    pub fn position(self) -> u64 {
        match self {
            Self::Appended(position) | Self::Duplicate(position) | Self::Conflict(position) => position,
        }
    }
}

/// Why the log did not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The file is not a log of this program, or of a newer one.
    #[error("{0}")]
    Foreign(String),
    /// A fact is larger than the log takes.
    #[error("the fact {key} has {size} bytes, and the log takes {max}")]
    TooLarge {
        /// The fact.
        key: Box<Key>,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// What is to be imported does not continue this log.
    #[error("{0}")]
    Import(String),
    /// The storage failed.
    #[error(
        "the log cannot be used: {0}; is the disk full, or a file of the data folder damaged? if it is log.db, restore it from a copy or an export; local.db holds no fact, so move it away"
    )]
    Storage(Arc<rusqlite::Error>),
    /// A file could not be used.
    #[error("{0}")]
    File(String),
    /// The bus did not answer, or not as it must.
    #[error("the bus: {0}")]
    Bus(String),
    /// What the bus has is not what it must be, and no waiting changes it.
    #[error("the bus: {0}")]
    Unfit(String),
    /// The log is a replica, and what is to be appended is not from its stream.
    #[error(
        "this log is a replica of the bus's: it grows by what the bus brings, and a fact appended here would be in no other; append through the bus, or name another data folder with --data"
    )]
    IsReplica,
    /// The replica and the bus's log are not one log, or one of them has a hole: nothing more is taken over.
    #[error("{0}")]
    Diverged(String),
    /// The log was closed while the call was under way; the fact may or may not be in it.
    #[error("the log was closed")]
    Closed,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(Arc::new(error))
    }
}

/// The end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The last position; 0 when the log is empty.
    pub position: u64,
    /// The chain's value there.
    pub chain: Digest,
}

/// Which facts a consumer is given.
#[derive(Debug, Clone)]
pub struct Consumer {
    /// Its name, which is its stage's step.
    pub name: Step,
    /// The steps whose facts it wants.
    pub steps: Vec<Step>,
    /// Of which sessions.
    pub scope: Scope,
}

/// Whose facts a consumer wants.
#[derive(Debug, Clone)]
pub enum Scope {
    /// Everybody's, from the beginning, remembered across processes.
    All,
    /// These sessions', from behind a position: a run that was given files.
    Sessions {
        /// The sessions.
        sessions: Arc<HashSet<SessionId>>,
        /// Their first fact is behind this position.
        after: u64,
    },
}

/// A fact, delivered to one consumer until it acknowledges.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The consumer.
    pub consumer: Step,
    /// Where the fact is.
    pub position: u64,
    /// Its key.
    pub key: Key,
    /// How often it has been delivered, this time included.
    pub attempts: u32,
    /// The trace context of whoever published it, where it came with one.
    pub traceparent: Option<String>,
}

/// A stream of deliveries to one consumer.
pub trait Subscription: Send {
    /// Waits until something is due, then leases up to `max` deliveries.
    ///
    /// # Errors
    /// When the storage fails.
    fn next(&mut self, max: usize) -> impl Future<Output = Result<Vec<Delivery>, Error>> + Send;

    /// The delivery is done with. It does not come again to any process that shares the consumer.
    ///
    /// # Errors
    /// When the storage fails; the delivery then comes again.
    fn acknowledge(&mut self, done: &[Delivery]) -> impl Future<Output = Result<(), Error>> + Send;

    /// The delivery is to come again, not before `delay`, which is two minutes at most.
    ///
    /// # Errors
    /// When the storage fails; the delivery then comes again when its lease ends.
    fn retry(&mut self, delivery: &Delivery, delay: Duration) -> impl Future<Output = Result<(), Error>> + Send;
}

/// The seam between the program and its two backends. `tests/log_suite` runs the same laws on each.
pub trait Log: Clone + Send + Sync + 'static {
    /// Its deliveries.
    type Subscription: Subscription;

    /// Most bytes of an event that the log takes: see [`NewFact::check_size`].
    fn event_bytes_max(&self) -> usize;

    /// Appends facts in their order, each durable when this returns. A conflict does not keep the others back.
    ///
    /// # Errors
    /// When the storage fails or a fact is too large; of several facts the first may then be in the log.
    fn append(&self, facts: Vec<NewFact>) -> impl Future<Output = Result<Vec<Appended>, Error>> + Send;

    /// The fact under a key.
    ///
    /// # Errors
    /// When the storage fails.
    fn get(&self, key: &Key) -> impl Future<Output = Result<Option<Record>, Error>> + Send;

    /// Where the fact under a key is, without its text. Whoever asks knows that it can only be behind a position. What was
    /// recorded before the last delivery that was handed out is seen.
    ///
    /// # Errors
    /// When the storage fails.
    fn position(&self, key: &Key, behind: u64) -> impl Future<Output = Result<Option<u64>, Error>> + Send;

    /// As [`position`](Self::position), but where it is not known without asking a server, it may be there all the same.
    ///
    /// # Errors
    /// When the storage fails.
    fn position_at_hand(&self, key: &Key, behind: u64) -> impl Future<Output = Result<Option<u64>, Error>> + Send {
        self.position(key, behind)
    }

    /// Waits until reading sees everything up to the position of a delivery that was handed out, where it may not yet. Whether it may
    /// not have, so that what was not found before may be there now.
    ///
    /// # Errors
    /// When the storage fails.
    fn reach(&self, _position: u64) -> impl Future<Output = Result<bool, Error>> + Send {
        async { Ok(false) }
    }

    /// Up to `limit` facts behind a position, in order, without gaps.
    ///
    /// # Errors
    /// When the storage fails.
    fn read(&self, after: u64, limit: usize) -> impl Future<Output = Result<Vec<Record>, Error>> + Send;

    /// Up to `limit` positions behind one with the keys there, in order, without gaps.
    ///
    /// # Errors
    /// When the storage fails.
    fn keys(&self, after: u64, limit: usize) -> impl Future<Output = Result<Vec<(u64, Key)>, Error>> + Send;

    /// The last position; 0 when the log is empty.
    ///
    /// # Errors
    /// When the storage fails.
    fn head(&self) -> impl Future<Output = Result<u64, Error>> + Send;

    /// Waits until the log has grown behind a position.
    ///
    /// # Errors
    /// When the storage fails.
    fn grown(&self, after: u64) -> impl Future<Output = Result<(), Error>> + Send;

    /// Subscribes a consumer.
    ///
    /// # Errors
    /// When the storage fails.
    fn subscribe(&self, consumer: Consumer) -> impl Future<Output = Result<Self::Subscription, Error>> + Send;

    /// These sessions' runs up to the given one have ended: what is still to be delivered of them needs nobody any more.
    ///
    /// # Errors
    /// When the storage fails.
    fn forget(&self, ended: &HashMap<SessionId, u32>) -> impl Future<Output = Result<(), Error>> + Send;
}
