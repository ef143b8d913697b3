//! The read models as files: caught up by whoever reads them, rebuilt beside the live ones.
//!
//! Invariants:
//! - A view's checkpoint moves in the transaction that folds its facts, so a view is always some prefix of the log.
//! - A view that meets another log, a log that ends before its checkpoint, or a fact it cannot fold, stops and says so.
//! - A rebuild is a new generation beside the live file; replacing the small pointer file is the swap. Readers of the old
//!   generation go on reading it.
//! - Any number of processes may catch up and rebuild at once.

mod digest;
mod file;
pub mod read;
mod rebuild;

pub use digest::{content_digest, digest};
pub use file::{Checkpoint, Error};
pub use rebuild::{Built, Until, rebuild};

use crate::{
    log::EmbeddedLog,
    sqlite::{schema, schema_differences},
};
use file::Open;
use flywheel_events::Digest;
use flywheel_projections::View;
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// Most facts folded in one transaction.
const BATCH_FACTS: usize = 10_000;

/// The folder of the views.
pub fn folder(data: &Path) -> PathBuf {
    data.join("views")
}

/// A view, caught up to the end of the log at the time of the call.
///
/// # Errors
/// When the view cannot follow the log; `flywheel replay` builds it anew.
pub fn caught_up(data: &Path, log: &EmbeddedLog, view: &'static View) -> Result<Connection, Error> {
    let mut open = Open::current(&folder(data), view)?;
    let head = log.head_now()?;
    loop {
        let checkpoint = open.checkpoint()?;
        file::check_follows(log, view, checkpoint)?;
        if checkpoint.position >= head.position {
            return Ok(open.into_connection());
        }
        open.fold_next(log, head.position)?;
    }
}

/// A view as it is on disk at one moment: how far it goes, and the digest of its content.
///
/// # Errors
/// When the view cannot be read, or SQLite finds its file damaged.
pub fn snapshot(view: &'static View, connection: &mut Connection) -> Result<(Checkpoint, Digest), Error> {
    let storage = |source| Error::Storage { view: view.name, source };
    // Other processes may catch it up meanwhile; inside a transaction it stands still.
    let transaction = connection.transaction().map_err(storage)?;
    let checkpoint = file::checkpoint(&transaction).map_err(storage)?;
    let said: String = transaction.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(storage)?;
    let fresh = Connection::open_in_memory().map_err(storage)?;
    file::make_tables(&fresh, view).map_err(storage)?;
    let (found, expected) = (schema(&transaction).map_err(storage)?, schema(&fresh).map_err(storage)?);
    let mut wrong = schema_differences(&found, &expected);
    wrong.extend((said != "ok").then_some(said));
    if !wrong.is_empty() {
        let path = transaction.path().unwrap_or_default().to_owned();
        return Err(Error::Damaged { path, why: wrong.join(", ") });
    }
    Ok((checkpoint, digest(&transaction).map_err(storage)?))
}
