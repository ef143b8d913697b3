//! The table of read models, and what they have in common.

use crate::{Error, Recorded, failures, manifest, metrics, publish_queue};
use flywheel_events::Digest;
use rusqlite::Transaction;

/// A read model: its name, its tables and its fold.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// The version of its tables. A change of them or of the fold is a new version, and every old file is rebuilt.
    pub version: u32,
    /// What it answers, in one sentence.
    pub about: &'static str,
    /// Its tables.
    pub schema: &'static str,
    /// Folds facts in, in log order, inside a transaction that also moves the checkpoint.
    pub fold: fn(&Transaction<'_>, &[Recorded]) -> Result<(), Error>,
}

/// Every read model.
pub fn all() -> &'static [View] {
    &[manifest::VIEW, publish_queue::VIEW, failures::VIEW, metrics::VIEW]
}

/// The read model of a name.
pub fn find(name: &str) -> Option<&'static View> {
    all().iter().find(|view| view.name == name)
}

/// The beginning of a digest as an integer, to index contents by: an index of integers is built in half the time of one of
/// digests, and a third as large. Other contents have nearly always another; whoever looks one up compares the digest too.
pub fn content(sha256: &Digest) -> i64 {
    let (first, _) = sha256.as_bytes().split_first_chunk().expect("32 bytes have eight");
    i64::from_be_bytes(*first)
}
