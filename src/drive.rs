//! Driving given sessions to the end of their run, and reading what came of them.

use crate::{
    log::{EmbeddedLog, Error, Log, Record, Scope},
    runner::{self, RERUN_REQUESTED, Tools, step_of},
    stages::{Pipeline, pipeline, pipelines},
};
use flywheel_events::{Fact as _, Key, RepoScanned, SessionId, SessionType, Step};
use flywheel_projections::{RawFact, SessionView};
use serde_json::value::RawValue;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Most keys read at once.
const READ_MAX: usize = 1024;

/// Runs every stage of these sessions until this run of each has its `ready`, calling `ended` for each as it ends.
///
/// Everything of theirs that matters is behind the position `after`.
///
/// # Errors
/// When the log fails.
pub async fn drive<L: Log>(
    log: &L,
    tools: &Arc<Tools>,
    sessions: HashMap<SessionId, u32>,
    after: u64,
    ended: impl FnMut(SessionId),
) -> Result<(), Error> {
    let scope = Scope::Sessions { sessions: Arc::new(sessions.keys().copied().collect()), after };
    runner::work(log, pipelines(), tools, scope, |_| true, watch(log, sessions.clone(), after, ended)).await?;
    log.forget(&sessions).await
}

/// Follows the log until the run of each session has its `ready`.
async fn watch<L: Log>(
    log: &L,
    mut waiting: HashMap<SessionId, u32>,
    mut after: u64,
    mut ended: impl FnMut(SessionId),
) -> Result<(), Error> {
    let ready: HashSet<Step> = pipelines().iter().map(ready_step).collect();
    while !waiting.is_empty() {
        let keys = log.keys(after, READ_MAX).await?;
        let Some((last, _)) = keys.last() else {
            log.grown(after).await?;
            continue;
        };
        after = *last;
        for (_, key) in keys.iter().filter(|(_, key)| ready.contains(&key.step)) {
            let Some(session) = key.session_id() else { continue };
            if waiting.get(&session).is_some_and(|run| *run == key.run) {
                waiting.remove(&session);
                ended(session);
            }
        }
    }
    Ok(())
}

/// The step that ends a run of a pipeline: its last one.
fn ready_step(pipeline: &Pipeline) -> Step {
    step_of(pipeline, pipeline.stages.last().expect("a test checks that every pipeline ends in ready"))
}

/// The newest run of a session that was asked for.
///
/// # Errors
/// When the log fails.
pub async fn newest_run<L: Log>(log: &L, session: SessionId) -> Result<u32, Error> {
    let mut run = 1;
    while log.get(&Key::session(RERUN_REQUESTED, session, run + 1)).await?.is_some() {
        run += 1;
    }
    Ok(run)
}

/// Whether a run of a session has ended.
///
/// # Errors
/// When the log fails.
pub async fn has_ended<L: Log>(
    log: &L,
    session: SessionId,
    session_type: SessionType,
    run: u32,
) -> Result<bool, Error> {
    let step = ready_step(pipeline(session_type));
    Ok(log.get(&Key::session(step, session, run)).await?.is_some())
}

/// Forgets what is in flight of runs that have ended: processes that died between the end of a run and forgetting it have
/// left it behind, and nobody would look at it again.
///
/// # Errors
/// When the log fails.
pub async fn forget_ended(log: &EmbeddedLog) -> Result<(), Error> {
    let mut ended: HashMap<SessionId, u32> = HashMap::new();
    for (session, run) in log.in_flight()? {
        for pipeline in pipelines() {
            if log.get(&Key::session(ready_step(pipeline), session, run)).await?.is_some() {
                let newest = ended.entry(session).or_default();
                *newest = run.max(*newest);
            }
        }
    }
    if ended.is_empty() { Ok(()) } else { log.forget(&ended).await }
}

/// What a session's steps have come to, and what was remarked on the repository.
///
/// # Errors
/// When the log fails, or a fact of it does not read.
pub async fn view<L: Log>(
    log: &L,
    session: SessionId,
    session_type: SessionType,
    run: u32,
) -> Result<(SessionView, Vec<String>), Error> {
    let mut view = SessionView::default();
    let mut remarks = vec![];
    let pipeline = pipeline(session_type);
    for row in &pipeline.stages {
        for run in 1..=run {
            let key = Key::session(step_of(pipeline, row), session, run);
            if let Some(record) = log.get(&key).await? {
                apply(&mut view, &record)?;
                if row.emits == RepoScanned::TYPE {
                    remarks = remarks_of(&record);
                }
            }
        }
    }
    Ok((view, remarks))
}

/// Why a repository could not be read, and what was noticed in it. A step that ended otherwise says so itself.
fn remarks_of(record: &Record) -> Vec<String> {
    let Ok((_, scan)) = record.data::<RepoScanned>() else { return vec![] };
    let unreachable = scan.unreachable.map(|why| format!("the repository was not read: {why}"));
    unreachable.into_iter().chain(scan.warnings).collect()
}

fn apply(view: &mut SessionView, record: &Record) -> Result<(), Error> {
    let foreign = |error: String| Error::Foreign(error);
    let (event_type, data): (String, Box<RawValue>) =
        record.data().map_err(|error| foreign(format!("the fact {} does not read: {error}", record.key)))?;
    let fact = RawFact { key: &record.key, event_type: &event_type, data: &data };
    view.apply(&fact).map_err(|error| foreign(error.to_string()))
}
