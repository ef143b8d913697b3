//! A fact: the typed data of one event.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// The data of one event type.
///
/// The Rust type is also its place in the pipeline graph: a stage that takes `&RepoScanned`
/// needs the step whose function returns `RepoScanned`.
///
/// What it serialises to reads as an equal one.
pub trait Fact: Serialize + DeserializeOwned + JsonSchema + PartialEq + Debug + Send + Sync + 'static {
    /// The CloudEvents `type`: `dev.dreamos.<noun>.<past-tense>.v<n>`.
    const TYPE: &'static str;

    /// One realistic example. It is in the schema, in AsyncAPI and in the golden files, and must round-trip.
    fn example() -> Self;
}
