//! The manifest's sessions, steps, artifacts and duplicates.

use super::{digest, id};
use flywheel_events::{Digest, SessionId};
use flywheel_projections::content;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use std::collections::{HashMap, hash_map::Entry};

/// How a session stands, in the words of the manifest.
pub const STATUSES: [&str; 4] = ["pending", "ready", "partial", "failed"];

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// The session.
    pub session_id: SessionId,
    /// Its pipeline.
    pub session_type: String,
    /// Its agent.
    pub agent_id: String,
    /// When it ended, in its own offset.
    pub timestamp: String,
    /// `pending`, or how the newest run that ended came out.
    pub status: String,
    /// The newest run that was asked for.
    pub run: u32,
    /// The newest run that ended.
    pub ended_run: Option<u32>,
    /// How many artifacts it has, superseded ones aside.
    pub artifacts: u64,
    /// Where it was accepted.
    pub position: u64,
}

/// Which sessions.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this type.
    pub session_type: Option<String>,
    /// Of this agent.
    pub agent: Option<String>,
    /// With this status.
    pub status: Option<String>,
    /// Not before, microseconds since 1970.
    pub since: Option<i64>,
    /// Not after, microseconds since 1970.
    pub until: Option<i64>,
}

/// How a step of one run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The step.
    pub step: String,
    /// The run.
    pub run: u32,
    /// `completed`, `failed` or `skipped`.
    pub outcome: String,
    /// Why not completed.
    pub reason: Option<String>,
    /// Where.
    pub position: u64,
}

/// A version of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// The session.
    pub session_id: SessionId,
    /// What it is.
    #[serde(rename = "type")]
    pub artifact_type: String,
    /// Where it lies under an artifact folder.
    pub path: String,
    /// SHA-256 of its text.
    pub sha256: Digest,
    /// Bytes of its text.
    pub size: u64,
    /// The step that made it.
    pub step: String,
    /// In which run.
    pub run: u32,
    /// Whether a later run of the step made another version.
    pub superseded: bool,
    /// Where.
    pub position: u64,
}

/// Equal content of several sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What it is.
    #[serde(rename = "type")]
    pub artifact_type: String,
    /// SHA-256 of its text.
    pub sha256: Digest,
    /// The session with the smallest (time, id).
    pub original: SessionId,
    /// The others, in that order.
    pub duplicates: Vec<SessionId>,
}

const SESSION: &str =
    "SELECT sessions.*, (SELECT count(DISTINCT step) FROM artifacts WHERE session = sessions.id) AS artifacts
    FROM sessions";

fn session_row(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        session_id: id(row, "id")?,
        session_type: row.get("session_type")?,
        agent_id: row.get("agent_id")?,
        timestamp: row.get("timestamp")?,
        status: row.get("status")?,
        run: row.get("run")?,
        ended_run: row.get("ended_run")?,
        artifacts: row.get("artifacts")?,
        position: row.get("position")?,
    })
}

/// Sessions by their time and id, behind a session.
///
/// # Errors
/// When the view cannot be read.
pub fn sessions(
    connection: &Connection,
    filter: &Filter,
    after: Option<SessionId>,
    limit: usize,
) -> rusqlite::Result<Vec<Session>> {
    let sql = format!(
        "{SESSION} WHERE (?1 IS NULL OR session_type = ?1) AND (?2 IS NULL OR agent_id = ?2)
         AND (?3 IS NULL OR status = ?3) AND instant BETWEEN ?4 AND ?5
         AND (?6 IS NULL OR (instant, id) > ((SELECT instant FROM sessions WHERE id = ?6), ?6))
         ORDER BY instant, id LIMIT ?7"
    );
    let values = params![
        filter.session_type,
        filter.agent,
        filter.status,
        filter.since.unwrap_or(i64::MIN),
        filter.until.unwrap_or(i64::MAX),
        after.as_ref().map(|id| id.as_bytes()),
        limit as u64,
    ];
    connection.prepare(&sql)?.query_map(values, session_row)?.collect()
}

/// A session.
///
/// # Errors
/// When the view cannot be read.
pub fn session(connection: &Connection, session: SessionId) -> rusqlite::Result<Option<Session>> {
    let sql = format!("{SESSION} WHERE id = ?1");
    connection.query_row(&sql, [session.as_bytes()], session_row).optional()
}

