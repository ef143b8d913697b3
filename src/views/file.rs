//! One file of one view.
#![expect(clippy::disallowed_methods, reason = "reads the pointer files")]

use super::BATCH_FACTS;
use crate::{
    files,
    log::{self, EmbeddedLog},
};
use flywheel_events::Digest;
use flywheel_projections::{Recorded, View};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params};
use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

/// How far a view has folded the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last position it has folded; 0 before the first.
    pub position: u64,
    /// The log's chain there.
    pub chain: Digest,
}

/// Why a view cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was folded from another log.
    #[error(
        "the view {view} was built from another log: at position {position} the two differ; `flywheel replay` builds it anew"
    )]
    AnotherLog {
        /// The view.
        view: &'static str,
        /// Its checkpoint.
        position: u64,
    },
    /// The log ends before it.
    #[error(
        "the view {view} is at position {position}, and the log ends at {head}: the log was replaced by an older one; `flywheel replay` builds the view anew"
    )]
    LogEndsBefore {
        /// The view.
        view: &'static str,
        /// Its checkpoint.
        position: u64,
        /// The end of the log.
        head: u64,
    },
    /// The log has a gap.
    #[error(
        "the log has no position {missing}, which the view {view} needs; `flywheel log import` of an export repairs it"
    )]
    Gap {
        /// The view.
        view: &'static str,
        /// The position.
        missing: u64,
    },
    /// A fact cannot be folded.
    #[error("the view {view} has stopped")]
    Fold {
        /// The view.
        view: &'static str,
        /// Why.
        source: flywheel_projections::Error,
    },
    /// The view's file is not one.
    #[error("{path} is no view of flywheel: {why}; remove it, or let `flywheel replay` build a new one")]
    Damaged {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// SQLite says no.
    #[error("the view {view} cannot be used")]
    Storage {
        /// The view.
        view: &'static str,
        /// Why.
        source: rusqlite::Error,
    },
    /// The log says no.
    #[error(transparent)]
    Log(#[from] log::Error),
    /// A file cannot be used.
    #[error("{0:#}")]
    File(#[from] anyhow::Error),
}

/// An open file of a view.
pub(super) struct Open {
    view: &'static View,
    connection: Connection,
}

impl Open {
    /// The live file of a view, made where there is none.
    pub(super) fn current(folder: &Path, view: &'static View) -> Result<Self, Error> {
        std::fs::create_dir_all(folder)
            .map_err(|error| anyhow::anyhow!("cannot make the folder {}: {error}", folder.display()))?;
        loop {
            let Some(generation) = live(folder, view) else {
                make_live(folder, view)?;
                continue;
            };
            let path = path(folder, view, generation);
            match Self::at(&path, view, Make::Never) {
                // It was replaced twice since it was read which one is live, and removed.
                Err(_) if !path.exists() => {}
                // The same, but it was removed only after it was opened: its journal may have gone with it.
                Ok(_) if live(folder, view).is_some_and(|live| live > generation + 1) => {}
                outcome => return outcome,
            }
        }
    }

    /// A file of a view.
    fn at(path: &Path, view: &'static View, make: Make) -> Result<Self, Error> {
        let storage = |source| Error::Storage { view: view.name, source };
        let damaged = |why: String| Error::Damaged { path: path.display().to_string(), why };
        let connect = || -> rusqlite::Result<Connection> {
            let mut flags = OpenFlags::default();
            flags.set(OpenFlags::SQLITE_OPEN_CREATE, make == Make::New);
            let mut connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(Duration::from_secs(60))?;
            connection.set_prepared_statement_cache_capacity(32);
            crate::sqlite::enter_wal(&connection)?;
            // A view that loses its last moments in a power cut folds them again.
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            if !has_checkpoint(&connection)? {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
                if !has_checkpoint(&transaction)? {
                    make_tables(&transaction, view)?;
                }
                transaction.commit()?;
            }
            Ok(connection)
        };
        let connection = connect().map_err(|source| match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => damaged("it is not an SQLite file".into()),
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => damaged("it is damaged".into()),
            _ => storage(source),
        })?;
        let found: (String, u32) = connection
            .query_row("SELECT view, version FROM checkpoint", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(|error| damaged(error.to_string()))?;
        if found != (view.name.to_owned(), view.version) {
            return Err(damaged(format!("it is version {} of {}", found.1, found.0)));
        }
        Ok(Self { view, connection })
    }

    pub(super) fn into_connection(self) -> Connection {
        self.connection
    }

    pub(super) fn checkpoint(&self) -> Result<Checkpoint, Error> {
        checkpoint(&self.connection).map_err(|source| Error::Storage { view: self.view.name, source })
    }

    /// Folds the next facts in, up to a position, unless another process has done so in the meantime.
    pub(super) fn fold_next(&mut self, log: &EmbeddedLog, until: u64) -> Result<(), Error> {
        let view = self.view;
        let storage = |source| Error::Storage { view: view.name, source };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(storage)?;
        let from = checkpoint(&transaction).map_err(storage)?;
        if from.position < until {
            let batch = read(log, view, from.position, until)?;
            fold(&transaction, view, &batch.facts)?;
            move_checkpoint(&transaction, batch.end).map_err(storage)?;
        }
        transaction.commit().map_err(storage)
    }
}

/// Facts in a row, decoded.
pub(super) struct Batch {
    pub(super) facts: Vec<Recorded>,
    pub(super) end: Checkpoint,
}

/// The next facts behind a position.
pub(super) fn read(log: &EmbeddedLog, view: &'static View, after: u64, until: u64) -> Result<Batch, Error> {
    let limit = usize::try_from(until - after).unwrap_or(BATCH_FACTS).min(BATCH_FACTS);
    let gap = |facts: &[Recorded]| Error::Gap { view: view.name, missing: after + 1 + facts.len() as u64 };
    let mut facts = Vec::with_capacity(limit);
    log.scan_now(after, limit, |position, key, event| {
        if position != after + 1 + facts.len() as u64 {
            return Err(gap(&facts));
        }
        let fact = Recorded::decode(position, key, event);
        facts.push(fact.map_err(|source| Error::Fold { view: view.name, source })?);
        Ok(())
    })?;
    if facts.len() < limit {
        return Err(gap(&facts));
    }
    let position = after + limit as u64;
    let chain = log.chain_at(position)?.ok_or_else(|| gap(&facts))?;
    Ok(Batch { facts, end: Checkpoint { position, chain } })
}

/// Folds facts into a view's tables.
pub(super) fn fold(transaction: &Transaction<'_>, view: &'static View, facts: &[Recorded]) -> Result<(), Error> {
    (view.fold)(transaction, facts).map_err(|source| Error::Fold { view: view.name, source })
}

/// Refuses a view that was folded from another log, or further than this one goes.
pub(super) fn check_follows(log: &EmbeddedLog, view: &'static View, checkpoint: Checkpoint) -> Result<(), Error> {
    let Checkpoint { position, chain } = checkpoint;
    if position == 0 {
        return Ok(());
    }
    match log.chain_at(position)? {
        Some(there) if there == chain => Ok(()),
        Some(_) => Err(Error::AnotherLog { view: view.name, position }),
        None => Err(Error::LogEndsBefore { view: view.name, position, head: log.head_now()?.position }),
    }
}

fn has_checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'checkpoint')";
    connection.query_row(sql, [], |row| row.get(0))
}

