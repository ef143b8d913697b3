//! What of a delivery's count is no try.
//!
//! The server counts how often it delivers. While nobody reaches it, nobody can hold what is in hand, so once it is back it delivers
//! that again, though nothing is wrong with it. Whoever has lived through such a time knows of it, and counts it as none.
//!
//! Invariant: a process forgives what it has lived through, and nothing else. One whose predecessor was killed by a handler knows
//! of no time before it, so a handler that kills is counted in full.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};
use tokio::time::Instant;

/// Most ends that are kept in mind.
const ENDS_MAX: usize = 1024;

/// The times at which the server was away.
#[derive(Debug)]
pub(super) struct Outages(Mutex<Noticed>);

#[derive(Debug)]
struct Noticed {
    /// When each ended, in seconds of the epoch, in their order.
    ends: VecDeque<i64>,
    /// When the last was noticed.
    last: Instant,
    /// How often the connection had been made by then.
    connections: u64,
}

impl Noticed {
    fn ended(&mut self, now: i64) {
        if self.ends.len() >= ENDS_MAX {
            self.ends.pop_front();
        }
        self.ends.push_back(now);
        self.last = Instant::now();
    }
}

impl Outages {
    /// None so far.
    pub fn new() -> Self {
        Self(Mutex::new(Noticed { ends: VecDeque::new(), last: Instant::now(), connections: 1 }))
    }

    /// The connection was made so often by now.
    pub fn connected(&self, connections: u64, now: i64) {
        let mut noticed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in noticed.connections..connections {
            noticed.ended(now);
        }
        noticed.connections = noticed.connections.max(connections);
    }

    /// A wait for the server has ended that began then. Many wait at the same time for the same one.
    pub fn waited(&self, since: Instant, now: i64) {
        let mut noticed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if since >= noticed.last {
            noticed.ended(now);
        }
    }

    /// How many have ended since something was there.
    pub fn since(&self, there: i64) -> u32 {
        let noticed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = noticed.ends.iter().rev().take_while(|end| **end >= there).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counts_once_for_what_was_there_before_its_end() {
        let outages = Outages::new();
        outages.connected(1, 100);
        assert_eq!(outages.since(0), 0, "the first connection is none");
        let waiting = Instant::now();
        outages.connected(3, 200);
        outages.waited(waiting, 201);
        assert_eq!((outages.since(200), outages.since(201)), (2, 0), "who waited meanwhile waited for the same");
        let waiting = Instant::now();
        outages.waited(waiting, 300);
        outages.waited(waiting, 300);
        assert_eq!((outages.since(100), outages.since(250), outages.since(301)), (3, 1, 0));
    }
}
