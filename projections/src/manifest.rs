//! `manifest`: the single source of truth on sessions, steps and artifacts, for whoever asks.
//!
//! An artifact of an earlier run is superseded by that of a later one of the same step; both stay. Equal content of two
//! sessions is a group of duplicates, whose original is the smallest (session time, id): a question to the index over
//! content, not a column, so that it does not depend on the order in which sessions came.

use crate::{Body, Error, Recorded, View, content};
use flywheel_events::{Kind, Outcome};
use rusqlite::{Transaction, params};

pub(crate) const VIEW: View = View {
    name: "manifest",
    version: 2,
    about: "Every session, how its steps ended, and what they made.",
    schema: include_str!("manifest.sql"),
    fold,
};

fn fold(transaction: &Transaction<'_>, facts: &[Recorded]) -> Result<(), Error> {
    let mut session = transaction
        .prepare_cached("INSERT OR IGNORE INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, 1, 'pending', NULL, ?6, NULL)")?;
    let mut step = transaction.prepare_cached("INSERT OR IGNORE INTO outcomes VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut artifact =
        transaction.prepare_cached("INSERT OR IGNORE INTO artifacts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    let mut rerun = transaction.prepare_cached("UPDATE sessions SET run = max(run, ?2) WHERE id = ?1")?;
    let mut ended = transaction.prepare_cached(
        "UPDATE sessions SET status = ?2, ended_position = ?3, ended_run = ?4, run = max(run, ?4)
         WHERE id = ?1 AND coalesce(ended_run, 0) < ?4",
    )?;
    for fact in facts {
        let key = &fact.key;
        let id = key.id.as_bytes();
        let (name, run) = (key.step.as_str(), key.run);
        let (outcome, reason) = match &fact.body {
            Body::Session(it) => {
                let instant = it.timestamp.timestamp_micros();
                let timestamp = it.timestamp.to_rfc3339();
                let (kind, agent) = (it.session_type.as_str(), it.agent_id.as_str());
                session.execute(params![id, kind, agent, timestamp, instant, fact.position])?;
                continue;
            }
            Body::Rerun(_) => {
                rerun.execute(params![id, run])?;
                continue;
            }
            Body::Rejected(_) | Body::Queued(_) | Body::Feedback(_) => continue,
            Body::Ready(it) => {
                let status = match it.outcome {
                    Outcome::Ready => "ready",
                    Outcome::Partial => "partial",
                    Outcome::Failed => "failed",
                };
                ended.execute(params![id, status, fact.position, run])?;
                ("completed", None)
            }
            Body::Artifact(it) => {
                let kind = it.artifact_type.as_str();
                let (digest, content) = (it.sha256.as_bytes(), content(&it.sha256));
                artifact.execute(params![fact.position, id, name, run, kind, it.path, digest, content, it.size])?;
                continue;
            }
            Body::Failed(it) => ("failed", Some(it.message.as_str())),
            Body::Skipped(it) => ("skipped", Some(it.reason.as_str())),
            Body::Scanned(_) | Body::Summarized(_) | Body::Completed => ("completed", None),
        };
        if key.kind == Kind::Session {
            step.execute(params![fact.position, id, name, run, outcome, reason])?;
        }
    }
    Ok(())
}