/// Makes the tables of a view.
pub(super) fn make_tables(connection: &Connection, view: &View) -> rusqlite::Result<()> {
    connection.execute_batch(view.schema)?;
    connection.execute_batch(include_str!("checkpoint.sql"))?;
    let zero = Digest::GENESIS;
    connection
        .execute("INSERT INTO checkpoint VALUES (1, ?1, ?2, 0, ?3)", params![view.name, view.version, zero.as_bytes()])
        .map(drop)
}

pub(super) fn move_checkpoint(connection: &Connection, to: Checkpoint) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE checkpoint SET position = ?1, chain = ?2")?
        .execute(params![to.position, to.chain.as_bytes()])
        .map(drop)
}

pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<Checkpoint> {
    connection
        .prepare_cached("SELECT position, chain FROM checkpoint")?
        .query_row([], |row| Ok(Checkpoint { position: row.get(0)?, chain: row.get::<_, [u8; 32]>(1)?.into() }))
        .optional()
        .map(|found| found.unwrap_or(Checkpoint { position: 0, chain: Digest::GENESIS }))
}

/// The file of a generation.
pub(super) fn path(folder: &Path, view: &View, generation: u32) -> PathBuf {
    folder.join(format!("{}.v{}.{generation:04}.db", view.name, view.version))
}

