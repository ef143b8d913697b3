//! `flywheel verify` and `flywheel replay --artifacts`: every kind of tampering is found, named, and where it can be, undone.

use crate::{LIFE, Place, TRADE, TRADE_ID, id, with_id};
use rusqlite::Connection;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::Stdio,
};

/// The trade session, run.
fn place() -> Place {
    let place = Place::with_trade();
    assert_eq!(place.run(&["run", "t.json"]).code, 0);
    place
}

fn journal() -> String {
    format!(".flywheel/artifacts/{TRADE_ID}/trade_journal.md")
}

/// `verify --json`: its findings; its exit code must fit them.
#[track_caller]
fn findings(place: &Place) -> Vec<Value> {
    let ran = place.run(&["verify", "--json"]);
    let report = ran.json();
    let findings = report["findings"].as_array().expect("a list").clone();
    assert_eq!(ran.code, i32::from(!findings.is_empty()), "{ran:?}");
    assert_eq!(report["ok"], findings.is_empty());
    findings
}

/// The only finding, of this kind.
#[track_caller]
fn only(place: &Place, kind: &str) -> Value {
    let findings = findings(place);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0]["kind"], kind, "{findings:#?}");
    findings[0].clone()
}

/// Changes one byte of a file: the first of this text.
#[track_caller]
fn flip(path: &PathBuf, text: &str) {
    let mut bytes = fs::read(path).expect("reads");
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes()).expect("is in the file");
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("writes");
}

/// Opens the log as somebody who wants to change it would.
fn unlocked(place: &Place) -> Connection {
    let connection = Connection::open(place.path(".flywheel/log.db")).expect("opens");
    let drop = "DROP TRIGGER facts_are_never_changed; DROP TRIGGER facts_are_never_deleted;
        DROP TRIGGER facts_are_appended; DROP TRIGGER facts_are_unique;";
    connection.execute_batch(drop).expect("drops the triggers");
    connection
}

#[test]
fn what_holds_is_said_to_hold_from_any_folder() {
    let place = place();
    assert_eq!(findings(&place), Vec::<Value>::new());
    let text = place.run(&["verify"]);
    assert_eq!(text.code, 0);
    assert!(text.out.starts_with("# SSOT verification\n\n**Everything holds.**"), "{}", text.out);
    assert_eq!(text.out, place.run(&["verify"]).out, "the same state gives the same report");
    let elsewhere = Place::new();
    let data = place.path(".flywheel");
    let ran = elsewhere.run(&["--data", data.to_str().expect("text"), "verify", "--json"]);
    assert_eq!(ran.json(), place.run(&["verify", "--format", "json"]).json());
    assert_eq!(place.run(&["verify", "--out", "report.md"]).out, "report.md: everything holds\n");
    assert_eq!(place.read("report.md"), text.out);
    place.run(&["verify", "--out", "."]).refused(&["is a folder"]);
    place.run(&["verify", "--data", "none"]).refused(&["there is no log in none"]);
    assert!(!place.path("none").exists());
}

