//! `metrics`: how much comes out, how good it is and how long it takes, defined so that the figures cannot lie.
//!
//! | name | value |
//! |---|---|
//! | `artifacts_per_week` | artifacts (a session's, by type) that a finished run had to show for the first time, whatever became of the run's other steps, in the ISO week (UTC) of the session's own time. Re-renders and later versions do not count |
//! | `repos_with_clean_readmes` | repositories whose latest scored README is clean / repositories that a scan named. Latest by session time; a repository is its name |
//! | `trading_days_documented` | (account, trading day) pairs of sessions with a journal / pairs with a fill ([`session`] says how days are told to accounts) |
//! | `publication_rate` | published / generated, and published / (approved + expired). Generated are artifacts by session and type, and files queued by hand |
//! | `pipeline_success_rate` | runs that ended `ready` / runs that ended, per pipeline. A retry belongs to the run it repairs, which is in flight until it ends; a re-run of everything is a run of its own |
//! | `artifact_quality` | mean rating 1–5 with n, of raters other than the session's agent; and the edit distance between what was generated and what was approved, null while nothing can be approved |
//! | `step_duration_seconds` | p50, p95 and p99 per step, from its last input to its outcome, both as recorded. What had nothing to do or could not begin is left out |
//! | `sessions` | sessions per agent, pipeline and outcome of the newest run that ended |
//!
//! Nothing can be approved or published yet, so those numerators are 0.

mod duration;
mod read;
mod session;
#[cfg(test)]
mod tests;
mod week;

pub use read::{NAMES, Row, Value, rows};
pub use week::{NoWeek, Week};

use crate::{Body, Error, Recorded, View};
use flywheel_events::Step;
use rusqlite::{OptionalExtension as _, Transaction, params, types::Type};
use session::{Count, GENERATED, State};
use std::collections::{BTreeMap, HashMap, hash_map::Entry};
use uuid::Uuid;

pub(crate) const VIEW: View = View {
    name: "metrics",
    version: 1,
    about: "What came out, how good it is and how long it took.",
    schema: include_str!("metrics.sql"),
    fold,
};

/// What facts in a row change, before it is written: each row once, however many of them touch it.
#[derive(Default)]
struct Changes {
    sessions: HashMap<Uuid, Touched>,
    counts: BTreeMap<Count, i64>,
    durations: BTreeMap<(Step, u32), i64>,
    /// Those that a scan named, with the latest score of their README.
    repositories: BTreeMap<String, Option<Score>>,
}

/// A session as it is stored, where it is, and as it has become.
struct Touched {
    before: Option<State>,
    after: State,
}

/// How a README came out, ordered by what makes one the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    instant: i64,
    session: Uuid,
    run: u32,
    clean: bool,
}

fn fold(transaction: &Transaction<'_>, facts: &[Recorded]) -> Result<(), Error> {
    let mut changes = Changes::default();
    for fact in facts {
        match &fact.body {
            Body::Rejected(_) | Body::Queued(_) => {}
            Body::Artifact(it) if it.session_id.is_none() => {
                let new = transaction
                    .prepare_cached("INSERT OR IGNORE INTO by_hand VALUES (?1)")?
                    .execute([fact.key.id.as_bytes()])?;
                if new > 0 {
                    *changes.counts.entry((GENERATED, Default::default())).or_default() += 1;
                }
            }
            Body::Feedback(it) => take(transaction, &mut changes, it.session_id.as_uuid(), fact)?,
            _ => take(transaction, &mut changes, fact.key.id, fact)?,
        }
    }
    write(transaction, changes)
}

/// Takes one fact of a session.
fn take(transaction: &Transaction<'_>, changes: &mut Changes, id: Uuid, fact: &Recorded) -> Result<(), Error> {
    let state = match changes.sessions.entry(id) {
        Entry::Occupied(known) => &mut known.into_mut().after,
        Entry::Vacant(new) => {
            let before = stored(transaction, id)?;
            let after = before.clone().unwrap_or_default();
            &mut new.insert(Touched { before, after }).after
        }
    };
    if let Some(micros) = state.take(fact) {
        *changes.durations.entry((fact.key.step.clone(), duration::bucket(micros))).or_default() += 1;
    }
    match &fact.body {
        Body::Scanned(it) => {
            if let Some(name) = &it.repo_name {
                changes.repositories.entry(name.clone()).or_default();
            }
        }
        Body::Artifact(it) => {
            if let (Some(score), Some(name), Some(instant)) =
                (&it.notes.readme_score, &state.repository, state.instant())
            {
                let score = Score { instant, session: id, run: fact.key.run, clean: score.clean };
                let latest = changes.repositories.entry(name.clone()).or_default();
                *latest = (*latest).max(Some(score));
            }
        }
        _ => {}
    }
    Ok(())
}

