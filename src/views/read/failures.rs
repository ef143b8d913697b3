//! What failed.

use super::{optional_id, time};
use flywheel_events::SessionId;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Where it is, which is also its name.
    pub position: u64,
    /// The session; none where input was refused.
    pub session_id: Option<SessionId>,
    /// The step; `intake` where input was refused.
    pub step: String,
    /// The run.
    pub run: u32,
    /// What kind of failure.
    pub class: String,
    /// What went wrong, where.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was recorded.
    pub time: String,
}

/// Which failures.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this session.
    pub session: Option<SessionId>,
    /// Of this step.
    pub step: Option<String>,
    /// Of this class.
    pub class: Option<String>,
}

fn failure_row(row: &Row<'_>) -> rusqlite::Result<Failure> {
    Ok(Failure {
        position: row.get("position")?,
        session_id: optional_id(row, "session")?,
        step: row.get("step")?,
        run: row.get("run")?,
        class: row.get("class")?,
        message: row.get("message")?,
        hint: row.get("hint")?,
        attempts: row.get("attempts")?,
        time: time(row, "recorded_at")?,
    })
}

/// Failures in the order of the log, behind a position.
///
/// # Errors
/// When the view cannot be read.
pub fn failures(connection: &Connection, filter: &Filter, after: u64, limit: usize) -> rusqlite::Result<Vec<Failure>> {
    let sql = "SELECT * FROM failures WHERE (?1 IS NULL OR session = ?1) AND (?2 IS NULL OR step = ?2)
        AND (?3 IS NULL OR class = ?3) AND position > ?4 ORDER BY position LIMIT ?5";
    let session = filter.session.as_ref().map(|id| id.as_bytes());
    let values = params![session, filter.step, filter.class, after, limit as u64];
    connection.prepare(sql)?.query_map(values, failure_row)?.collect()
}

/// The failure at a position.
///
/// # Errors
/// When the view cannot be read.
pub fn failure(connection: &Connection, position: u64) -> rusqlite::Result<Option<Failure>> {
    connection.query_row("SELECT * FROM failures WHERE position = ?1", [position], failure_row).optional()
}
