//! Building views from the beginning: one reader decodes, each view folds on a thread of its own.

use super::{
    file::{self, Batch, Checkpoint, Error, Open, check_follows},
    folder,
};
use crate::log::EmbeddedLog;
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

/// Batches a view may lie behind the reader: enough to keep both busy, few enough to bound the memory.
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
    let mut built = thread::scope(|scope| {
        let (mut senders, mut folders) = (vec![], vec![]);
        for view in views {
            let (sender, receiver) = sync_channel(BATCHES_AHEAD);
            senders.push(sender);
            let path = free_path(&target, view);
            folders.push(scope.spawn(move || fold_all(view, path, &receiver)));
        }
        let read = read_all(log, views, end, &senders, &progress);
        drop(senders);
        // A view that failed says more than the reader that it stopped.
        let built: Result<Vec<_>, Error> =
            folders.into_iter().map(|folder| folder.join().expect("a fold does not panic")).collect();
        built.and_then(|built| read.map(|()| built))
    })?;
    for built in &mut built {
        check_follows(log, built.view, built.checkpoint)?;
        let generation = generation(&built.path).expect("named above");
        if into.is_none() {
            file::point_to(&target, built.view, generation, true)?;
            remove_old(&target, built.view, generation);
        } else {
            file::point_to(&target, built.view, generation, true)?;
        }
    }
    Ok(built)
}

fn read_all(
    log: &EmbeddedLog,
    views: &[&'static View],
    end: u64,
    senders: &[SyncSender<Arc<Batch>>],
    progress: &impl Fn(u64),
) -> Result<(), Error> {
    let Some(first) = views.first() else { return Ok(()) };
    let mut after = 0;
    while after < end {
        let batch = Arc::new(file::read(log, first, after, end)?);
        after = batch.end.position;
        for sender in senders {
            // A view that has failed no longer listens; its error comes with its thread.
            if sender.send(batch.clone()).is_err() {
                return Ok(());
            }
        }
        progress(after);
    }
    Ok(())
}

fn fold_all(view: &'static View, path: PathBuf, batches: &Receiver<Arc<Batch>>) -> Result<Built, Error> {
    let storage = |source| Error::Storage { view: view.name, source };
    let mut checkpoint = Checkpoint { position: 0, chain: Digest::GENESIS };
    {
        let mut connection = build_connection(&path, view).map_err(storage)?;
        let transaction = connection.transaction().map_err(storage)?;
        while let Ok(batch) = batches.recv() {
            file::fold(&transaction, view, &batch.facts)?;
            checkpoint = batch.end;
        }
        file::move_checkpoint(&transaction, checkpoint).map_err(storage)?;
        transaction.commit().map_err(storage)?;
    }
    // Until here nobody has seen the file; from here on it must be whole.
    crate::files::sync(&path)?;
    let mut open = Open::at(&path, view)?;
    let digest = super::digest(open.connection()).map_err(storage)?;
    Ok(Built { view, path, checkpoint, digest })
}

/// A file that nobody reads until it is done needs no journal.
fn build_connection(path: &Path, view: &View) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection
        .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;")?;
    connection.pragma_update(None, "cache_size", -32 * 1024)?;
    connection.set_prepared_statement_cache_capacity(32);
    file::make(&connection, view)?;
    Ok(connection)
}

/// The file of the next free generation, taken by making it.
fn free_path(folder: &Path, view: &View) -> PathBuf {
    let mut generation = file::pointed(folder, view).map_or(1, |(_, generation)| generation + 1);
    loop {
        let path = file::path(folder, view, generation);
        if crate::files::take(&path) {
            return path;
        }
        generation += 1;
    }
}

fn generation(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_suffix(".db")?.rsplit_once('.')?.1.parse().ok()
}

/// Takes away generations before the last one; who still reads one goes on reading it.
fn remove_old(folder: &Path, view: &View, live: u32) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let prefix = format!("{}.v", view.name);
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let ours = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&prefix));
        if ours && generation(&path).is_some_and(|generation| generation + 1 < live) {
            for end in ["", "-wal", "-shm"] {
                let mut name = path.clone().into_os_string();
                name.push(end);
                // It comes again at the next rebuild.
                let _ = std::fs::remove_file(name);
            }
        }
    }
}
