//! `flywheel session` as its users meet it: exit codes, streams, files.
#![expect(clippy::disallowed_methods, reason = "tests look at files and run git")]

use assert_cmd::Command;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

const GOOD: &str = include_str!("sessions/guide-trade.json");
const BAD: &str = include_str!("sessions/agent5_guardrail_implementation_2025-12-02.json");

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).expect("written");
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn session(&self) -> Command {
        let mut command = assert_cmd::cargo::cargo_bin_cmd!("flywheel");
        command.current_dir(self.folder.path()).env_remove("FLYWHEEL_AGENT").env_remove("FLYWHEEL_DATA").arg("session");
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.session().args(arguments))
    }
}

#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn of(command: &mut Command) -> Self {
        let output = command.output().expect("it runs");
        Self {
            code: output.status.code().expect("a code"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn git(repo: &Path, arguments: &[&str], name: &str, date: &str) -> String {
    let mut command = std::process::Command::new("git");
    command.arg("-C").arg(repo).args(["-c", "commit.gpgsign=false"]).args(arguments);
    for (role, value) in [("NAME", name), ("EMAIL", "someone@example.org"), ("DATE", date)] {
        command.env(format!("GIT_AUTHOR_{role}"), value).env(format!("GIT_COMMITTER_{role}"), value);
    }
    let output = command.output().expect("git runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn commit(repo: &Path, file: &str, text: &str, message: &str, name: &str, date: &str) {
    fs::write(repo.join(file), text).expect("written");
    git(repo, &["add", "-A"], name, date);
    git(repo, &["commit", "-q", "-m", message], name, date);
}

#[test]
fn every_file_is_judged_and_one_bad_one_is_code_2() {
    let place = Place::new();
    place.put("good.json", GOOD);
    place.put("bad.json", BAD);
    let ran = place.run(&["validate", "good.json"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, "ok  good.json (trade, b2c3d4e5-f6a7-8901-bcde-f23456789012)\n");
    let ran = place.run(&["validate", "missing.json", "bad.json", "good.json"]);
    assert_eq!(ran.code, 2);
    assert!(ran.out.starts_with("ok  good.json") && ran.out.lines().count() == 1, "{}", ran.out);
    for part in
        ["missing.json: refused, 1 error", "session file not found", "bad.json:2:17", "bad.json:4:16", "has no zone"]
    {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    assert_eq!(place.run(&["validate", "good.json", "--pipeline", "build"]).code, 2);
    assert_eq!(place.run(&["validate", "."]).code, 2);
    assert_eq!(place.names(), ["bad.json", "good.json"]);
}

#[test]
fn programs_get_one_document() {
    let place = Place::new();
    place.put("bad.json", BAD);
    let ran = Ran::of(place.session().args(["validate", "--json", "-", "bad.json", "none.json"]).write_stdin(GOOD));
    assert_eq!((ran.code, ran.err.as_str()), (2, ""));
    let files = &ran.json()["files"];
    assert_eq!((&files[0]["file"], &files[0]["valid"]), (&"-".into(), &true.into()));
    assert_eq!(files[0]["session_type"], "trade");
    assert_eq!((&files[1]["valid"], &files[1]["errors"][0]["code"]), (&false.into(), &"bad_session_id".into()));
    assert_eq!(files[1]["errors"][1]["line"], 4);
    assert_eq!(files[2]["errors"][0]["code"], "not_found");
}

#[test]
fn a_file_over_the_limit_is_refused() {
    let place = Place::new();
    place.put("large.json", format!("{GOOD}{}", " ".repeat(768 * 1024)));
    let ran = place.run(&["validate", "large.json"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("too large") && ran.err.contains("768 KiB"), "{}", ran.err);
}

#[test]
fn a_session_is_made_from_a_repository_and_a_window() {
    let place = Place::new();
    let repo = place.path("project");
    fs::create_dir(&repo).expect("a folder");
    git(&repo, &["init", "-q", "-b", "main"], "x", "");
    commit(&repo, "a.txt", "1\n2\n3\n", "chore: before the window", "Agent-7", "2025-12-02T01:00:00-06:00");
    commit(
        &repo,
        "a.txt",
        "1\n2\n",
        "feat: a | pipe\n\nBody.\n\nSigned-off-by: Ann <ann@example.org>",
        "Agent-7",
        "2025-12-02T03:00:00-06:00",
    );
    commit(&repo, "b.txt", "x\n", "fix: by another", "Captain", "2025-12-02T03:10:00-06:00");
    git(&repo, &["mv", "a.txt", "c\td.txt"], "Agent-7", "");
    commit(&repo, "e.bin", "\0\u{1}", "feat: move", "agent-7", "2025-12-02T05:20:00-06:00");
    commit(&repo, "late.txt", "x\n", "feat: after the window", "Agent-7", "2025-12-02T05:20:01-06:00");
    place.put("shot.png", "not really");
    let mut command = place.session();
    command.env("FLYWHEEL_AGENT", "Agent-7");
    command.args(["new", "--repo", "project", "--since", "2h", "--until", "2025-12-02T05:20:00-06:00"]);
    let ran = Ran::of(command.args(["--out", "-"]));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.json()["metadata"]["commits"], 1, "only the last lies in two hours: {}", ran.out);

    let mut command = place.session();
    command.args(["new", "--agent", "Agent-7", "--repo", "project", "--since", "2025-12-02T02:00:00-06:00"]);
    command.args([
        "--until",
        "2025-12-02T05:20:00-06:00",
        "--author",
        "Agent-7",
        "--goal",
        "Ship it",
        "--note",
        "Done",
    ]);
    let ran = Ran::of(command.args(["--screenshot", "shot.png"]));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let text = fs::read_to_string(place.path(ran.out.trim())).expect("the file it names");
    assert!(ran.out.trim().ends_with("_build.json") && text.starts_with("{\n  \"session_id\""), "{text}");
    assert!(!text.contains("example.org"), "{text}");
    let session: Value = serde_json::from_str(&text).expect("JSON");
    let metadata = &session["metadata"];
    // a.txt loses a line; a.txt moves; e.bin is binary: three paths, no line added.
    for (key, expect) in
        [("duration_minutes", 200), ("commits", 2), ("files_changed", 3), ("lines_added", 0), ("lines_removed", 1)]
    {
        assert_eq!(metadata[key], expect, "{key}: {text}");
    }
    assert_eq!(metadata["git_author"], "Agent-7");
    assert_eq!(session["timestamp"], "2025-12-02T05:20:00-06:00");
    assert_eq!(session["goal"], "Ship it");
    let source = &session["source_data"];
    assert_eq!(source["git_commits"][0]["message"], "feat: a | pipe\n\nBody.\n\nSigned-off-by: Ann");
    assert_eq!(source["git_commits"][0]["timestamp"], "2025-12-02T03:00:00-06:00");
    assert_eq!(source["git_commits"][1]["files"], serde_json::json!(["c\td.txt", "e.bin"]));
    assert_eq!(source["screenshots"][0], "shot.png");
    assert_eq!(source["conversations"][0]["content"], "Done");
    assert_eq!(session["pipeline_status"]["build_artifact"], "pending");
    assert_eq!(session["pipeline_status"]["trade_artifact"], "not_applicable");
    assert_eq!(session["artifacts"], serde_json::json!({}));
    assert_eq!(place.run(&["validate", ran.out.trim()]).code, 0);
}

#[test]
fn a_mistake_writes_nothing() {
    let place = Place::new();
    place.put("taken.json", "mine");
    place.put("none.json", "{\"x\": []}");
    for arguments in [
        ["--agent", "a/b", "--out", "new.json"].as_slice(),
        &["--agent", "a", "--out", "taken.json"],
        &["--agent", "a", "--type", "trades", "--out", "new.json"],
        &["--agent", "a", "--repo", ".", "--since", "2h", "--out", "new.json"],
        &["--agent", "a", "--repo", "nowhere", "--since", "2h", "--out", "new.json"],
        &["--agent", "a", "--since", "2025-12-02T05:20:00", "--out", "new.json"],
        &["--agent", "a", "--since", "2025-12-02T05:20:00Z", "--until", "2025-12-01T05:20:00Z", "--out", "new.json"],
        &["--agent", "a", "--screenshot", "none.png", "--out", "new.json"],
        &["--agent", "a", "--trades", "none.json", "--out", "new.json"],
        &["--out", "new.json"],
    ] {
        let ran = Ran::of(place.session().arg("new").args(arguments));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
        assert!(!ran.err.is_empty(), "{arguments:?}");
    }
    assert_eq!(place.names(), ["none.json", "taken.json"]);
    assert_eq!(fs::read_to_string(place.path("taken.json")).expect("read"), "mine");
    assert_eq!(place.run(&["new", "--agent", "a", "--out", "taken.json", "--force"]).code, 0);
    assert_eq!(place.run(&["validate", "taken.json"]).code, 0);
}

#[test]
fn trades_are_taken_as_they_are() {
    let place = Place::new();
    place.put("list.json", "[{\"price\": 175.50}]");
    place.put("fills.json", "{\"fills\": [{\"qty\": 1}, 7]}");
    let made = |file: &str| place.run(&["new", "--agent", "a", "--type", "trade", "--trades", file, "--out", "-"]);
    assert!(made("list.json").out.contains("\"price\": 175.50"));
    assert_eq!(made("fills.json").json()["source_data"]["fills"][1], 7);
}

#[test]
fn a_session_is_tracked_live() {
    let place = Place::new();
    let repo = place.path("project");
    fs::create_dir(&repo).expect("a folder");
    place.put("play.png", "not really");
    git(&repo, &["init", "-q", "-b", "main"], "x", "");
    git(&repo, &["config", "user.name", "Agent 7"], "x", "");
    let now = "@4102444800 +0000";
    commit(&repo, "a.txt", "1\n", "chore: before", "Agent 7", now);
    let tracked = |arguments: &[&str]| Ran::of(place.session().env("FLYWHEEL_AGENT", "Agent-7").args(arguments));
    let started = tracked(&["start", "--repo", "project", "--goal", "Play", "--json"]).json();
    assert_eq!(started["git_author"], "Agent 7");
    assert_eq!(started["head"], git(&repo, &["rev-parse", "HEAD"], "x", ""));
    let state = fs::read_to_string(place.path(".flywheel/tracking/Agent-7.json")).expect("a state");
    let again = tracked(&["start"]);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("--force"), "{}", again.err);
    assert_eq!(fs::read_to_string(place.path(".flywheel/tracking/Agent-7.json")).expect("a state"), state);

    let date = started["started_at"].as_str().expect("a stamp");
    commit(&repo, "a.txt", "2\n", "feat: mine", "Agent 7", date);
    commit(&repo, "b.txt", "2\n", "feat: not mine", "Captain", date);
    assert_eq!(tracked(&["note"]).code, 2);
    assert_eq!(tracked(&["note", "A level", "--screenshot", "play.png"]).code, 0);
    // Without a name, the only one is meant.
    let made = place.run(&["note", "--made", "Space", "--kind", "game", "--tech", "React, Three.js", "--json"]);
    assert_eq!(made.json()["notes"], 2, "{}", made.err);

    place.put("taken.json", "mine");
    assert_eq!(tracked(&["stop", "--out", "taken.json"]).code, 2);
    assert_eq!(tracked(&["stop", "--out", "nowhere/x.json"]).code, 2);
    assert_eq!(tracked(&["stop", "--out", "nowhere/"]).code, 2);
    assert_eq!(tracked(&["stop", "--out", "-"]).code, 2);
    assert!(place.path(".flywheel/tracking/Agent-7.json").exists());
    let stopped = tracked(&["stop", "--json"]).json();
    let path = place.path(stopped["path"].as_str().expect("a path"));
    let session: Value = serde_json::from_slice(&fs::read(&path).expect("the file")).expect("JSON");
    assert_eq!(session["session_id"], started["session_id"]);
    assert_eq!(session["goal"], "Play");
    assert_eq!(session["metadata"]["commits"], 1, "{session}");
    assert_eq!(session["source_data"]["git_commits"][0]["message"], "feat: mine");
    assert_eq!((&session["metadata"]["lines_added"], &session["metadata"]["lines_removed"]), (&1.into(), &1.into()));
    let conversations = &session["source_data"]["conversations"];
    assert_eq!(conversations[0]["content"], "A level");
    assert_eq!(conversations[1]["artifacts"][0]["technologies"], serde_json::json!(["React", "Three.js"]));
    assert_eq!(session["source_data"]["screenshots"], serde_json::json!(["play.png"]));
    assert!(!place.path(".flywheel/tracking/Agent-7.json").exists());
    assert_eq!(tracked(&["stop"]).code, 2);
}

#[test]
fn notes_at_once_are_all_kept() {
    let place = Place::new();
    assert_eq!(place.run(&["start", "--agent", "Agent-7"]).code, 0);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let place = &place;
            scope.spawn(move || assert_eq!(place.run(&["note", &format!("note {number}")]).code, 0));
        }
    });
    let file = place.run(&["stop"]).out;
    let session: Value = serde_json::from_slice(&fs::read(place.path(file.trim())).expect("the file")).expect("JSON");
    let conversations = session["source_data"]["conversations"].as_array().expect("notes");
    let mut notes: Vec<&str> = conversations.iter().filter_map(|note| note["content"].as_str()).collect();
    notes.sort_unstable();
    assert_eq!(notes, (0..8).map(|number| format!("note {number}")).collect::<Vec<_>>());
}
