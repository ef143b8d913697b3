//! One session: how its steps ended and what they made. What `flywheel run` reports.

use flywheel_events::{ArtifactGenerated, Fact as _, Key, Kind, SessionReady, Step, StepFailed, StepSkipped};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// One fact of a session, with all of its data.
#[derive(Debug, Clone, Copy)]
pub struct RawFact<'a> {
    /// Its key.
    pub key: &'a Key,
    /// Its event type.
    pub event_type: &'a str,
    /// Its data, byte for byte.
    pub data: &'a RawValue,
}

/// What the facts of one session come to, the newest run of each step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SessionView {
    steps: BTreeMap<Step, (u32, State)>,
    ready: Option<(u32, SessionReady)>,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Made(Box<ArtifactGenerated>),
    Failed(StepFailed),
    Skipped(StepSkipped),
    Other,
}

impl SessionView {
    /// Folds one fact of the session in. Facts of queue items and the like are no steps and change nothing.
    ///
    /// # Errors
    /// When the fact does not read.
    pub fn apply(&mut self, fact: &RawFact<'_>) -> Result<(), serde_json::Error> {
        let key = fact.key;
        if key.kind != Kind::Session || self.steps.get(&key.step).is_some_and(|(run, _)| *run >= key.run) {
            return Ok(());
        }
        let state = match fact.event_type {
            ArtifactGenerated::TYPE => State::Made(Box::new(serde_json::from_str(fact.data.get())?)),
            StepFailed::TYPE => State::Failed(serde_json::from_str(fact.data.get())?),
            StepSkipped::TYPE => State::Skipped(serde_json::from_str(fact.data.get())?),
            SessionReady::TYPE => {
                self.ready = Some((key.run, serde_json::from_str(fact.data.get())?));
                State::Other
            }
            _ => State::Other,
        };
        self.steps.insert(key.step.clone(), (key.run, state));
        Ok(())
    }

    /// What was made, in the order of the artifact types.
    pub fn artifacts(&self) -> Vec<&ArtifactGenerated> {
        let mut made: Vec<_> = self
            .steps
            .values()
            .filter_map(|(_, state)| match state {
                State::Made(artifact) => Some(&**artifact),
                _ => None,
            })
            .collect();
        made.sort_by_key(|artifact| artifact.artifact_type);
        made
    }

    /// What failed.
    pub fn failures(&self) -> impl Iterator<Item = &StepFailed> {
        self.steps.values().filter_map(|(_, state)| match state {
            State::Failed(failed) => Some(failed),
            _ => None,
        })
    }

    /// What had nothing to do.
    pub fn skipped(&self) -> impl Iterator<Item = &StepSkipped> {
        self.steps.values().filter_map(|(_, state)| match state {
            State::Skipped(skipped) => Some(skipped),
            _ => None,
        })
    }

    /// How the newest finished run ended.
    pub fn ready(&self) -> Option<&SessionReady> {
        self.ready.as_ref().map(|(_, ready)| ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flywheel_events::Digest;
    use serde::Serialize;

    fn fold(facts: &[(&str, &str, String)]) -> SessionView {
        let mut view = SessionView::default();
        for (key, event_type, data) in facts {
            let key: Key = key.parse().expect("a key");
            let data = serde_json::from_str(data).expect("JSON");
            view.apply(&RawFact { key: &key, event_type, data }).expect("folds");
        }
        view
    }

    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).expect("plain JSON")
    }

    #[test]
    fn a_later_run_supersedes_and_repeats_change_nothing() {
        let key = |run| format!("build-build_log/session/a1b2c3d4-e5f6-7890-abcd-ef1234567890/{run}");
        let (first, second) = (key(1), key(2));
        let failed = (first.as_str(), StepFailed::TYPE, json(&StepFailed::example()));
        let made = (second.as_str(), ArtifactGenerated::TYPE, json(&ArtifactGenerated::example()));
        let once = fold(&[failed.clone(), made.clone()]);
        assert_eq!(once.failures().count(), 0);
        assert_eq!(once.artifacts()[0].sha256, Digest::of(b"# The publish queue survives a crash\n"));
        assert_eq!(once, fold(&[failed.clone(), made.clone(), failed.clone(), made]));
        assert_eq!(fold(&[failed]).failures().count(), 1);
    }
}
