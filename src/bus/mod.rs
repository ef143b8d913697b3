//! The bus: NATS JetStream as the log, for a swarm on many machines.
//!
//! Invariants:
//! - Every stream, consumer and subject follows from the stage table ([`Topology`]); what a server has is compared with it
//!   and refused where it differs, never changed in silence.
//! - A fact is published with the expectation that its subject is empty, and the stream forbids a second message on a
//!   subject: a key is written once, whoever publishes.
//! - A delivery is acknowledged after its outcome was stored.

pub mod accounts;
mod connect;
mod differences;
pub mod doctor;
pub mod intake;
mod log;
pub mod metrics;
mod outages;
mod patience;
pub mod permissions;
mod publish;
mod pull;
mod reach;
pub mod reconcile;
pub mod replica;
mod room;
mod setup;
mod stored;
mod subscription;
mod supervise;
mod topology;
mod update;

pub(crate) use connect::with_causes;
pub use connect::{Address, Bus, connect};
pub use differences::differences;
pub use log::BusLog;
pub(crate) use patience::Patience;
pub use reach::reach;
pub(crate) use setup::stream_handle;
pub use setup::{Change, Refused, setup};
pub use supervise::{Life, Parts, supervise};
pub use topology::{GIB, INBOX, LOG, Topology, subject_of_step};
pub use update::{Updated, update};

use crate::log::Error;
use std::fmt::Display;

/// What the bus could not do, and why.
fn failed(what: &str, why: impl Display) -> Error {
    Error::Bus(format!("cannot {what}: {why}"))
}
