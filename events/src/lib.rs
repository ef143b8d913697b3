//! The contract of Flywheel: what is on the wire and in the log, and nothing else.
//!
//! Invariants of this crate:
//! - It knows serde and schemas. No clock, file, socket, tokio, NATS or SQL.
//! - An [`Envelope`](envelope::Envelope), a [`SessionId`] and a [`Key`] that exist are valid; nothing checks them again.
//! - A published `v1` type never changes shape. A new shape is `v2` with an upcaster.
//! - [`catalog::all`] is the one table of events; schemas, AsyncAPI and examples are functions of it.

pub mod asyncapi;
pub mod canonical;
pub mod catalog;
pub mod envelope;
pub mod fact;
pub mod figure;
pub mod id;
pub mod key;
pub mod stamp;
pub mod work_session;

mod events;
mod text;

pub use canonical::Digest;
pub use events::*;
pub use fact::Fact;
pub use figure::Figure;
pub use id::{AgentId, SessionId};
pub use key::{Key, Kind, Step};
