//! `session.ready`: a run of a session has ended.

use crate::{AgentId, ArtifactType, Digest, Fact, FailureClass, SessionId, SessionType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Every artifact step of a run has its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionReady {
    /// The session.
    pub session_id: SessionId,
    /// Its pipeline.
    pub session_type: SessionType,
    /// Its agent.
    pub agent_id: AgentId,
    /// How the run ended.
    pub outcome: Outcome,
    /// What was made, in the order of the pipeline.
    pub artifacts: Vec<ArtifactRef>,
    /// What failed.
    pub failures: Vec<StepFailure>,
    /// What had nothing to do.
    pub skipped: Vec<StepSkip>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Outcome {
    /// Nothing failed.
    Ready,
    /// Something failed, something was made.
    Partial,
    /// Something failed and nothing was made.
    Failed,
}

/// An artifact, by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactRef {
    /// What it is.
    #[serde(rename = "type")]
    pub artifact_type: ArtifactType,
    /// Where it lies under the artifact folder.
    pub path: String,
    /// SHA-256 of its text.
    pub sha256: Digest,
}

/// A failed step, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepFailure {
    /// The step.
    pub step: String,
    /// What kind of failure.
    pub class: FailureClass,
    /// What went wrong.
    pub message: String,
}

/// A skipped step, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepSkip {
    /// The step.
    pub step: String,
    /// What there was not.
    pub reason: String,
}

impl Fact for SessionReady {
    const TYPE: &'static str = "dev.dreamos.session.ready.v1";

    fn example() -> Self {
        Self {
            session_id: "a1b2c3d4-e5f6-7890-abcd-ef1234567890".parse().expect("a session id"),
            session_type: SessionType::Build,
            agent_id: "Agent-7".parse().expect("an agent id"),
            outcome: Outcome::Ready,
            artifacts: vec![ArtifactRef {
                artifact_type: ArtifactType::BuildLog,
                path: "a1b2c3d4-e5f6-7890-abcd-ef1234567890/build-log.md".into(),
                sha256: Digest::of(b"# The publish queue survives a crash\n"),
            }],
            failures: vec![],
            skipped: vec![StepSkip { step: "build-readme".into(), reason: "the session names no repository".into() }],
        }
    }
}
