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
            stages: vec![ready()],
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
                stage(
                    "lessons",
                    "Finds what the closed trades teach, with the trades it rests on.",
                    trade::lessons::lessons,
                ),
                stage(
                    "equity_curve",
                    "Draws the net result over the closed trades.",
                    trade::equity_curve::equity_curve,
                ),
                stage("journal", "Writes the journal of the session.", trade::journal::journal),
                stage("thread", "Writes a thread about the closed trades.", trade::thread::thread),
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

fn ready() -> Row {
    stage("ready", "Ends the run when every artifact step has its outcome.", ready::ready)
}
