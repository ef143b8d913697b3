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
    /// Those of the steps it needs on which no other of them rests: with their outcomes all others are there too.
    pub(super) last: Vec<Step>,
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
        let pipeline = pipeline.session_type.as_str();
        let mut next = Bound { step: step.clone(), row, pipeline, needs, others: all, last: vec![] };
        let rested_on: Vec<Step> = next.inputs().flat_map(|step| behind(&bound, step)).collect();
        next.last = next.inputs().filter(|step| !rested_on.contains(step)).cloned().collect();
        bound.push(next);
    }
    bound
}

/// The steps that a step rests on, however many steps lie between. A need stands before whoever needs it, as a test checks.
fn behind(bound: &[Bound], step: &Step) -> Vec<Step> {
    let mut wanted = vec![step];
    for bound in bound.iter().rev().filter(|bound| bound.others.is_empty()) {
        if wanted.contains(&&bound.step) {
            wanted.extend(bound.needs.iter().map(|(need, ..)| need));
        }
    }
    wanted.into_iter().skip(1).cloned().collect()
}

/// These steps of a pipeline and every step downstream of one of them, in the order of the table.
pub fn downstream(pipeline: &'static Pipeline, of: &[Step]) -> Vec<Step> {
    let mut found: Vec<Step> = vec![];
    // A need stands before whoever needs it, as a test checks.
    for bound in bind_one(pipeline) {
        if of.contains(&bound.step) || bound.inputs().any(|step| found.contains(step)) {
            found.push(bound.step);
        }
    }
    found
}

/// The steps that a step rests on and that look at the world, however many steps lie between, in the order of the table.
pub fn looks_behind(pipeline: &'static Pipeline, step: &Step) -> Vec<Step> {
    let bound = bind_one(pipeline);
    let behind = behind(&bound, step);
    bound.into_iter().filter(|bound| bound.row.world && behind.contains(&bound.step)).map(|bound| bound.step).collect()
}

impl Bound {
    /// The steps whose facts may make this one due: a run that repeats a step repeats whatever rests on it.
    pub fn triggers(&self) -> Vec<Step> {
        let mut triggers = self.last.clone();
        if triggers.is_empty() {
            triggers.push(SESSION_COMPLETED);
        }
        triggers.push(RERUN_REQUESTED);
        triggers
    }

    /// The steps whose outcomes it is given.
    pub fn inputs(&self) -> impl Iterator<Item = &Step> {
        self.needs.iter().map(|(step, ..)| step).chain(self.others.iter().map(|(step, _)| step))
    }

    /// Whether running it once more than needed changes nothing: what it says follows from its inputs, and is one fact.
    pub(super) fn is_repeatable(&self) -> bool {
        !self.row.world && self.others.is_empty()
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
    fn a_step_is_triggered_by_the_last_of_what_it_needs() {
        let check = |session_type, of: &str, expect: &[&str]| {
            let bound = bind_one(pipeline(session_type)).into_iter().find(|bound| bound.step.as_str() == of);
            let mut triggers = bound.expect("a stage").triggers();
            assert_eq!(triggers.pop(), Some(RERUN_REQUESTED));
            assert_eq!(triggers.iter().map(Step::as_str).collect::<Vec<_>>(), expect, "{of}");
        };
        check(SessionType::Trade, "trade-normalize", &["session-completed"]);
        check(SessionType::Trade, "trade-lessons", &["trade-summarize"]);
        check(SessionType::Trade, "trade-ready", &["trade-equity_curve", "trade-journal", "trade-thread"]);
        check(SessionType::Build, "build-story", &["build-scan"]);
        check(SessionType::Build, "build-readme", &["build-story"]);
    }

    #[test]
    fn the_last_needs_of_a_step_rest_on_all_others() {
        for pipeline in crate::stages::pipelines() {
            let bound = bind_one(pipeline);
            for one in &bound {
                let covered: Vec<Step> = one.last.iter().flat_map(|step| behind(&bound, step)).collect();
                for input in one.inputs() {
                    assert!(one.last.contains(input) != covered.contains(input), "{}: {input}", one.step);
                }
            }
        }
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
