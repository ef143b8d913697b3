//! What is in flight, as this machine's own file has it.
//!
//! Invariants:
//! - A delivery in flight stands in one row of its own (`in_flight`), or in the one lease of all that were handed out to a
//!   worker at once for the first time (`leases`): never in both, never in two leases.
//! - A lease is its worker's until its time or its process ends. Then each of its deliveries becomes a row of its own that
//!   has been tried once and is suspect.

use super::EmbeddedLog;
use crate::log::Error;
use flywheel_events::{Key, SessionId, Step};
use rusqlite::{Connection, TransactionBehavior, params};
use std::collections::{HashMap, HashSet};

/// A lease that goes on.
pub(super) struct Held {
    pub(super) id: i64,
    pub(super) positions: Vec<u64>,
}

/// Takes a lease of deliveries that nobody has had before.
pub(super) fn lease(
    connection: &Connection,
    consumer: &Step,
    worker: &str,
    until: u64,
    positions: impl Iterator<Item = u64>,
) -> Result<i64, Error> {
    connection
        .prepare_cached("INSERT INTO leases (consumer, worker, leased_until, positions) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![consumer.as_str(), worker, until, written(positions)])?;
    Ok(connection.last_insert_rowid())
}

/// Leaves a lease with these positions, and ends it where there are none. False where it has ended before.
pub(super) fn shrink(connection: &Connection, id: i64, positions: impl Iterator<Item = u64>) -> Result<bool, Error> {
    let text = written(positions);
    let changed = match text.is_empty() {
        true => connection.prepare_cached("DELETE FROM leases WHERE id = ?1")?.execute([id])?,
        false => {
            connection.prepare_cached("UPDATE leases SET positions = ?2 WHERE id = ?1")?.execute(params![id, text])?
        }
    };
    Ok(changed > 0)
}

/// A consumer's leases. Those that are void end here.
pub(super) fn end_void(
    log: &EmbeddedLog,
    connection: &Connection,
    consumer: &Step,
    is_live: impl Fn(&str, u64) -> bool,
) -> Result<Vec<Held>, Error> {
    let (mut live, mut void) = (vec![], vec![]);
    {
        let sql = "SELECT id, worker, leased_until, positions FROM leases WHERE consumer = ?1";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([consumer.as_str()])?;
        while let Some(row) = rows.next()? {
            let worker: String = row.get(1)?;
            let held = Held { id: row.get(0)?, positions: read(&row.get::<_, String>(3)?)? };
            if is_live(&worker, row.get(2)?) {
                live.push(held);
            } else {
                void.push((worker, held));
            }
        }
    }
    for (worker, held) in void {
        for position in held.positions {
            // What is not in the log was in another one: a copy was put in its place.
            let Some(key) = log.key_at(position)? else { continue };
            connection
                .prepare_cached("INSERT OR IGNORE INTO in_flight VALUES (?1, ?2, ?3, 1, 0, ?4, 0)")?
                .execute(params![consumer.as_str(), position, key.to_string(), worker])?;
        }
        shrink(connection, held.id, std::iter::empty())?;
    }
    Ok(live)
}

/// Drops what is in flight of runs that have ended, whoever holds it.
pub(super) fn forget(log: &EmbeddedLog, ended: &HashMap<SessionId, u32>) -> Result<(), Error> {
    let over = |key: &Key| key.session_id().and_then(|id| ended.get(&id)).is_some_and(|run| key.run <= *run);
    let mut connection = log.inner.local.connection();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (consumer, position, key) in rows(&transaction)? {
        if over(&key) {
            transaction
                .prepare_cached("DELETE FROM in_flight WHERE consumer = ?1 AND position = ?2")?
                .execute((consumer, position))?;
        }
    }
    for (id, positions) in leases(&transaction)? {
        let mut left = vec![];
        for position in &positions {
            if log.key_at(*position)?.is_some_and(|key| !over(&key)) {
                left.push(*position);
            }
        }
        if left.len() < positions.len() {
            shrink(&transaction, id, left.into_iter())?;
        }
    }
    Ok(transaction.commit()?)
}

/// The runs of which something is in flight.
pub(super) fn runs(log: &EmbeddedLog) -> Result<HashSet<(SessionId, u32)>, Error> {
    let connection = log.inner.local.connection();
    let mut keys: Vec<Key> = rows(&connection)?.into_iter().map(|(.., key)| key).collect();
    for position in leases(&connection)?.into_iter().flat_map(|(_, positions)| positions) {
        keys.extend(log.key_at(position)?);
    }
    Ok(keys.into_iter().filter_map(|key| Some((key.session_id()?, key.run))).collect())
}

fn rows(connection: &Connection) -> Result<Vec<(String, u64, Key)>, Error> {
    let mut statement = connection.prepare_cached("SELECT consumer, position, key FROM in_flight")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, super::key(row, 2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn leases(connection: &Connection) -> Result<Vec<(i64, Vec<u64>)>, Error> {
    let mut statement = connection.prepare_cached("SELECT id, positions FROM leases")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    let rows: Vec<(i64, String)> = rows.collect::<rusqlite::Result<_>>()?;
    rows.into_iter().map(|(id, text)| Ok((id, read(&text)?))).collect()
}

/// Positions as they are stored: decimals with a space between two.
fn written(positions: impl Iterator<Item = u64>) -> String {
    let mut text = String::new();
    for position in positions {
        if !text.is_empty() {
            text.push(' ');
        }
        text += &position.to_string();
    }
    text
}

fn read(text: &str) -> Result<Vec<u64>, Error> {
    let positions = text.split(' ').filter(|position| !position.is_empty()).map(str::parse);
    positions.collect::<Result<_, _>>().map_err(|_| {
        Error::Foreign("a lease in local.db does not read: move local.db away, it holds no fact".to_owned())
    })
}
