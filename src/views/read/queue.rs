//! The items of the publish queue.

use super::{digest, id, optional_id, time};
use flywheel_events::{Digest, SessionId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use uuid::Uuid;

/// An item: one artifact version, one target, one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The item.
    pub item_id: Uuid,
    /// The original of the sessions that made the content; none where it was queued by hand.
    pub session_id: Option<SessionId>,
    /// What it is.
    #[serde(rename = "type")]
    pub artifact_type: String,
    /// Where it lies under an artifact folder.
    pub path: Option<String>,
    /// SHA-256 of its text.
    pub sha256: Digest,
    /// Where it is to be published.
    pub target: String,
    /// Under which account there.
    pub account: String,
    /// How far it is.
    pub state: String,
    /// Where its newest transition is.
    pub position: u64,
    /// When it was queued.
    pub queued_at: String,
}

/// Which items.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<String>,
    /// For this target.
    pub target: Option<String>,
    /// Of this artifact type.
    pub artifact_type: Option<String>,
    /// Of this session.
    pub session: Option<SessionId>,
    /// With this content.
    pub sha256: Option<Digest>,
}

fn item_row(row: &Row<'_>) -> rusqlite::Result<Item> {
    Ok(Item {
        item_id: id(row, "id")?,
        session_id: optional_id(row, "session")?,
        artifact_type: row.get("type")?,
        path: row.get("path")?,
        sha256: digest(row, "sha256")?,
        target: row.get("target")?,
        account: row.get("account")?,
        state: row.get("state")?,
        position: row.get("position")?,
        queued_at: time(row, "recorded_at")?,
    })
}

/// Items in the order of their newest transition, behind a position.
///
/// # Errors
/// When the view cannot be read.
pub fn items(connection: &Connection, filter: &Filter, after: u64, limit: usize) -> rusqlite::Result<Vec<Item>> {
    let sql = "SELECT * FROM queue WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR target = ?2)
        AND (?3 IS NULL OR type = ?3) AND (?4 IS NULL OR session = ?4) AND (?5 IS NULL OR sha256 = ?5)
        AND position > ?6 ORDER BY position LIMIT ?7";
    let values = params![
        filter.state,
        filter.target,
        filter.artifact_type,
        filter.session.as_ref().map(|id| id.as_bytes()),
        filter.sha256.as_ref().map(|digest| digest.as_bytes()),
        after,
        limit as u64,
    ];
    connection.prepare(sql)?.query_map(values, item_row)?.collect()
}

/// An item.
///
/// # Errors
/// When the view cannot be read.
pub fn item(connection: &Connection, item: Uuid) -> rusqlite::Result<Option<Item>> {
    connection.query_row("SELECT * FROM queue WHERE id = ?1", [item.as_bytes()], item_row).optional()
}
