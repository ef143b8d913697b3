//! The embedded backend: one SQLite file, any number of processes.
//!
//! Invariants:
//! - One thread a process writes, and everything that waits is one transaction: group commit. A fact is durable
//!   (`synchronous=FULL`) before its append returns.
//! - Position, time and chain are given in the write transaction, so there are no gaps and time never runs back.
//! - A log that is a replica of the bus's is written by its [`Filler`] alone; appends and imports are refused.
//! - Deliveries live in another file ([`Local`](crate::local::Local)): losing it repeats work, never loses a fact.

mod audit;
mod deliveries;
mod in_flight;
mod replica;
mod tail;
mod transfer;
mod writer;

use super::{Appended, Consumer, Error, Head, Log, NewFact, Record};
use crate::{local::Local, sqlite};
pub use audit::{Audit, Fault};
use chrono::{DateTime, Utc};
use deliveries::EmbeddedSubscription;
use flywheel_events::{Digest, Key, SessionId, envelope::EVENT_BYTES_MAX};
pub use replica::{Arrived, Filler, HOLE};
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tail::{Found, Tail};
use tokio::sync::watch;
pub use transfer::Line;
use writer::Writer;

/// How often a waiting reader looks whether another process has written.
const POLL: Duration = Duration::from_millis(20);

/// Most keys read in one step.
const KEYS_READ_MAX: usize = 4096;

/// The log of a data folder. Clones share it.
#[derive(Debug, Clone)]
pub struct EmbeddedLog {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    writer: Writer,
    /// The last position this process has written.
    written: watch::Receiver<u64>,
    readers: Mutex<Vec<Connection>>,
    tail: Arc<Tail>,
    local: Local,
}

impl EmbeddedLog {
    /// Opens the log of a data folder, or makes it.
    ///
    /// # Errors
    /// When the file is not ours, damaged, or cannot be opened.
    pub fn open(data: &Path, local: &Local) -> Result<Self, sqlite::Error> {
        let path = data.join("log.db");
        let connection = sqlite::open(&path, &sqlite::Kind::LOG)?;
        let end = writer::prepare(&connection).and_then(|()| last_position(&connection));
        let end = end.map_err(|why| sqlite::unusable(&path, &sqlite::Kind::LOG, why))?;
        let (announce, written) = watch::channel(0);
        let tail = Arc::new(Tail::behind(end));
        let writer = Writer::start(connection, announce, tail.clone());
        let inner = Inner { path, writer, written, readers: Mutex::new(vec![]), tail, local: local.clone() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Lends a connection for reading. Reads are short and stay on the caller's thread.
    fn with_reader<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let pool = || self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let pooled = pool().pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => sqlite::open_again(&self.inner.path).map_err(|error| Error::File(error.to_string()))?,
        };
        let outcome = read(&connection);
        pool().push(connection);
        outcome
    }

    /// The end of the log, read on this thread.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn head_now(&self) -> Result<Head, Error> {
        self.with_reader(head)
    }

    /// Up to `limit` facts behind a position, read on this thread.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn read_now(&self, after: u64, limit: usize) -> Result<Vec<Chained>, Error> {
        self.with_reader(|connection| {
            let sql = format!("SELECT {RECORD} FROM facts WHERE position > ?1 ORDER BY position LIMIT ?2");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map((after, limit as u64), chained)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Lends up to `limit` facts behind a position to `visit`, position, key and event of each where they lie, until it
    /// refuses one. Read on this thread.
    ///
    /// # Errors
    /// When the storage fails, and what `visit` says.
    pub fn scan_now<E: From<Error>>(
        &self,
        after: u64,
        limit: usize,
        mut visit: impl FnMut(u64, Key, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.with_reader(|connection| {
            let sql = "SELECT position, key, event FROM facts WHERE position > ?1 ORDER BY position LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query((after, limit as u64))?;
            while let Some(row) = rows.next()? {
                let event = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
                let outcome = visit(row.get(0)?, key(row, 1)?, event);
                if outcome.is_err() {
                    return Ok(outcome);
                }
            }
            Ok(Ok(()))
        })?
    }

    /// The fact under a key with the chain behind it, read on this thread.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn get_now(&self, key: &Key) -> Result<Option<Chained>, Error> {
        self.with_reader(|connection| {
            let sql = format!("SELECT {RECORD} FROM facts WHERE id = ?1");
            Ok(connection.prepare_cached(&sql)?.query_row([key.event_id().as_bytes()], chained).optional()?)
        })
    }

    /// The last position recorded at or before a time; 0 where there is none. Time never runs back along the log.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn last_position_at(&self, time: DateTime<Utc>) -> Result<u64, Error> {
        self.with_reader(|connection| {
            let mut at = connection.prepare_cached("SELECT time FROM facts WHERE position = ?1")?;
            let (mut low, mut high) = (0, head(connection)?.position);
            while low < high {
                let middle = high - (high - low) / 2;
                let recorded: i64 = at.query_row([middle], |row| row.get(0))?;
                if recorded <= time.timestamp_micros() { low = middle } else { high = middle - 1 }
            }
            Ok(low)
        })
    }

    /// The chain's value behind a position; none where the log does not go so far.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn chain_at(&self, position: u64) -> Result<Option<Digest>, Error> {
        self.with_reader(|connection| {
            let mut statement = connection.prepare_cached("SELECT chain FROM facts WHERE position = ?1")?;
            Ok(statement.query_row([position], |row| digest(row, 0)).optional()?)
        })
    }

    /// The epoch of the stream of which this log is a replica; none where it is a log of its own.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn replica_of(&self) -> Result<Option<String>, Error> {
        self.with_reader(replica::epoch)
    }

    /// The runs of sessions of which something is in flight, in whatever process.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn in_flight(&self) -> Result<HashSet<(SessionId, u32)>, Error> {
        in_flight::runs(self)
    }

    /// The key of the fact at a position.
    fn key_at(&self, position: u64) -> Result<Option<Key>, Error> {
        if let Some(key) = self.inner.tail.key(position) {
            return Ok(Some(key));
        }
        self.with_reader(|connection| {
            let mut statement = connection.prepare_cached("SELECT key FROM facts WHERE position = ?1")?;
            Ok(statement.query_row([position], |row| key(row, 0)).optional()?)
        })
    }
}

