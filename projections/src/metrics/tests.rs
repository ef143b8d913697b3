//! The fold against figures worked out by hand. Facts are built as the log has them, through `Recorded::decode`.

use super::{Row, Value, rows, session::State};
use crate::{Recorded, find};
use flywheel_events::{ArtifactGenerated, ArtifactType, Fact as _, Key, SessionId};
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value as Json, json};

const A: &str = "a1b2c3d4-e5f6-7890-abcd-ef1234567890";
const B: &str = "b2c3d4e5-f6a7-8901-bcde-f23456789012";
const C: &str = "c3d4e5f6-a7b8-9012-cdef-345678901234";

/// A fact of a log in the making: positions and times come from its place.
#[derive(Debug, Clone)]
struct Fact {
    key: String,
    event_type: String,
    data: Json,
    /// Microseconds since the log's beginning; a second after the fact before it where nothing else is said.
    at: Option<i64>,
    cause: Option<String>,
}

fn fact(session: &str, step: &str, run: u32, event_type: &str, data: Json) -> Fact {
    let event_type = format!("dev.dreamos.{event_type}.v1");
    Fact { key: format!("{step}/session/{session}/{run}"), event_type, data, at: None, cause: None }
}

impl Fact {
    fn at(mut self, micros: i64) -> Self {
        self.at = Some(micros);
        self
    }

    fn because_of(mut self, step: &str, session: &str, run: u32) -> Self {
        let key: Key = format!("{step}/session/{session}/{run}").parse().expect("a key");
        self.cause = Some(key.event_id().to_string());
        self
    }
}

fn session(id: &str, pipeline: &str, agent: &str, timestamp: &str) -> Fact {
    let data = json!({ "session_id": id, "session_type": pipeline, "timestamp": timestamp, "agent_id": agent });
    fact(id, "session-completed", 1, "session.completed", data)
}

fn artifact(id: &str, artifact_type: ArtifactType, step: &str, run: u32, text: &str) -> Fact {
    let session: SessionId = id.parse().expect("an id");
    let made = ArtifactGenerated::of_session(session, artifact_type, text.to_owned());
    fact(id, step, run, "artifact.generated", serde_json::to_value(made).expect("JSON"))
}

fn readme(id: &str, run: u32, clean: bool) -> Fact {
    let mut made = artifact(id, ArtifactType::Readme, "build-readme", run, "# Tool\n");
    made.data["notes"] = json!({ "readme_score": { "clean": clean, "score": 80 } });
    made
}

fn scanned(id: &str, run: u32, name: Option<&str>) -> Fact {
    fact(id, "build-scan", run, "repo.scanned", json!({ "repo_name": name, "unreachable": null }))
}

fn ready(id: &str, pipeline: &str, run: u32, outcome: &str, types: &[&str]) -> Fact {
    let digest = flywheel_events::Digest::of(b"");
    let artifacts: Vec<_> = types.iter().map(|name| json!({ "type": name, "path": "x", "sha256": digest })).collect();
    let data = json!({
        "session_id": id, "session_type": pipeline, "agent_id": "Agent-7", "outcome": outcome, "artifacts": artifacts,
        "failures": [], "skipped": [],
    });
    fact(id, &format!("{pipeline}-ready"), run, "session.ready", data)
}

fn rerun(id: &str, run: u32, steps: &[&str]) -> Fact {
    let data = json!({ "session_id": id, "run": run, "steps": steps, "reason": null });
    fact(id, "session-rerun_requested", run, "session.rerun_requested", data)
}

fn feedback(n: u32, session: &str, rater: &str, points: u8) -> Fact {
    let mut data = serde_json::to_value(flywheel_events::FeedbackRecorded::example()).expect("JSON");
    data["session_id"] = json!(session);
    data["agent_id"] = json!(rater);
    data["feedback"]["artifact_quality"] = json!(points);
    let mut fact = fact(session, "feedback-recorded", 1, "feedback.recorded", data);
    fact.key = format!("feedback-recorded/feedback/00000000-0000-4000-8000-{n:012}/1");
    fact
}

