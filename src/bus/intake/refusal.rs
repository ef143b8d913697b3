//! A message that was refused: a fact for the operator, a report for the agent.

use super::{Answer, Intake, Message, Status, agent, clean};
use crate::{
    bus::connect::with_causes,
    intake::{Problem, Report, report::plain},
    log::{Error, Log as _, NewFact},
    safety::Cleaner,
    telemetry::{
        trace::{self, TRACEPARENT},
        traceparent_of,
    },
};
use async_nats::{HeaderMap, header::NATS_MESSAGE_ID, jetstream::message::PublishMessage};
use bytes::Bytes;
use cloudevents::{EventBuilder as _, EventBuilderV10};
use flywheel_events::{
    Digest, Fact as _, Key, SessionRejected, Step,
    envelope::CONTENT_TYPE,
    key::{Kind, NAMESPACE},
};
use futures::future::join_all;
use serde_json::{Value, json};
use tracing::Span;
use uuid::Uuid;

/// The step of the fact.
pub const SESSION_REJECTED: Step = Step::new("session-rejected");

/// Who refuses.
const SOURCE: &str = "/flywheel/intake";

/// Most reasons in the fact. The report has them all.
const REASONS_MAX: usize = 50;

/// Most characters of one text that quotes the message.
const TEXT_CHARS_MAX: usize = 500;

/// Most bytes of the fact: the log keeps it for ever, and who publishes nonsense must not fill it with what is quoted.
const FACT_BYTES_MAX: usize = 16 * 1024;

/// Most bytes of a report.
const REPORT_BYTES_MAX: usize = 256 * 1024;

/// How often the report is published before that is given up.
const TRIES_MAX: u32 = 3;

/// A refusal, cleaned and bounded.
pub(super) struct Refusal {
    key: Key,
    /// The subject for its agent to listen on.
    subject: String,
    pub rejected: SessionRejected,
    /// As `flywheel session validate --json` has it.
    pub report: Value,
    /// The context in which it was refused.
    traceparent: Option<String>,
}

impl Refusal {
    /// A refusal whose fact and event a log takes that takes events of up to `max` bytes.
    pub fn new(message: &Message, report: Report, cleaner: &Cleaner, max: usize) -> Self {
        let report = cleaned(report, cleaner);
        let reasons = report.reasons();
        let rejected = SessionRejected {
            received_on: bounded(&message.subject, cleaner),
            sha256: Digest::of(&message.payload),
            size: message.payload.len() as u64,
            reasons: vec![],
        };
        // No agent's id begins with a line.
        let agent = agent(&message.subject).map_or("_".to_owned(), |agent| agent.to_string());
        let key = Key { step: SESSION_REJECTED, kind: Kind::Message, id: id(message, &rejected.sha256), run: 1 };
        let report = within_limits(report.json(), REPORT_BYTES_MAX.min(max / 3));
        let subject = format!("flywheel.rejected.{agent}");
        let mut refusal = Self { key, subject, rejected, report, traceparent: None };
        let mut count = REASONS_MAX;
        refusal.rejected.reasons = first(&reasons, count);
        while count > 1 && refusal.fact().check_size(FACT_BYTES_MAX.min(max / 2)).is_err() {
            count /= 2;
            refusal.rejected.reasons = first(&reasons, count);
        }
        refusal
    }

    /// The same refusal, by whoever handled the message in this span.
    pub fn under(mut self, span: &Span) -> Self {
        self.traceparent = traceparent_of(span);
        self
    }

    pub fn fact(&self) -> NewFact {
        let mut fact = NewFact::new(self.key.clone(), SOURCE, &self.rejected);
        fact.traceparent.clone_from(&self.traceparent);
        fact
    }

    /// The event for the agent: the fact, and the whole report.
    pub fn event(&self, time: chrono::DateTime<chrono::Utc>) -> Bytes {
        let mut data = serde_json::to_value(&self.rejected).expect("a fact is plain JSON");
        data["report"] = self.report.clone();
        let event = EventBuilderV10::new()
            .id(self.key.event_id().to_string())
            .source(SOURCE)
            .ty(SessionRejected::TYPE)
            .subject(self.key.id.to_string())
            .time(time)
            .data("application/json", data)
            .build()
            .expect("every attribute that is needed is given");
        serde_json::to_vec(&event).expect("an event is plain JSON").into()
    }
}

