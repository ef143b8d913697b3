//! The end of the log as this process knows it: the keys of its last facts, and the text of those it wrote or read last.
//!
//! Invariants:
//! - The keys are those of every fact from the first one kept to the last one known, without a gap. What is not among them
//!   was not in that part of the log when the last one was.
//! - A fact never changes, so what is found here is right for ever.

use crate::log::Record;
use flywheel_events::Key;
use quick_cache::{Weighter, sync::Cache};
use std::{
    collections::{HashMap, VecDeque},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use uuid::Uuid;

/// Most keys that are kept.
const KEYS_MAX: usize = 128 * 1024;

/// Most bytes of events that are kept: what a few thousand sessions under way come to.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How many events that is, as a rule.
const EVENTS: usize = 16 * 1024;

/// The end of the log.
#[derive(Debug)]
pub(super) struct Tail {
    known: RwLock<Known>,
    /// Facts by position.
    texts: Cache<u64, Record, ByBytes>,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<u64, Record> for ByBytes {
    fn weight(&self, _: &u64, record: &Record) -> u64 {
        record.event.len() as u64 + 256
    }
}

#[derive(Debug)]
struct Known {
    /// The position of the first key.
    first: u64,
    keys: VecDeque<Key>,
    /// The positions of the keys that name the same session, publication or feedback, in order.
    by_id: HashMap<Uuid, Vec<u64>>,
}

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Its fact is there.
    At(u64),
    /// It is not in the part of the log that was asked about.
    Nowhere,
    /// That part begins before what is known.
    Unknown,
}

impl Tail {
    /// Of a log that ends there, of which nothing is known.
    pub(super) fn behind(end: u64) -> Self {
        let known = Known { first: end + 1, keys: VecDeque::new(), by_id: HashMap::new() };
        Self { known: RwLock::new(known), texts: Cache::with_weighter(EVENTS, BYTES_MAX, ByBytes) }
    }

    /// The position of the first key.
    pub(super) fn first(&self) -> u64 {
        self.read().first
    }

    /// The last position that is known.
    pub(super) fn end(&self) -> u64 {
        self.read().end()
    }

    /// Takes in keys of the log. Those that do not follow the last one are known already, or come when the log is read.
    pub(super) fn extend(&self, keys: impl IntoIterator<Item = (u64, Key)>) {
        let mut known = self.write();
        keys.into_iter().for_each(|(position, key)| known.add(position, key));
        known.trim();
    }

    /// Takes in facts that this process has written.
    pub(super) fn add(&self, records: Vec<Record>) {
        self.extend(records.iter().map(|record| (record.position, record.key.clone())));
        records.into_iter().for_each(|record| self.texts.insert(record.position, record));
    }

    /// Keeps the text of a fact that was read, where its key is known here: only then is it found again.
    pub(super) fn keep(&self, record: &Record) {
        let known = self.read().at(record.position) == Some(&record.key);
        if known {
            self.texts.insert(record.position, record.clone());
        }
    }

    /// Where a key is behind a position.
    pub(super) fn find(&self, key: &Key, behind: u64) -> Found {
        let known = self.read();
        match known.position(key) {
            Some(position) => Found::At(position),
            None if known.first <= behind + 1 => Found::Nowhere,
            None => Found::Unknown,
        }
    }

    /// The fact under a key, where its text is kept.
    pub(super) fn get(&self, key: &Key) -> Option<Record> {
        let position = self.read().position(key)?;
        self.texts.get(&position)
    }

    /// The key at a position.
    pub(super) fn key(&self, position: u64) -> Option<Key> {
        self.read().at(position).cloned()
    }

    /// The wanted keys behind a position, up to so many, and how far was looked; nothing where that is not all known.
    pub(super) fn scan(
        &self,
        after: u64,
        max: usize,
        mut wants: impl FnMut(&Key) -> bool,
    ) -> Option<(Vec<(u64, Key)>, u64)> {
        let known = self.read();
        let skip = usize::try_from((after + 1).checked_sub(known.first)?).ok()?;
        let (mut wanted, mut scanned) = (vec![], after);
        for (key, position) in known.keys.iter().skip(skip).zip(after + 1..) {
            if wanted.len() == max {
                break;
            }
            scanned = position;
            if wants(key) {
                wanted.push((position, key.clone()));
            }
        }
        Some((wanted, scanned))
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn end(&self) -> u64 {
        self.first + self.keys.len() as u64 - 1
    }

    fn at(&self, position: u64) -> Option<&Key> {
        self.keys.get(usize::try_from(position.checked_sub(self.first)?).ok()?)
    }

    fn position(&self, key: &Key) -> Option<u64> {
        self.by_id.get(&key.id)?.iter().copied().find(|position| self.at(*position) == Some(key))
    }

    fn add(&mut self, position: u64, key: Key) {
        if position == self.end() + 1 {
            self.by_id.entry(key.id).or_default().push(position);
            self.keys.push_back(key);
        }
    }

    fn trim(&mut self) {
        while self.keys.len() > KEYS_MAX
            && let Some(key) = self.keys.pop_front()
        {
            self.first += 1;
            if let Some(positions) = self.by_id.get_mut(&key.id) {
                positions.remove(0);
                if positions.is_empty() {
                    self.by_id.remove(&key.id);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flywheel_events::{Digest, Step};

    const STEP: Step = Step::new("test-step");

    fn key(n: u64) -> Key {
        Key::session(STEP, Uuid::from_u128(u128::from(n)).into(), 1)
    }

    fn record(n: u64, event: &str) -> Record {
        Record { position: n, key: key(n), digest: Digest::GENESIS, event: event.into() }
    }

    #[test]
    fn texts_are_kept_within_their_bound_and_keys_beyond_it() {
        let tail = Tail::behind(0);
        tail.add((1..=100).map(|n| record(n, &"x".repeat(1024 * 1024))).collect());
        let kept: Vec<u64> = (1..=100).filter(|n| tail.get(&key(*n)).is_some()).collect();
        assert!((32..=64).contains(&kept.len()), "{kept:?}");
        assert!(kept.iter().all(|n| tail.get(&key(*n)).is_some_and(|record| record.position == *n)));
        assert!((1..=100).all(|n| tail.find(&key(n), 0) == Found::At(n)));
    }

    #[test]
    fn the_oldest_keys_go_first_and_what_is_not_known_is_not_denied() {
        let tail = Tail::behind(10);
        assert_eq!((tail.find(&key(5), 4), tail.find(&key(5), 10)), (Found::Unknown, Found::Nowhere));
        let last = 10 + KEYS_MAX as u64 + 7;
        tail.extend((11..=last).map(|n| (n, key(n))));
        assert_eq!((tail.first(), tail.end()), (18, last));
        assert_eq!((tail.find(&key(17), 10), tail.find(&key(18), 10)), (Found::Unknown, Found::At(18)));
        assert_eq!((tail.read().by_id.len(), tail.key(17), tail.key(18)), (KEYS_MAX, None, Some(key(18))));
    }

    #[test]
    fn a_gap_stays_a_gap_until_the_log_is_read() {
        let tail = Tail::behind(0);
        // Another process has written 2.
        tail.add(vec![record(1, "one")]);
        tail.add(vec![record(3, "three")]);
        assert_eq!((tail.end(), tail.find(&key(3), 0)), (1, Found::Nowhere));
        tail.extend((2..=3).map(|n| (n, key(n))));
        assert_eq!((tail.end(), tail.get(&key(3)).map(|it| it.position)), (3, Some(3)));
        let scanned = |after, max| tail.scan(after, max, |key| key.id.as_u128() % 2 == 1);
        assert_eq!(scanned(0, 9), Some((vec![(1, key(1)), (3, key(3))], 3)));
        assert_eq!(scanned(1, 1), Some((vec![(3, key(3))], 3)));
        assert_eq!(scanned(3, 1), Some((vec![], 3)));
    }
}
