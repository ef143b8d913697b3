//! `step.failed`: a step ended without its outcome, and why.

use crate::{Fact, SessionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A step failed for good in this run. It never blocks the steps that can do without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepFailed {
    /// The session.
    pub session_id: SessionId,
    /// The step, `<pipeline>-<stage>`.
    pub step: String,
    /// What kind of failure.
    pub class: FailureClass,
    /// What went wrong, where.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// How often the step was tried.
    pub attempts: u32,
}

/// Why a step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum FailureClass {
    /// The input cannot be worked on; trying again would not help.
    Refused,
    /// The outcome would be larger than its limit.
    TooLarge,
    /// A needed step failed.
    InputFailed,
    /// The world stayed in the way through every attempt.
    World,
    /// The step's process died too often on this session.
    Parked,
}

impl FailureClass {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::TooLarge => "too_large",
            Self::InputFailed => "input_failed",
            Self::World => "world",
            Self::Parked => "parked",
        }
    }
}

impl Fact for StepFailed {
    const TYPE: &'static str = "dev.dreamos.step.failed.v1";

    fn example() -> Self {
        Self {
            session_id: "a1b2c3d4-e5f6-7890-abcd-ef1234567890".parse().expect("a session id"),
            step: "build-readme".into(),
            class: FailureClass::Refused,
            message: "README.md:12: the managed block `recent-work` was edited by hand".into(),
            hint: Some(
                "keep the edit by moving it outside the block, or delete the block to have it made again".into(),
            ),
            attempts: 1,
        }
    }
}
