//! What must hold however processes die, meet, or lack room: nothing accepted is lost, nothing is there twice, and the
//! next start comes to the same end by itself.
//!
//! Everything random comes from one seed, which a failing test prints: `FLYWHEEL_CRASH_SEED=<seed>` repeats it. The
//! moments at which a process really dies are the machine's all the same.
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "tests work with files and programs")]

mod beside;
mod clock;
mod damage;
mod kills;
mod place;
mod room;
mod steps;

/// A trade session that closes two trades.
const TRADE: &str = include_str!("../sessions/guide-trade.json");
/// A life session, whose screenshots are nowhere.
const LIFE: &str = include_str!("../sessions/guide-life.json");
