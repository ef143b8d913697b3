//! Taking sessions in from the swarm: from the inbox, and by request.
//!
//! Invariants:
//! - Nothing of a message is stored before it was judged and cleaned. Of one that is refused its digest and the reasons are.
//! - Who published is who the subject says, because the server lets nobody else publish there. What the event and the session say
//!   of it must be the same.
//! - A message is done with when its fact is stored. One that comes again is a duplicate, whatever became of it.
//! - Every message ends: as a session, or as refused. What kills a reader ends as refused.

mod event;
mod inbox;
mod refusal;
mod submission;

pub use event::Message;
pub use inbox::run as take_from_inbox;
pub use refusal::SESSION_REJECTED;
pub use submission::{NAME as SERVICE, SUBJECT as SUBMISSIONS, run as take_by_request};

use super::{BusLog, failed, topology::INTAKE};
use crate::{
    accept,
    intake::{self, Problem, Report},
    log::{Appended, Error, Log as _, NewFact},
    safety::{Cleaner, Scope},
    telemetry::{measure, trace, traceparent_of},
};
use flywheel_events::{AgentId, SessionId, SessionType};
use refusal::Refusal;
use serde::Serialize;
use serde_json::Value;
use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    time::Instant,
};
use tracing::Span;

/// How many messages one thread judges in a row.
const JUDGED_TOGETHER: usize = 16;

/// How a message came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is a session, and is in the log.
    Accepted,
    /// It was in the log.
    Duplicate,
    /// Another session is in the log under its id; nothing was changed.
    Conflict,
    /// It is no session that can be taken.
    Rejected,
}

impl Status {
    /// The name in an answer.
    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
        }
    }
}

/// What became of a message, for whoever published it.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// How it came out.
    pub status: Status,
    /// The session, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// Its type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_type: Option<SessionType>,
    /// Where the fact of this id is in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// What somebody should look at, as `flywheel session validate --json` has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Problem>,
    /// What was taken out before it was stored, a line a kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Why it was refused, as `flywheel session validate --json` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Value>,
}

/// A message that is a session.
#[derive(Debug)]
struct Session {
    fact: NewFact,
    id: SessionId,
    session_type: SessionType,
    warnings: Vec<Problem>,
    removed: Vec<String>,
}

impl Session {
    fn answer(self, appended: Appended) -> Answer {
        let status = match appended {
            Appended::Appended(_) => Status::Accepted,
            Appended::Duplicate(_) => Status::Duplicate,
            Appended::Conflict(_) => Status::Conflict,
        };
        Answer {
            status,
            session_id: Some(self.id),
            session_type: Some(self.session_type),
            position: Some(appended.position()),
            warnings: self.warnings,
            removed: self.removed,
            report: None,
        }
    }
}

/// What takes sessions in. Clones share it.
#[derive(Debug, Clone)]
pub struct Intake {
    log: BusLog,
    cleaner: Arc<Cleaner>,
}

impl Intake {
    /// An intake into this log.
    pub fn new(log: BusLog, cleaner: Arc<Cleaner>) -> Self {
        Self { log, cleaner }
    }

