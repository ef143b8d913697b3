//! The laws of the log, written once and run against every backend. A new backend is one row below.
#![allow(clippy::disallowed_methods, reason = "tests look at files")]

mod bus;
mod embedded;
mod laws;
#[path = "../support/nats.rs"]
mod nats;

use flywheel::log::Log;
use std::future::Future;

/// A backend under test: an empty log that can be left and opened again.
trait Backend: Send + Sync + Sized {
    type Log: Log;

    /// An empty log of its own.
    fn make() -> impl Future<Output = Self> + Send;

    /// Opens it, as a process of its own would.
    fn open(&self) -> impl Future<Output = Self::Log> + Send;
}

macro_rules! backends {
    ($($name:ident: $backend:ty),+ $(,)?) => {
        $(mod $name {
            crate::laws::laws!($backend);
        })+
    };
}

backends! {
    on_sqlite: crate::embedded::Embedded,
    on_jetstream: crate::bus::OnJetStream,
}