/// The sessions whose id begins like this; two are enough to know that it is not clear which.
///
/// # Errors
/// When the view cannot be read.
pub fn beginning_with(connection: &Connection, beginning: &str) -> rusqlite::Result<Vec<SessionId>> {
    let digits = beginning.replace('-', "").to_uppercase();
    let sql = "SELECT id FROM sessions WHERE substr(hex(id), 1, length(?1)) = ?1 ORDER BY id LIMIT 2";
    connection.prepare(sql)?.query_map([digits], |row| id(row, "id"))?.collect()
}

/// How a session's steps ended, run by run, in the order of the log.
///
/// # Errors
/// When the view cannot be read.
pub fn steps(connection: &Connection, session: SessionId) -> rusqlite::Result<Vec<Step>> {
    let sql = "SELECT * FROM steps WHERE session = ?1 ORDER BY run, position";
    let step = |row: &Row<'_>| {
        Ok(Step {
            step: row.get("step")?,
            run: row.get("run")?,
            outcome: row.get("outcome")?,
            reason: row.get("reason")?,
            position: row.get("position")?,
        })
    };
    connection.prepare(sql)?.query_map([session.as_bytes()], step)?.collect()
}

/// Every version of the artifacts of a session, or of all: by session, type and run.
///
/// # Errors
/// When the view cannot be read.
pub fn artifacts(connection: &Connection, session: Option<SessionId>) -> rusqlite::Result<Vec<Artifact>> {
    // The join leaves out files queued by hand, which no session made.
    let sql = "SELECT artifacts.*, EXISTS (
            SELECT 1 FROM artifacts AS later
            WHERE later.session = artifacts.session AND later.step = artifacts.step AND later.run > artifacts.run
        ) AS superseded
        FROM artifacts JOIN sessions ON sessions.id = artifacts.session
        WHERE ?1 IS NULL OR session = ?1 ORDER BY session, type, artifacts.run";
    let artifact = |row: &Row<'_>| {
        Ok(Artifact {
            session_id: id(row, "session")?,
            artifact_type: row.get("type")?,
            path: row.get("path")?,
            sha256: digest(row, "sha256")?,
            size: row.get("size")?,
            step: row.get("step")?,
            run: row.get("run")?,
            superseded: row.get("superseded")?,
            position: row.get("position")?,
        })
    };
    connection.prepare(sql)?.query_map([session.as_ref().map(|id| id.as_bytes())], artifact)?.collect()
}

/// Every content that several sessions made, the groups by their original.
///
/// # Errors
/// When the view cannot be read.
pub fn duplicates(connection: &Connection) -> rusqlite::Result<Vec<Group>> {
    let sql = "WITH repeated AS (
            SELECT type, sha256, session FROM artifacts
            WHERE content IN (SELECT content FROM artifacts GROUP BY content HAVING count(*) > 1)
        ), made AS (
            SELECT DISTINCT type, sha256, session, instant FROM repeated JOIN sessions ON sessions.id = session
        )
        SELECT type, sha256, session FROM made
        WHERE (type, sha256) IN (SELECT type, sha256 FROM made GROUP BY type, sha256 HAVING count(*) > 1)
        ORDER BY instant, session, type, sha256";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let (mut groups, mut places): (Vec<Group>, HashMap<(String, Digest), usize>) = Default::default();
    while let Some(row) = rows.next()? {
        let (artifact_type, sha256): (String, _) = (row.get("type")?, digest(row, "sha256")?);
        let session = id(row, "session")?;
        match places.entry((artifact_type.clone(), sha256)) {
            Entry::Occupied(place) => groups[*place.get()].duplicates.push(session),
            Entry::Vacant(place) => {
                place.insert(groups.len());
                groups.push(Group { artifact_type, sha256, original: session, duplicates: vec![] });
            }
        }
    }
    Ok(groups)
}

/// Every session that made a content, the original first.
///
/// # Errors
/// When the view cannot be read.
pub fn makers(connection: &Connection, artifact_type: &str, sha256: &Digest) -> rusqlite::Result<Vec<SessionId>> {
    let sql = "SELECT DISTINCT sessions.id AS id FROM artifacts JOIN sessions ON sessions.id = artifacts.session
        WHERE content = ?1 AND sha256 = ?2 AND type = ?3 ORDER BY sessions.instant, sessions.id";
    let values = params![content(sha256), sha256.as_bytes(), artifact_type];
    connection.prepare(sql)?.query_map(values, |row| id(row, "id"))?.collect()
}
