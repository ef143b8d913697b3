//! `ready`: the end of a run.

use super::graph::{Ended, Made, MadeStep, Stop};
use flywheel_events::{
    ArtifactGenerated, ArtifactRef, FailureClass, Outcome, SessionCompleted, SessionReady, StepFailure, StepSkip,
};

/// Sums up how the other steps ended.
pub fn ready(session: &SessionCompleted, made: &Made) -> Result<SessionReady, Stop> {
    let mut ready = SessionReady {
        session_id: session.session_id,
        session_type: session.session_type,
        agent_id: session.agent_id.clone(),
        outcome: Outcome::Ready,
        artifacts: vec![],
        failures: vec![],
        skipped: vec![],
    };
    for MadeStep { step, artifact, ended } in &made.0 {
        match ended {
            Ended::Completed(_) if !artifact => {}
            Ended::Completed(value) => match value.shared::<ArtifactGenerated>() {
                Ok(artifact) => ready.artifacts.push(ArtifactRef {
                    artifact_type: artifact.artifact_type,
                    path: artifact.path.clone(),
                    sha256: artifact.sha256,
                }),
                Err(error) => ready.failures.push(StepFailure {
                    step: step.clone(),
                    class: FailureClass::Refused,
                    message: format!("the stored artifact does not decode: {error}"),
                }),
            },
            Ended::Failed(failed) => ready.failures.push(StepFailure {
                step: step.clone(),
                class: failed.class,
                message: failed.message.clone(),
            }),
            Ended::Skipped(skipped) => {
                ready.skipped.push(StepSkip { step: step.clone(), reason: skipped.reason.clone() });
            }
        }
    }
    ready.outcome = match (ready.failures.is_empty(), ready.artifacts.is_empty()) {
        (true, _) => Outcome::Ready,
        (false, false) => Outcome::Partial,
        (false, true) => Outcome::Failed,
    };
    Ok(ready)
}
