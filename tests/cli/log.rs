//! `flywheel log`: lines out, lines in.

use crate::{Place, TRADE_ID};
use serde_json::Value;
use std::process::Stdio;

fn place_with_log() -> (Place, String) {
    let place = Place::with_trade();
    assert_eq!(place.run(&["run", "t.json"]).code, 0);
    let log = place.log();
    (place, log)
}

#[test]
fn an_export_has_one_fact_a_line_and_its_import_exports_the_same_bytes() {
    let (place, log) = place_with_log();
    for (index, line) in log.lines().enumerate() {
        let fact: Value = serde_json::from_str(line).expect("JSON");
        assert!(line.starts_with(&format!("{{\"position\":{},\"key\":", index + 1)), "{line}");
        assert_eq!(fact.as_object().map(|fact| fact.len()), Some(4));
        assert_eq!(fact["event"]["specversion"], "1.0");
        assert_eq!(fact["chain"].as_str().map(str::len), Some(64));
    }
    place.put("log.ndjson", &log);
    let ran = place.run(&["--data", "b", "log", "import", "log.ndjson", "--json"]);
    let count = log.lines().count();
    assert_eq!((ran.json()["appended"].as_u64(), ran.json()["known"].as_u64()), (Some(count as u64), Some(0)));
    assert_eq!(place.run(&["--data", "b", "log", "export"]).out, log);
    let again = place.run_on(log.as_bytes(), &["--data", "b", "log", "import", "-"]);
    assert_eq!((again.code, again.out), (0, format!("0 facts appended, {count} were there already\n")));
    let behind = place.run(&["log", "export", "--after", "2"]).out;
    assert_eq!(behind, log.lines().skip(2).map(|line| format!("{line}\n")).collect::<String>());
    // What was imported is what was run: the same session there is a duplicate, and its files are made from the log.
    let (session, code) = place.session(&["t.json", "--data", "b", "--out", "other"]);
    assert_eq!((session["status"].as_str(), code), (Some("duplicate"), 0));
    assert_eq!(crate::names(&place.path(&format!("other/{TRADE_ID}"))).len(), 3);
    assert_eq!(place.run(&["--data", "b", "log", "export"]).out, log);
}

#[test]
fn a_damaged_export_is_refused_whole() {
    let (place, log) = place_with_log();
    let lines: Vec<&str> = log.lines().collect();
    let text = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let changed = lines[2].replace("flywheel", "flywheal");
    let cut = &log[..log.len() - 40];
    let cases = [
        ("a changed byte", text(&[lines[0], lines[1], &changed]), ":3: "),
        ("a missing line", text(&[lines[0], lines[2]]), ":2: position 3 stands where 2 must be"),
        ("a swapped line", text(&[lines[1], lines[0]]), ":1: position 2"),
        ("a cut end", cut.to_owned(), &format!(":{}: ", lines.len())),
        ("no JSON", text(&[lines[0], "hello"]), ":2: not a line of an export"),
        ("an empty line", text(&[lines[0], "", lines[1]]), ":2: not a line of an export"),
    ];
    for (what, damaged, words) in &cases {
        place.put("bad.ndjson", damaged);
        let ran = place.run(&["--data", "b", "log", "import", "bad.ndjson"]);
        ran.refused(&[&format!("bad.ndjson{words}"), "nothing was imported", "hint: "]);
        place.run_on(damaged.as_bytes(), &["--data", "b", "log", "import", "-"]).refused(&[words]);
        assert!(!place.path("b").exists(), "{what}: no folder is made");
    }
    let mut binary = log.clone().into_bytes();
    binary[5] = 0xff;
    place.run_on(&binary, &["--data", "b", "log", "import", "-"]).refused(&["-:1: ", "UTF-8"]);
    place.run(&["--data", "b", "log", "import", "none"]).refused(&["none: cannot be read", "log export"]);
    place.run(&["--data", "b", "log", "import", "."]).refused(&["directory"]);
    assert!(!place.path("b").exists());
    // Into a log with other facts.
    assert_eq!(place.run(&["--data", "c", "queue", "add", "--type", "readme", "--file", "t.json"]).code, 0);
    let before = place.run(&["--data", "c", "log", "export"]).out;
    let ran = place.run_on(log.as_bytes(), &["--data", "c", "log", "import", "-"]);
    ran.refused(&["position 1 of this log is another fact", "hint: "]);
    assert_eq!(place.run(&["--data", "c", "log", "export"]).out, before);
}

