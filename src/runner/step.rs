//! One step of one run: what it needs, whether it is due, and the facts it ends in.

use super::{
    ATTEMPTS_MAX, Tools,
    bound::{Bound, RERUN_REQUESTED, SESSION_COMPLETED},
};
use crate::{
    accept,
    log::{AnyFact, Delivery, Error, Event, Log, NewFact, Record},
    queue,
    stages::{Ended, IN_A_NEW_SESSION, Inputs, Made, MadeStep, Stop},
};
use flywheel_events::{
    ArtifactGenerated, Fact, FailureClass, Key, SessionCompleted, SessionId, SessionReady, SessionRerunRequested,
    SessionType, Step, StepFailed, StepSkipped, envelope::EVENT_BYTES_MAX,
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Most bytes of a text artifact.
const ARTIFACT_BYTES_MAX: u64 = 256 * 1024;

/// Most characters of what is said of a failure.
const MESSAGE_CHARS_MAX: usize = 2_000;

/// What a step is called with once everything it needs is there.
#[derive(Debug)]
pub struct Call {
    key: Key,
    session: SessionId,
    cause: String,
    attempts: u32,
    facts: BTreeMap<&'static str, Ended>,
    /// The needs that ended without their fact although they were required.
    missing: Vec<Ended>,
    made: Made,
    artifacts: Vec<Arc<ArtifactGenerated>>,
    /// Most bytes of an event that the log takes.
    event_bytes_max: usize,
    /// What it needs beside the delivered fact.
    beside: Vec<Event>,
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

/// The sessions that were seen last, by id: where their fact is, and their type. Neither ever changes.
#[derive(Debug, Default)]
pub struct Seen {
    sessions: Mutex<HashMap<SessionId, (u64, SessionType)>>,
}

/// Most sessions that are kept in mind. Beyond it all are forgotten, and asked for again.
const SEEN_MAX: usize = 64 * 1024;

impl Seen {
    /// Where a session's own fact is, behind which all others of it are, and its type; nothing where it is not recorded, does not
    /// read, or is of a type that is not known here.
    async fn session<L: Log>(&self, log: &L, session: SessionId) -> Result<Option<(u64, SessionType)>, Error> {
        if let Some(seen) = self.lock().get(&session) {
            return Ok(Some(*seen));
        }
        let Some(entry) = log.get(&Key::session(SESSION_COMPLETED, session, 1)).await? else { return Ok(None) };
        let Some(its) = data_of::<OfType>(&entry) else { return Ok(None) };
        let known = SessionType::ALL.into_iter().find(|known| known.as_str() == its.session_type);
        // One of a newer program, whose stages are not here. It must not end those that are.
        let Some(session_type) = known else { return Ok(None) };
        let seen = (entry.position, session_type);
        let mut sessions = self.lock();
        if sessions.len() >= SEEN_MAX {
            sessions.clear();
        }
        sessions.insert(session, seen);
        Ok(Some(seen))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, (u64, SessionType)>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a delivery was found to ask of a step.
enum Found {
    /// Everything the step needs.
    Due(Box<Call>),
    /// Nothing: it has ended, or is of another pipeline.
    Nothing,
    /// Something it needs was not there, so the delivery came too early.
    Missing,
    /// What it needs last is there, and something that this rests on is not.
    OutOfOrder,
}

/// What a delivery asks of a step.
#[derive(Debug)]
pub enum Asks {
    /// To run.
    Run(Box<Call>),
    /// Nothing: it has ended, or has its turn with a later delivery.
    Nothing,
    /// To wait: a stream that was restored has what comes first last.
    Wait,
}

/// Collects what a step needs, or nothing where it is not due: it has ended, or something it needs has not. What is missing is
/// believed to be where reading has come as far as the delivery, so that of all the step's inputs the last one finds the others.
///
/// # Errors
/// When the log fails.
pub async fn prepare<L: Log>(log: &L, stage: &Bound, seen: &Seen, delivery: &Delivery) -> Result<Asks, Error> {
    let found = match find(log, stage, seen, delivery).await? {
        Found::Missing | Found::OutOfOrder if log.reach(delivery.position).await? => {
            find(log, stage, seen, delivery).await?
        }
        found => found,
    };
    Ok(match found {
        Found::Due(call) => Asks::Run(call),
        Found::Nothing | Found::Missing => Asks::Nothing,
        Found::OutOfOrder => Asks::Wait,
    })
}

async fn find<L: Log>(log: &L, stage: &Bound, seen: &Seen, delivery: &Delivery) -> Result<Found, Error> {
    let Some(session) = delivery.key.session_id() else { return Ok(Found::Nothing) };
    let run = delivery.key.run;
    let Some((begun, session_type)) = seen.session(log, session).await? else { return Ok(Found::Missing) };
    if session_type.as_str() != stage.pipeline {
        return Ok(Found::Nothing);
    }
    let Some(asked) = asked_for(log, &stage.step, session, run).await? else { return Ok(Found::Missing) };
    let key = Key::session(stage.step.clone(), session, run);
    if !last_there(log, stage, session, (run, begun)).await? {
        return Ok(Found::Missing);
    }
    let has_ended = match delivery.attempts == 1 && stage.is_repeatable() {
        true => log.position_at_hand(&key, begun).await?,
        false => log.position(&key, begun).await?,
    };
    if has_ended.is_some() {
        return Ok(Found::Nothing);
    }
    let Some(entry) = log.get(&Key::session(SESSION_COMPLETED, session, 1)).await? else { return Ok(Found::Missing) };
    let data = ended(&entry, session);
    // The last of its inputs to be recorded is what made the step due, whichever of them was delivered first.
    let mut last = match asked {
        Asked::Again(request) => (request.position, request.key),
        Asked::First => (entry.position, entry.key),
    };
    let mut call = Call {
        key,
        session,
        cause: String::new(),
        attempts: delivery.attempts,
        facts: [(SessionCompleted::TYPE, data)].into(),
        missing: vec![],
        made: Made::default(),
        artifacts: vec![],
        event_bytes_max: log.event_bytes_max(),
        beside: vec![],
    };
    for (step, event_type, required) in &stage.needs {
        let Some(record) = newest(log, step, session, run).await? else { return Ok(Found::OutOfOrder) };
        let ended = ended(&record, session);
        call.beside.extend((record.key != delivery.key).then_some(record.event));
        last = last.max((record.position, record.key));
        if *required && !matches!(ended, Ended::Completed(_)) {
            call.missing.push(ended.clone());
        }
        call.facts.insert(event_type, ended);
    }
    for (step, artifact) in &stage.others {
        let Some(record) = newest(log, step, session, run).await? else { return Ok(Found::OutOfOrder) };
        let ended = ended(&record, session);
        call.beside.extend((record.key != delivery.key).then_some(record.event));
        last = last.max((record.position, record.key));
        if let Ended::Completed(value) = &ended
            && *artifact
        {
            call.artifacts.extend(value.shared::<ArtifactGenerated>().ok());
        }
        call.made.0.push(MadeStep { step: step.to_string(), artifact: *artifact, ended });
    }
    call.cause = last.1.event_id().to_string();
    Ok(Found::Due(Box::new(call)))
}

/// Of a session: its pipeline.
#[derive(Deserialize)]
struct OfType {
    session_type: String,
}

/// Whether the last of what a step needs is recorded: most deliveries to a step with several needs come too early. In the first
/// run, which most are of, this costs no fact's text.
async fn last_there<L: Log>(
    log: &L,
    stage: &Bound,
    session: SessionId,
    (run, begun): (u32, u64),
) -> Result<bool, Error> {
    for step in &stage.last {
        let is_there = match run {
            1 => log.position(&Key::session(step.clone(), session, 1), begun).await?.is_some(),
            _ => newest(log, step, session, run).await?.is_some(),
        };
        if !is_there {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The newest outcome of a step, of this run or an earlier one.
async fn newest<L: Log>(log: &L, step: &Step, session: SessionId, run: u32) -> Result<Option<Record>, Error> {
    for run in (1..=run).rev() {
        if let Some(record) = log.get(&Key::session(step.clone(), session, run)).await? {
            return Ok(Some(record));
        }
        // A step that this run repeats has no other outcome than this run's.
        if asked_for(log, step, session, run).await?.is_some() {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Why a run has an outcome of its own for a step.
enum Asked {
    /// It is the first run, which has one for every step.
    First,
    /// This request repeats the step.
    Again(Record),
}

/// Why a run has an outcome of its own for a step, if it has one. A request that does not read asks for nothing.
async fn asked_for<L: Log>(log: &L, step: &Step, session: SessionId, run: u32) -> Result<Option<Asked>, Error> {
    if run == 1 {
        return Ok(Some(Asked::First));
    }
    let Some(record) = log.get(&Key::session(RERUN_REQUESTED, session, run)).await? else { return Ok(None) };
    let Some(request) = data_of::<SessionRerunRequested>(&record) else { return Ok(None) };
    let repeated = request.steps.is_empty() || request.steps.iter().any(|name| name == step.as_str());
    Ok(repeated.then_some(Asked::Again(record)))
}

/// How a recorded step ended. A fact that does not read is that step's failure: whatever needs it says so, `ready` names it, and no other
/// session waits for somebody who can read it.
fn ended(record: &Record, session: SessionId) -> Ended {
    let decode = || -> Result<Ended, serde_json::Error> {
        let (event_type, data) = record.event.parts()?;
        Ok(match &*event_type {
            StepFailed::TYPE => Ended::Failed(data.decode()?),
            StepSkipped::TYPE => Ended::Skipped(data.decode()?),
            _ => Ended::Completed(data),
        })
    };
    decode().unwrap_or_else(|error| {
        let message = damaged(&record.key, &error);
        tracing::error!("{message}");
        Ended::Failed(StepFailed {
            session_id: session,
            step: record.key.step.to_string(),
            class: FailureClass::Refused,
            message,
            hint: Some(format!(
                "use the program that wrote it, or a newer one; if nobody of yours did, `flywheel replica` says what is wrong with it, and the session can be told again {IN_A_NEW_SESSION}"
            )),
            attempts: 1,
        })
    })
}

/// The data of a fact, where it reads.
fn data_of<T: DeserializeOwned>(record: &Record) -> Option<T> {
    let data = record.data().inspect_err(|error| tracing::error!("{}", damaged(&record.key, error)));
    data.ok().map(|(_, data)| data)
}

fn damaged(key: &Key, error: &serde_json::Error) -> String {
    format!("the fact {key} does not read: {error}")
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
