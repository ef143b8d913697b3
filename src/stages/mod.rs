//! The stages and their table. A new stage is one file in its pipeline's folder and one row here.

pub mod build;
pub mod graph;
pub mod life_aria;
mod ready;
pub mod trade;

pub use graph::{Ended, Inputs, Made, MadeStep, Need, Row, Stop};

use flywheel_events::{ArtifactType, SessionType};
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
            stages: vec![
                stage("normalize", "Reads the records as fills, every bad one named.", trade::normalize::normalize),
                stage(
                    "summarize",
                    "Matches fills into round trips and computes the figures.",
                    trade::summarize::summarize,
                ),
                ready(),
            ],
        },
        Pipeline {
            session_type: SessionType::LifeAria,
            about: "Turns something made with Aria into a devlog, gallery notes and a post.",
            stages: vec![ready()],
        },
    ]
}

/// The artifact type a step makes, where it makes one: the name of the stage is the name of its artifact.
pub fn artifact_of_step(step: &str) -> Option<ArtifactType> {
    let (_, name) = step.split_once('-')?;
    let name = match name {
        "journal" => "trade_journal",
        "thread" => "trade_thread",
        "social" => "social_post",
        name => name,
    };
    ArtifactType::ALL.iter().find(|row| row.1 == name).map(|row| row.0)
}

fn ready() -> Row {
    stage("ready", "Ends the run when every other step has its outcome.", ready::ready)
}
