//! The facts this process has written last. A fact never changes, so what is found here is always right, and most of what
//! a stage reads was written a moment ago.

use crate::log::Record;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Most bytes of events that are kept.
const BYTES_MAX: usize = 32 * 1024 * 1024;

type Id = [u8; 16];

/// Facts by event id; the oldest go first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_id: HashMap<Id, Arc<Record>>,
    order: VecDeque<Id>,
    bytes: usize,
}

impl Recent {
    pub(super) fn get(&self, id: &Id) -> Option<Arc<Record>> {
        self.kept().by_id.get(id).cloned()
    }

    pub(super) fn keep(&self, records: Vec<Record>) {
        let mut kept = self.kept();
        for record in records {
            let id = *record.key.event_id().as_bytes();
            kept.bytes += record.event.len();
            kept.order.push_back(id);
            kept.by_id.insert(id, Arc::new(record));
        }
        while kept.bytes > BYTES_MAX
            && let Some(oldest) = kept.order.pop_front()
        {
            let gone = kept.by_id.remove(&oldest).map_or(0, |record| record.event.len());
            kept.bytes -= gone;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flywheel_events::{Digest, Key, Step};

    #[test]
    fn the_oldest_go_first_and_the_bound_holds() {
        let recent = Recent::default();
        let record = |n: u64| Record {
            position: n,
            key: Key::session(Step::new("test-step"), uuid::Uuid::from_u128(u128::from(n)).into(), 1),
            digest: Digest::GENESIS,
            event: "x".repeat(1024 * 1024),
        };
        recent.keep((1..=40).map(record).collect());
        let there = |n| recent.get(record(n).key.event_id().as_bytes()).map(|record| record.position);
        assert_eq!((there(1), there(8), there(9), there(40)), (None, None, Some(9), Some(40)));
        assert_eq!(recent.kept().bytes, BYTES_MAX);
    }
}
