//! `flywheel manifest`, `queue list`, `queue show` and `failures`.

use crate::{BUILD, LIFE, Place, TRADE, TRADE_ID, id, with_id};
use serde_json::Value;

fn texts(rows: &Value, field: &str) -> Vec<String> {
    rows.as_array().expect("a list").iter().map(|row| row[field].as_str().expect("text").to_owned()).collect()
}

/// The trade session twice under two ids, and a life session.
fn place_with_duplicates() -> Place {
    let place = Place::with_trade();
    place.put("twin.json", with_id(TRADE, &id(1)));
    place.put("l.json", LIFE);
    for file in ["t.json", "twin.json", "l.json"] {
        assert_eq!(place.run(&["run", file]).code, 0, "{file}");
    }
    place
}

#[test]
fn sessions_are_listed_by_their_time_and_id_a_page_at_once() {
    let place = place_with_duplicates();
    let list = |more: &[&str]| place.run(&[&["manifest", "list", "--json"], more].concat()).json();
    let all = list(&[]);
    let ids = texts(&all["sessions"], "session_id");
    // All three have one time, so the id decides.
    assert_eq!((ids[0].as_str(), ids[1].as_str(), ids.len()), (id(1).as_str(), TRADE_ID, 3));
    assert_eq!(all["next"], Value::Null);
    assert_eq!(all["sessions"][0]["artifacts"], 3);
    let (mut paged, mut after) = (vec![], None::<String>);
    loop {
        let cursor: Vec<&str> = after.iter().flat_map(|after| ["--after", after]).collect();
        let page = list(&[&["--limit", "1"], &cursor[..]].concat());
        paged.extend(texts(&page["sessions"], "session_id"));
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(paged, ids);
    for (filter, expect) in [
        (&["--type", "trade"][..], 2),
        (&["--type", "build"], 0),
        (&["--agent", "Agent-5"], 2),
        (&["--status", "ready"], 3),
        (&["--status", "pending"], 0),
        (&["--since", "2025-12-02T05:20:00Z"], 3),
        (&["--since", "2025-12-02T05:20:01Z"], 0),
        (&["--until", "2025-12-02T06:20:00+01:00"], 3),
        (&["--until", "2025-12-02T05:19:59Z"], 0),
        (&["--type", "life_aria", "--status", "ready"], 1),
    ] {
        assert_eq!(list(filter)["sessions"].as_array().map(Vec::len), Some(expect), "{filter:?}");
    }
    let text = place.run(&["manifest", "list", "--limit", "2"]);
    assert_eq!(text.out.lines().count(), 3, "{}", text.out);
    assert!(text.err.contains(&format!("--after {TRADE_ID}")), "{}", text.err);
    place.run(&["manifest", "list", "--after", "nope"]).refused(&["`nope` is no cursor"]);
    place.run(&["manifest", "list", "--limit", "0"]).refused(&["0"]);
    place.run(&["manifest", "list", "--status", "done"]).refused(&["done", "partial"]);
    place.run(&["manifest", "list", "--since", "2025-12-02T05:20:00"]).refused(&["no zone"]);
    place.run(&["manifest", "list", "--data", "none"]).refused(&["there is no log in none"]);
}

#[test]
fn a_session_is_shown_with_steps_artifacts_files_and_publications() {
    let place = place_with_duplicates();
    assert_eq!(place.run(&["run", "t.json", "--out", "second"]).code, 0);
    let shown = place.run(&["manifest", "show", &TRADE_ID[..8], "--json"]).json();
    assert_eq!(shown, place.run(&["manifest", "show", &TRADE_ID.to_uppercase(), "--json"]).json());
    assert_eq!(shown["status"], "ready");
    assert_eq!(shown["file"], place.path("t.json").to_str().expect("text"));
    let steps = texts(&shown["steps"], "step");
    assert_eq!((steps.len(), steps[0].as_str(), steps[6].as_str()), (7, "trade-normalize", "trade-ready"));
    assert!(texts(&shown["steps"], "outcome").iter().all(|outcome| outcome == "completed"));
    let artifacts = shown["artifacts"].as_array().expect("a list");
    assert_eq!(texts(&shown["artifacts"], "type"), ["equity_curve", "trade_journal", "trade_thread"]);
    for artifact in artifacts {
        assert_eq!(artifact["superseded"], false);
        // Equal content of two sessions: the original is the other, and it alone is queued.
        assert_eq!(artifact["equal_content"], serde_json::json!([id(1), TRADE_ID]));
        assert_eq!(texts(&artifact["publications"], "session_id"), [id(1)]);
        let files = artifact["files"].as_array().expect("a list");
        assert_eq!(files.len(), 2, "{artifact}");
        for file in files {
            let bytes = std::fs::read(file.as_str().expect("text")).expect("is there");
            assert_eq!(flywheel_events::Digest::of(&bytes).to_string(), artifact["sha256"], "{file}");
            assert_eq!(Some(bytes.len() as u64), artifact["size"].as_u64());
        }
    }
    let text = place.run(&["manifest", "show", TRADE_ID]).out;
    for word in ["trade-normalize", "completed", "trade_journal", "website queued", "second", &id(1)] {
        assert!(text.contains(word), "{word}: {text}");
    }
    for what in ["nope", "b2", "ffffffff", "00000000-0000-4000-8000-999999999999"] {
        place.run(&["manifest", "show", what]).refused(&[&format!("no session `{what}`"), "manifest list"]);
    }
}

#[test]
fn equal_content_is_grouped_and_queued_once_for_the_original() {
    let place = place_with_duplicates();
    let groups = place.run(&["manifest", "duplicates", "--json"]).json();
    let groups = groups["groups"].as_array().expect("a list");
    assert_eq!(groups.len(), 3);
    for group in groups {
        assert_eq!(group["original"], id(1), "the smaller id of one time, though it came second");
        assert_eq!(group["duplicates"], serde_json::json!([TRADE_ID]));
    }
    let queue = place.run(&["queue", "list", "--json"]).json();
    let sessions = texts(&queue["items"], "session_id");
    assert_eq!(sessions.iter().filter(|session| **session == id(1)).count(), 3);
    assert!(!sessions.iter().any(|session| session == TRADE_ID));
    assert!(texts(&queue["items"], "state").iter().all(|state| state == "queued"));
    let social = place.run(&["queue", "list", "--target", "social", "--type", "trade_thread", "--json"]).json();
    let item = &social["items"][0];
    assert_eq!(social["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(item["path"], format!("{}/social_trade_thread.md", id(1)));
    let name = item["item_id"].as_str().expect("text");
    assert_eq!(place.run(&["queue", "show", name, "--json"]).json(), *item);
    assert!(place.run(&["queue", "show", name]).out.contains("trade_thread"));
    let first = place.run(&["queue", "list", "--limit", "1", "--json"]).json();
    let next = first["next"].as_str().expect("a cursor");
    let rest = place.run(&["queue", "list", "--after", next, "--json"]).json();
    assert_eq!(sessions.len(), 1 + rest["items"].as_array().map_or(0, Vec::len));
    assert_eq!(place.run(&["queue", "list", "--session", "b2c3d4e5", "--json"]).json()["items"], serde_json::json!([]));
    place.put("own.md", "A text of my own.\n");
    assert_eq!(place.run(&["queue", "add", "--type", "social_post", "--file", "own.md"]).code, 0);
    assert!(place.run(&["queue", "list"]).out.contains("(by hand)"));
    place.run(&["queue", "show", "nope"]).refused(&["no item `nope`", "queue list"]);
    place.run(&["queue", "show", &id(7)]).refused(&["no item"]);
    place.run(&["queue", "list", "--state", "lost"]).refused(&["lost", "in_review"]);
    place.run(&["queue", "list", "--after", "first"]).refused(&["--after"]);
    // The whole place still holds: duplicates are no fault.
    assert_eq!(place.run(&["verify"]).code, 0);
}

#[test]
fn failures_are_listed_and_shown_with_what_to_do() {
    let place = Place::new();
    // A template that cannot be rendered fails its own step.
    place.put("templates/devlog.md", "{{ nothing_of_that_name }}");
    place.put("l.json", LIFE);
    place.put("b.json", BUILD);
    assert_eq!(place.run(&["run", "l.json", "--templates", "templates"]).code, 1);
    let listed = place.run(&["failures", "list", "--json"]).json();
    assert_eq!(texts(&listed["failures"], "step"), ["life_aria-devlog"]);
    let failure = &listed["failures"][0];
    assert_eq!((failure["class"].as_str(), failure["run"].as_u64()), (Some("refused"), Some(1)));
    let position = failure["position"].to_string();
    assert_eq!(place.run(&["failures", "show", &position, "--json"]).json(), *failure);
    let text = place.run(&["failures", "show", &position]).out;
    assert!(text.contains("devlog.md") && text.contains("hint"), "{text}");
    assert!(place.run(&["failures", "list"]).out.contains("refused"));
    for (filter, expect) in [
        (&["--step", "life_aria-devlog"][..], 1),
        (&["--class", "world"], 0),
        (&["--session", failure["session_id"].as_str().expect("text")], 1),
        (&["--after", &position], 0),
    ] {
        let found = place.run(&[&["failures", "list", "--json"], filter].concat()).json();
        assert_eq!(found["failures"].as_array().map(Vec::len), Some(expect), "{filter:?}");
    }
    assert_eq!(place.run(&["manifest", "list", "--status", "partial"]).out.lines().count(), 2);
    place.run(&["failures", "show", "1"]).refused(&["no failure is at position 1"]);
    place.run(&["failures", "list", "--class", "bad"]).refused(&["bad", "too_large"]);
    // A failed step is an outcome like any other: everything still is what the log says.
    assert_eq!(place.run(&["verify"]).code, 0);
}
