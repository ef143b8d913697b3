//! Deliveries: a cursor and in-flight rows per consumer.
//!
//! Invariants:
//! - A fact that a consumer wants is in `in_flight` before the cursor passes it, and leaves it only when acknowledged.
//! - `attempts` is written before the delivery is handed out, so a handler that kills its process is counted.
//! - A lease ends with its time or with its process, whichever is first.
//! - What a process left behind when it died comes again alone: it may be what killed it, and those beside it are not to
//!   be counted, and parked, for it.
#![expect(clippy::disallowed_methods, reason = "leases and back-off are counted on this machine's clock")]

use super::EmbeddedLog;
use crate::log::{Consumer, Delivery, Error, Log as _, Scope, Subscription};
use flywheel_events::{Key, SessionId};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a delivery is held for a live process before another may take it.
const LEASE: Duration = Duration::from_secs(120);

/// The longest wait before a delivery comes again. A later time is that of a clock that was set back since.
const RETRY_MAX: Duration = Duration::from_secs(120);

/// Most facts looked at in one step.
const SCAN_MAX: u64 = 4096;

/// How often deliveries that another process holds are looked at again.
const LEASED_POLL: Duration = Duration::from_millis(50);

/// Deliveries of one consumer from the embedded log.
#[derive(Debug)]
pub struct EmbeddedSubscription {
    log: EmbeddedLog,
    consumer: Consumer,
    /// Everything up to here has been looked at.
    scanned: u64,
}

/// What leasing came to.
enum Leased {
    Some(Vec<Delivery>),
    /// Nothing is due; look again after this long, or when the log grows.
    Nothing(Option<Duration>),
}

impl EmbeddedSubscription {
    pub(super) fn new(log: EmbeddedLog, consumer: Consumer) -> Result<Self, Error> {
        let scanned = match consumer.scope {
            Scope::Sessions { after, .. } => after,
            Scope::All => cursor(&log.inner.local.connection(), &consumer)?,
        };
        Ok(Self { log, consumer, scanned })
    }

    fn wants(&self, key: &Key) -> bool {
        self.consumer.steps.contains(&key.step)
            && match &self.consumer.scope {
                Scope::All => true,
                Scope::Sessions { sessions, .. } => key.session_id().is_some_and(|id| sessions.contains(&id)),
            }
    }

    /// The wanted facts behind the cursor, and how far was looked.
    fn scan(&self, from: u64) -> Result<(Vec<(u64, Key)>, u64), Error> {
        self.log.with_reader(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT position, key FROM facts WHERE position > ?1 ORDER BY position LIMIT ?2")?;
            let mut rows = statement.query((from, SCAN_MAX))?;
            let (mut wanted, mut scanned) = (vec![], from);
            while let Some(row) = rows.next()? {
                scanned = row.get(0)?;
                let key = super::key(row, 1)?;
                if self.wants(&key) {
                    wanted.push((scanned, key));
                }
            }
            Ok((wanted, scanned))
        })
    }

    fn lease(&mut self, max: usize) -> Result<Leased, Error> {
        let local = self.log.inner.local.clone();
        let worker = local.worker().map_err(|error| Error::File(format!("cannot make a lock file: {error}")))?;
        let head = self.log.head_now()?.position;
        let mut connection = local.connection();
        if head <= self.scanned && !any_in_flight(&connection, &self.consumer)? {
            return Ok(Leased::Nothing(None));
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if matches!(self.consumer.scope, Scope::All) {
            self.scanned = cursor(&transaction, &self.consumer)?;
        }
        let (wanted, scanned) = self.scan(self.scanned)?;
        let name = self.consumer.name.as_str();
        for (position, key) in wanted {
            transaction
                .prepare_cached("INSERT OR IGNORE INTO in_flight VALUES (?1, ?2, ?3, 0, 0, NULL, NULL)")?
                .execute(params![name, position, key.to_string()])?;
        }
        if matches!(self.consumer.scope, Scope::All) && scanned > self.scanned {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO cursors VALUES (?1, ?2)")?
                .execute(params![name, scanned])?;
        }
        let (deliveries, wait) = self.take_due(&transaction, worker, max)?;
        transaction.commit()?;
        self.scanned = scanned;
        match (deliveries.is_empty(), scanned < head) {
            (false, _) => Ok(Leased::Some(deliveries)),
            // There is more to look at.
            (true, true) => Ok(Leased::Nothing(Some(Duration::ZERO))),
            (true, false) => Ok(Leased::Nothing(wait)),
        }
    }

    fn take_due(
        &self,
        connection: &Connection,
        worker: &str,
        max: usize,
    ) -> Result<(Vec<Delivery>, Option<Duration>), Error> {
        let now = now_ms();
        let (mut due, mut wait) = (vec![], None::<u64>);
        let mut soonest = |ms: u64| wait = Some(wait.map_or(ms, |known| known.min(ms)));
        let mut statement = connection.prepare_cached(
            "SELECT position, key, attempts, due, owner, leased_until FROM in_flight WHERE consumer = ?1 ORDER BY position",
        )?;
        let mut rows = statement.query([self.consumer.name.as_str()])?;
        while let Some(row) = rows.next()?
            && due.len() < max
        {
            let key = super::key(row, 1)?;
            if !self.wants(&key) {
                continue;
            }
            let (not_before, owner): (u64, Option<String>) = (row.get(3)?, row.get(4)?);
            let leased_until = row.get::<_, Option<u64>>(5)?.unwrap_or(0);
            let suspect = owner.is_some();
            let held = owner
                .is_some_and(|owner| leased_until > now && (owner == worker || !self.log.inner.local.is_dead(&owner)));
            if held {
                soonest((leased_until - now).min(LEASED_POLL.as_millis() as u64));
            } else if not_before > now && not_before - now <= RETRY_MAX.as_millis() as u64 {
                soonest(not_before - now);
            } else if suspect && !due.is_empty() {
                break;
            } else {
                let id = key.event_id().to_string();
                let attempts = row.get::<_, u32>(2)?.saturating_add(1);
                let (consumer, position) = (self.consumer.name.clone(), row.get(0)?);
                due.push(Delivery { consumer, position, key, id, attempts, traceparent: None });
                if suspect {
                    break;
                }
            }
        }
        for delivery in &due {
            connection
                .prepare_cached(
                    "UPDATE in_flight SET attempts = ?3, owner = ?4, leased_until = ?5 WHERE consumer = ?1 AND position = ?2",
                )?
                .execute(params![
                    self.consumer.name.as_str(),
                    delivery.position,
                    delivery.attempts,
                    worker,
                    now + LEASE.as_millis() as u64,
                ])?;
        }
        Ok((due, wait.map(Duration::from_millis)))
    }
}