#[test]
fn files_that_are_missing_changed_or_nobodys_are_named_and_made_again() {
    let place = place();
    assert_eq!(place.run(&["run", "t.json", "--out", "second"]).code, 0);
    let good = place.read(&journal());
    flip(&place.path(&journal()), "Trading");
    let changed = only(&place, "changed");
    assert_eq!(changed["session_id"], TRADE_ID);
    assert_eq!(changed["artifact"], "trade_journal");
    assert_eq!(changed["path"], place.path(&journal()).to_str().expect("text"));
    let text = place.run(&["verify"]).out;
    assert!(text.contains("## Files that were changed") && text.contains("trade_journal.md"), "{text}");

    fs::remove_dir_all(place.path("second")).expect("removes");
    let found = findings(&place);
    let kinds: Vec<&str> = found.iter().filter_map(|finding| finding["kind"].as_str()).collect();
    assert_eq!(kinds, ["missing", "missing", "missing", "changed"], "both places are looked at");

    let ran = place.run(&["replay", "--artifacts", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let made = ran.json();
    let count = |status: &str| made["artifacts"].as_array().unwrap().iter().filter(|it| it["status"] == status).count();
    assert_eq!((count("written"), count("restored"), count("same")), (3, 1, 2));
    assert_eq!(place.read(&journal()), good);
    assert_eq!(findings(&place), Vec::<Value>::new());
    assert_eq!(place.run(&["replay", "--artifacts"]).out, "0 written, 0 restored, 6 as they were, 0 failed\n");

    // Elsewhere, and from then on that is looked at too.
    let ran = place.run(&["replay", "--artifacts", "--out", "third"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 4), "{ran:?}");
    assert_eq!(place.read(&format!("third/{TRADE_ID}/trade_journal.md")), good);
    assert_eq!(findings(&place), Vec::<Value>::new());
    place.put(&format!("third/{TRADE_ID}/draft.md"), "x");
    let orphan = only(&place, "orphan");
    assert_eq!(orphan["session_id"], TRADE_ID);
    fs::remove_file(place.path(&format!("third/{TRADE_ID}/draft.md"))).expect("removes");
    place.put(&format!("third/{}/README.md", id(9)), "x");
    assert_eq!(only(&place, "orphan")["session_id"], id(9), "a session that was not written there");
    fs::remove_dir_all(place.path(&format!("third/{}", id(9)))).expect("removes");
    place.put(".flywheel/artifacts/stray.md", "x");
    assert!(only(&place, "orphan")["path"].as_str().expect("text").ends_with("stray.md"));
    place.run(&["replay", "--out", "x"]).refused(&["--artifacts"]);
    place.run(&["replay", "--artifacts", "--until", "1", "--into", "x"]).refused(&["cannot be used"]);
}

#[test]
fn a_folder_with_other_things_in_it_is_not_all_orphans() {
    let place = Place::with_trade();
    assert_eq!(place.run(&["run", "t.json", "--out", "."]).code, 0);
    place.put("notes.md", "mine");
    assert_eq!(findings(&place), Vec::<Value>::new());
    place.put(&format!("{}/README.md", id(9)), "x");
    only(&place, "orphan");
}

#[test]
fn a_file_that_cannot_be_made_again_is_said() {
    let place = place();
    fs::remove_file(place.path(&journal())).expect("removes");
    fs::create_dir(place.path(&journal())).expect("makes a folder");
    assert_eq!(only(&place, "changed")["artifact"], "trade_journal");
    let ran = place.run(&["replay", "--artifacts"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("trade_journal.md") && ran.out.contains("1 failed"), "{ran:?}");
}

#[test]
fn a_changed_byte_of_a_view_is_found_and_a_replay_undoes_it() {
    let place = place();
    place.put("templates/devlog.md", "{{ nothing_of_that_name }}");
    place.put("l.json", LIFE);
    assert_eq!(place.run(&["run", "l.json", "--templates", "templates"]).code, 1);
    assert_eq!(findings(&place), Vec::<Value>::new());
    for (view, text) in [
        ("manifest", "trade_journal"),
        ("publish_queue", "website"),
        ("failures", "life_aria-devlog"),
        ("manifest", "completed"),
    ] {
        let pointer = place.read(&format!(".flywheel/views/{view}.current"));
        flip(&place.path(&format!(".flywheel/views/{}", pointer.trim())), text);
        let found = only(&place, "view");
        assert_eq!(found["view"], view, "{text}");
        assert!(found["hint"].as_str().expect("text").contains("flywheel replay"));
        assert_eq!(place.run(&["replay"]).code, 0);
        assert_eq!(findings(&place), Vec::<Value>::new(), "{view}");
    }
    let pointer = place.read(".flywheel/views/manifest.current");
    place.put(&format!(".flywheel/views/{}", pointer.trim()), "no database");
    assert_eq!(only(&place, "view")["view"], "manifest");
}

#[test]
fn a_changed_byte_of_the_log_is_found_with_its_position() {
    // In the file itself, past SQLite: the text of the journal's fact, and its JSON.
    for (text, said) in [("Trading journal", "its text was changed"), ("\"# Trading journal", "does not read")] {
        let place = place();
        let export = place.log();
        flip(&place.path(".flywheel/log.db"), text);
        let found = findings(&place);
        let log: Vec<&Value> = found.iter().filter(|finding| finding["kind"] == "log").collect();
        assert!(!log.is_empty(), "{found:#?}");
        let journal = export.lines().find(|line| line.contains("\"key\":\"trade-journal/")).expect("is there");
        let journal: Value = serde_json::from_str(journal).expect("JSON");
        assert!(log.iter().all(|finding| finding["position"] == journal["position"]), "{log:#?}");
        // What was changed is not written over a good file.
        let good = place.read(&self::journal());
        let ran = place.run(&["replay", "--artifacts"]);
        assert_eq!((ran.code, ran.err.contains(said)), (1, true), "{ran:?}");
        assert_eq!(place.read(&self::journal()), good);
        // Whoever reads it all the same is shown what is there. Stages beside each other end in any order.
        let position = journal["position"].to_string();
        for command in
            [&["log", "tail", "--json"][..], &["watch", "--from", "1"], &["log", "show", &position, "--json"]]
        {
            let mut child = place.command(command).stdout(Stdio::piped()).spawn().expect("starts");
            let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
            assert!(lines.any(|line| line.expect("reads").contains("trade-journal")), "{command:?}");
            drop(lines);
            assert_eq!(child.wait().expect("ends").code(), Some(0), "{command:?}");
        }
    }
}

#[test]
fn every_column_of_the_log_is_checked() {
    for (change, words) in [
        ("UPDATE facts SET event = replace(event, 'Agent-5', 'Agent-6') WHERE position = 1", "its digest differs"),
        ("UPDATE facts SET digest = zeroblob(32) WHERE position = 1", "digest that was recorded"),
        ("UPDATE facts SET event_digest = zeroblob(32) WHERE position = 1", "its digest differs"),
        ("UPDATE facts SET chain = zeroblob(32) WHERE position = 1", "chain breaks"),
        ("UPDATE facts SET time = time + 1 WHERE position = 1", "is not the one of its event"),
        ("UPDATE facts SET id = zeroblob(16) WHERE position = 1", "does not belong to the key"),
        ("UPDATE facts SET key = replace(key, '/1', '/2') WHERE position = 1", "does not belong to the key"),
        ("UPDATE facts SET key = 'nothing' WHERE position = 1", "`nothing` is no key"),
        ("DELETE FROM facts WHERE position = 2", "position 2 is missing"),
        ("UPDATE facts SET position = position + 1000 WHERE position > 2", "positions 3 to 1002 are missing"),
    ] {
        let place = place();
        assert_eq!(place.run(&["manifest", "list"]).code, 0);
        unlocked(&place).execute_batch(change).expect("changes");
        let ran = place.run(&["verify", "--json"]);
        assert_eq!(ran.code, 1, "{change}: {ran:?}");
        let found = ran.json();
        let found = found["findings"].as_array().expect("a list");
        let said =
            |words: &str| found.iter().any(|it| it["kind"] == "log" && it["what"].as_str().unwrap().contains(words));
        assert!(said(words), "{change}: {found:#?}");
        assert!(said("in the log's file `facts_are_never_changed` was removed"), "{change}: {found:#?}");
        assert_eq!(place.run(&["verify"]).code, 1, "{change}");
    }
}

#[test]
fn a_log_that_lost_its_end_is_seen_by_its_views() {
    let place = place();
    assert_eq!(findings(&place), Vec::<Value>::new());
    let connection = unlocked(&place);
    connection.execute_batch("DELETE FROM facts WHERE position = (SELECT max(position) FROM facts)").expect("deletes");
    // Whoever does it well puts the triggers back.
    let schema = include_str!("../../src/log/embedded/log.sql");
    let triggers = &schema[schema.find("CREATE TRIGGER").expect("has triggers")..];
    connection.execute_batch(triggers).expect("makes the triggers");
    drop(connection);
    let kinds: Vec<Value> = findings(&place).iter().map(|finding| finding["kind"].clone()).collect();
    // One a view, and the session's run has lost its end.
    assert_eq!(kinds.iter().filter(|kind| **kind == "view").count(), flywheel_projections::all().len());
    assert_eq!(kinds.iter().filter(|kind| **kind == "unfinished").count(), 1);
}

#[test]
fn a_session_that_did_not_end_is_a_finding_of_its_own_until_it_is_run_again() {
    let place = place();
    // The export of a machine that died behind the second session's first fact.
    place.put("twin.json", with_id(TRADE, &id(1)));
    let before = place.log().lines().count();
    assert_eq!(place.run(&["run", "twin.json"]).code, 0);
    let cut: String = place.log().lines().take(before + 1).map(|line| format!("{line}\n")).collect();
    place.put("cut.ndjson", cut);
    assert_eq!(place.run(&["--data", "b", "log", "import", "cut.ndjson"]).code, 0);
    let ran = place.run(&["--data", "b", "verify", "--json"]);
    assert_eq!(ran.code, 1);
    let found = ran.json()["findings"].clone();
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found:#}");
    assert_eq!((&found[0]["kind"], &found[0]["session_id"]), (&"unfinished".into(), &id(1).into()));
    assert_eq!(found[0]["what"], "accepted, not ended");
    assert_eq!(found[0]["hint"], "`flywheel run` its file again");
    assert_eq!(place.run(&["--data", "b", "run", "twin.json"]).code, 0);
    assert_eq!(place.run(&["--data", "b", "verify"]).code, 0);
}

#[test]
fn a_step_without_an_outcome_and_one_nobody_asked_for_are_named() {
    // Facts of a run that ended, but for one: an export with a chain of its own.
    let place = place();
    let rebuilt = |keep: &dyn Fn(&str) -> bool| {
        let (mut chain, mut lines) = (flywheel_events::Digest::GENESIS, String::new());
        for (line, position) in place.log().lines().filter(|line| keep(line)).zip(1..) {
            let fact: Value = serde_json::from_str(line).expect("JSON");
            let event = &line[line.find(",\"event\":").expect("has one") + 9..line.len() - 1];
            let key: flywheel_events::Key = fact["key"].as_str().expect("text").parse().expect("a key");
            chain = chain.chain(&key, &flywheel_events::Digest::of(event.as_bytes()));
            lines +=
                &format!("{{\"position\":{position},\"key\":\"{key}\",\"chain\":\"{chain}\",\"event\":{event}}}\n");
        }
        lines
    };
    place.put("without.ndjson", rebuilt(&|line| !line.contains("\"key\":\"trade-lessons/")));
    assert_eq!(place.run(&["--data", "b", "log", "import", "without.ndjson"]).code, 0);
    let found = place.run(&["--data", "b", "verify", "--json"]).json()["findings"].clone();
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found:#}");
    assert_eq!(found[0]["kind"], "outcome");
    assert_eq!(found[0]["what"], "run 1 has ended without an outcome of trade-lessons");
    // Without its record the session has none.
    place.put("norecord.ndjson", rebuilt(&|line| !line.contains("\"key\":\"session-completed/")));
    assert_eq!(place.run(&["--data", "c", "log", "import", "norecord.ndjson"]).code, 0);
    let found = place.run(&["--data", "c", "verify", "--json"]).json()["findings"].clone();
    assert_eq!((&found[0]["kind"], &found[0]["session_id"]), (&"record".into(), &TRADE_ID.into()), "{found:#}");
}
