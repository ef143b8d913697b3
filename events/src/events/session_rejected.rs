//! `session.rejected`: a message at the intake was no session.

use crate::{Digest, Fact};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Input that was refused at the bus's intake. The input itself is not kept: it was not cleaned of secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionRejected {
    /// Where it came in: a subject of the bus.
    pub received_on: String,
    /// SHA-256 of the bytes, so that their sender can tell which they were.
    pub sha256: Digest,
    /// How many bytes.
    pub size: u64,
    /// Every reason, each naming where and what was expected.
    pub reasons: Vec<String>,
}

impl Fact for SessionRejected {
    const TYPE: &'static str = "dev.dreamos.session.rejected.v1";

    fn example() -> Self {
        Self {
            received_on: "swarm.session.completed.Agent-7".into(),
            sha256: Digest::of(b"{}"),
            size: 2,
            reasons: vec!["session_id: missing: expected 8-4-4-4-12 hexadecimal digits".into()],
        }
    }
}