fn stored(transaction: &Transaction<'_>, id: Uuid) -> Result<Option<State>, Error> {
    let texts: Option<(String, String)> = transaction
        .prepare_cached("SELECT state, recorded_at FROM sessions WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((state, recorded)) = texts else { return Ok(None) };
    let damaged = |error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error));
    State::read(&state, &recorded).map(Some).map_err(|error| damaged(error).into())
}

fn write(transaction: &Transaction<'_>, changes: Changes) -> Result<(), Error> {
    let Changes { sessions, mut counts, durations, repositories } = changes;
    // In the order of the table: neighbours lie on one page.
    let mut changed: Vec<_> =
        sessions.iter().filter(|(_, touched)| touched.before.as_ref() != Some(&touched.after)).collect();
    changed.sort_unstable_by_key(|(id, _)| **id);
    let mut days: BTreeMap<&(String, String), bool> = BTreeMap::new();
    let mut session = transaction.prepare_cached("INSERT OR REPLACE INTO sessions VALUES (?1, ?2, ?3)")?;
    for (id, Touched { before, after }) in changed {
        for (count, n) in before.iter().flat_map(State::counts) {
            *counts.entry(count).or_default() -= n;
        }
        for (count, n) in after.counts() {
            *counts.entry(count).or_default() += n;
        }
        for day in &after.trading_days {
            *days.entry(day).or_default() |= after.has_journal();
        }
        let state = serde_json::to_string(after).expect("a state is plain JSON");
        let recorded = serde_json::to_string(&after.recorded).expect("a list is plain JSON");
        session.execute(params![id.as_bytes(), state, recorded])?;
    }
    write_sums(transaction, &counts, &durations)?;
    let mut trading_day = transaction.prepare_cached(
        "INSERT INTO trading_days VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET documented = max(documented, excluded.documented)",
    )?;
    for ((account, day), documented) in days {
        trading_day.execute(params![account, day, documented])?;
    }
    let mut repository = transaction.prepare_cached(
        "INSERT INTO repositories VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE
         SET clean = excluded.clean, instant = excluded.instant, session = excluded.session, run = excluded.run
         WHERE excluded.instant IS NOT NULL
         AND (instant IS NULL OR (instant, session, run) < (excluded.instant, excluded.session, excluded.run))",
    )?;
    for (name, score) in &repositories {
        let session = score.as_ref().map(|score| score.session.as_bytes());
        let (clean, instant, run) = (score.map(|it| it.clean), score.map(|it| it.instant), score.map(|it| it.run));
        repository.execute(params![name, clean, instant, session, run])?;
    }
    Ok(())
}

fn write_sums(
    transaction: &Transaction<'_>,
    counts: &BTreeMap<Count, i64>,
    durations: &BTreeMap<(Step, u32), i64>,
) -> Result<(), Error> {
    let mut count = transaction.prepare_cached(
        "INSERT INTO counts VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET n = n + excluded.n",
    )?;
    let mut tidy =
        transaction.prepare_cached("DELETE FROM counts WHERE name = ?1 AND a = ?2 AND b = ?3 AND c = ?4 AND n = 0")?;
    for ((name, [a, b, c]), n) in counts.iter().filter(|(_, n)| **n != 0) {
        count.execute(params![name, a, b, c, n])?;
        if *n < 0 {
            tidy.execute(params![name, a, b, c])?;
        }
    }
    let mut duration = transaction
        .prepare_cached("INSERT INTO durations VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET n = n + excluded.n")?;
    for ((step, bucket), n) in durations {
        duration.execute(params![step.as_str(), bucket, n])?;
    }
    Ok(())
}