fn summarized(id: &str, days: &[&str], lots: &[(&str, &str, &str)], open: &[(&str, &str)]) -> Fact {
    let data = json!({
        "session_id": id,
        "daily": days.iter().map(|day| json!({ "trading_day": day })).collect::<Vec<_>>(),
        "round_trips": [],
        "lot_matches": lots.iter().map(|(account, opened, day)| json!({
            "account": account, "open_ts": opened, "trading_day": day,
        })).collect::<Vec<_>>(),
        "open_lots": open.iter().map(|(account, opened)| json!({ "account": account, "open_ts": opened })).collect::<Vec<_>>(),
    });
    fact(id, "trade-summarize", 1, "trading.summarized", data)
}

fn decode(facts: &[Fact]) -> Vec<Recorded> {
    let mut time = 0;
    let decode = |(i, fact): (usize, &Fact)| {
        time = fact.at.unwrap_or(time + 1_000_000);
        let recorded = chrono::DateTime::from_timestamp_micros(time).expect("a time");
        let event = json!({
            "type": fact.event_type, "time": recorded.to_rfc3339(), "data": fact.data, "causationid": fact.cause,
        });
        let key = fact.key.parse().expect("a key");
        Recorded::decode(i as u64 + 1, key, &event.to_string()).unwrap_or_else(|error| panic!("{error}"))
    };
    facts.iter().enumerate().map(decode).collect()
}

/// The view of these facts, folded in batches of so many.
fn view(facts: &[Recorded], batch: usize) -> Connection {
    let view = find("metrics").expect("a row of the table");
    let mut connection = Connection::open_in_memory().expect("opens");
    connection.execute_batch(view.schema).expect("makes the tables");
    for batch in facts.chunks(batch) {
        let transaction = connection.transaction().expect("begins");
        (view.fold)(&transaction, batch).expect("folds");
        transaction.commit().expect("commits");
    }
    connection
}

fn all(facts: &[Fact]) -> Vec<Row> {
    let recorded = decode(facts);
    rows(&view(&recorded, 3), recorded.len() as u64, None).expect("reads")
}

/// The rows of one metric as `what it is of: value (numerator/denominator)`.
#[track_caller]
fn check(facts: &[Fact], name: &str, expect: &[&str]) {
    let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
    let shown: Vec<String> = all(facts)
        .iter()
        .filter(|row| row.name == name)
        .map(|row| {
            let of: Vec<&str> = row.dimensions.values().map(String::as_str).collect();
            let value = match &row.value {
                None => "null".to_owned(),
                Some(Value::Count(n)) => n.to_string(),
                Some(Value::Figure(figure)) => format!("'{figure}'"),
            };
            let (n, d) = (number(row.numerator), number(row.denominator));
            format!("{} {}: {value} ({n}/{d})", row.window, of.join(" "))
        })
        .collect();
    assert_eq!(shown, expect);
}

#[test]
fn an_empty_log_has_nothing_to_divide_by() {
    check(&[], "artifacts_per_week", &[]);
    check(&[], "repos_with_clean_readmes", &["all : null (0/0)"]);
    check(&[], "trading_days_documented", &["all : null (0/0)"]);
    check(&[], "publication_rate", &["all generated: null (0/0)", "all approved_or_expired: null (0/0)"]);
    let none = ["all build: null (0/0)", "all trade: null (0/0)", "all life_aria: null (0/0)"];
    check(&[], "pipeline_success_rate", &none);
    check(&[], "artifact_quality", &["all rating: null (0/0)", "all edit_distance: null (0/0)"]);
    check(&[], "sessions", &[]);
    assert_eq!(all(&[]).iter().filter(|row| row.name == "step_duration_seconds").count(), 0);
}

