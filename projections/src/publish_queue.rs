//! `publish_queue`: what waits to be published, and where.
//!
//! Equal content is queued once. Which of its sessions the log happens to name depends on which came first, so an
//! item's session is asked of its content instead: the original, which is the smallest (session time, id).

use crate::{Body, Error, Recorded, View, content};
use rusqlite::{Transaction, params};

pub(crate) const VIEW: View = View {
    name: "publish_queue",
    version: 2,
    about: "What waits to be published, and where.",
    schema: include_str!("publish_queue.sql"),
    fold,
};

fn fold(transaction: &Transaction<'_>, facts: &[Recorded]) -> Result<(), Error> {
    let mut item =
        transaction.prepare_cached("INSERT OR IGNORE INTO items VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'queued', ?8)")?;
    let mut session = transaction.prepare_cached("INSERT OR IGNORE INTO sessions VALUES (?1, ?2)")?;
    let mut source = transaction.prepare_cached("INSERT OR IGNORE INTO sources VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for fact in facts {
        match &fact.body {
            Body::Queued(it) => item.execute(params![
                fact.position,
                it.item_id.as_bytes(),
                it.artifact_type.as_str(),
                it.sha256.as_bytes(),
                content(&it.sha256),
                it.target.as_str(),
                it.account,
                fact.time.timestamp_micros(),
            ])?,
            Body::Session(it) => session.execute(params![it.session_id.as_bytes(), it.timestamp.timestamp_micros()])?,
            Body::Artifact(it) => source.execute(params![
                fact.position,
                it.artifact_type.as_str(),
                it.sha256.as_bytes(),
                content(&it.sha256),
                fact.key.id.as_bytes(),
                it.path,
            ])?,
            _ => continue,
        };
    }
    Ok(())
}
