//! The table of read models, and what they have in common.

use crate::{Error, Recorded, failures, manifest, metrics, publish_queue};
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