fn last_position(connection: &Connection) -> rusqlite::Result<u64> {
    connection.prepare_cached("SELECT coalesce(max(position), 0) FROM facts")?.query_row([], |row| row.get(0))
}

/// Makes the tail know what the log has; most of that other processes have written.
fn catch_up(tail: &Tail, connection: &Connection) -> Result<(), Error> {
    loop {
        let keys = read_keys(connection, tail.end(), u64::MAX, KEYS_READ_MAX)?;
        let last = keys.len() < KEYS_READ_MAX;
        tail.extend(keys);
        if last {
            return Ok(());
        }
    }
}

/// Up to `limit` keys behind a position and before another.
fn read_keys(connection: &Connection, after: u64, before: u64, limit: usize) -> Result<Vec<(u64, Key)>, Error> {
    let sql = "SELECT position, key FROM facts WHERE position > ?1 AND position < ?2 ORDER BY position LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let before = before.min(i64::MAX.unsigned_abs());
    let rows = statement.query_map((after, before, limit as u64), |row| Ok((row.get(0)?, key(row, 1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn head(connection: &Connection) -> Result<Head, Error> {
    let last = connection
        .prepare_cached("SELECT position, chain FROM facts ORDER BY position DESC LIMIT 1")?
        .query_row([], |row| Ok(Head { position: row.get(0)?, chain: digest(row, 1)? }))
        .optional()?;
    Ok(last.unwrap_or(Head { position: 0, chain: Digest::GENESIS }))
}

fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    row.get::<_, [u8; 32]>(column).map(Digest::from)
}

fn key(row: &Row<'_>, column: usize) -> rusqlite::Result<Key> {
    row.get_ref(column)?.as_str()?.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// A fact with the chain's value behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chained {
    /// The fact.
    pub record: Record,
    /// The chain.
    pub chain: Digest,
}

const RECORD: &str = "position, key, digest, event, chain";

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        position: row.get(0)?,
        key: key(row, 1)?,
        digest: digest(row, 2)?,
        event: row.get_ref(3)?.as_str()?.into(),
    })
}

fn chained(row: &Row<'_>) -> rusqlite::Result<Chained> {
    Ok(Chained { record: record(row)?, chain: digest(row, 4)? })
}

impl Log for EmbeddedLog {
    type Subscription = EmbeddedSubscription;

    fn event_bytes_max(&self) -> usize {
        EVENT_BYTES_MAX
    }

    async fn append(&self, facts: Vec<NewFact>) -> Result<Vec<Appended>, Error> {
        self.inner.writer.append(facts).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Record>, Error> {
        if let Some(record) = self.inner.tail.get(key) {
            return Ok(Some(record));
        }
        let record = self.get_now(key)?.map(|row| row.record);
        // What one step reads another reads soon.
        record.iter().for_each(|record| self.inner.tail.keep(record));
        Ok(record)
    }

    async fn position(&self, key: &Key, behind: u64) -> Result<Option<u64>, Error> {
        match self.inner.tail.find(key, behind) {
            Found::At(position) => Ok(Some(position)),
            Found::Nowhere => Ok(None),
            Found::Unknown => self.with_reader(|connection| {
                let mut statement = connection.prepare_cached("SELECT position FROM facts WHERE id = ?1")?;
                Ok(statement.query_row([key.event_id().as_bytes()], |row| row.get(0)).optional()?)
            }),
        }
    }

    async fn read(&self, after: u64, limit: usize) -> Result<Vec<Record>, Error> {
        Ok(self.read_now(after, limit)?.into_iter().map(|row| row.record).collect())
    }

    async fn keys(&self, after: u64, limit: usize) -> Result<Vec<(u64, Key)>, Error> {
        match self.inner.tail.scan(after, limit, |_| true) {
            Some((keys, _)) if !keys.is_empty() => Ok(keys),
            _ => self.with_reader(|connection| read_keys(connection, after, u64::MAX, limit)),
        }
    }

    async fn head(&self) -> Result<u64, Error> {
        Ok(self.head_now()?.position)
    }

    async fn grown(&self, after: u64) -> Result<(), Error> {
        let mut written = self.inner.written.clone();
        while *written.borrow_and_update() <= after && self.head_now()?.position <= after {
            // Another process's write comes without a word; this process's own wakes at once.
            if let Ok(Err(_)) = tokio::time::timeout(POLL, written.changed()).await {
                return Err(Error::Closed);
            }
        }
        Ok(())
    }

    async fn subscribe(&self, consumer: Consumer) -> Result<EmbeddedSubscription, Error> {
        EmbeddedSubscription::new(self.clone(), consumer)
    }

    async fn forget(&self, ended: &HashMap<SessionId, u32>) -> Result<(), Error> {
        in_flight::forget(self, ended)
    }
}
