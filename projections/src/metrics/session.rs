//! What the facts of one session come to, as far as the metrics count them.
//!
//! The fold is two functions: [`State::take`] moves a session's state by one fact, and [`State::counts`] says what a state
//! adds to the sums. The sums move by the difference, so a fact that was taken before changes nothing, and sessions are
//! independent of each other because sums are.

use super::Week;
use crate::fact::{Body, Recorded, Session, Summarized};
use chrono::{DateTime, Utc};
use flywheel_events::{AgentId, ArtifactType, Outcome, SessionType};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};
use uuid::Uuid;

/// A sum over sessions: its name and what it is of.
pub(super) type Count = (&'static str, [Cow<'static, str>; 3]);

pub(super) const READY: &str = "ready";
pub(super) const GENERATED: &str = "generated";
pub(super) const SESSIONS: &str = "sessions";
pub(super) const RUNS_FINISHED: &str = "runs_finished";
pub(super) const RUNS_COMPLETED: &str = "runs_completed";
pub(super) const RATINGS: &str = "ratings";
pub(super) const RATINGS_SUM: &str = "ratings_sum";

/// The state of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Its first fact; null where others came before it.
    of: Option<Of>,
    /// Its runs, each with its retries, by their first number.
    runs: BTreeMap<u32, Run>,
    /// The newest run in which each step has ended.
    steps: BTreeMap<String, u32>,
    /// Kept apart: it is not what happened, but when the log recorded it.
    #[serde(skip)]
    pub(super) recorded: Recently,
    /// What it has ever made.
    generated: BTreeSet<ArtifactType>,
    /// What a finished run had to show.
    ready: BTreeSet<ArtifactType>,
    /// The repository its newest scan named.
    pub(super) repository: Option<String>,
    /// The (account, day) pairs it has fills on.
    pub(super) trading_days: BTreeSet<(String, String)>,
    /// Feedback on it: who, and how many points.
    ratings: BTreeMap<Uuid, (AgentId, u8)>,
}

/// When the facts of the run in flight were recorded, which its steps may wait for.
pub(super) type Recently = Vec<(Short, i64)>;

/// The beginning of an event id: enough to tell the facts of one session apart.
pub(super) type Short = u64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Of {
    agent: AgentId,
    pipeline: SessionType,
    /// When it ended, microseconds since 1970.
    instant: i64,
}

/// A run and the retries that repair it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    /// The number of its newest retry.
    newest: u32,
    /// The newest number that has ended, and how.
    ended: Option<(u32, Outcome)>,
}

impl State {
    /// Reads a state from its two texts.
    pub(super) fn read(state: &str, recorded: &str) -> Result<Self, serde_json::Error> {
        Ok(Self { recorded: serde_json::from_str(recorded)?, ..serde_json::from_str(state)? })
    }

    /// Takes one fact of the session, and says how many microseconds its step took, where that is known.
    pub(super) fn take(&mut self, fact: &Recorded) -> Option<u64> {
        let run = fact.key.run;
        match &fact.body {
            Body::Session(it) => {
                self.begin(it, fact);
                return None;
            }
            Body::Rerun(it) => {
                self.begin_run(run, it.steps.is_empty(), fact);
                return None;
            }
            Body::Feedback(it) => {
                let rating = (it.agent_id.clone(), it.feedback.artifact_quality);
                self.ratings.entry(fact.key.id).or_insert(rating);
                return None;
            }
            Body::Artifact(it) => {
                self.generated.insert(it.artifact_type);
            }
            Body::Scanned(it) if self.is_new(fact) => self.repository.clone_from(&it.repo_name),
            Body::Summarized(it) => self.trading_days.extend(trading_days(it)),
            Body::Ready(it) => {
                self.ready.extend(it.artifacts.iter().map(|artifact| artifact.artifact_type));
                self.end_run(run, it.outcome);
            }
            Body::Queued(_) | Body::Rejected(_) => return None,
            Body::Scanned(_) | Body::Failed(_) | Body::Skipped(_) | Body::Completed => {}
        }
        self.end_step(fact)
    }

    fn begin(&mut self, session: &Session, fact: &Recorded) {
        if self.of.is_none() {
            self.of = Some(Of {
                agent: session.agent_id.clone(),
                pipeline: session.session_type,
                instant: session.timestamp.timestamp_micros(),
            });
            self.runs.entry(1).or_insert(Run { newest: 1, ended: None });
            self.remember(fact);
        }
    }

    /// A re-run of everything is a run of its own; one of some steps is a retry of the run before it.
    fn begin_run(&mut self, run: u32, everything: bool, fact: &Recorded) {
        if self.runs.values().any(|known| known.newest >= run) {
            return;
        }
        match self.runs.last_entry() {
            Some(mut last) if !everything => last.get_mut().newest = run,
            _ => {
                self.runs.insert(run, Run { newest: run, ended: None });
            }
        }
        self.remember(fact);
    }

    fn end_run(&mut self, number: u32, outcome: Outcome) {
        if let Some((_, run)) = self.runs.range_mut(..=number).next_back()
            && run.ended.is_none_or(|(ended, _)| ended < number)
        {
            run.ended = Some((number, outcome));
        }
    }

    /// Whether no later or equal outcome of the fact's step was taken before.
    fn is_new(&self, fact: &Recorded) -> bool {
        self.steps.get(fact.key.step.as_str()).is_none_or(|run| *run < fact.key.run)
    }

