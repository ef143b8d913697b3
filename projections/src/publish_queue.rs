//! `publish_queue`: what waits to be published, and where.

use crate::{Body, Error, Recorded, View};
use rusqlite::{Transaction, params};

pub(crate) const VIEW: View = View {
    name: "publish_queue",
    version: 1,
    about: "What waits to be published, and where.",
    schema: include_str!("publish_queue.sql"),
    fold,
};

fn fold(transaction: &Transaction<'_>, facts: &[Recorded]) -> Result<(), Error> {
    let mut item = transaction
        .prepare_cached("INSERT OR IGNORE INTO items VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'queued', ?8, ?9)")?;
    for fact in facts {
        let Body::Queued(it) = &fact.body else { continue };
        item.execute(params![
            it.item_id.as_bytes(),
            it.session_id.as_ref().map(|id| id.as_bytes()),
            it.artifact_type.as_str(),
            it.path,
            it.sha256.as_bytes(),
            it.target.as_str(),
            it.account,
            fact.position,
            fact.time.timestamp_micros(),
        ])?;
    }
    Ok(())
}
