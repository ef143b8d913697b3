//! `feedback.recorded`: what somebody thought of the artifacts of a session.

use crate::{AgentId, ArtifactType, Fact, SessionId, SessionType, canonical, stamp::Stamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Feedback on a session's artifacts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeedbackRecorded {
    /// The session.
    pub session_id: SessionId,
    /// Who says so.
    pub agent_id: AgentId,
    /// Which pipeline made the artifacts.
    pub pipeline_type: SessionType,
    /// Which artifact; null for all of them.
    pub artifact_type: Option<ArtifactType>,
    /// What they say.
    pub feedback: Quality,
    /// When they said it.
    pub timestamp: Stamp,
}

/// A rating and its reasons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quality {
    /// 1 (worst) to 5 (best).
    #[schemars(range(min = 1, max = 5))]
    pub artifact_quality: u8,
    /// Seconds the processing took, as the rater saw it.
    #[serde(default, with = "rust_decimal::serde::arbitrary_precision_option")]
    #[schemars(with = "Option<f64>")]
    pub processing_time: Option<rust_decimal::Decimal>,
    /// What was wrong.
    #[serde(default)]
    pub issues: Vec<String>,
    /// What would be better.
    #[serde(default)]
    pub suggestions: Vec<String>,
}

impl FeedbackRecorded {
    /// The piece of feedback: a UUIDv5 of everything but its time, so that the same words of the same rater are one.
    pub fn feedback_id(&self) -> Uuid {
        let mut content = serde_json::to_value(self).expect("a fact is plain JSON");
        if let Some(members) = content.as_object_mut() {
            members.remove("timestamp");
        }
        let name = format!("feedback/{}", canonical::to_string(&content));
        Uuid::new_v5(&crate::key::NAMESPACE, name.as_bytes())
    }
}

impl Fact for FeedbackRecorded {
    const TYPE: &'static str = "dev.dreamos.feedback.recorded.v1";

    fn example() -> Self {
        Self {
            session_id: "a1b2c3d4-e5f6-7890-abcd-ef1234567890".parse().expect("a session id"),
            agent_id: "Agent-5".parse().expect("an agent id"),
            pipeline_type: SessionType::Build,
            artifact_type: Some(ArtifactType::BuildLog),
            feedback: Quality {
                artifact_quality: 4,
                processing_time: None,
                issues: vec![],
                suggestions: vec!["say how long the tests take".into()],
            },
            timestamp: "2025-12-02T07:00:00-06:00".parse().expect("a stamp"),
        }
    }
}