    /// Takes messages in, and says what became of each. When this returns, they are done with.
    ///
    /// # Errors
    /// When the log does not answer; they are then to be taken in again.
    pub async fn take(&self, messages: Vec<Message>) -> Result<Vec<Answer>, Error> {
        let judged = self.judge_all(&messages).await?;
        let facts = judged.iter().filter_map(|(_, judged)| judged.as_ref().ok()).map(|session| session.fact.clone());
        let mut appended = self.append(facts.collect()).await?.into_iter();
        let mut answers = Vec::with_capacity(messages.len());
        let (mut refusals, mut handlings) = (vec![], Vec::with_capacity(messages.len()));
        for (message, (handling, judged)) in messages.iter().zip(judged) {
            let (answer, report) = match judged {
                Err(report) => (refusal::answer(), Some(*report)),
                Ok(session) => match appended.next().expect("one outcome a fact") {
                    Ok(outcome) => {
                        let report = conflict(message, outcome);
                        (session.answer(outcome), report)
                    }
                    Err(error) => (refusal::answer(), Some(too_large(message, &error))),
                },
            };
            handling.came_out(&answer, report.as_ref());
            if let Some(report) = report {
                let refusal = self.refuse(message, report).under(&handling.span);
                refusals.push((answers.len(), refusal));
            }
            answers.push(answer);
            handlings.push(handling);
        }
        self.record(refusals.iter().map(|(_, refusal)| refusal)).await?;
        for (index, refusal) in refusals {
            answers[index].report = Some(refusal.report);
        }
        handlings.into_iter().for_each(Handling::end);
        Ok(answers)
    }

    /// A refusal that the log takes.
    fn refuse(&self, message: &Message, report: Report) -> Refusal {
        Refusal::new(message, report, &self.cleaner, self.log.event_bytes_max())
    }

    /// Judges messages on as many threads as there are; one that panics is refused.
    async fn judge_all(&self, messages: &[Message]) -> Result<Vec<(Handling, Judged)>, Error> {
        let max = self.log.event_bytes_max();
        let parts: Vec<_> = messages
            .chunks(JUDGED_TOGETHER)
            .map(|part| {
                let (part, cleaner) = (part.to_vec(), self.cleaner.clone());
                tokio::task::spawn_blocking(move || {
                    part.iter().map(|message| judge_safely(message, &cleaner, max)).collect::<Vec<_>>()
                })
            })
            .collect();
        let mut judged = Vec::with_capacity(messages.len());
        for part in parts {
            judged.extend(part.await.map_err(|error| failed("judge what came in", error))?);
        }
        Ok(judged)
    }

    /// Appends facts; one that the server finds too large keeps no other back.
    async fn append(&self, facts: Vec<NewFact>) -> Result<Vec<Result<Appended, Error>>, Error> {
        match self.log.append(facts.clone()).await {
            Ok(appended) => return Ok(appended.into_iter().map(Ok).collect()),
            Err(Error::TooLarge { .. }) => {}
            Err(error) => return Err(error),
        }
        let mut appended = vec![];
        for fact in facts {
            appended.push(match self.log.append(vec![fact]).await {
                Ok(outcome) => Ok(outcome[0]),
                Err(error @ Error::TooLarge { .. }) => Err(error),
                Err(error) => return Err(error),
            });
        }
        Ok(appended)
    }
}

/// What a message was judged to be.
type Judged = Result<Session, Box<Report>>;

fn judge_safely(message: &Message, cleaner: &Cleaner, max: usize) -> (Handling, Judged) {
    let handling = Handling::begin(message);
    let judged = panic::catch_unwind(AssertUnwindSafe(|| judge(message, cleaner, max, &handling.span)));
    let judged = judged.unwrap_or_else(|_| {
        let hint = "this is a fault of flywheel, and the message is what shows it: keep it";
        Err(Box::new(Report::unreadable(&message.subject, "fault", "judging the message failed", hint)))
    });
    (handling, judged)
}