impl Subscription for EmbeddedSubscription {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        loop {
            match self.lease(max)? {
                Leased::Some(deliveries) => return Ok(deliveries),
                Leased::Nothing(None) => self.log.grown(self.scanned).await?,
                Leased::Nothing(Some(wait)) => {
                    tokio::select! {
                        grown = self.log.grown(self.scanned) => grown?,
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
    }

    async fn acknowledge(&mut self, done: &[Delivery]) -> Result<(), Error> {
        let mut connection = self.log.inner.local.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for delivery in done {
            transaction
                .prepare_cached("DELETE FROM in_flight WHERE consumer = ?1 AND position = ?2")?
                .execute(params![self.consumer.name.as_str(), delivery.position])?;
        }
        Ok(transaction.commit()?)
    }

    async fn retry(&mut self, delivery: &Delivery, delay: Duration) -> Result<(), Error> {
        let due = now_ms().saturating_add(delay.min(RETRY_MAX).as_millis() as u64);
        self.log
            .inner
            .local
            .connection()
            .prepare_cached("UPDATE in_flight SET owner = NULL, due = ?3 WHERE consumer = ?1 AND position = ?2")?
            .execute(params![self.consumer.name.as_str(), delivery.position, due])?;
        Ok(())
    }
}

/// Drops what is in flight of runs that have ended, whoever holds it.
pub(super) fn forget(connection: &mut Connection, ended: &HashMap<SessionId, u32>) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut statement = transaction.prepare_cached("SELECT consumer, position, key FROM in_flight")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = super::key(row, 2)?;
            if key.session_id().and_then(|id| ended.get(&id)).is_some_and(|run| key.run <= *run) {
                transaction
                    .prepare_cached("DELETE FROM in_flight WHERE consumer = ?1 AND position = ?2")?
                    .execute((row.get::<_, String>(0)?, row.get::<_, u64>(1)?))?;
            }
        }
    }
    Ok(transaction.commit()?)
}

/// The runs of which something is in flight.
pub(super) fn in_flight(connection: &Connection) -> Result<HashSet<(SessionId, u32)>, Error> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT key FROM in_flight")?;
    let keys: Vec<Key> = statement.query_map([], |row| super::key(row, 0))?.collect::<rusqlite::Result<_>>()?;
    Ok(keys.into_iter().filter_map(|key| Some((key.session_id()?, key.run))).collect())
}

fn cursor(connection: &Connection, consumer: &Consumer) -> Result<u64, Error> {
    let scanned = connection
        .prepare_cached("SELECT scanned FROM cursors WHERE consumer = ?1")?
        .query_row([consumer.name.as_str()], |row| row.get(0))
        .optional()?;
    Ok(scanned.unwrap_or(0))
}

fn any_in_flight(connection: &Connection, consumer: &Consumer) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM in_flight WHERE consumer = ?1)";
    Ok(connection.prepare_cached(sql)?.query_row([consumer.name.as_str()], |row| row.get(0))?)
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
