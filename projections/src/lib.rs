//! The read models: pure folds over the log.
//!
//! Invariants:
//! - A fold sees facts in log order and nothing else: no clock, no file, no network. Folding a log with repeats gives
//!   what folding it once gives, and sessions do not depend on each other's order.
//! - A fact that a fold cannot read stops it with an error that names the fact; it is never passed over.

mod session;

pub use session::SessionView;

use flywheel_events::Key;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// One fact as a fold sees it.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// Where it is in the log.
    pub position: u64,
    /// Its key.
    pub key: &'a Key,
    /// Its event type.
    pub event_type: &'a str,
    /// Its data, byte for byte.
    pub data: &'a RawValue,
}

/// A fact that a fold cannot read.
#[derive(Debug, thiserror::Error)]
#[error("the fact {key} at position {position} does not read as {event_type}: {source}")]
pub struct Error {
    position: u64,
    key: Key,
    event_type: String,
    source: serde_json::Error,
}

impl<'a> Recorded<'a> {
    /// The data as its type.
    ///
    /// # Errors
    /// When it is not of that shape.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(self.data.get()).map_err(|source| Error {
            position: self.position,
            key: self.key.clone(),
            event_type: self.event_type.to_owned(),
            source,
        })
    }
}
