//! One step of one run: what it is called with, and the facts it ends in.

use super::{ATTEMPTS_MAX, Tools, bound::Bound};
use crate::{
    accept,
    log::{AnyFact, Event, NewFact},
    queue,
    stages::{Ended, Inputs, Made, Stop},
};
use flywheel_events::{
    ArtifactGenerated, Fact as _, FailureClass, Key, SessionId, SessionReady, StepFailed, StepSkipped,
    envelope::EVENT_BYTES_MAX,
};
use std::{any::Any, collections::BTreeMap, sync::Arc};

/// Most bytes of a text artifact.
const ARTIFACT_BYTES_MAX: u64 = 256 * 1024;

/// Most characters of what is said of a failure.
const MESSAGE_CHARS_MAX: usize = 2_000;

/// What a step is called with once everything it needs is there.
#[derive(Debug)]
pub struct Call {
    pub(super) key: Key,
    pub(super) session: SessionId,
    pub(super) cause: String,
    pub(super) attempts: u32,
    pub(super) facts: BTreeMap<&'static str, Ended>,
    /// The needs that ended without their fact although they were required.
    pub(super) missing: Vec<Ended>,
    pub(super) made: Made,
    pub(super) artifacts: Vec<Arc<ArtifactGenerated>>,
    /// Most bytes of an event that the log takes.
    pub(super) event_bytes_max: usize,
    /// What it needs beside the delivered fact.
    pub(super) beside: Vec<Event>,
}

impl Call {
    /// The contexts in which the other facts that it needs were made. Each is looked for in its text.
    pub fn contexts(&self) -> Vec<String> {
        self.beside.iter().filter_map(Event::traceparent).collect()
    }
}

/// What a call came to.
#[derive(Debug)]
pub enum Verdict {
    /// The step has ended in the last of these facts.
    Ended(Vec<NewFact>, How),
    /// The world was in the way.
    Again(String),
}

/// How a step has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// With its outcome.
    Completed,
    /// There was nothing to do.
    Skipped,
    /// In a failure of this class.
    Failed(FailureClass),
}

impl Bound {
    /// Runs the step on what it needs.
    pub fn run(&self, mut call: Call, tools: &Tools) -> Verdict {
        let inputs = Inputs {
            facts: std::mem::take(&mut call.facts),
            made: std::mem::take(&mut call.made),
            templates: &tools.templates,
            world: &tools.world,
        };
        if call.attempts > ATTEMPTS_MAX {
            let message = format!("the step did not end in {ATTEMPTS_MAX} attempts, so it was not tried again");
            let hint = format!(
                "see the program's own messages for why, then repeat it with `flywheel retry {}`",
                call.session
            );
            return self.failed(&call, tools, FailureClass::Parked, message, Some(hint));
        }
        if let Some(ended) = call.missing.first() {
            return self.without_its_need(&call, tools, ended);
        }
        match (self.row.call)(&inputs) {
            Ok(fact) => self.completed(&call, tools, fact),
            Err(Stop::Refused { message, hint }) => self.failed(&call, tools, FailureClass::Refused, message, hint),
            Err(Stop::NothingToDo(reason)) => self.skipped(&call, tools, reason),
            Err(Stop::World(error)) if call.attempts < ATTEMPTS_MAX => {
                Verdict::Again(tools.cleaned(format!("{error:#}")))
            }
            Err(Stop::World(error)) => {
                let hint = format!("remove what is in the way, then repeat it with `flywheel retry {}`", call.session);
                self.failed(&call, tools, FailureClass::World, format!("{error:#}"), Some(hint))
            }
        }
    }

    fn without_its_need(&self, call: &Call, tools: &Tools, ended: &Ended) -> Verdict {
        match ended {
            Ended::Skipped(skipped) => self.skipped(call, tools, skipped.reason.clone()),
            Ended::Failed(failed) => {
                let message = format!("{} failed: {}", failed.step, failed.message);
                self.failed(call, tools, FailureClass::InputFailed, message, failed.hint.clone())
            }
            Ended::Completed(_) => unreachable!("only what ended without its fact is missing"),
        }
    }

    fn completed(&self, call: &Call, tools: &Tools, made: Arc<dyn AnyFact>) -> Verdict {
        let artifact = <dyn Any>::downcast_ref::<ArtifactGenerated>(&*made);
        if let Some(size) = artifact.map(|artifact| artifact.size).filter(|size| *size > ARTIFACT_BYTES_MAX) {
            let message = format!("the artifact has {size} bytes, and {ARTIFACT_BYTES_MAX} is the most");
            let hint = "split the session into shorter ones, or shorten the template";
            return self.failed(call, tools, FailureClass::TooLarge, message, Some(hint.into()));
        }
        let mut facts = vec![];
        if self.row.emits == SessionReady::TYPE {
            facts.extend(
                call.artifacts.iter().flat_map(|artifact| queue::items(artifact)).map(|fact| self.stamped(call, fact)),
            );
        }
        let (key, source) = (call.key.clone(), self.source());
        let fact = if self.row.world {
            let mut value = made.value();
            accept::clean_world(&mut value, &tools.cleaner);
            NewFact::of_value(key, self.row.emits, source, &value)
        } else {
            NewFact::of_any(key, self.row.emits, source, made)
        };
        facts.push(self.stamped(call, fact));
        // The log would refuse it, and everything beside it would wait for ever.
        if let Some(error) = facts.iter().find_map(|fact| fact.check_size(call.event_bytes_max).err()) {
            let split = "split the session into shorter ones";
            let hint = match call.event_bytes_max {
                // Another server would take it.
                max if max < EVENT_BYTES_MAX => format!(
                    "set `max_payload` in the configuration of the bus's servers to 2MB and repeat it with `flywheel retry {}`, or {split}",
                    call.session
                ),
                _ => split.to_owned(),
            };
            return self.failed(call, tools, FailureClass::TooLarge, error.to_string(), Some(hint));
        }
        Verdict::Ended(facts, How::Completed)
    }

    /// The message is cleaned: what the world says of a fault may name its paths. It is bounded, so that every log takes it.
    fn failed(
        &self,
        call: &Call,
        tools: &Tools,
        class: FailureClass,
        message: String,
        hint: Option<String>,
    ) -> Verdict {
        let fact = StepFailed {
            session_id: call.session,
            step: self.step.to_string(),
            class,
            message: bounded(tools.cleaned(message)),
            hint: hint.map(bounded),
            attempts: call.attempts.min(ATTEMPTS_MAX),
        };
        let fact = self.stamped(call, NewFact::new(call.key.clone(), self.source(), &fact));
        Verdict::Ended(vec![fact], How::Failed(class))
    }

    fn skipped(&self, call: &Call, tools: &Tools, reason: String) -> Verdict {
        let reason = bounded(tools.cleaned(reason));
        let fact = StepSkipped { session_id: call.session, step: self.step.to_string(), reason };
        Verdict::Ended(vec![self.stamped(call, NewFact::new(call.key.clone(), self.source(), &fact))], How::Skipped)
    }

    fn source(&self) -> String {
        format!("/flywheel/{}/{}", self.pipeline, self.row.name)
    }

    fn stamped(&self, call: &Call, fact: NewFact) -> NewFact {
        fact.caused_by(call.cause.clone()).about(call.session)
    }
}

/// A text of [`MESSAGE_CHARS_MAX`] at most.
fn bounded(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MESSAGE_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}
