//! `step.skipped`: a step had nothing to do, which is no fault.

use crate::{Fact, SessionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A step had nothing to do: no repository, no screenshots, no trades.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepSkipped {
    /// The session.
    pub session_id: SessionId,
    /// The step, `<pipeline>-<stage>`.
    pub step: String,
    /// What there was not.
    pub reason: String,
}

impl Fact for StepSkipped {
    const TYPE: &'static str = "dev.dreamos.step.skipped.v1";

    fn example() -> Self {
        Self {
            session_id: "c3d4e5f6-a7b8-9012-cdef-345678901234".parse().expect("a session id"),
            step: "life_aria-gallery".into(),
            reason: "the session has no screenshots".into(),
        }
    }
}