fn pointer(folder: &Path, view: &View) -> PathBuf {
    folder.join(format!("{}.current", view.name))
}

/// The version and generation that are live.
pub(super) fn pointed(folder: &Path, view: &View) -> Option<(u32, u32)> {
    let text = std::fs::read_to_string(pointer(folder, view)).ok()?;
    let rest = text.trim().strip_prefix(view.name)?.strip_prefix(".v")?.strip_suffix(".db")?;
    let (version, generation) = rest.split_once('.')?;
    Some((version.parse().ok()?, generation.parse().ok()?))
}

/// The generation that is live, of this version and there.
fn live(folder: &Path, view: &View) -> Option<u32> {
    let (version, generation) = pointed(folder, view)?;
    (version == view.version && path(folder, view, generation).exists()).then_some(generation)
}

/// Makes a new file the live one where none is: there is no pointer, it is of another version, or its file has gone.
fn make_live(folder: &Path, view: &'static View) -> Result<(), Error> {
    let swap = Swap::begin(folder)?;
    // Another process may have been first.
    if live(folder, view).is_some() {
        return Ok(());
    }
    let generation = swap.free(view);
    Open::at(&path(folder, view, generation), view, Make::New)?;
    swap.point_to(view, generation)?;
    Ok(())
}

/// Whether a file is made where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Make {
    New,
    Never,
}

/// The right to name new generations in a folder and to say which one is live: one process's at a time, until dropped.
pub(super) struct Swap<'a> {
    folder: &'a Path,
    _lock: File,
}

impl<'a> Swap<'a> {
    pub(super) fn begin(folder: &'a Path) -> anyhow::Result<Self> {
        let path = folder.join("lock");
        let lock = File::options().create(true).append(true).open(&path).and_then(|file| file.lock().map(|()| file));
        let lock = lock.map_err(|error| anyhow::anyhow!("cannot lock {}: {error}", path.display()))?;
        Ok(Self { folder, _lock: lock })
    }

    /// The next generation whose file is not there yet.
    pub(super) fn free(&self, view: &View) -> u32 {
        let first = pointed(self.folder, view).map_or(1, |(_, generation)| generation.saturating_add(1));
        (first..u32::MAX).find(|generation| !path(self.folder, view, *generation).exists()).unwrap_or(u32::MAX)
    }

    /// Makes a generation the live one.
    pub(super) fn point_to(&self, view: &View, generation: u32) -> anyhow::Result<()> {
        let name = path(self.folder, view, generation);
        let name = name.file_name().expect("a file has a name").to_string_lossy().into_owned();
        files::write_atomically(&pointer(self.folder, view), format!("{name}\n").as_bytes())
    }

    /// Takes away generations before the last one, with what SQLite keeps beside them; who still reads one goes on
    /// reading it. What cannot be removed comes again at the next rebuild.
    pub(super) fn remove_old(&self, view: &View, live: u32) {
        let Ok(entries) = std::fs::read_dir(self.folder) else { return };
        let prefix = format!("{}.v", view.name);
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let generation = path.file_name().and_then(|name| name.to_str()).and_then(|name| {
                let (_, generation) = name.strip_prefix(&prefix)?.split_once('.')?;
                generation.trim_end_matches("-wal").trim_end_matches("-shm").strip_suffix(".db")?.parse::<u32>().ok()
            });
            if generation.is_some_and(|generation| generation < live.saturating_sub(1)) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}