/// The same message has the same id, so that one that comes again is a duplicate.
fn id(message: &Message, payload: &Digest) -> Uuid {
    let headers = format!("{:?}", message.headers);
    let name = format!("{}\n{}\n{payload}", message.subject, Digest::of(headers.as_bytes()));
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

/// The answer, which still lacks its report.
pub(super) fn answer() -> Answer {
    Answer {
        status: Status::Rejected,
        session_id: None,
        session_type: None,
        position: None,
        warnings: vec![],
        removed: vec![],
        report: None,
    }
}

/// The first so many reasons, and how many more there are.
fn first(reasons: &[String], count: usize) -> Vec<String> {
    let more = reasons.len().saturating_sub(count);
    let note = (more > 0).then(|| format!("and {more} more"));
    reasons.iter().take(count).cloned().chain(note).collect()
}

/// A text that quotes what was refused, as it may be stored.
fn bounded(text: &str, cleaner: &Cleaner) -> String {
    // Cut afterwards: half a secret would not be found.
    let text = plain(&clean(text, cleaner));
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A report without what must not be kept of a message.
fn cleaned(mut report: Report, cleaner: &Cleaner) -> Report {
    let optional = |text: &mut Option<String>| *text = text.take().map(|text| bounded(&text, cleaner));
    let clean_problem = |problem: &mut Problem| {
        problem.message = bounded(&problem.message, cleaner);
        // A pointer is no path of a machine.
        if let Some(pointer) = problem.pointer.strip_prefix('/') {
            problem.pointer = format!("/{}", bounded(pointer, cleaner));
        }
        for text in [&mut problem.expected, &mut problem.hint, &mut problem.did_you_mean] {
            optional(text);
        }
    };
    report.file = bounded(&report.file, cleaner);
    report.errors.iter_mut().chain(&mut report.warnings).for_each(clean_problem);
    report
}

/// A report that fits into a message, if need be with fewer problems.
fn within_limits(mut report: Value, max: usize) -> Value {
    while report.to_string().len() > max {
        report["cut"] = json!(true);
        for list in ["errors", "warnings"] {
            if let Some(problems) = report[list].as_array_mut() {
                problems.truncate(problems.len() / 2);
            }
        }
    }
    report
}

impl Intake {
    /// Records refusals, and tells their agents.
    pub(super) async fn record(&self, refusals: impl Iterator<Item = &Refusal> + Clone) -> Result<(), Error> {
        // What is recorded keeps its reasons, though a newer program might have found others.
        self.log.append(refusals.clone().map(Refusal::fact).collect()).await?;
        for SessionRejected { received_on, reasons, .. } in refusals.clone().map(|refusal| &refusal.rejected) {
            tracing::info!("refused a message on {received_on}: {}", reasons.join("; "));
        }
        // Side by side: where nobody answers, each takes its time.
        join_all(refusals.map(|refusal| self.tell(refusal))).await;
        Ok(())
    }

    /// Publishes the report. The fact stands without it, and a message must not come again for ever because of it.
    async fn tell(&self, refusal: &Refusal) {
        let event = refusal.event(self.log.now());
        let span = trace::publish("flywheel.rejected", &refusal.subject, refusal.key.event_id(), event.len());
        trace::follow(&span, refusal.traceparent.as_deref());
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", CONTENT_TYPE);
        headers.insert(NATS_MESSAGE_ID, refusal.key.event_id().to_string());
        if let Some(context) = traceparent_of(&span) {
            headers.insert(TRACEPARENT, context);
        }
        let message = PublishMessage::build().payload(event).headers(headers);
        for attempt in 1..=TRIES_MAX {
            let sent = self.log.bus().jetstream.send_publish(refusal.subject.clone(), message.clone()).await;
            let stored = match sent {
                Ok(ack) => ack.await,
                Err(error) => Err(error),
            };
            match stored {
                Ok(ack) => return trace::ended(&span, if ack.duplicate { "duplicate" } else { "appended" }),
                Err(error) if attempt == TRIES_MAX => {
                    trace::ended_in_fault(&span, "failed", "failed");
                    tracing::error!("cannot publish why a message was refused: {}", with_causes(&error));
                }
                Err(_) => {}
            }
        }
    }
}
