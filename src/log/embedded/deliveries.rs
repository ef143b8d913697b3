//! Deliveries: a cursor per consumer, and what is in flight.
//!
//! Invariants:
//! - A fact that a consumer wants is in flight before the cursor passes it, and leaves that state only when acknowledged.
//! - `attempts` is written before the delivery is handed out, so a handler that kills its process is counted: what stands in
//!   a lease is tried for the first time.
//! - A lease ends with its time or with its process, whichever is first.
//! - What a process left behind when it died comes again alone: it may be what killed it, and those beside it are not to
//!   be counted, and parked, for it.
#![expect(clippy::disallowed_methods, reason = "leases and back-off are counted on this machine's clock")]

use super::{EmbeddedLog, catch_up, in_flight, read_keys};
use crate::log::{Consumer, Delivery, Error, Log as _, Scope, Subscription};
use flywheel_events::Key;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use std::{
    collections::{BTreeSet, HashSet},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How long a delivery is held for a live process before another may take it.
const LEASE: Duration = Duration::from_secs(120);

/// The longest wait before a delivery comes again. A later time is that of a clock that was set back since.
const RETRY_MAX: Duration = Duration::from_secs(120);

/// Most facts looked at in one step.
const SCAN_MAX: usize = 4096;

/// How often what is in flight is looked at while the log grows, and while another process holds some of it.
const LOOK: Duration = Duration::from_millis(50);

/// Deliveries of one consumer from the embedded log.
#[derive(Debug)]
pub struct EmbeddedSubscription {
    log: EmbeddedLog,
    consumer: Consumer,
    /// Everything up to here has been looked at.
    scanned: u64,
    /// How much of that is stored as the consumer's cursor.
    stored: u64,
    /// Its leases, with what is not yet acknowledged of each.
    leases: Vec<Lease>,
    /// When what is in flight was looked at last.
    looked: Option<Instant>,
    /// When to look again; nothing where only growth of the log brings anything.
    look: Option<Instant>,
}

/// What was handed out together, for the first time.
#[derive(Debug)]
struct Lease {
    id: i64,
    open: BTreeSet<u64>,
}

/// What leasing came to.
enum Leased {
    Some(Vec<Delivery>),
    /// Nothing is due; look again after this long, or when the log grows.
    Nothing(Option<Duration>),
}

/// What is in flight already.
#[derive(Default)]
struct InFlight {
    /// What of it is handed out now.
    due: Vec<Delivery>,
    /// When more may be due, in milliseconds.
    wait: Option<u64>,
    /// Where all of it is.
    positions: HashSet<u64>,
}

impl EmbeddedSubscription {
    pub(super) fn new(log: EmbeddedLog, consumer: Consumer) -> Result<Self, Error> {
        let scanned = match consumer.scope {
            Scope::Sessions { after, .. } => after,
            Scope::All => cursor(&log.inner.local.connection(), &consumer)?,
        };
        let look = Some(Instant::now());
        Ok(Self { log, consumer, scanned, stored: scanned, leases: vec![], looked: None, look })
    }

    fn wants(&self, key: &Key) -> bool {
        self.consumer.steps.contains(&key.step)
            && match &self.consumer.scope {
                Scope::All => true,
                Scope::Sessions { sessions, .. } => key.session_id().is_some_and(|id| sessions.contains(&id)),
            }
    }

    /// The wanted facts behind what was scanned, up to so many, and how far was looked.
    fn scan(&self, max: usize) -> Result<(Vec<(u64, Key)>, u64), Error> {
        let tail = &self.log.inner.tail;
        if tail.end() <= self.scanned {
            self.log.with_reader(|connection| catch_up(tail, connection))?;
        }
        if let Some(found) = tail.scan(self.scanned, max, |key| self.wants(key)) {
            return Ok(found);
        }
        let first = tail.first();
        let keys = self.log.with_reader(|connection| read_keys(connection, self.scanned, first, SCAN_MAX))?;
        let scanned = keys.last().map_or(first - 1, |(position, _)| *position);
        let mut wanted: Vec<(u64, Key)> = keys.into_iter().filter(|(_, key)| self.wants(key)).collect();
        let more = wanted.len() > max;
        wanted.truncate(max);
        let last = wanted.last().map_or(scanned, |(position, _)| *position);
        Ok((wanted, if more { last } else { scanned }))
    }

    /// Whether something is to be written or read although nothing new is wanted.
    fn must_look(&mut self, scanned: u64, now: Instant) -> bool {
        let cursor_is_far_behind =
            matches!(self.consumer.scope, Scope::All) && scanned - self.stored >= SCAN_MAX as u64;
        // The log has grown, and who has written may have died since.
        let look = self.look.unwrap_or_else(|| self.looked.map_or(now, |looked| looked + LOOK));
        self.look = Some(look);
        cursor_is_far_behind || look <= now
    }

    /// Leases what was in flight before and is due again, else what is new.
    fn lease(&mut self, max: usize) -> Result<Leased, Error> {
        let (mut new, mut scanned) = self.scan(max)?;
        let now = Instant::now();
        if new.is_empty() && !self.must_look(scanned, now) {
            self.scanned = scanned;
            let more = scanned < self.log.inner.tail.end();
            let wait = self.look.filter(|_| !more).map(|look| look.saturating_duration_since(now));
            return Ok(Leased::Nothing(Some(wait.unwrap_or_default())));
        }
        let local = self.log.inner.local.clone();
        let worker = local.worker().map_err(|error| Error::File(format!("cannot make a lock file: {error}")))?;
        let mut connection = local.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut found = self.take_again(&transaction, worker, max)?;
        let mut lease = None;
        if found.due.is_empty() {
            if matches!(self.consumer.scope, Scope::All) {
                // Who shares the consumer may have gone on.
                let passed = cursor(&transaction, &self.consumer)?;
                new.retain(|(position, _)| *position > passed);
                scanned = scanned.max(passed);
                store_cursor(&transaction, &self.consumer, scanned)?;
            }
            new.retain(|(position, _)| !found.positions.contains(position));
            if !new.is_empty() {
                let positions = new.iter().map(|(position, _)| *position);
                let until = now_ms() + LEASE.as_millis() as u64;
                let id = in_flight::lease(&transaction, &self.consumer.name, worker, until, positions.clone())?;
                lease = Some(Lease { id, open: positions.collect() });
            }
            let new = new.into_iter().map(|(position, key)| self.delivery(position, key, 1));
            found.due = new.collect();
        } else {
            scanned = self.scanned;
        }
        transaction.commit()?;
        self.leases.extend(lease);
        (self.scanned, self.stored, self.looked) = (scanned, scanned, Some(now));
        let wait = found.wait.map(Duration::from_millis);
        self.look = wait.map(|wait| now + wait);
        Ok(if !found.due.is_empty() {
            Leased::Some(found.due)
        } else if scanned < self.log.inner.tail.end() {
            Leased::Nothing(Some(Duration::ZERO))
        } else {
            Leased::Nothing(wait)
        })
    }

    fn delivery(&self, position: u64, key: Key, attempts: u32) -> Delivery {
        Delivery { consumer: self.consumer.name.clone(), position, key, attempts, traceparent: None }
    }

    /// Looks at what is in flight, and leases up to `max` of what is due again.
    fn take_again(&self, connection: &Connection, worker: &str, max: usize) -> Result<InFlight, Error> {
        let now = now_ms();
        let is_live =
            |owner: &str, until: u64| until > now && (owner == worker || !self.log.inner.local.is_dead(owner));
        let held = in_flight::end_void(&self.log, connection, &self.consumer.name, is_live)?;
        let mut found = InFlight::default();
        if held.iter().any(|held| self.leases.iter().all(|own| own.id != held.id)) {
            found.wait = Some(LOOK.as_millis() as u64);
        }
        found.positions.extend(held.into_iter().flat_map(|lease| lease.positions));
        let mut suspect_is_next = false;
        let mut statement = connection.prepare_cached(
            "SELECT position, key, attempts, due, owner, leased_until FROM in_flight WHERE consumer = ?1 ORDER BY position",
        )?;
        let mut rows = statement.query([self.consumer.name.as_str()])?;
        while let Some(row) = rows.next()? {
            let (position, key) = (row.get(0)?, super::key(row, 1)?);
            found.positions.insert(position);
            if suspect_is_next || found.due.len() >= max || !self.wants(&key) {
                continue;
            }
            let (not_before, owner): (u64, Option<String>) = (row.get(3)?, row.get(4)?);
            let leased_until = row.get::<_, Option<u64>>(5)?.unwrap_or(0);
            let suspect = owner.is_some();
            let mut soonest = |ms: u64| found.wait = Some(found.wait.map_or(ms, |known| known.min(ms)));
            if owner.is_some_and(|owner| is_live(&owner, leased_until)) {
                soonest((leased_until - now).min(LOOK.as_millis() as u64));
            } else if not_before > now && not_before - now <= RETRY_MAX.as_millis() as u64 {
                soonest(not_before - now);
            } else if suspect && !found.due.is_empty() {
                suspect_is_next = true;
            } else {
                let attempts = row.get::<_, u32>(2)?.saturating_add(1);
                found.due.push(self.delivery(position, key, attempts));
                suspect_is_next = suspect;
            }
        }
        for delivery in &found.due {
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
        Ok(found)
    }

    /// Takes positions out of their leases, and says which are in none: they have rows of their own, if anything.
    fn take_out(&mut self, connection: &Connection, positions: impl Iterator<Item = u64>) -> Result<Vec<u64>, Error> {
        let (mut rows, mut touched) = (vec![], vec![vec![]; self.leases.len()]);
        for position in positions {
            match self.leases.iter_mut().position(|lease| lease.open.remove(&position)) {
                Some(lease) => touched[lease].push(position),
                None => rows.push(position),
            }
        }
        for (lease, touched) in self.leases.iter().zip(touched).filter(|(_, touched)| !touched.is_empty()) {
            // Its time was over, and another worker has made rows of it.
            if !in_flight::shrink(connection, lease.id, lease.open.iter().copied())? {
                rows.extend(touched);
            }
        }
        self.leases.retain(|lease| !lease.open.is_empty());
        Ok(rows)
    }
}

impl Subscription for EmbeddedSubscription {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        self.look = self.look.map(|_| Instant::now());
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
        let local = self.log.inner.local.clone();
        let mut connection = local.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for position in self.take_out(&transaction, done.iter().map(|delivery| delivery.position))? {
            transaction
                .prepare_cached("DELETE FROM in_flight WHERE consumer = ?1 AND position = ?2")?
                .execute(params![self.consumer.name.as_str(), position])?;
        }
        Ok(transaction.commit()?)
    }

    async fn retry(&mut self, delivery: &Delivery, delay: Duration) -> Result<(), Error> {
        let delay = delay.min(RETRY_MAX);
        let due = now_ms().saturating_add(delay.as_millis() as u64);
        let local = self.log.inner.local.clone();
        let mut connection = local.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.take_out(&transaction, std::iter::once(delivery.position))?;
        transaction
            .prepare_cached(
                "INSERT INTO in_flight VALUES (?1, ?2, ?3, ?4, ?5, NULL, NULL)
                 ON CONFLICT DO UPDATE SET owner = NULL, due = excluded.due",
            )?
            .execute(params![
                self.consumer.name.as_str(),
                delivery.position,
                delivery.key.to_string(),
                delivery.attempts,
                due,
            ])?;
        transaction.commit()?;
        let look = Instant::now() + delay;
        self.look = Some(self.look.map_or(look, |known| known.min(look)));
        Ok(())
    }
}

fn cursor(connection: &Connection, consumer: &Consumer) -> Result<u64, Error> {
    let scanned = connection
        .prepare_cached("SELECT scanned FROM cursors WHERE consumer = ?1")?
        .query_row([consumer.name.as_str()], |row| row.get(0))
        .optional()?;
    Ok(scanned.unwrap_or(0))
}

fn store_cursor(connection: &Connection, consumer: &Consumer, scanned: u64) -> Result<(), Error> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO cursors VALUES (?1, ?2)")?
        .execute(params![consumer.name.as_str(), scanned])?;
    Ok(())
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
