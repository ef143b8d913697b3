//! The table of stages with its needs resolved to steps: what makes each due, and what follows from it.

use crate::stages::{Need, Pipeline, Row, graph::ENTRY};
use flywheel_events::Step;

/// The step of the fact that starts a session.
pub const SESSION_COMPLETED: Step = Step::new("session-completed");

/// The step of the fact that starts another run of it.
pub const RERUN_REQUESTED: Step = Step::new("session-rerun_requested");

/// A stage in its pipeline: its needs resolved to steps.
#[derive(Debug)]
pub struct Bound {
    /// Its step.
    pub step: Step,
    pub(super) row: &'static Row,
    /// The session type its pipeline is for.
    pub(super) pipeline: &'static str,
    /// The steps whose outcome it needs, with the event type each emits.
    pub(super) needs: Vec<(Step, &'static str, bool)>,
    /// Every other step and whether it makes an artifact, where it needs all of them.
    pub(super) others: Vec<(Step, bool)>,
}

/// The step of a stage in a pipeline.
pub fn step_of(pipeline: &Pipeline, row: &Row) -> Step {
    format!("{}-{}", pipeline.session_type.as_str(), row.name).parse().expect("a test checks the table's names")
}

/// Binds every stage of every pipeline.
pub fn bind(pipelines: &'static [Pipeline]) -> Vec<Bound> {
    pipelines.iter().flat_map(bind_one).collect()
}

fn bind_one(pipeline: &'static Pipeline) -> Vec<Bound> {
    let steps: Vec<_> =
        pipeline.stages.iter().map(|row| (step_of(pipeline, row), row.emits, row.makes_artifact())).collect();
    let resolve = |event_type: &'static str, required| {
        let step = steps.iter().find(|(_, emits, _)| *emits == event_type).map(|(step, ..)| step.clone());
        (step.expect("a test checks that every need is met"), event_type, required)
    };
    let mut bound = vec![];
    for (row, (step, ..)) in pipeline.stages.iter().zip(&steps) {
        let mut needs = vec![];
        let mut all = vec![];
        for need in &row.needs {
            match need {
                Need::Required(ENTRY) | Need::Optional(ENTRY) => {}
                Need::Required(event_type) => needs.push(resolve(event_type, true)),
                Need::Optional(event_type) => needs.push(resolve(event_type, false)),
                Need::EveryStep => {
                    let others = steps.iter().filter(|(other, ..)| other != step);
                    all = others.map(|(other, _, artifact)| (other.clone(), *artifact)).collect();
                }
            }
        }
        bound.push(Bound { step: step.clone(), row, pipeline: pipeline.session_type.as_str(), needs, others: all });
    }
    bound
}

/// These steps of a pipeline and every step downstream of one of them, in the order of the table.
pub fn downstream(pipeline: &'static Pipeline, of: &[Step]) -> Vec<Step> {
    let mut found: Vec<Step> = vec![];
    // A need stands before whoever needs it, as a test checks.
    for bound in bind_one(pipeline) {
        let mut needs = bound.needs.iter().map(|(step, ..)| step).chain(bound.others.iter().map(|(step, _)| step));
        if of.contains(&bound.step) || needs.any(|step| found.contains(step)) {
            found.push(bound.step);
        }
    }
    found
}

/// The steps that a step rests on and that look at the world, however many steps lie between, in the order of the table.
pub fn looks_behind(pipeline: &'static Pipeline, step: &Step) -> Vec<Step> {
    let mut wanted = vec![step.clone()];
    let mut found = vec![];
    for bound in bind_one(pipeline).into_iter().rev().filter(|bound| bound.others.is_empty()) {
        if wanted.contains(&bound.step) {
            wanted.extend(bound.needs.into_iter().map(|(need, ..)| need));
            if bound.row.world && bound.step != *step {
                found.insert(0, bound.step);
            }
        }
    }
    found
}

impl Bound {
    /// The steps whose facts may make this one due.
    pub fn triggers(&self) -> Vec<Step> {
        let needs = self.needs.iter().map(|(step, ..)| step);
        let mut triggers: Vec<Step> = needs.chain(self.others.iter().map(|(step, _)| step)).cloned().collect();
        if triggers.is_empty() {
            triggers.push(SESSION_COMPLETED);
        }
        triggers.push(RERUN_REQUESTED);
        triggers
    }

    /// Whether it looks at the world, and so may take its time.
    pub fn looks_at_the_world(&self) -> bool {
        self.row.world
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::pipeline;
    use flywheel_events::SessionType;

    #[test]
    fn what_follows_from_a_step_is_repeated_with_it() {
        let check = |session_type, of: &str, expect: &[&str]| {
            let found = downstream(pipeline(session_type), &[of.parse().expect("a step")]);
            assert_eq!(found.iter().map(Step::as_str).collect::<Vec<_>>(), expect);
        };
        check(SessionType::Build, "build-readme", &["build-readme", "build-ready"]);
        let all = ["build-scan", "build-story", "build-readme", "build-build_log", "build-social", "build-ready"];
        check(SessionType::Build, "build-scan", &all);
        check(SessionType::Trade, "trade-journal", &["trade-journal", "trade-ready"]);
        check(SessionType::Trade, "build-scan", &[]);
    }

    #[test]
    fn what_was_seen_of_the_world_lies_behind_what_rests_on_it() {
        let check = |session_type, of: &str, expect: &[&str]| {
            let found = looks_behind(pipeline(session_type), &of.parse().expect("a step"));
            assert_eq!(found.iter().map(Step::as_str).collect::<Vec<_>>(), expect, "{of}");
        };
        check(SessionType::Build, "build-readme", &["build-scan"]);
        check(SessionType::Build, "build-story", &["build-scan"]);
        check(SessionType::Build, "build-scan", &[]);
        check(SessionType::Trade, "trade-journal", &[]);
    }
}
