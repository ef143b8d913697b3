//! The laws of the read models, on generated logs: sessions of every pipeline with reruns, failures, skipped steps, cut
//! off runs and equal content.
//!
//! What "the same" means. Of one log, two ways of folding it must give the same [`digest`](views::digest), every column
//! included. Logs that hold the same sessions in another order give facts other positions and times, so there the
//! [`content_digest`](views::content_digest) must be the same: every column but `position`, `…_position` and
//! `recorded_at`. The order of one session's own facts is never changed, because a later one follows from an earlier.
#![allow(clippy::disallowed_methods, reason = "tests work with files")]

use flywheel::{
    local::Local,
    log::{EmbeddedLog, Log as _, NewFact},
    queue,
    runner::{RERUN_REQUESTED, SESSION_COMPLETED, step_of},
    stages::{pipeline, pipelines},
    verify::{self, Scene, verify},
    views::{self, Until},
};
use flywheel_events::{
    ArtifactGenerated, ArtifactRef, ArtifactType, Digest, Fact as _, FailureClass, FeedbackRecorded, Key, Kind,
    Outcome, SessionCompleted, SessionId, SessionReady, SessionRejected, SessionRerunRequested, SessionType, Step,
    StepFailed, StepSkipped, catalog,
};
use flywheel_projections::{Recorded, View};
use proptest::{prelude::*, sample::Index};
use rusqlite::Connection;
use std::path::Path;
use uuid::Uuid;

/// How a step of a run ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Completed; an artifact has one of a few contents, so that sessions share some.
    Completed(u8),
    Failed,
    Skipped,
}

/// A run of a session.
#[derive(Debug, Clone)]
struct Run {
    /// One for every step there may be.
    ends: Vec<End>,
    /// Whether only the second half of the pipeline is repeated.
    partial: bool,
}

#[derive(Debug, Clone)]
struct Session {
    session_type: SessionType,
    minute: u32,
    runs: Vec<Run>,
    /// How many facts at its end have not happened yet.
    cut_off: usize,
}

fn sessions() -> impl Strategy<Value = Vec<Session>> {
    let end = prop_oneof![4 => (0..3_u8).prop_map(End::Completed), 1 => Just(End::Failed), 1 => Just(End::Skipped)];
    let run = (prop::collection::vec(end, 8), any::<bool>()).prop_map(|(ends, partial)| Run { ends, partial });
    let cut_off = prop_oneof![3 => Just(0_usize), 1 => 0..6_usize];
    let session =
        (0..3_usize, 0..3_u32, prop::collection::vec(run, 1..4), cut_off).prop_map(|(kind, minute, runs, cut_off)| {
            Session { session_type: SessionType::ALL[kind], minute, runs, cut_off }
        });
    prop::collection::vec(session, 1..5)
}

fn fact<F: flywheel_events::Fact>(step: Step, session: SessionId, run: u32, data: &F) -> NewFact {
    NewFact::new(Key::session(step, session, run), "/laws", data)
}

