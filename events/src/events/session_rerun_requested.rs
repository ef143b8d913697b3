//! `session.rerun_requested`: someone asks for another run. Doing it again is a new fact, never an overwrite.

use crate::{Fact, SessionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Another run of a session: of some steps and all that follows from them, or of everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionRerunRequested {
    /// The session.
    pub session_id: SessionId,
    /// The new run's number, from 2.
    #[schemars(range(min = 2))]
    pub run: u32,
    /// The steps to repeat, every step downstream of them included; empty for all.
    pub steps: Vec<String>,
    /// Why.
    pub reason: Option<String>,
}

impl Fact for SessionRerunRequested {
    const TYPE: &'static str = "dev.dreamos.session.rerun_requested.v1";

    fn example() -> Self {
        Self {
            session_id: "a1b2c3d4-e5f6-7890-abcd-ef1234567890".parse().expect("a session id"),
            run: 2,
            steps: vec!["build-readme".into(), "build-ready".into()],
            reason: Some("the edited block was moved out of the way".into()),
        }
    }
}