/// A message as the session it is, cleaned, for a log that takes events of up to `max` bytes.
fn judge(message: &Message, cleaner: &Cleaner, max: usize, span: &Span) -> Judged {
    let refuse = |code, why: &str, hint: &str| Box::new(Report::unreadable(&message.subject, code, why, hint));
    let agent = agent(&message.subject).ok_or_else(|| {
        let hint = "publish to swarm.session.completed.<agent_id>, with your own id";
        refuse("bad_subject", "the subject does not end in an agent's id", hint)
    })?;
    span.record(trace::SUBJECT, &message.subject);
    let event = event::read(message).map_err(|wrong| refuse(wrong.code, &wrong.message, wrong.hint))?;
    match (message.traceparent(), &event.traceparent) {
        // What brought the message is what went on last; what the event began in may be another trace.
        (Some(hop), Some(began)) if hop != began => trace::link(span, began),
        (None, Some(began)) => trace::follow(span, Some(began)),
        _ => {}
    }
    if event.source != format!("/agents/{agent}") {
        let why = format!("the event's source is `{}`, and it came on the subject of {agent}", event.source);
        return Err(refuse("identity", &why, &format!("give `/agents/{agent}` as `source`")));
    }
    let accepted = intake::read(&message.subject, &event.data, None)?;
    let (id, session_type) = (accepted.session.session_id, accepted.session.session_type);
    if accepted.session.agent_id != agent {
        let why = format!("the session is of {}, and it came on the subject of {agent}", accepted.session.agent_id);
        return Err(refuse("identity", &why, "each agent publishes its own sessions, on its own subject"));
    }
    if event.subject.as_deref().is_some_and(|subject| subject.parse() != Ok(id)) {
        let why = format!("the event's subject is not the session {id}");
        return Err(refuse("identity", &why, "give the session's id as `subject`, or none"));
    }
    span.record(trace::SESSION, id.to_string());
    let (fact, findings) = accept::fact(&accepted, cleaner);
    let event_id = clean(&event.id, cleaner);
    span.record(trace::MESSAGE_ID, &event_id);
    let mut fact = fact.caused_by(event_id);
    // Where nothing is traced here, what the agent began is handed on.
    let handed_on = || message.traceparent().map(str::to_owned).or(event.traceparent);
    fact.traceparent = traceparent_of(span).or_else(handed_on);
    if let Err(error) = fact.check_size(max) {
        return Err(Box::new(too_large(message, &error)));
    }
    let warnings = accepted.warnings;
    Ok(Session { fact, id, session_type, warnings, removed: accept::describe(&findings) })
}

/// The way of a message from its delivery to the storing of what became of it, in the trace of its agent.
struct Handling {
    span: Span,
    began: Instant,
}

impl Handling {
    fn begin(message: &Message) -> Self {
        // All but its last token, which is the agent.
        let template = message.subject.rsplit_once('.').map_or("", |(template, _)| template);
        let span = trace::process(INTAKE, template);
        trace::follow(&span, message.traceparent());
        span.record(trace::BODY_SIZE, message.payload.len());
        Self { span, began: Instant::now() }
    }

    /// Says in the trace what became of the message.
    fn came_out(&self, answer: &Answer, report: Option<&Report>) {
        let outcome = answer.status.as_str();
        match report.and_then(|report| report.errors.first()) {
            Some(first) => trace::ended_in_fault(&self.span, outcome, first.code),
            None => trace::ended(&self.span, outcome),
        }
    }

    fn end(self) {
        measure::processed(INTAKE, self.began.elapsed());
    }
}

/// The agent whose subject this is.
fn agent(subject: &str) -> Option<AgentId> {
    subject.rsplit('.').next()?.parse().ok()
}

/// A text as it may be stored.
fn clean(text: &str, cleaner: &Cleaner) -> String {
    cleaner.clean_text(text, &Scope::default()).0.into_owned()
}

fn too_large(message: &Message, error: &Error) -> Report {
    let why = format!("too large once secrets and personal data are replaced: {error}");
    let hint = "remove them yourself, or split the session into shorter ones";
    Report::unreadable(&message.subject, "too_large", &why, hint)
}

/// Why a session is refused whose id has another.
fn conflict(message: &Message, outcome: Appended) -> Option<Report> {
    let Appended::Conflict(position) = outcome else { return None };
    let why =
        format!("a session with this id and other content is in the log, at position {position}; nothing was changed");
    Some(Report::unreadable(&message.subject, "conflict", &why, "a new session needs an id of its own"))
}

#[cfg(test)]
mod tests;
