//! Driving given sessions to the end of their run, and reading what came of them.

use crate::{
    log::{Error, Log, Record, Scope},
    runner::{self, RERUN_REQUESTED, Tools, step_of},
    stages::pipelines,
};
use flywheel_events::{Fact as _, Key, RepoScanned, SessionId, SessionType, Step};
use flywheel_projections::{Recorded, SessionView};
use serde_json::value::RawValue;
use std::{collections::HashSet, sync::Arc};

/// Most facts read at once.
const READ_MAX: usize = 1024;

/// Runs every stage of these sessions until each has its `ready`, calling `ended` for each as it ends.
///
/// Everything of theirs that matters is behind the position `after`.
///
/// # Errors
/// When the log fails.
pub async fn drive<L: Log>(
    log: &L,
    tools: &Arc<Tools>,
    sessions: HashSet<SessionId>,
    after: u64,
    ended: impl FnMut(SessionId),
) -> Result<(), Error> {
    let scope = Scope::Sessions { sessions: Arc::new(sessions.clone()), after };
    tokio::select! {
        all_ended = watch(log, sessions, after, ended) => all_ended,
        worked = runner::work(log.clone(), tools.clone(), scope) => worked,
    }
}

/// Follows the log until each session has its `ready`.
async fn watch<L: Log>(
    log: &L,
    mut waiting: HashSet<SessionId>,
    mut after: u64,
    mut ended: impl FnMut(SessionId),
) -> Result<(), Error> {
    let ready: HashSet<Step> = ready_steps().into_iter().map(|(_, step)| step).collect();
    while !waiting.is_empty() {
        let records = log.read(after, READ_MAX).await?;
        let Some(last) = records.last() else {
            log.grown(after).await?;
            continue;
        };
        after = last.position;
        for record in records.iter().filter(|record| ready.contains(&record.key.step)) {
            if let Some(session) = record.key.session_id().filter(|session| waiting.remove(session)) {
                ended(session);
            }
        }
    }
    Ok(())
}

/// The `ready` step of each pipeline.
fn ready_steps() -> Vec<(SessionType, Step)> {
    pipelines()
        .iter()
        .flat_map(|pipeline| pipeline.stages.iter().map(move |row| (pipeline, row)))
        .filter(|(_, row)| row.emits == <flywheel_events::SessionReady as flywheel_events::Fact>::TYPE)
        .map(|(pipeline, row)| (pipeline.session_type, step_of(pipeline, row)))
        .collect()
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
    let (_, step) =
        ready_steps().into_iter().find(|(of, _)| *of == session_type).expect("a test checks every pipeline ends");
    Ok(log.get(&Key::session(step, session, run)).await?.is_some())
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
    let pipelines = pipelines();
    let pipeline =
        pipelines.iter().find(|pipeline| pipeline.session_type == session_type).expect("every type has a pipeline");
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
    let fact = Recorded { position: record.position, key: &record.key, event_type: &event_type, data: &data };
    view.apply(&fact).map_err(|error| foreign(error.to_string()))
}
