//! A long log, made of what the three example sessions really came to, over and over, each time another session.
//!
//! Every event type that a pipeline emits is there in its real share, and failed steps and opinions in a small one.
//! Artifacts differ from session to session, so that every one is queued.

use crate::{
    fresh, kept,
    workshop::{Workshop, example, id},
};
use chrono::{DateTime, FixedOffset, TimeDelta};
use flywheel::{
    log::{NewFact, Record},
    queue,
};
use flywheel_events::{
    ArtifactGenerated, ArtifactRef, Fact as _, FailureClass, FeedbackRecorded, Key, Kind, Outcome, SessionCompleted,
    SessionId, SessionReady, SessionType, Step, StepFailed, catalog,
};
use serde_json::Value;
use std::path::PathBuf;

/// How large the facts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 1 KiB in the mean: lists and texts cut short, and the artifacts filled up.
    Kib,
    /// As the example sessions have them.
    Real,
}

/// Facts in one append.
const BATCH_FACTS: usize = 10_000;

/// One step in so many fails, and one session in so many is rated.
const ONE_IN: u64 = 20;

/// The data folder of a log of so many facts, made where there is none.
pub fn log(count: u64, size: Size) -> anyhow::Result<PathBuf> {
    let name = format!("{}-{count}", if size == Size::Kib { "kib" } else { "real" });
    let target = kept()?.join(name);
    if !target.exists() {
        let folder = fresh()?;
        let data = folder.path().join("data");
        let workshop = Workshop::open(&data)?;
        let mut facts = Facts::new(size, 0)?;
        let mut left = usize::try_from(count)?;
        while left > 0 {
            let batch = facts.next(left.min(BATCH_FACTS))?;
            left -= batch.len();
            workshop.append(batch)?;
        }
        drop(workshop);
        std::fs::rename(&data, &target)?;
    }
    Ok(target)
}

/// What one step came to, to be told again of another session.
struct Form {
    session: SessionId,
    step: Step,
    event_type: &'static str,
    source: String,
    data: Value,
    cause: Option<Step>,
}

/// An endless stream of facts.
pub struct Facts {
    forms: Vec<Vec<Form>>,
    /// How many bytes each artifact's text is filled up with.
    filler: String,
    next_session: u64,
    ready: std::collections::VecDeque<NewFact>,
}

impl Facts {
    /// Of sessions that are numbered from `first_session`.
    pub fn new(size: Size, first_session: u64) -> anyhow::Result<Self> {
        let forms = SessionType::ALL.into_iter().map(|session_type| forms(session_type, size));
        let forms = forms.collect::<anyhow::Result<Vec<_>>>()?;
        let mut facts = Self { forms, filler: String::new(), next_session: first_session, ready: [].into() };
        if size == Size::Kib {
            facts.fill_up()?;
        }
        Ok(facts)
    }

    /// The next facts.
    pub fn next(&mut self, count: usize) -> anyhow::Result<Vec<NewFact>> {
        while self.ready.len() < count {
            let session = self.session(self.next_session)?;
            self.ready.extend(session);
            self.next_session += 1;
        }
        Ok(self.ready.drain(..count).collect())
    }

    /// Makes the mean fact 1 KiB: a log is written, weighed, and the artifacts are filled up by what is missing.
    fn fill_up(&mut self) -> anyhow::Result<()> {
        let folder = fresh()?;
        let workshop = Workshop::open(folder.path())?;
        let sessions = SessionType::ALL.len() as u64 * ONE_IN;
        let facts = (0..sessions).map(|n| self.session(n)).collect::<anyhow::Result<Vec<_>>>()?.concat();
        let count = facts.len();
        let artifacts = facts.iter().filter(|fact| fact.event_type == ArtifactGenerated::TYPE).count();
        workshop.append(facts)?;
        let bytes: usize = workshop.log.read_now(0, count)?.iter().map(|row| row.record.event.len()).sum();
        let missing = (count * 1024).saturating_sub(bytes) / artifacts;
        self.filler = "Words that fill it up. ".chars().cycle().take(missing).collect();
        Ok(())
    }