#[test]
fn an_artifact_counts_once_in_the_week_of_its_session() {
    let facts = [
        // Monday in Kathmandu, the Sunday before in UTC.
        session(A, "build", "Agent-7", "2025-12-29T05:44:59+05:45"),
        session(B, "build", "Agent-7", "2025-12-29T00:00:00Z"),
        session(C, "build", "Agent-7", "2024-12-30T12:00:00Z"),
        ready(A, "build", 1, "partial", &["build_log", "social_post"]),
        ready(B, "build", 1, "ready", &["build_log"]),
        // Nothing new: a new version of the same artifact, and later one that was not there before.
        rerun(A, 2, &[]),
        ready(A, "build", 2, "ready", &["build_log", "social_post", "readme"]),
        ready(C, "build", 1, "failed", &[]),
    ];
    check(&facts, "artifacts_per_week", &["2025-W52 : 3 (3/-)", "2026-W01 : 1 (1/-)"]);
    let recorded = decode(&facts);
    let week = |week: &str| rows(&view(&recorded, 100), 8, Some(week.parse().expect("a week"))).expect("reads");
    assert_eq!(week("2026-W01")[0].value, Some(Value::Count(1)));
    assert_eq!((week("2026-W02").len(), &week("2026-W02")[0].value), (1, &Some(Value::Count(0))));
}

#[test]
fn a_repository_is_as_clean_as_its_latest_scored_readme() {
    let begin = |id: &str, day: &str| session(id, "build", "Agent-7", &format!("2025-12-{day}T10:00:00Z"));
    // B is the later session, whichever is recorded first.
    let facts = |first: &str, second: &str| {
        vec![
            begin(first, if first == B { "03" } else { "02" }),
            begin(second, if second == B { "03" } else { "02" }),
            scanned(first, 1, Some("tool")),
            scanned(second, 1, Some("tool")),
            readme(first, 1, first == B),
            readme(second, 1, second == B),
        ]
    };
    check(&facts(A, B), "repos_with_clean_readmes", &["all : '1' (1/1)"]);
    check(&facts(B, A), "repos_with_clean_readmes", &["all : '1' (1/1)"]);
    // A later run of the later session counts, one of the earlier does not; a repository without a score is known.
    let mut more = facts(A, B);
    more.extend([readme(A, 2, true), readme(B, 2, false), begin(C, "04"), scanned(C, 1, Some("other"))]);
    check(&more, "repos_with_clean_readmes", &["all : '0' (0/2)"]);
    more.extend([scanned(C, 2, None)]);
    check(&more, "repos_with_clean_readmes", &["all : '0' (0/2)"]);
}

#[test]
fn a_trading_day_is_documented_by_a_journal() {
    let begin = |id| session(id, "trade", "Agent-5", "2025-12-03T10:00:00Z");
    let journal = |id| artifact(id, ArtifactType::TradeJournal, "trade-journal", 1, "# Journal\n");
    // One account: every day with a fill is its own, the day it only opened a lot on too.
    let one = [
        begin(A),
        summarized(A, &["2025-12-01", "2025-12-02"], &[("x", "2025-12-01T23:00:00-06:00", "2025-12-02")], &[]),
    ];
    check(&one, "trading_days_documented", &["all : '0' (0/2)"]);
    let documented = [&one[..], &[journal(A)]].concat();
    check(&documented, "trading_days_documented", &["all : '1' (2/2)"]);
    // The same day and account in a session without a journal is the same day; another account's is not.
    let more = [
        &documented[..],
        &[begin(B), summarized(B, &["2025-12-02"], &[("x", "2025-12-02T10:00:00Z", "2025-12-02")], &[])],
        &[begin(C), summarized(C, &["2025-12-02"], &[], &[("y", "2025-12-02T10:00:00Z")])],
    ]
    .concat();
    check(&more, "trading_days_documented", &["all : '0.6666666666666666666666666667' (2/3)"]);
    // Two accounts: x on the 1st and 2nd, y on the 4th (opened on a Saturday that counts as the 4th); nobody has the 9th.
    let lots = [("x", "2025-12-01T10:00:00Z", "2025-12-02")];
    let days = ["2025-12-01", "2025-12-02", "2025-12-04", "2025-12-09"];
    let two = [begin(A), summarized(A, &days, &lots, &[("y", "2025-12-03T10:00:00Z")]), journal(A)];
    check(&two, "trading_days_documented", &["all : '1' (4/4)"]);
}

