//! The stages and their table. A new stage is one file in its pipeline's folder and one row here.

pub mod build;
pub mod graph;
pub mod life_aria;
mod ready;
pub mod trade;

pub use graph::{Ended, Inputs, Made, Need, Row, Stop};

use flywheel_events::SessionType;
use graph::stage;

/// A pipeline: the stages that a type of session goes through, in an order in which they can run.
#[derive(Debug)]
pub struct Pipeline {
    /// The type of session it is for.
    pub session_type: SessionType,
    /// What it turns a session into, in one sentence.
    pub about: &'static str,
    /// Its stages.
    pub stages: Vec<Row>,
}

/// Every pipeline.
pub fn pipelines() -> Vec<Pipeline> {
    vec![
        Pipeline {
            session_type: SessionType::Build,
            about: "Turns work on a repository into its README, a build log and a post.",
            stages: vec![
                stage("story", "Says what happened and why, from evidence alone.", build::story),
                stage("build_log", "Logs what shipped, what was counted and what was only claimed.", build::build_log),
                stage("social", "Writes a post about what shipped.", build::social),
                ready(),
            ],
        },
        Pipeline {
            session_type: SessionType::Trade,
            about: "Turns a trading session into a journal, an equity curve and a thread.",
            stages: vec![ready()],
        },
        Pipeline {
            session_type: SessionType::LifeAria,
            about: "Turns something made with Aria into a devlog, gallery notes and a post.",
            stages: vec![
                stage("extract", "Says what was made and what the conversations were about.", life_aria::extract),
                stage("devlog", "Writes the devlog of what was made.", life_aria::devlog),
                stage("gallery", "Looks at the screenshots and notes what each is.", life_aria::gallery),
                stage("social", "Writes a post about what was made.", life_aria::social),
                ready(),
            ],
        },
    ]
}

fn ready() -> Row {
    stage("ready", "Ends the run when every artifact step has its outcome.", ready::ready)
}
