//! Processes that die and processes beside each other: nothing lost, nothing twice.

use crate::{LIFE, Place, Ran, TRADE, TRADE_ID, id, with_id};
use serde_json::Value;
use std::{collections::BTreeSet, process::Stdio, time::Duration};

/// Positions without gaps, every key once, and each session with one `ready`.
fn check_log(place: &Place, sessions: usize) -> String {
    let log = place.log();
    let facts: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for (index, fact) in facts.iter().enumerate() {
        assert_eq!(fact["position"].as_u64(), Some(index as u64 + 1));
    }
    let keys: BTreeSet<&str> = facts.iter().map(|fact| fact["key"].as_str().expect("a key")).collect();
    assert_eq!(keys.len(), facts.len(), "every key once");
    let ready = keys.iter().filter(|key| key.contains("-ready/")).count();
    assert_eq!(ready, sessions, "{keys:?}");
    log
}

#[test]
fn a_session_whose_process_was_killed_is_finished_by_the_next_run() {
    // The log an undisturbed run writes: the set of its keys is what every other must come to.
    let keys = |log: &str| -> BTreeSet<String> {
        let key = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["key"].to_string();
        log.lines().map(key).collect()
    };
    let whole = Place::with_trade();
    assert_eq!(whole.run(&["run", "t.json"]).code, 0);
    let expect = keys(&whole.log());
    // From before there is a log, through every step between append and ready, to the files.
    for round in 0..20_u64 {
        let place = Place::with_trade();
        let mut child = place.command(&["run", "t.json"]).stdout(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(round * 12));
        child.kill().expect("kills");
        child.wait().expect("ends");
        let (session, code) = place.session(&["t.json"]);
        assert_eq!(code, 0, "round {round}: {session}");
        assert_eq!(session["artifacts"].as_array().map(Vec::len), Some(3), "round {round}");
        assert_eq!(keys(&check_log(&place, 1)), expect, "round {round}");
        let file: Value = serde_json::from_str(&place.read("t.json")).expect("JSON");
        assert_eq!(file["pipeline_status"]["trade_artifact"], "complete", "round {round}");
    }
}

#[test]
fn an_accepted_session_is_finished_and_others_are_left_alone() {
    let place = Place::with_trade();
    place.put("u.json", with_id(TRADE, &id(1)));
    assert_eq!(place.run(&["run", "t.json", "u.json"]).code, 0);
    // A log that ends behind its two sessions: what a process leaves that was killed after its append.
    let log = place.log();
    let accepted: String = log.lines().take(2).map(|line| format!("{line}\n")).collect();
    assert_eq!(accepted.matches("\"key\":\"session-completed/").count(), 2);
    assert_eq!(place.run_on(accepted.as_bytes(), &["--data", "b", "log", "import", "-"]).code, 0);
    let (session, code) = place.session(&["t.json", "--data", "b"]);
    assert_eq!((session["status"].as_str(), code), (Some("ready"), 0), "accepted but unfinished is not a duplicate");
    let after = place.run(&["--data", "b", "log", "export"]).out;
    assert!(!after.contains(&format!("trade-ready/session/{}", id(1))), "only what it was given is driven");
    assert!(after.contains(&format!("trade-ready/session/{TRADE_ID}")));
    let (session, _) = place.session(&["u.json", "--data", "b"]);
    assert_eq!(session["status"], "ready");
    assert_eq!(place.run(&["--data", "b", "log", "export"]).out.lines().count(), log.lines().count());
}

fn at_once(place: &Place, calls: &[Vec<String>]) -> Vec<Ran> {
    let start = |call: &Vec<String>| {
        let arguments: Vec<&str> = ["run", "--json"].into_iter().chain(call.iter().map(String::as_str)).collect();
        place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    };
    let children: Vec<_> = calls.iter().map(start).collect();
    children.into_iter().map(|child| Ran::of(child.wait_with_output().expect("it ends"))).collect()
}

#[test]
fn processes_beside_each_other_share_a_data_folder() {
    let place = Place::new();
    let file = |n: usize| {
        let name = format!("s{n}.json");
        place.put(&name, with_id(if n.is_multiple_of(2) { TRADE } else { LIFE }, &id(n)));
        name
    };
    let calls: Vec<Vec<String>> = (0..4).map(|process| (0..3).map(|n| file(process * 3 + n)).collect()).collect();
    for ran in at_once(&place, &calls) {
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
        let report = ran.json();
        assert!(report["sessions"].as_array().unwrap().iter().all(|session| session["status"] == "ready"), "{report}");
    }
    check_log(&place, 12);

    // The same files in every process.
    let place = Place::new();
    let files: Vec<String> = (0..3)
        .map(|n| {
            let name = format!("s{n}.json");
            place.put(&name, with_id(TRADE, &id(n)));
            name
        })
        .collect();
    for ran in at_once(&place, &vec![files; 4]) {
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
        for session in ran.json()["sessions"].as_array().unwrap() {
            assert!(["ready", "duplicate"].contains(&session["status"].as_str().unwrap()), "{session}");
            assert_eq!(session["artifacts"].as_array().map(Vec::len), Some(3));
        }
    }
    check_log(&place, 3);
    for n in 0..3 {
        let file: Value = serde_json::from_str(&place.read(&format!("s{n}.json"))).expect("whole JSON");
        assert_eq!(file["pipeline_status"]["trade_artifact"], "complete");
    }
}