#[test]
fn facts_are_shown_by_position_key_and_session() {
    let (place, log) = place_with_log();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(place.run(&["log", "show", "1", "--json"]).out, format!("{}\n", lines[0]));
    let key = format!("session-completed/session/{TRADE_ID}/1");
    assert_eq!(place.run(&["log", "show", &key, "--json"]).out, format!("{}\n", lines[0]));
    for id in [TRADE_ID.to_owned(), TRADE_ID.to_uppercase()] {
        assert_eq!(place.run(&["log", "show", &id, "--json"]).out, log, "all of them are the session's");
    }
    let text = place.run(&["log", "show", "1"]).out;
    assert!(text.contains(&key) && text.contains("\"session_id\""), "{text}");
    for what in ["0", "999999", "nope", "", "session-completed/session/x/1", "18446744073709551616"] {
        place.run(&["log", "show", what]).refused(&[&format!("no fact for `{what}`"), "hint: "]);
    }
    let tail = place.run(&["log", "tail", "-n", "2", "--json"]).out;
    assert_eq!(tail, lines[lines.len() - 2..].iter().map(|line| format!("{line}\n")).collect::<String>());
    assert_eq!(place.run(&["log", "tail", "-n", "0"]).out, "");
    assert_eq!(place.run(&["log", "tail", "-n", "18446744073709551615"]).out.lines().count(), lines.len());
    for command in [&["log", "tail"][..], &["log", "export"], &["log", "show", "1"]] {
        place.run(&[command, &["--data", "none"]].concat()).refused(&["there is no log in none", "--data"]);
    }
    assert!(!place.path("none").exists(), "reading makes no log");
}

#[test]
fn a_follower_sees_what_comes_and_leaves_with_its_reader() {
    use std::io::{BufRead as _, BufReader};
    let (place, log) = place_with_log();
    let mut child =
        place.command(&["log", "tail", "-n", "1", "-f", "--json"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut next = || lines.next().expect("a line").expect("reads");
    assert_eq!(next(), log.lines().last().expect("a line"));
    place.put("l.json", crate::LIFE);
    assert_eq!(place.run(&["run", "l.json"]).code, 0);
    let all = place.log();
    all.lines().skip(log.lines().count()).for_each(|line| assert_eq!(next(), line));
    // Nobody reads any more, and it notices with the next fact.
    drop(lines);
    assert_eq!(place.run(&["queue", "add", "--type", "readme", "--file", "t.json"]).code, 0);
    for _ in 0..500 {
        if let Some(status) = child.try_wait().expect("asks") {
            return assert_eq!(status.code(), Some(0));
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().expect("kills");
    panic!("it goes on without a reader");
}

#[test]
fn a_damaged_log_is_named_and_left_as_it_is() {
    let (place, _) = place_with_log();
    let mut bytes = std::fs::read(place.path(".flywheel/log.db")).expect("reads");
    bytes[8192..].fill(b'A');
    place.put(".flywheel/log.db", &bytes);
    for arguments in [&["log", "export"][..], &["run", "t.json"], &["log", "tail"]] {
        place.run(arguments).failed_with(1, &["damaged", "restore it"]);
    }
    assert!(std::fs::read(place.path(".flywheel/log.db")).expect("reads") == bytes);
}

#[test]
fn a_reader_that_went_away_is_no_error_and_a_full_disk_is() {
    let (place, log) = place_with_log();
    for arguments in [
        &["log", "export"][..],
        &["log", "tail"],
        &["log", "show", TRADE_ID],
        &["stages"],
        &["schema", "work_session"],
        &["asyncapi"],
        &["run", "t.json", "--json"],
    ] {
        let mut child =
            place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{arguments:?}");
        if cfg!(target_os = "linux") {
            let full = std::fs::File::options().write(true).open("/dev/full").expect("opens");
            let output = place.command(arguments).stdout(full).output().expect("it ends");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
            assert!(said.contains("cannot write"), "{arguments:?}: {said}");
        }
    }
    assert_eq!(place.log(), log);
}

#[test]
fn a_data_folder_that_is_none_is_named() {
    let (place, _) = place_with_log();
    let words = &["the data folder t.json is no folder", "--data"][..];
    place.run(&["run", "t.json", "--data", "t.json"]).refused(words);
    place.run_on(b"", &["log", "import", "-", "--data", "t.json"]).refused(words);
    place.run(&["run", "t.json", "--data", "t.json/below"]).failed_with(1, &["t.json/below", "--data"]);
    place.put("foreign/log.db", "this is no database, and long enough to be looked at by anybody who wants to");
    place.run(&["run", "t.json", "--data", "foreign"]).failed_with(1, &["foreign/log.db", "not an SQLite file"]);
}
