//! What a delivery asks of a step: whether it is due, and what it needs.

use super::{
    bound::{Bound, RERUN_REQUESTED, SESSION_COMPLETED},
    step::Call,
};
use crate::{
    log::{Delivery, Error, Log, Record},
    stages::{Ended, IN_A_NEW_SESSION, Made, MadeStep},
};
use flywheel_events::{
    ArtifactGenerated, Fact as _, FailureClass, Key, SessionCompleted, SessionId, SessionRerunRequested, SessionType,
    Step, StepFailed, StepSkipped,
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

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
