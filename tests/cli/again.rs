//! `flywheel retry`, `rerun`, `feedback` and `metrics`: a session is run again, rated and counted.

use crate::{Place, TRADE, TRADE_ID, git, id, with_id};
use flywheel::{
    log::{EmbeddedLog, Log as _, NewFact},
    runner::RERUN_REQUESTED,
};
use flywheel_events::{Key, SessionRerunRequested};
use serde_json::{Value, json};
use std::fs;

fn commit(place: &Place, message: &str) {
    git(&place.path("repo"), &["add", "-A"]);
    git(&place.path("repo"), &["commit", "-q", "-m", message]);
}

/// A repository whose README has a broken block, and a session of it in `s.json`. Gives the session's id.
fn broken(place: &Place) -> String {
    place.put("repo/README.md", "# Tool\n\n<!-- flywheel:begin recent-work -->\nnever closed\n");
    place.put("repo/Cargo.toml", "[package]\nname = \"tool\"\ndescription = \"counts words\"\n");
    git(&place.path("repo"), &["init", "-q"]);
    commit(place, "feat: count words");
    let args = ["session", "new", "--agent", "Agent-7", "--repo", "repo", "--since", "1h", "--out", "s.json"];
    assert_eq!(place.run(&args).code, 0);
    let session: Value = serde_json::from_str(&place.read("s.json")).expect("JSON");
    session["session_id"].as_str().expect("an id").to_owned()
}

/// What `retry` or `rerun` reports of its session, and the exit code.
#[track_caller]
fn again(place: &Place, arguments: &[&str]) -> (Value, i32) {
    let ran = place.run(&[arguments, &["--json"]].concat());
    assert_eq!(ran.err, "", "{ran:?}");
    (ran.json()["sessions"][0].clone(), ran.code)
}

fn outcome(session: &Value) -> (&str, u64) {
    (session["status"].as_str().expect("a status"), session["run"].as_u64().expect("a run"))
}

fn types(session: &Value) -> Vec<&str> {
    let artifacts = session["artifacts"].as_array().expect("a list");
    artifacts.iter().map(|artifact| artifact["type"].as_str().expect("a type")).collect()
}

/// The steps of the facts of one run, in the order of the log.
fn steps_of(place: &Place, run: u32) -> Vec<String> {
    let end = format!("/{run}");
    let log = place.log();
    let keys = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["key"].clone());
    let keys = keys.map(|key| key.as_str().expect("text").to_owned()).collect::<Vec<_>>();
    let session = keys.iter().filter(|key| key.contains("/session/") && key.ends_with(&end));
    session.map(|key| key.split('/').next().expect("a step").to_owned()).collect()
}

fn queued(place: &Place) -> usize {
    place.log().lines().filter(|line| line.contains("\"key\":\"publication-queued/")).count()
}