    fn end_step(&mut self, fact: &Recorded) -> Option<u64> {
        if !self.is_new(fact) {
            return None;
        }
        self.steps.insert(fact.key.step.to_string(), fact.key.run);
        // What had nothing to do, or only passed on what it needs, did no work that took time.
        let idle = match &fact.body {
            Body::Skipped(_) => true,
            Body::Failed(it) => it.class == flywheel_events::FailureClass::InputFailed,
            _ => false,
        };
        let cause = fact.cause.filter(|_| !idle).map(short);
        let due = cause.and_then(|cause| self.recorded.iter().find(|(id, _)| *id == cause)).map(|(_, time)| *time);
        let newest = self.runs.last_key_value().map_or(1, |(_, run)| run.newest);
        if matches!(fact.body, Body::Ready(_)) && fact.key.run == newest {
            self.recorded.clear();
        } else {
            self.remember(fact);
        }
        let micros = fact.time.timestamp_micros().saturating_sub(due?);
        Some(u64::try_from(micros).unwrap_or(0))
    }

    fn remember(&mut self, fact: &Recorded) {
        self.recorded.push((short(fact.id), fact.time.timestamp_micros()));
    }

    /// When the session ended, microseconds since 1970.
    pub(super) fn instant(&self) -> Option<i64> {
        self.of.as_ref().map(|of| of.instant)
    }

    /// Whether it has a trading journal.
    pub(super) fn has_journal(&self) -> bool {
        self.generated.contains(&ArtifactType::TradeJournal)
    }

    /// What it adds to the sums.
    pub(super) fn counts(&self) -> Vec<(Count, i64)> {
        let Some(of) = &self.of else { return vec![] };
        let (pipeline, nothing) = (Cow::Borrowed(of.pipeline.as_str()), || Cow::Borrowed(""));
        let mut counts: Vec<(Count, i64)> = vec![];
        let mut add = |name, a, b, c, n| counts.push(((name, [a, b, c]), n));
        // Every microsecond of an i64 lies in chrono's calendar.
        let instant: DateTime<Utc> = DateTime::from_timestamp_micros(of.instant).unwrap_or_default();
        let week = Week::of(&instant).to_string().into();
        add(READY, week, nothing(), nothing(), length(self.ready.len()));
        add(GENERATED, nothing(), nothing(), nothing(), length(self.generated.len()));
        let newest = self.runs.values().filter_map(|run| run.ended).next_back();
        let outcome = newest.map_or("pending", |(_, outcome)| name(outcome));
        add(SESSIONS, of.agent.as_str().to_owned().into(), pipeline.clone(), outcome.into(), 1);
        for run in self.runs.values() {
            // With a retry under way nobody knows yet how the run ends.
            if let Some((_, outcome)) = run.ended.filter(|(ended, _)| *ended == run.newest) {
                add(RUNS_FINISHED, pipeline.clone(), nothing(), nothing(), 1);
                let completed = i64::from(outcome == Outcome::Ready);
                add(RUNS_COMPLETED, pipeline.clone(), nothing(), nothing(), completed);
            }
        }
        for (_, points) in self.ratings.values().filter(|(rater, _)| *rater != of.agent) {
            add(RATINGS, nothing(), nothing(), nothing(), 1);
            add(RATINGS_SUM, nothing(), nothing(), nothing(), i64::from(*points));
        }
        counts
    }
}

fn length(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn short(id: Uuid) -> Short {
    id.as_u64_pair().0
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ready => "ready",
        Outcome::Partial => "partial",
        Outcome::Failed => "failed",
    }
}

/// The (account, day) pairs with a fill.
///
/// `daily` has every day with a fill, and no account. With one account its days are those. With several, an account's days
/// are the days of its exits, and for each entry the day of `daily` that its own date is, else the next one, else the
/// last; a day that no account has this way is one pair without an account.
fn trading_days(summary: &Summarized) -> Vec<(String, String)> {
    let days: BTreeSet<&str> = summary.daily.iter().map(|day| day.trading_day.as_str()).collect();
    let opened = summary.lot_matches.iter().map(|piece| (piece.account.as_str(), piece.open_ts.as_str()));
    let opened: Vec<_> =
        opened.chain(summary.open_lots.iter().map(|lot| (lot.account.as_str(), lot.open_ts.as_str()))).collect();
    let accounts: BTreeSet<&str> = opened
        .iter()
        .map(|(account, _)| *account)
        .chain(summary.round_trips.iter().map(|trip| &*trip.account))
        .collect();
    let mut pairs: BTreeSet<(&str, &str)> = BTreeSet::new();
    if let [account] = accounts.iter().copied().collect::<Vec<_>>()[..] {
        pairs.extend(days.iter().map(|day| (account, *day)));
    } else {
        pairs.extend(summary.lot_matches.iter().map(|piece| (&*piece.account, &*piece.trading_day)));
        pairs.extend(summary.round_trips.iter().map(|trip| (&*trip.account, &*trip.trading_day)));
        for (account, open_ts) in opened {
            // RFC 3339 begins with the date in its own offset.
            let date = open_ts.get(..10).unwrap_or(open_ts);
            let day = days.range(date..).next().or_else(|| days.last());
            pairs.extend(day.map(|day| (account, *day)));
        }
        let claimed: BTreeSet<&str> = pairs.iter().map(|(_, day)| *day).collect();
        pairs.extend(days.difference(&claimed).map(|day| ("", *day)));
    }
    pairs.into_iter().map(|(account, day)| (account.to_owned(), day.to_owned())).collect()
}