#[test]
fn nothing_is_published_yet_and_a_new_version_is_no_new_artifact() {
    let mut by_hand = artifact(B, ArtifactType::Readme, "queue-artifact_added", 1, "# By hand\n");
    by_hand.key = format!("queue-artifact_added/publication/{B}/1");
    by_hand.data["session_id"] = Json::Null;
    let facts = [
        session(A, "build", "Agent-7", "2025-12-02T10:00:00Z"),
        artifact(A, ArtifactType::BuildLog, "build-build_log", 1, "one"),
        artifact(A, ArtifactType::SocialPost, "build-social", 1, "two"),
        artifact(A, ArtifactType::BuildLog, "build-build_log", 2, "three"),
        by_hand,
    ];
    check(&facts, "publication_rate", &["all generated: '0' (0/3)", "all approved_or_expired: null (0/0)"]);
}

#[test]
fn retries_fold_into_the_run_they_repair() {
    let begin = |id| session(id, "build", "Agent-7", "2025-12-02T10:00:00Z");
    let rate = |facts: &[Fact], expect: &str| {
        check(facts, "pipeline_success_rate", &[expect, "all trade: null (0/0)", "all life_aria: null (0/0)"]);
    };
    let mut facts = vec![begin(A)];
    rate(&facts, "all build: null (0/0)");
    facts.push(ready(A, "build", 1, "partial", &[]));
    rate(&facts, "all build: '0' (0/1)");
    check(&facts, "sessions", &["all Agent-7 partial build: 1 (1/-)"]);
    facts.push(rerun(A, 2, &["build-readme", "build-ready"]));
    rate(&facts, "all build: null (0/0)");
    facts.push(ready(A, "build", 2, "ready", &[]));
    rate(&facts, "all build: '1' (1/1)");
    // A re-run of everything is a run of its own.
    facts.push(rerun(A, 3, &[]));
    rate(&facts, "all build: '1' (1/1)");
    facts.push(ready(A, "build", 3, "failed", &[]));
    rate(&facts, "all build: '0.5' (1/2)");
    facts.extend([begin(B)]);
    let sessions = ["all Agent-7 failed build: 1 (1/-)", "all Agent-7 pending build: 1 (1/-)"];
    check(&facts, "sessions", &sessions);
    rate(&facts, "all build: '0.5' (1/2)");
}

#[test]
fn nobody_rates_their_own_work() {
    let facts = [
        session(A, "build", "Agent-7", "2025-12-02T10:00:00Z"),
        feedback(1, A, "Agent-5", 4),
        feedback(2, A, "Agent-7", 5),
        feedback(3, A, "Agent-3", 3),
        feedback(4, A, "Agent-3", 3),
    ];
    let edits = "all edit_distance: null (0/0)";
    // (4 + 3 + 3) / 3.
    check(&facts, "artifact_quality", &["all rating: '3.3333333333333333333333333333' (10/3)", edits]);
    check(&facts[..3], "artifact_quality", &["all rating: '4' (4/1)", edits]);
}

#[test]
fn a_step_takes_from_its_last_input_to_its_outcome() {
    let skipped =
        |step: &str| fact(A, step, 1, "step.skipped", json!({ "session_id": A, "step": step, "reason": "nothing" }));
    let facts = [
        session(A, "build", "Agent-7", "2025-12-02T10:00:00Z").at(0),
        scanned(A, 1, None).at(100).because_of("session-completed", A, 1),
        skipped("build-readme").at(150).because_of("build-scan", A, 1),
        artifact(A, ArtifactType::BuildLog, "build-build_log", 1, "x").at(160).because_of("build-scan", A, 1),
        ready(A, "build", 1, "ready", &["build_log"]).at(167).because_of("build-build_log", A, 1),
        rerun(A, 2, &["build-build_log", "build-ready"]).at(2_000_000),
        artifact(A, ArtifactType::BuildLog, "build-build_log", 2, "x").at(2_000_030).because_of(
            "session-rerun_requested",
            A,
            2,
        ),
        ready(A, "build", 2, "ready", &["build_log"]).at(2_000_040).because_of("build-build_log", A, 2),
    ];
    let expect = [
        "all p50 build-build_log: '0.00003' (-/2)",
        "all p95 build-build_log: '0.00006' (-/2)",
        "all p99 build-build_log: '0.00006' (-/2)",
        "all p50 build-ready: '0.000007' (-/2)",
        "all p95 build-ready: '0.00001' (-/2)",
        "all p99 build-ready: '0.00001' (-/2)",
        "all p50 build-scan: '0.0001' (-/1)",
        "all p95 build-scan: '0.0001' (-/1)",
        "all p99 build-scan: '0.0001' (-/1)",
    ];
    check(&facts, "step_duration_seconds", &expect);
}

