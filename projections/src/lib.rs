//! The read models: pure folds over the log, into SQLite.
//!
//! Invariants:
//! - A fold sees facts in log order and nothing else: no clock, no file, no network. Folding a log with repeats gives
//!   what folding it once gives, and sessions do not depend on each other's order.
//! - A fact that a fold cannot read stops it with an error that names the fact; it is never passed over.
//! - No fold parses an artifact's text: an event is read once for all views, and what none of them needs is skipped.
//! - A fold rests on primary keys and unique indexes alone. Plain indexes are for questions, and may not be there yet.
//! - A column that says where or when the log recorded a row is named `position`, `…_position` or `recorded_at`. The rest
//!   is content: it is the same in whatever order the sessions came, and `tests/laws.rs` holds every view to it.
//! - [`all`] is the table. A new read model is one file with its `.sql` and one row.

mod event;
mod fact;
mod failures;
mod manifest;
pub mod metrics;
mod publish_queue;
mod session;
pub mod view;

pub use fact::{Artifact, Body, Error, ReadmeScore, Recorded, Session};
pub use session::{RawFact, SessionView};
pub use view::{View, all, content, find};