/// The facts of a session, in its own order.
fn facts(session: &Session, number: u128) -> Vec<NewFact> {
    let id = SessionId::from(Uuid::from_u128(number));
    let session_type = session.session_type;
    let completed = SessionCompleted {
        session_id: id,
        session_type,
        timestamp: format!("2025-12-02T05:{:02}:00-06:00", session.minute).parse().expect("a stamp"),
        ..SessionCompleted::example()
    };
    let mut facts = vec![fact(SESSION_COMPLETED, id, 1, &completed)];
    let pipeline = pipeline(session_type);
    for (run, number) in session.runs.iter().zip(1..) {
        let all = pipeline.stages.len();
        let first = if number > 1 && run.partial { all / 2 } else { 0 };
        let rows = &pipeline.stages[first..];
        if number > 1 {
            let steps =
                if first == 0 { vec![] } else { rows.iter().map(|row| step_of(pipeline, row).to_string()).collect() };
            let asked = SessionRerunRequested { session_id: id, run: number, steps, reason: None };
            facts.push(fact(RERUN_REQUESTED, id, number, &asked));
        }
        let mut ready = SessionReady {
            session_id: id,
            session_type,
            agent_id: completed.agent_id.clone(),
            outcome: Outcome::Ready,
            artifacts: vec![],
            failures: vec![],
            skipped: vec![],
        };
        let mut items = vec![];
        for (row, end) in rows[..rows.len() - 1].iter().zip(&run.ends) {
            let step = step_of(pipeline, row);
            facts.push(match (end, row.makes) {
                (End::Completed(text), Some(artifact_type)) => {
                    let made = ArtifactGenerated::of_session(id, artifact_type, format!("# Text {text}\n"));
                    let (path, sha256) = (made.path.clone(), made.sha256);
                    ready.artifacts.push(ArtifactRef { artifact_type, path, sha256 });
                    items.extend(queue::items(&made));
                    fact(step, id, number, &made)
                }
                (End::Completed(_), None) => {
                    let event =
                        catalog::all().into_iter().find(|event| event.event_type == row.emits).expect("in the catalog");
                    let mut data = (event.example)();
                    data["session_id"] = id.to_string().into();
                    NewFact::of_value(Key::session(step, id, number), row.emits, "/laws", &data)
                }
                (End::Failed, _) => {
                    ready.outcome = Outcome::Partial;
                    let (name, message) = (step.to_string(), format!("run {number} failed"));
                    let class = FailureClass::World;
                    fact(
                        step,
                        id,
                        number,
                        &StepFailed { session_id: id, step: name, class, message, hint: None, attempts: 5 },
                    )
                }
                (End::Skipped, _) => {
                    let (name, reason) = (step.to_string(), "nothing to do".to_owned());
                    fact(step, id, number, &StepSkipped { session_id: id, step: name, reason })
                }
            });
        }
        facts.extend(items);
        facts.push(fact(step_of(pipeline, &pipeline.stages[all - 1]), id, number, &ready));
    }
    facts.truncate(facts.len().saturating_sub(session.cut_off).max(1));
    facts
}

/// What belongs to no session: refused input, an opinion, a file queued by hand with a content that sessions make too.
fn others() -> Vec<NewFact> {
    let key = |step: &'static str, kind, id| Key { step: Step::new(step), kind, id: Uuid::from_u128(id), run: 1 };
    let mut added = ArtifactGenerated::of_session(Uuid::nil().into(), ArtifactType::SocialPost, "# Text 1\n".into());
    (added.session_id, added.path) = (None, "queued/0000000000000000/social_post.md".to_owned());
    let mut facts = vec![
        NewFact::new(key("session-rejected", Kind::Feedback, 900), "/laws", &SessionRejected::example()),
        NewFact::new(key("feedback-recorded", Kind::Feedback, 901), "/laws", &FeedbackRecorded::example()),
        NewFact::new(key("queue-artifact_added", Kind::Publication, 902), "/laws", &added),
    ];
    facts.extend(queue::items(&added));
    facts
}

/// The facts of all, each session's own in its order, the sessions among each other as the picks say.
fn shuffled(sessions: &[Session], picks: &[Index]) -> Vec<NewFact> {
    let mut streams: Vec<_> =
        sessions.iter().zip(1..).map(|(session, number)| facts(session, number).into_iter().peekable()).collect();
    streams.push(others().into_iter().peekable());
    let (mut facts, mut picks) = (vec![], picks.iter().cycle());
    loop {
        streams.retain_mut(|stream| stream.peek().is_some());
        if streams.is_empty() {
            return facts;
        }
        let next = picks.next().expect("endless").index(streams.len());
        facts.extend(streams[next].next());
    }
}

/// A log in a folder of its own.
fn log_in(folder: &Path) -> EmbeddedLog {
    EmbeddedLog::open(folder, &Local::open(folder).expect("opens")).expect("opens")
}

fn append(log: &EmbeddedLog, facts: Vec<NewFact>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    // A queued content that is there already is a duplicate or a conflict, as in life.
    runtime.block_on(log.append(facts)).expect("appends");
}

fn recorded(log: &EmbeddedLog) -> Vec<Recorded> {
    let records = log.read_now(0, 100_000).expect("reads");
    let decode = |record: flywheel::log::Record| Recorded::decode(record.position, record.key, &record.event);
    records.into_iter().map(|row| row.record).map(decode).collect::<Result<_, _>>().expect("decodes")
}