    /// The facts of the n-th session.
    fn session(&self, n: u64) -> anyhow::Result<Vec<NewFact>> {
        let kinds = self.forms.len() as u64;
        let forms = &self.forms[usize::try_from(n % kinds)?];
        let (session, round) = (id(n), n / kinds);
        let (mut facts, mut made, mut failed) = (vec![], vec![], None);
        for form in forms {
            let key = |step: &Step| Key::session(step.clone(), session, 1);
            let new = |data: &Value| {
                let fact = NewFact::of_value(key(&form.step), form.event_type, &*form.source, data).about(session);
                match &form.cause {
                    Some(cause) => fact.caused_by(key(cause).event_id().to_string()),
                    None => fact,
                }
            };
            let data = form.data.to_string().replace(&form.session.to_string(), &session.to_string());
            let mut data: Value = serde_json::from_str(&data)?;
            match form.event_type {
                SessionCompleted::TYPE => {
                    data["timestamp"] = timestamp(n).to_rfc3339().into();
                    data["agent_id"] = format!("Agent-{}", n % 8).into();
                    facts.push(new(&data));
                }
                // The first artifact of some sessions.
                ArtifactGenerated::TYPE if round % ONE_IN == 0 && made.is_empty() && failed.is_none() => {
                    let it = failure(session, &form.step);
                    facts.push(NewFact::new(key(&form.step), &*form.source, &it));
                    failed = Some(it);
                }
                ArtifactGenerated::TYPE => {
                    let artifact = self.artifact(serde_json::from_value(data)?, n);
                    let fact = new(&serde_json::to_value(&artifact)?);
                    let cause = fact.key.event_id().to_string();
                    facts.push(fact);
                    let items = queue::items(&artifact).into_iter();
                    facts.extend(items.map(|item| item.about(session).caused_by(&cause)));
                    let ArtifactGenerated { artifact_type, path, sha256, .. } = artifact;
                    made.push(ArtifactRef { artifact_type, path, sha256 });
                }
                SessionReady::TYPE => {
                    let mut ready: SessionReady = serde_json::from_value(data)?;
                    ready.artifacts = std::mem::take(&mut made);
                    ready.outcome = if failed.is_some() { Outcome::Partial } else { Outcome::Ready };
                    facts.push(new(&serde_json::to_value(&ready)?));
                }
                _ => facts.push(new(&data)),
            }
        }
        if n.is_multiple_of(ONE_IN) {
            facts.push(opinion(session));
        }
        Ok(facts)
    }

    fn artifact(&self, form: ArtifactGenerated, n: u64) -> ArtifactGenerated {
        let session = form.session_id.expect("a session made it");
        let content = format!("{}\nNumber {n}. {}\n", form.content, self.filler);
        let made = ArtifactGenerated::of_session(session, form.artifact_type, content);
        ArtifactGenerated { template: form.template, notes: form.notes, ..made }
    }
}

/// The facts of an example session, but for those that follow from others.
fn forms(session_type: SessionType, size: Size) -> anyhow::Result<Vec<Form>> {
    let folder = fresh()?;
    let workshop = Workshop::open(folder.path())?;
    let file = example(session_type)?.to_string().into_bytes();
    workshop.run(&[file])?;
    let records: Vec<_> = workshop.log.read_now(0, 1_000)?.into_iter().map(|row| row.record).collect();
    let own = || records.iter().filter(|record| record.key.kind == Kind::Session);
    let step_of = |cause: &str| own().find(|record| record.id() == cause).map(|record| record.key.step.clone());
    own().map(|record| form(record, size, step_of)).collect()
}

fn form(record: &Record, size: Size, step_of: impl Fn(&str) -> Option<Step>) -> anyhow::Result<Form> {
    let event: Value = serde_json::from_str(&record.event)?;
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let mut data = event["data"].clone();
    if size == Size::Kib {
        shorten(&mut data);
    }
    Ok(Form {
        session: record.key.session_id().expect("of a session"),
        step: record.key.step.clone(),
        event_type: catalog::find(&text("type")).expect("in the catalog").event_type,
        source: text("source"),
        data,
        cause: step_of(&text("causationid")),
    })
}

/// Lists of one, and texts of 80 characters.
fn shorten(value: &mut Value) {
    const CHARACTERS_MAX: usize = 80;
    match value {
        Value::String(text) => *text = text.chars().take(CHARACTERS_MAX).collect(),
        Value::Array(list) => {
            list.truncate(1);
            list.iter_mut().for_each(shorten);
        }
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        _ => {}
    }
}

/// A session every ten minutes.
fn timestamp(n: u64) -> DateTime<FixedOffset> {
    let first = DateTime::parse_from_rfc3339("2025-01-06T09:00:00-06:00").expect("a time");
    first + TimeDelta::minutes(10 * i64::try_from(n).expect("less than a million sessions"))
}

fn failure(session_id: SessionId, step: &Step) -> StepFailed {
    let message = "the world was in the way".to_owned();
    StepFailed { session_id, step: step.to_string(), class: FailureClass::World, message, hint: None, attempts: 5 }
}

fn opinion(session: SessionId) -> NewFact {
    let opinion = FeedbackRecorded { session_id: session, ..FeedbackRecorded::example() };
    let key = Key { step: Step::new("feedback-recorded"), kind: Kind::Feedback, id: opinion.feedback_id(), run: 1 };
    NewFact::new(key, "/agents/bench", &opinion).about(session)
}
