//! `flywheel watch`.

use crate::{LIFE, Place, TRADE_ID};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ExitStatus, Stdio},
    time::Duration,
};

fn ended(child: &mut Child) -> ExitStatus {
    for _ in 0..500 {
        if let Some(status) = child.try_wait().expect("asks") {
            return status;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("kills");
    panic!("it goes on without a reader");
}

#[test]
fn each_fact_is_a_line_that_says_what_became_of_it() {
    let place = Place::with_trade();
    place.put("templates/social_post.md", "{{ nothing_of_that_name }}");
    assert_eq!(place.run(&["run", "t.json", "--templates", "templates"]).code, 1);
    let count = place.log().lines().count();
    let mut child = place.command(&["watch", "--from", "1"]).stdout(Stdio::piped()).spawn().expect("starts");
    let lines: Vec<String> = {
        let reader = BufReader::new(child.stdout.take().expect("piped"));
        reader.lines().take(count).map(|line| line.expect("reads")).collect()
    };
    // The reader is gone with its pipe, and nothing more is written: it ends all the same.
    assert_eq!(ended(&mut child).code(), Some(0));
    assert!(lines.iter().all(|line| line.contains(&TRADE_ID[..8]) && !line.contains('\u{1b}')), "{lines:#?}");
    let line = |step: &str| lines.iter().find(|line| line.contains(step)).expect("a line").clone();
    assert!(line("session-completed").contains("accepted    trade of Agent-5"));
    assert!(line("trade-journal").contains("completed") && line("trade-journal").contains("trade_journal.md ("));
    assert!(line("trade-thread").contains("failed") && line("trade-thread").contains("social_post.md"));
    assert!(line("trade-ready").contains("partial     2 made, 1 failed"), "{}", line("trade-ready"));
}

#[test]
fn what_comes_is_seen_as_json_lines() {
    let place = Place::with_trade();
    assert_eq!(place.run(&["run", "t.json"]).code, 0);
    let before = place.log().lines().count() as u64;
    let from = (before).to_string();
    let mut child =
        place.command(&["watch", "--from", &from, "--json"]).stdout(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().expect("a line").expect("reads")).expect("JSON") };
    let last = next();
    assert_eq!((last["position"].as_u64(), &last["outcome"]), (Some(before), &"ready".into()));
    place.put("l.json", LIFE);
    assert_eq!(place.run(&["run", "l.json"]).code, 0);
    let first = next();
    assert_eq!(first["position"], before + 1);
    assert_eq!((&first["step"], &first["outcome"]), (&"session-completed".into(), &"accepted".into()));
    drop(lines);
    assert_eq!(ended(&mut child).code(), Some(0));
    place.run(&["watch", "--from", "then"]).refused(&["`then` is no position", "now"]);
    place.run(&["watch", "--data", "none"]).refused(&["there is no log in none"]);
}