fn logged(sessions: &[Session], picks: &[Index]) -> Vec<Recorded> {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log_in(folder.path());
    append(&log, shuffled(sessions, picks));
    recorded(&log)
}

fn empty(view: &View) -> Connection {
    let connection = Connection::open_in_memory().expect("opens");
    connection.execute_batch(view.schema).expect("makes the tables");
    connection
}

fn fold(view: &View, connection: &mut Connection, facts: &[Recorded]) {
    let transaction = connection.transaction().expect("begins");
    (view.fold)(&transaction, facts).expect("folds");
    transaction.commit().expect("commits");
}

fn whole(view: &View, facts: &[Recorded]) -> Connection {
    let mut connection = empty(view);
    fold(view, &mut connection, facts);
    connection
}

fn digest(connection: &Connection) -> Digest {
    views::digest(connection).expect("reads")
}

fn picks() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 16..64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_fact_twice_is_once(sessions in sessions(), picks in picks()) {
        let facts = logged(&sessions, &picks);
        let doubled: Vec<Recorded> = facts.iter().flat_map(|fact| [fact.clone(), fact.clone()]).collect();
        for view in flywheel_projections::all() {
            let mut connection = whole(view, &facts);
            let once = digest(&connection);
            prop_assert_eq!(digest(&whole(view, &doubled)), once, "{}", view.name);
            fold(view, &mut connection, &facts);
            prop_assert_eq!(digest(&connection), once, "{}: the whole log again", view.name);
        }
    }

    #[test]
    fn stopped_and_resumed_at_every_position_is_the_whole(sessions in sessions(), picks in picks()) {
        let facts = logged(&sessions, &picks);
        for view in flywheel_projections::all() {
            let once = digest(&whole(view, &facts));
            let mut one_by_one = empty(view);
            for position in 0..facts.len() {
                let mut connection = whole(view, &facts[..position]);
                prop_assert_eq!(digest(&connection), digest(&one_by_one), "{}: {}", view.name, position);
                // It dies before it commits, and begins again from its checkpoint.
                let transaction = connection.transaction().expect("begins");
                (view.fold)(&transaction, &facts[position..]).expect("folds");
                drop(transaction);
                fold(view, &mut connection, &facts[position..]);
                prop_assert_eq!(digest(&connection), once, "{}: resumed behind {}", view.name, position);
                fold(view, &mut one_by_one, &facts[position..=position]);
            }
        }
    }

    #[test]
    fn the_order_of_sessions_among_each_other_changes_nothing(
        sessions in sessions(), first in picks(), second in picks(),
    ) {
        let (first, second) = (logged(&sessions, &first), logged(&sessions, &second));
        for view in flywheel_projections::all() {
            let (one, other) = (whole(view, &first), whole(view, &second));
            let content = |connection| views::content_digest(connection).expect("reads");
            prop_assert_eq!(content(&one), content(&other), "{}", view.name);
            if view.name == "publish_queue" {
                prop_assert_eq!(originals(&one), originals(&other));
            }
        }
    }

    #[test]
    fn live_is_rebuilt_is_imported_elsewhere(
        sessions in sessions(), picks in picks(), steps in prop::collection::vec(1..12_usize, 1..6),
    ) {
        let (here, there, into) = (tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?);
        let log = log_in(here.path());
        let (mut facts, mut steps) = (shuffled(&sessions, &picks), steps.iter().cycle());
        while !facts.is_empty() {
            let step = (*steps.next().expect("endless")).min(facts.len());
            append(&log, facts.drain(..step).collect());
            // Not every view is asked as often as the others.
            for view in flywheel_projections::all().iter().skip(step % 2) {
                views::caught_up(here.path(), &log, view).expect("catches up");
            }
        }
        let mut export = String::new();
        log.export(0, |line| { export.push_str(line); export.push('\n'); Ok(()) }).expect("exports");
        let imported = log_in(there.path());
        imported.import(export.as_bytes(), "export").expect("imports");
        let all: Vec<&'static View> = flywheel_projections::all().iter().collect();
        let rebuilt = views::rebuild(here.path(), &log, &all, Until::Head, Some(into.path()), |_| {}).expect("rebuilds");
        for built in rebuilt {
            let live = views::caught_up(here.path(), &log, built.view).expect("catches up");
            prop_assert_eq!(digest(&live), built.digest, "{}: live and rebuilt", built.view.name);
            let elsewhere = views::caught_up(there.path(), &imported, built.view).expect("catches up");
            prop_assert_eq!(digest(&elsewhere), built.digest, "{}: imported elsewhere", built.view.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_that_was_only_appended_to_holds_and_its_manifest_counts_as_the_log_does(
        sessions in sessions(), picks in picks(),
    ) {
        let folder = tempfile::tempdir()?;
        let local = Local::open(folder.path()).expect("opens");
        let log = EmbeddedLog::open(folder.path(), &local).expect("opens");
        append(&log, shuffled(&sessions, &picks));
        let report = verify(&Scene { data: folder.path(), log: &log, local: &local }, |_| {}).expect("verifies");
        let cut_off = sessions.iter().zip(1..).map(|(session, number)| facts(session, number));
        let cut_off = cut_off.filter(|facts| !facts.last().expect("one").key.step.as_str().ends_with("-ready"));
        let unfinished: Vec<_> = cut_off.filter_map(|facts| facts[0].key.session_id()).collect();
        let mut found: Vec<_> = report.findings.iter().filter_map(|it| it.session_id).collect();
        found.sort();
        prop_assert_eq!(found, unfinished, "{:#?}", report.findings);
        prop_assert!(report.findings.iter().all(|it| it.kind == verify::Kind::Unfinished), "{:#?}", report.findings);
        let view = flywheel_projections::find("manifest").expect("there is one");
        let manifest = views::caught_up(folder.path(), &log, view).expect("catches up");
        let artifacts = views::read::manifest::artifacts(&manifest, None).expect("reads");
        let newest = artifacts.iter().filter(|artifact| !artifact.superseded).count();
        prop_assert_eq!(newest as u64, report.checked.artifacts);
        let groups = views::read::manifest::duplicates(&manifest).expect("reads");
        prop_assert_eq!(groups.len() as u64, report.checked.duplicates);
    }
}

/// Each item with its session and path.
fn originals(queue: &Connection) -> Vec<(Uuid, Option<SessionId>, Option<String>)> {
    let items = views::read::queue::items(queue, &views::read::queue::Filter::default(), 0, 10_000).expect("reads");
    let mut items: Vec<_> = items.into_iter().map(|item| (item.item_id, item.session_id, item.path)).collect();
    items.sort();
    items
}

#[test]
fn the_original_is_the_smallest_time_and_id_whichever_came_first() {
    let session = |minute| Session {
        session_type: SessionType::Build,
        minute,
        runs: vec![Run { ends: vec![End::Completed(2); 8], partial: false }],
        cut_off: 0,
    };
    // The second is the oldest; the first and the third have one time.
    let sessions = [session(2), session(1), session(2)];
    let folder = tempfile::tempdir().expect("a folder");
    let log = log_in(folder.path());
    for (session, number) in sessions.iter().zip(1..) {
        append(&log, facts(session, number));
    }
    let facts = recorded(&log);
    let view = |name| whole(flywheel_projections::find(name).expect("there is one"), &facts);
    let groups = views::read::manifest::duplicates(&view("manifest")).expect("reads");
    let id = |number| SessionId::from(Uuid::from_u128(number));
    let artifacts = pipelines().iter().find(|it| it.session_type == SessionType::Build).expect("there is one");
    assert_eq!(groups.len(), artifacts.stages.iter().filter(|row| row.makes_artifact()).count());
    for group in &groups {
        assert_eq!((group.original, &group.duplicates[..]), (id(2), &[id(1), id(3)][..]));
    }
    let items = originals(&view("publish_queue"));
    // A README at two targets, a build log and a post: once each, for three sessions.
    assert_eq!(items.len(), 4);
    assert!(items.iter().all(|(_, session, path)| {
        *session == Some(id(2)) && path.as_deref().is_some_and(|path| path.starts_with(&id(2).to_string()))
    }));
}
