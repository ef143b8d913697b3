//! The stages and their table. A new stage is one file in its pipeline's folder and one row here.

pub mod build;
pub mod graph;
pub mod life_aria;
mod ready;
pub mod trade;

pub use graph::{Ended, Inputs, Made, MadeStep, Need, Row, Stop};

use flywheel_events::{ArtifactType, SessionType};
use graph::{artifact, stage};
use std::sync::LazyLock;

/// How a hint ends where the recorded session itself is at fault, so that no run of it can end otherwise.
pub const IN_A_NEW_SESSION: &str = "in a session file with an id of its own";

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
pub fn pipelines() -> &'static [Pipeline] {
    static TABLE: LazyLock<Vec<Pipeline>> = LazyLock::new(table);
    &TABLE
}

/// The pipeline of a type of session.
pub fn pipeline(session_type: SessionType) -> &'static Pipeline {
    pipelines().iter().find(|pipeline| pipeline.session_type == session_type).expect("a test checks every type has one")
}

/// The table of stages.
fn table() -> Vec<Pipeline> {
    vec![
        Pipeline {
            session_type: SessionType::Build,
            about: "Turns work on a repository into its README, a build log and a post.",
            stages: vec![
                stage("scan", "Reads what the session changed in its repository, as git counts it.", build::scan),
                stage("story", "Says what happened and why, from evidence alone.", build::story),
                artifact(
                    ArtifactType::Readme,
                    "readme",
                    "Replaces our block in the repository's README, or writes a first one.",
                    build::readme,
                ),
                artifact(
                    ArtifactType::BuildLog,
                    "build_log",
                    "Logs what shipped, what was counted and what was only claimed.",
                    build::build_log,
                ),
                artifact(ArtifactType::SocialPost, "social", "Writes a post about what shipped.", build::social),
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
                stage(
                    "lessons",
                    "Finds what the closed trades teach, with the trades it rests on.",
                    trade::lessons::lessons,
                ),
                artifact(
                    ArtifactType::EquityCurve,
                    "equity_curve",
                    "Draws the net result over the closed trades.",
                    trade::equity_curve::equity_curve,
                ),
                artifact(
                    ArtifactType::TradeJournal,
                    "journal",
                    "Writes the journal of the session.",
                    trade::journal::journal,
                ),
                artifact(
                    ArtifactType::TradeThread,
                    "thread",
                    "Writes a thread about the closed trades.",
                    trade::thread::thread,
                ),
                ready(),
            ],
        },
        Pipeline {
            session_type: SessionType::LifeAria,
            about: "Turns something made with Aria into a devlog, gallery notes and a post.",
            stages: vec![
                stage("extract", "Says what was made and what the conversations were about.", life_aria::extract),
                artifact(ArtifactType::Devlog, "devlog", "Writes the devlog of what was made.", life_aria::devlog),
                artifact(
                    ArtifactType::Gallery,
                    "gallery",
                    "Looks at the screenshots and notes what each is.",
                    life_aria::gallery,
                ),
                artifact(ArtifactType::SocialPost, "social", "Writes a post about what was made.", life_aria::social),
                ready(),
            ],
        },
    ]
}

/// The stage that ends every pipeline.
pub(crate) fn ready() -> Row {
    stage("ready", "Ends the run when every other step has its outcome.", ready::ready)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flywheel_events::{ArtifactGenerated, Fact as _, SessionReady};
    use std::collections::BTreeSet;

    #[test]
    fn every_type_of_session_has_its_pipeline() {
        let types: Vec<_> = pipelines().iter().map(|pipeline| pipeline.session_type).collect();
        assert_eq!(types, SessionType::ALL);
    }

    #[test]
    fn every_need_is_met_by_a_stage_before_it() {
        for pipeline in pipelines() {
            let mut emitted = BTreeSet::from([graph::ENTRY]);
            for row in &pipeline.stages {
                for need in &row.needs {
                    if let Need::Required(fact) | Need::Optional(fact) = need {
                        let name = pipeline.session_type.as_str();
                        assert!(
                            emitted.contains(fact),
                            "{name}.{} needs {fact}, and no stage before it makes it",
                            row.name
                        );
                    }
                }
                let new = emitted.insert(row.emits);
                assert!(new || row.emits == ArtifactGenerated::TYPE, "two stages make {}", row.emits);
            }
        }
    }

    #[test]
    fn every_row_is_well_formed() {
        for pipeline in pipelines() {
            let names: BTreeSet<_> = pipeline.stages.iter().map(|row| row.name).collect();
            assert_eq!(names.len(), pipeline.stages.len(), "stage names are unique");
            let made: BTreeSet<_> = pipeline.stages.iter().filter_map(|row| row.makes).collect();
            assert_eq!(made.len(), pipeline.stages.iter().filter(|row| row.makes_artifact()).count());
            for row in &pipeline.stages {
                let _: flywheel_events::Step = crate::runner::step_of(pipeline, row);
                let sentence = row.about.starts_with(char::is_uppercase) && row.about.ends_with('.');
                assert!(sentence && row.about.len() > 20, "`{}` is no sentence about {}", row.about, row.name);
                assert_eq!(row.makes_artifact(), row.emits == ArtifactGenerated::TYPE, "{}", row.name);
            }
            assert_eq!(pipeline.stages.last().expect("stages").emits, SessionReady::TYPE);
        }
    }
}