fn value(place: &Place, name: &str) -> Vec<Value> {
    let ran = place.run(&["metrics", "--name", name, "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    ran.json()["metrics"].as_array().expect("a list").clone()
}

#[test]
fn a_refused_readme_is_made_once_the_repository_is_right() {
    let place = Place::new();
    let id = broken(&place);
    let (first, code) = place.session(&["s.json", "--out", "public"]);
    assert_eq!((first["status"].as_str(), code), (Some("partial"), 1));
    // The same file again is a duplicate, and says what to do.
    let (duplicate, code) = place.session(&["s.json"]);
    assert_eq!((duplicate["status"].as_str(), code), (Some("duplicate"), 0));
    assert!(duplicate["warnings"].to_string().contains(&format!("flywheel retry {id}")), "{duplicate}");
    assert_eq!(value(&place, "pipeline_success_rate")[0]["value"], "0");
    // Nothing is right yet.
    let (still, code) = again(&place, &["retry", &id]);
    assert_eq!((outcome(&still), code), (("partial", 2), 1));

    place.put("repo/README.md", "# Tool\n\nIt counts words.\n");
    commit(&place, "docs: mend the block");
    let queued_before = queued(&place);
    let (ready, code) = again(&place, &["retry", &id.to_uppercase()]);
    assert_eq!((outcome(&ready), code), (("ready", 3), 0), "{ready}");
    assert_eq!((&ready["failures"], ready["file"].as_str()), (&json!([]), place.path("s.json").to_str()));
    // In both places where its artifacts lie.
    assert_eq!(types(&ready), ["readme", "build_log", "social_post", "readme", "build_log", "social_post"]);
    for folder in [".flywheel/artifacts", "public"] {
        let made = place.read(&format!("{folder}/{id}/README.md"));
        assert!(made.contains("It counts words.") && made.contains("recent-work"), "{made}");
    }
    assert!(queued(&place) >= queued_before + 2, "the README waits for two targets");
    let file: Value = serde_json::from_str(&place.read("s.json")).expect("JSON");
    assert_eq!(file["pipeline_status"]["build_artifact"], "complete");
    assert_eq!(file["artifacts"]["readme"]["generated"], true);
    let steps = steps_of(&place, 3);
    assert_eq!(steps.first().map(String::as_str), Some("session-rerun_requested"));
    assert!(steps.contains(&"build-scan".to_owned()) && steps.contains(&"build-ready".to_owned()), "{steps:?}");
    let built = place.run(&["replay", "--into", "then", "--json"]).json();
    let views = built["views"].as_array().expect("a list");
    let manifest =
        views.iter().find(|view| view["view"] == "manifest").expect("a view")["path"].as_str().expect("a path");
    let manifest = rusqlite::Connection::open(place.path(manifest)).expect("opens");
    let newest = manifest.query_row("SELECT run, status FROM sessions", [], |row| Ok((row.get(0)?, row.get(1)?)));
    assert_eq!(newest, Ok((3_u32, "ready".to_owned())));
    // The first run and its retries are one run, which was completed.
    let rate = &value(&place, "pipeline_success_rate")[0];
    assert_eq!((&rate["value"], &rate["numerator"], &rate["denominator"]), (&json!("1"), &json!(1), &json!(1)));

    let (nothing, code) = again(&place, &["retry", &id]);
    assert_eq!((outcome(&nothing), code), (("duplicate", 3), 0));
    assert!(nothing["warnings"].to_string().contains("nothing has failed"), "{nothing}");
    assert_eq!(steps_of(&place, 4), Vec::<String>::new());
}

#[test]
fn a_rerun_sees_the_world_as_it_is_and_supersedes() {
    let place = Place::new();
    let id = broken(&place);
    place.put("repo/README.md", "# Tool\n");
    commit(&place, "fix: a plain readme");
    fs::rename(place.path("repo"), place.path("away")).expect("moves");
    let (first, code) = place.session(&["s.json"]);
    assert_eq!((first["status"].as_str(), code), (Some("ready"), 0), "{first}");
    let log_of_first = place.read(&format!(".flywheel/artifacts/{id}/build-log.md"));
    assert!(log_of_first.contains("the session itself"), "{log_of_first}");
    let queued_first = queued(&place);

    fs::rename(place.path("away"), place.path("repo")).expect("moves");
    let session = place.read("s.json");
    let (second, code) = again(&place, &["rerun", &id, "--no-update"]);
    assert_eq!((outcome(&second), code), (("ready", 2), 0), "{second}");
    let log_of_second = place.read(&format!(".flywheel/artifacts/{id}/build-log.md"));
    assert!(log_of_second.contains("git counts them"), "the newest scan was read: {log_of_second}");
    assert!(queued(&place) > queued_first, "another version waits under another digest");
    assert_eq!(place.read("s.json"), session, "--no-update leaves it alone");
    // The same world gives the same bytes, and nothing waits twice.
    let queued_second = queued(&place);
    let (third, code) = again(&place, &["rerun", &id]);
    assert_eq!((outcome(&third), code, queued(&place)), (("ready", 3), 0, queued_second));
    assert_eq!(third["artifacts"], second["artifacts"]);
    assert_eq!(steps_of(&place, 3).len(), 7, "the request and six steps");
    // Three versions of each artifact are one; three runs are three.
    let week = &value(&place, "artifacts_per_week")[0];
    assert_eq!(week["value"], json!(types(&third).len()));
    assert_eq!(value(&place, "pipeline_success_rate")[0]["denominator"], 3);
    assert_eq!(value(&place, "sessions")[0]["value"], 1);
    let kept = place.run(&["log", "show", &format!("build-build_log/session/{id}/1"), "--json"]).json();
    assert_eq!(kept["event"]["data"]["content"], log_of_first, "what was superseded stays in the log");
}

#[test]
fn a_step_is_repeated_by_name_with_what_follows_from_it() {
    let place = Place::with_trade();
    assert_eq!(place.run(&["run", "t.json"]).code, 0);
    let (ready, code) = again(&place, &["retry", TRADE_ID, "--step", "summarize"]);
    assert_eq!((outcome(&ready), code), (("ready", 2), 0));
    let mut steps = steps_of(&place, 2);
    steps.sort();
    let follow =
        ["equity_curve", "journal", "lessons", "ready", "summarize", "thread"].map(|name| format!("trade-{name}"));
    assert_eq!(steps, [vec!["session-rerun_requested".to_owned()], follow.to_vec()].concat());
    // What triggered a step is the last of its inputs, whichever was delivered first.
    let ready = place.run(&["log", "show", &format!("trade-ready/session/{TRADE_ID}/2"), "--json"]).json();
    let before = ready["position"].as_u64().expect("a position");
    let facts: Vec<Value> = place.log().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let last = facts.iter().rfind(|fact| {
        fact["position"].as_u64() < Some(before) && fact["key"].as_str().expect("text").starts_with("trade-")
    });
    assert_eq!(ready["event"]["causationid"], last.expect("a fact")["event"]["id"]);

    place.run(&["retry", TRADE_ID, "--step", "scan"]).refused(&["no step `scan`", "normalize", "equity_curve"]);
    place.run(&["retry", &id(9)]).refused(&["the log has no session", "flywheel run FILE"]);
    place.run(&["rerun", "nonsense"]).refused(&["is not a session id"]);
    Place::new().run(&["rerun", TRADE_ID]).refused(&["there is no log"]);
    assert_eq!(steps_of(&place, 3), Vec::<String>::new(), "a refusal asks for nothing");
}

#[test]
fn a_run_that_was_interrupted_is_driven_to_its_end_before_another_is_begun() {
    let place = Place::with_trade();
    assert_eq!(place.run(&["run", "t.json"]).code, 0);
    {
        let data = place.path(".flywheel");
        let local = flywheel::local::Local::open(&data).expect("opens");
        let log = EmbeddedLog::open(&data, &local).expect("opens");
        let session = TRADE_ID.parse().expect("an id");
        let request = SessionRerunRequested { session_id: session, run: 2, steps: vec![], reason: None };
        let fact = NewFact::new(Key::session(RERUN_REQUESTED, session, 2), "/flywheel/rerun", &request);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("builds");
        runtime.block_on(log.append(vec![fact])).expect("appends");
    }
    assert_eq!(value(&place, "sessions")[0]["dimensions"]["outcome"], "ready", "of the run that ended");
    let (ready, code) = again(&place, &["rerun", TRADE_ID]);
    assert_eq!((outcome(&ready), code), (("ready", 2), 0));
    assert!(ready["warnings"].to_string().contains("run 2 had not ended"), "{ready}");
    assert_eq!(steps_of(&place, 2).len(), 8, "the request and seven steps");
    assert_eq!(outcome(&again(&place, &["rerun", TRADE_ID]).0), ("ready", 3));
}

#[test]
fn a_session_file_that_has_changed_or_gone_is_left_alone() {
    let place = Place::with_trade();
    assert_eq!(place.run(&["run", "t.json"]).code, 0);
    let other = TRADE.replace("Agent-5", "Agent-6");
    place.put("t.json", &other);
    let (ready, code) = again(&place, &["rerun", TRADE_ID]);
    assert_eq!((outcome(&ready), code, place.read("t.json")), (("ready", 2), 0, other));
    assert!(ready["warnings"].to_string().contains("no longer the session"), "{ready}");
    fs::remove_file(place.path("t.json")).expect("removes");
    let (ready, code) = again(&place, &["rerun", TRADE_ID]);
    assert_eq!((outcome(&ready), code), (("ready", 3), 0));
    assert!(ready["warnings"].to_string().contains("no longer there"), "{ready}");
}

#[test]
fn feedback_counts_once_and_not_for_the_author() {
    let place = Place::with_trade();
    assert_eq!(place.run(&["run", "t.json"]).code, 0);
    let add =
        |arguments: &[&str]| place.run(&[&["feedback", "add", "--json", "--session", TRADE_ID], arguments].concat());
    let words =
        ["--agent", "Agent-7", "--quality", "4", "--artifact", "trade_journal", "--issue", "ask me@example.org"];
    let first = add(&words);
    assert_eq!((first.code, &first.json()["status"], &first.json()["counts"]), (0, &json!("recorded"), &json!(true)));
    assert!(first.err.contains("email removed"), "{first:?}");
    let log = place.log();
    assert!(!log.contains("me@example.org"));
    assert_eq!((&add(&words).json()["status"], place.log()), (&json!("duplicate"), log));
    assert_eq!(add(&["--agent", "Agent-5", "--quality", "1"]).json()["counts"], false);
    assert_eq!(add(&["--agent", "Agent-3", "--quality", "5", "--processing-time", "1.5"]).code, 0);
    let quality = &value(&place, "artifact_quality")[0];
    assert_eq!((&quality["value"], &quality["denominator"]), (&json!("4.5"), &json!(2)));

    add(&["--agent", "Agent-7", "--quality", "6"]).refused(&["6"]);
    add(&["--agent", "a b", "--quality", "5"]).refused(&["is not an agent id"]);
    add(&["--agent", "Agent-7", "--quality", "5", "--artifact", "readme"])
        .refused(&["makes no `readme`", "trade_thread"]);
    add(&["--agent", "Agent-7", "--quality", "5", "--processing-time=-1"]).refused(&["not below zero"]);
    let unknown = ["feedback", "add", "--session", &id(9), "--agent", "Agent-7", "--quality", "5"];
    place.run(&unknown).refused(&["the log has no session"]);
}

#[test]
fn metrics_are_the_same_live_and_rebuilt_and_for_people_and_programs() {
    let place = Place::with_trade();
    place.put("u.json", with_id(TRADE, &id(1)));
    assert_eq!(place.run(&["run", "t.json"]).code, 0);
    let names: Vec<String> = {
        let rows = place.run(&["metrics", "--json"]).json();
        rows["metrics"].as_array().expect("a list").iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (names.first().map(String::as_str), names.last().map(String::as_str)),
        (Some("artifacts_per_week"), Some("sessions"))
    );
    assert_eq!(place.run(&["run", "u.json"]).code, 0);
    let live = place.run(&["metrics", "--json"]).out;
    assert_eq!(place.run(&["replay"]).code, 0);
    assert_eq!(place.run(&["metrics", "--json"]).out, live);
    // Two sessions of one account on one day.
    let days = &value(&place, "trading_days_documented")[0];
    assert_eq!((&days["numerator"], &days["denominator"]), (&json!(1), &json!(1)));
    let text = place.run(&["metrics", "--week", "2025-W49"]).out;
    assert_eq!(text, "artifacts_per_week        2025-W49           6\n");
    let text = place.run(&["metrics"]).out;
    let line = text.lines().find(|line| line.contains("approved_or_expired")).expect("a line");
    assert!(line.starts_with("publication_rate ") && line.ends_with(" -  0 / 0"), "null is no figure: {line}");
    place.run(&["metrics", "--week", "2025-W60"]).refused(&["2025-W49"]);
    place.run(&["metrics", "--name", "luck"]).refused(&["artifact_quality"]);
    Place::new().run(&["metrics"]).refused(&["there is no log"]);
}