/// Everything at once: three sessions, each with its own facts in their order.
fn stories() -> Vec<Vec<Fact>> {
    vec![
        vec![
            session(A, "build", "Agent-7", "2025-12-29T05:44:59+05:45"),
            scanned(A, 1, Some("tool")).because_of("session-completed", A, 1),
            readme(A, 1, true).because_of("build-scan", A, 1),
            ready(A, "build", 1, "partial", &["readme"]).because_of("build-readme", A, 1),
            feedback(1, A, "Agent-5", 4),
            rerun(A, 2, &["build-readme", "build-ready"]),
            readme(A, 2, false).because_of("session-rerun_requested", A, 2),
            ready(A, "build", 2, "ready", &["readme"]).because_of("build-readme", A, 2),
            rerun(A, 3, &[]),
        ],
        vec![
            session(B, "trade", "Agent-5", "2025-12-02T10:00:00Z"),
            summarized(B, &["2025-12-02"], &[("x", "2025-12-02T10:00:00Z", "2025-12-02")], &[]),
            artifact(B, ArtifactType::TradeJournal, "trade-journal", 1, "j").because_of("trade-summarize", B, 1),
            ready(B, "trade", 1, "ready", &["trade_journal"]).because_of("trade-journal", B, 1),
            feedback(2, B, "Agent-5", 5),
        ],
        vec![
            session(C, "build", "Agent-7", "2025-12-29T05:44:58+05:45"),
            scanned(C, 1, Some("tool")),
            readme(C, 1, true),
            ready(C, "build", 1, "ready", &["readme"]),
        ],
    ]
}

/// Every row of every table.
fn dump(connection: &Connection) -> Vec<String> {
    let mut lines = vec![];
    for table in ["sessions", "counts", "durations", "repositories", "trading_days", "by_hand"] {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).expect("reads");
        let columns = statement.column_count();
        let mut rows = statement.query([]).expect("reads");
        while let Some(row) = rows.next().expect("reads") {
            let values: Vec<_> = (0..columns).map(|i| format!("{:?}", row.get_ref(i).expect("reads"))).collect();
            lines.push(format!("{table} {}", values.join(" ")));
        }
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However sessions are interleaved and facts cut into batches, and however often a fact comes: the same tables.
    #[test]
    fn order_between_sessions_batches_and_repeats_do_not_matter(
        picks in prop::collection::vec(0_usize..3, 0..40), batch in 1_usize..30, repeat in 0_usize..30, again: bool,
    ) {
        let plain: Vec<Recorded> = stories().iter().flat_map(|story| decode(story)).collect();
        let expect = dump(&view(&plain, 100));
        let mut open: Vec<_> = stories().iter().map(|story| decode(story).into_iter()).collect();
        let mut mixed: Vec<Recorded> = picks.iter().filter_map(|pick| open[*pick].next()).collect();
        mixed.extend(open.into_iter().flatten());
        let mut repeated: Vec<Recorded> = vec![];
        for (i, fact) in mixed.iter().enumerate() {
            repeated.push(fact.clone());
            // One that came before, and this one once more.
            repeated.push(mixed[repeat.min(i)].clone());
            repeated.push(fact.clone());
        }
        if again {
            repeated.extend(mixed.clone());
        }
        prop_assert_eq!(&dump(&view(&mixed, batch)), &expect);
        prop_assert_eq!(&dump(&view(&repeated, batch)), &expect);
    }
}

#[test]
fn a_state_round_trips_through_its_text() {
    let mut state = State::default();
    for fact in stories().iter().flat_map(|story| decode(story)) {
        state.take(&fact);
        let (text, recorded) = (serde_json::to_string(&state), serde_json::to_string(&state.recorded));
        let (text, recorded) = (text.expect("JSON"), recorded.expect("JSON"));
        assert_eq!(State::read(&text, &recorded).expect("reads"), state);
    }
}
