//! From work to artifacts: a repository, a session file, a run.

use crate::{Place, git};
use serde_json::Value;

fn repository(place: &Place) {
    place.put(
        "repo/Cargo.toml",
        "[package]\nname = \"wordcount\"\nversion = \"0.1.0\"\ndescription = \"Counts words\"\n",
    );
    place.put("repo/src/main.rs", "fn main() {}\n");
    git(&place.path("repo"), &["init", "-q"]);
    git(&place.path("repo"), &["config", "user.name", "Agent 7"]);
    git(&place.path("repo"), &["config", "user.email", "agent7@example.org"]);
    commit(place, "chore: begin");
}

fn commit(place: &Place, message: &str) {
    git(&place.path("repo"), &["add", "-A"]);
    git(&place.path("repo"), &["commit", "-q", "-m", message]);
}

#[test]
fn a_new_session_of_a_repository_becomes_artifacts() {
    let place = Place::new();
    repository(&place);
    place.put("repo/src/count.rs", "pub fn count(text: &str) -> usize {\n    text.split_whitespace().count()\n}\n");
    commit(&place, "feat: count words separated by any white space");
    let arguments = ["session", "new", "--agent", "Agent-7", "--repo", "repo", "--since", "2h", "--author", "Agent 7"];
    let made = place.run(&[&arguments[..], &["--goal", "Count words", "--json"]].concat()).json();
    let file = made["path"].as_str().expect("a path");
    let ran = place.run(&["session", "validate", file]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let (session, code) = place.session(&[file]);
    assert_eq!((session["status"].as_str(), code), (Some("ready"), 0), "{session}");
    let warnings = session["warnings"].as_array().expect("a list");
    assert!(warnings.iter().all(|warning| warning.as_str().unwrap().contains("repository-path")), "{session}");
    let artifacts = session["artifacts"].as_array().expect("a list");
    let path = |name: &str| {
        let found = artifacts.iter().find(|artifact| artifact["type"] == name);
        found.unwrap_or_else(|| panic!("{name}: {session}"))["path"].as_str().expect("text").to_owned()
    };
    let log = std::fs::read_to_string(path("build_log")).expect("reads");
    assert!(log.contains("count words separated by any white space"), "{log}");
    assert!(!log.contains("agent7@example.org"), "{log}");
    path("readme");
}

#[test]
fn a_tracked_session_becomes_artifacts() {
    let place = Place::new();
    repository(&place);
    let ran = place.run(&["session", "start", "--agent", "Agent-7", "--repo", "repo", "--goal", "Count words"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    place.put("repo/src/lib.rs", "//! Words.\n");
    commit(&place, "feat: a library of words");
    assert_eq!(place.run(&["session", "note", "The words are counted"]).code, 0);
    let stopped = place.run(&["session", "stop", "--json"]).json();
    let file = stopped["path"].as_str().expect("a path");
    let document: Value = serde_json::from_str(&place.read(file)).expect("JSON");
    // The commit from before the start is not the session's.
    assert_eq!(document["metadata"]["commits"], 1);
    let (session, code) = place.session(&[file]);
    assert_eq!((session["status"].as_str(), code), (Some("ready"), 0), "{session}");
    place.run(&["session", "stop"]).refused(&["no session is being tracked", "session start"]);
}
