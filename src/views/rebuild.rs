//! Building views from the beginning: a few readers decode, batch by batch in turn; each view folds on a thread of its own.

use super::{
    BATCH_FACTS,
    file::{self, Batch, Checkpoint, Error, Swap, check_follows},
    folder,
};
use crate::{files, log::EmbeddedLog};
use flywheel_events::Digest;
use flywheel_projections::View;
use rusqlite::Connection;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};
use tempfile::NamedTempFile;

/// Threads that read and decode, which is half of the work.
const READERS: usize = 2;

/// Batches a view may lie behind the readers: enough to keep both busy, few enough to bound the memory.
const BATCHES_AHEAD: usize = 2;

/// Up to where views are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The end of the log.
    Head,
    /// A position.
    Position(u64),
}

/// A view that was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// The view.
    pub view: &'static View,
    /// Its file.
    pub path: PathBuf,
    /// How far it goes.
    pub checkpoint: Checkpoint,
    /// The digest of its content.
    pub digest: Digest,
}

/// Builds views from the beginning of the log: as a new generation of the data folder's, which becomes the live one, or
/// into another folder, which leaves the live ones alone. `progress` is told how many facts have been read.
///
/// # Errors
/// When a fact cannot be folded or a file not written; the live views are then as they were.
pub fn rebuild(
    data: &Path,
    log: &EmbeddedLog,
    views: &[&'static View],
    until: Until,
    into: Option<&Path>,
    progress: impl Fn(u64),
) -> Result<Vec<Built>, Error> {
    let head = log.head_now()?.position;
    let end = match until {
        Until::Head => head,
        Until::Position(position) => position.min(head),
    };
    let target = into.map_or_else(|| folder(data), Path::to_owned);
    std::fs::create_dir_all(&target)
        .map_err(|error| anyhow::anyhow!("cannot make the folder {}: {error}", target.display()))?;
    let folded = thread::scope(|scope| {
        let (mut senders, mut folders) = (vec![], vec![]);
        for view in views {
            let (sender, receiver) = sync_channel(BATCHES_AHEAD);
            senders.push(sender);
            // Under a name of its own, which nobody opens, until it is whole.
            let file = files::temporary(&target)?;
            folders.push(scope.spawn(move || fold_all(view, file, &receiver)));
        }
        let read = read_all(log, views, end, &senders, &progress);
        drop(senders);
        // A view that failed says more than the reader that it stopped.
        let folded: Result<Vec<_>, Error> =
            folders.into_iter().map(|folder| folder.join().expect("a fold does not panic")).collect();
        folded.and_then(|folded| read.map(|()| folded))
    })?;
    let swap = Swap::begin(&target)?;
    let mut built = vec![];
    for Folded { view, file, checkpoint, digest } in folded {
        check_follows(log, view, checkpoint)?;
        let generation = swap.free(view);
        let path = file::path(&target, view, generation);
        files::keep_new(file, &path)?;
        swap.point_to(view, generation)?;
        if into.is_none() {
            swap.remove_old(view, generation);
        }
        built.push(Built { view, path, checkpoint, digest });
    }
    Ok(built)
}

/// A view that was folded, in a file without its name yet.
struct Folded {
    view: &'static View,
    file: NamedTempFile,
    checkpoint: Checkpoint,
    digest: Digest,
}

/// Reads to the end, and gives every view every batch, in order.
fn read_all(
    log: &EmbeddedLog,
    views: &[&'static View],
    end: u64,
    senders: &[SyncSender<Arc<Batch>>],
    progress: &impl Fn(u64),
) -> Result<(), Error> {
    let Some(first) = views.first() else { return Ok(()) };
    thread::scope(|scope| {
        let readers = (0..READERS).map(|turn| {
            let (sender, receiver) = sync_channel(1);
            scope.spawn(move || read_in_turn(log, first, end, turn, &sender));
            receiver
        });
        let readers: Vec<Receiver<Result<Batch, Error>>> = readers.collect();
        for reader in readers.iter().cycle() {
            // Whose turn it is has nothing left: it was the last batch.
            let Ok(batch) = reader.recv() else { break };
            let batch = Arc::new(batch?);
            for sender in senders {
                // A view that has failed no longer listens; its error comes with its thread.
                if sender.send(batch.clone()).is_err() {
                    return Ok(());
                }
            }
            progress(batch.end.position);
        }
        Ok(())
    })
}

/// Reads every [`READERS`]-th batch, until nobody listens.
fn read_in_turn(
    log: &EmbeddedLog,
    view: &'static View,
    end: u64,
    turn: usize,
    sender: &SyncSender<Result<Batch, Error>>,
) {
    for after in (0..end).step_by(BATCH_FACTS).skip(turn).step_by(READERS) {
        if sender.send(file::read(log, view, after, end)).is_err() {
            return;
        }
    }
}

fn fold_all(view: &'static View, file: NamedTempFile, batches: &Receiver<Arc<Batch>>) -> Result<Folded, Error> {
    let storage = |source| Error::Storage { view: view.name, source };
    let mut checkpoint = Checkpoint { position: 0, chain: Digest::GENESIS };
    let mut connection = build_connection(file.path(), view).map_err(storage)?;
    let indexes = put_off_indexes(&connection).map_err(storage)?;
    let transaction = connection.transaction().map_err(storage)?;
    while let Ok(batch) = batches.recv() {
        file::fold(&transaction, view, &batch.facts)?;
        checkpoint = batch.end;
    }
    transaction.execute_batch(&indexes).map_err(storage)?;
    file::move_checkpoint(&transaction, checkpoint).map_err(storage)?;
    transaction.commit().map_err(storage)?;
    let digest = super::digest(&connection).map_err(storage)?;
    connection.close().map_err(|(_, source)| storage(source))?;
    // Until here nobody has seen the file; from here on it must be whole.
    files::sync(file.path())?;
    Ok(Folded { view, file, checkpoint, digest })
}

/// A file that nobody reads until it is done needs no journal.
fn build_connection(path: &Path, view: &View) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection
        .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;")?;
    connection.pragma_update(None, "cache_size", -32 * 1024)?;
    connection.set_prepared_statement_cache_capacity(32);
    file::make_tables(&connection, view)?;
    Ok(connection)
}

/// Takes away the indexes that only questions use, and gives the statements that make them again: sorting once is cheaper
/// than finding the place of every row. A unique index stays, for a fold may rest on it.
fn put_off_indexes(connection: &Connection) -> rusqlite::Result<String> {
    let sql = "SELECT list.name, made.sql FROM sqlite_schema AS tables
        JOIN pragma_index_list(tables.name) AS list JOIN sqlite_schema AS made ON made.name = list.name
        WHERE tables.type = 'table' AND list.origin = 'c' AND NOT list.\"unique\"";
    let indexes: Vec<(String, String)> = connection
        .prepare(sql)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut statements = String::new();
    for (name, sql) in indexes {
        connection.execute_batch(&format!("DROP INDEX \"{name}\""))?;
        statements.push_str(&sql);
        statements.push(';');
    }
    Ok(statements)
}
