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
use rusqlite::{OptionalExtension as _, Transaction, params, types::Type};
use session::{Count, GENERATED, State};
use std::collections::{BTreeMap, btree_map::Entry};
use uuid::Uuid;

pub(crate) const VIEW: View = View {
    name: "metrics",
    version: 1,
    about: "What came out, how good it is and how long it took.",
    schema: include_str!("metrics.sql"),
    fold,
};

/// What facts in a row change, before it is written.
#[derive(Default)]
struct Changes {
    /// Each session that was touched, as it was read and as it is.
    sessions: BTreeMap<Uuid, (State, State)>,
    counts: BTreeMap<Count, i64>,
    durations: BTreeMap<(String, u32), i64>,
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
        Entry::Occupied(known) => &mut known.into_mut().1,
        Entry::Vacant(new) => {
            let read = stored(transaction, id)?;
            &mut new.insert((read.clone(), read)).1
        }
    };
    if let Some(took) = state.take(fact) {
        *changes.durations.entry((took.step, duration::bucket(took.micros))).or_default() += 1;
    }
    match &fact.body {
        Body::Scanned(it) => {
            if let Some(name) = &it.repo_name {
                let sql = "INSERT OR IGNORE INTO repositories VALUES (?1, NULL, NULL, NULL, NULL)";
                transaction.prepare_cached(sql)?.execute([name])?;
            }
        }
        Body::Artifact(it) => {
            if let (Some(score), Some(name), Some(instant)) =
                (&it.notes.readme_score, &state.repository, state.instant())
            {
                transaction
                    .prepare_cached(
                        "UPDATE repositories SET clean = ?2, instant = ?3, session = ?4, run = ?5
                         WHERE name = ?1 AND (instant IS NULL OR (instant, session, run) < (?3, ?4, ?5))",
                    )?
                    .execute(params![name, score.clean, instant, id.as_bytes(), fact.key.run])?;
            }
            if it.artifact_type == flywheel_events::ArtifactType::TradeJournal {
                keep_trading_days(transaction, state)?;
            }
        }
        Body::Summarized(_) => keep_trading_days(transaction, state)?,
        _ => {}
    }
    Ok(())
}

fn keep_trading_days(transaction: &Transaction<'_>, state: &State) -> Result<(), Error> {
    let mut day = transaction.prepare_cached(
        "INSERT INTO trading_days VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET documented = max(documented, excluded.documented)",
    )?;
    for (account, trading_day) in &state.trading_days {
        day.execute(params![account, trading_day, state.has_journal()])?;
    }
    Ok(())
}

fn stored(transaction: &Transaction<'_>, id: Uuid) -> Result<State, Error> {
    let texts: Option<(String, String)> = transaction
        .prepare_cached("SELECT state, recorded_at FROM sessions WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((state, recorded)) = texts else { return Ok(State::default()) };
    let damaged = |error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error));
    State::read(&state, &recorded).map_err(|error| damaged(error).into())
}

fn write(transaction: &Transaction<'_>, mut changes: Changes) -> Result<(), Error> {
    let mut session = transaction.prepare_cached("INSERT OR REPLACE INTO sessions VALUES (?1, ?2, ?3)")?;
    for (id, (before, after)) in changes.sessions.iter().filter(|(_, (before, after))| before != after) {
        for (count, n) in before.counts() {
            *changes.counts.entry(count).or_default() -= n;
        }
        for (count, n) in after.counts() {
            *changes.counts.entry(count).or_default() += n;
        }
        let state = serde_json::to_string(after).expect("a state is plain JSON");
        let recorded = serde_json::to_string(&after.recorded).expect("a list is plain JSON");
        session.execute(params![id.as_bytes(), state, recorded])?;
    }
    let mut count = transaction.prepare_cached(
        "INSERT INTO counts VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET n = n + excluded.n",
    )?;
    let mut tidy =
        transaction.prepare_cached("DELETE FROM counts WHERE name = ?1 AND a = ?2 AND b = ?3 AND c = ?4 AND n = 0")?;
    for ((name, [a, b, c]), n) in changes.counts.iter().filter(|(_, n)| **n != 0) {
        count.execute(params![name, a, b, c, n])?;
        if *n < 0 {
            tidy.execute(params![name, a, b, c])?;
        }
    }
    let mut duration = transaction
        .prepare_cached("INSERT INTO durations VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET n = n + excluded.n")?;
    for ((step, bucket), n) in &changes.durations {
        duration.execute(params![step, bucket, n])?;
    }
    Ok(())
}
