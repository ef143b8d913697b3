//! The write end of a replica: the log's file, filled from the bus's stream.
//!
//! Invariants:
//! - One process at a time fills a file: it holds a lock beside it.
//! - What stands at a position that is here already must be what is here, byte for byte, before anything is appended behind it.
//! - Positions are the stream's sequences, and the chain is computed in the transaction that writes the rows.

use super::{
    head,
    writer::{self, End, Row},
};
use crate::{
    log::{Error, Head},
    sqlite,
};
use chrono::{DateTime, Utc};
use flywheel_events::{Digest, Key};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};
use std::{
    fs::File,
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// Kibibytes of the file that are kept in memory. It is written to at full speed, and the order of the keys' index is random.
const CACHE_KIB: i32 = 128 * 1024;

/// A fact of the stream, checked, and on its way into the file.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Where it is in the stream.
    pub position: u64,
    row: Row<String>,
}

impl Arrived {
    /// A fact whose event, key and digest belong together.
    pub fn new(position: u64, key: (&Key, Uuid), time: DateTime<Utc>, content: Digest, event: String) -> Self {
        Self { position, row: Row::new(key, time, content, event) }
    }

    /// Its event's id.
    pub fn id(&self) -> Uuid {
        self.row.id
    }

    /// The digest of its content.
    pub fn content(&self) -> Digest {
        self.row.content
    }

    /// Bytes of its event.
    pub fn size(&self) -> usize {
        self.row.event.len()
    }
}

/// Fills the file of a data folder.
#[derive(Debug)]
pub struct Filler {
    connection: Connection,
    lock: File,
}

impl Filler {
    /// Opens the file of a data folder to fill it, or makes it; none where another process fills it.
    ///
    /// # Errors
    /// When the file is not ours or cannot be opened.
    pub fn open(data: &Path) -> Result<Option<Self>, Error> {
        let failed = |error: &dyn std::fmt::Display| Error::File(error.to_string());
        std::fs::create_dir_all(data).map_err(|error| failed(&error))?;
        let path = data.join("replica.lock");
        let lock = File::options().create(true).append(true).open(&path);
        let lock = lock.map_err(|error| failed(&format_args!("cannot make {}: {error}", path.display())))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
            Err(error) => return Err(failed(&format_args!("cannot lock {}: {error}", path.display()))),
        }
        Self::with_lock(data, lock).map(Some)
    }

    fn with_lock(data: &Path, lock: File) -> Result<Self, Error> {
        let connection = sqlite::open(&data.join("log.db"), &sqlite::Kind::LOG);
        let connection = connection.map_err(|error| Error::File(error.to_string()))?;
        writer::prepare(&connection)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(Self { connection, lock })
    }

    /// Moves the file into a folder of its own below `replaced`, where it is a data folder to read from, and goes on with an
    /// empty one. An empty file stays where it is.
    ///
    /// # Errors
    /// When another process is in the middle of reading it, or files cannot be moved.
    pub fn set_aside(self, data: &Path) -> Result<(Self, Option<PathBuf>), Error> {
        if self.head()?.position == 0 {
            return Ok((self, None));
        }
        let busy: bool = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy {
            return Err(Error::File("another process reads the replica: end it, and try again".to_owned()));
        }
        let Self { connection, lock } = self;
        connection.close().map_err(|(_, error)| error)?;
        let replaced = data.join("replaced");
        let free = (1_u32..).map(|n| replaced.join(n.to_string())).find(|folder| !folder.exists());
        let folder = free.expect("numbers do not end");
        let failed = |what: &Path, error| Error::File(format!("cannot put {} aside: {error}", what.display()));
        std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        // A process that still has it open goes on with these, and not with those of the new file.
        for name in ["log.db", "log.db-wal", "log.db-shm"] {
            let path = data.join(name);
            match std::fs::rename(&path, folder.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(&path, error)),
                _ => {}
            }
        }
        Ok((Self::with_lock(data, lock)?, Some(folder)))
    }

    /// The end of the file.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn head(&self) -> Result<Head, Error> {
        head(&self.connection)
    }

    /// The epoch of the stream it was filled from; none where it never was.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn epoch(&self) -> Result<Option<String>, Error> {
        epoch(&self.connection)
    }

    /// Takes facts in a row in one durable transaction. Those that are here must be the same; the others are appended. With
    /// the last that is here found to be the same, or none here at all, the file is a replica of this epoch.
    ///
    /// # Errors
    /// [`Error::Diverged`] where another fact stands at a position, or one is missing; or when the storage fails. Nothing is
    /// written then.
    pub fn take(&mut self, epoch: &str, facts: impl Iterator<Item = Arrived>) -> Result<Head, Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut end = End::of(&transaction)?;
        if end.position == 0 {
            adopt(&transaction, epoch)?;
        }
        let here = end.position;
        for fact in facts {
            if fact.position <= here {
                check_same(&transaction, &fact)?;
                if fact.position == here {
                    adopt(&transaction, epoch)?;
                }
            } else if fact.position == end.position + 1 {
                end.insert(&transaction, &fact.row)?;
            } else {
                let missing = end.position + 1;
                return Err(Error::Diverged(format!("position {missing} of the bus's log did not come: {HOLE}")));
            }
        }
        let head = Head { position: end.position, chain: end.chain };
        transaction.commit()?;
        Ok(head)
    }
}

/// What is to be done about a position that is not in the stream.
pub const HOLE: &str =
    "`flywheel bus doctor` shows the stream, and `flywheel bus reconcile` restores it from a whole replica";

fn check_same(connection: &Connection, fact: &Arrived) -> Result<(), Error> {
    let there: Option<(String, [u8; 32])> = connection
        .prepare_cached("SELECT key, event_digest FROM facts WHERE position = ?1")?
        .query_row([fact.position], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match there {
        Some((key, digest)) if key == fact.row.key && digest == *fact.row.event_digest.as_bytes() => Ok(()),
        there => {
            let there = there.map_or_else(|| "nothing".to_owned(), |(key, _)| key);
            Err(Error::Diverged(format!(
                "this replica and the bus's log differ at position {}: here is {there}, there is {}; first put what only this replica has into the stream with `flywheel bus reconcile`, then fill the replica anew with `flywheel replica --rebuild`",
                fact.position, fact.row.key
            )))
        }
    }
}

fn adopt(transaction: &Transaction<'_>, new: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO replica_of VALUES (1, ?1) ON CONFLICT DO UPDATE SET epoch = excluded.epoch WHERE epoch IS NOT excluded.epoch")?
        .execute([new])
        .map(drop)
}

/// The epoch of the stream of which a file is a replica.
pub(super) fn epoch(connection: &Connection) -> Result<Option<String>, Error> {
    let mut statement = connection.prepare_cached("SELECT epoch FROM replica_of")?;
    Ok(statement.query_row([], |row| row.get(0)).optional()?)
}

/// Refuses to go on in a replica.
pub(super) fn check_is_none(connection: &Connection) -> Result<(), Error> {
    match epoch(connection)? {
        None => Ok(()),
        Some(_) => Err(Error::IsReplica),
    }
}
