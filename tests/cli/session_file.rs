//! What a run leaves in the session file: two members, and not one byte else.

use crate::{Place, TRADE, TRADE_ID};
use serde_json::{Value, json};

/// Everything in front of `artifacts`, and behind `pipeline_status`: the guide's example ends with the two.
fn before(text: &str) -> &str {
    &text[..text.find("\"artifacts\"").expect("is there")]
}

#[test]
fn nothing_but_the_two_members_changes() {
    let exact = TRADE.replacen("175.5,", "175.50,", 1).replacen("80.0", "8.0E+1", 1);
    let cases = [
        ("as it is", exact.clone()),
        ("CRLF", exact.replace('\n', "\r\n")),
        ("a byte order mark", format!("\u{feff}{exact}")),
        ("tabs", exact.replace("  ", "\t")),
        ("minified", exact.lines().map(str::trim_start).collect::<String>()),
        ("escapes", exact.replacen("\"high\"", "\"h\\u00efgh \\/\"", 1)),
        ("no last line end", exact.trim_end().to_owned()),
        ("blank lines behind it", format!("{exact}\n\n")),
    ];
    for (what, text) in cases {
        let place = Place::new();
        place.put("t.json", &text);
        let (session, code) = place.session(&["t.json", "--out", "out"]);
        assert_eq!((session["status"].as_str(), code), (Some("ready"), 0), "{what}: {session}");
        let after = place.read("t.json");
        assert_eq!(before(&after), before(&text), "{what}");
        assert_eq!(
            after.matches('\n').count() == after.matches("\r\n").count(),
            what == "CRLF" || what == "minified",
            "{what}"
        );
        let end = |text: &str| text[text.rfind('}').expect("an object")..].to_owned();
        assert_eq!(end(&after), end(&text), "{what}");
        let document: Value = serde_json::from_str(after.trim_start_matches('\u{feff}')).expect(what);
        let expect: Value = serde_json::from_str(
            r#"{"build_artifact":"not_applicable","trade_artifact":"complete","life_aria_artifact":"not_applicable"}"#,
        )
        .expect("JSON");
        assert_eq!(document["pipeline_status"], expect, "{what}");
        let path = place.path(&format!("out/{TRADE_ID}/trade_journal.md"));
        let expect = json!({ "generated": true, "path": path.to_string_lossy(), "status": "ready" });
        assert_eq!(document["artifacts"]["trade_journal"], expect, "{what}");
        assert_eq!(document["artifacts"].as_object().map(|artifacts| artifacts.len()), Some(3), "{what}");
        // Again: the same bytes.
        assert_eq!(place.session(&["t.json", "--out", "out"]).0["status"], "duplicate", "{what}");
        assert_eq!(place.read("t.json"), after, "{what}");
        assert_eq!(place.names(), [".flywheel", "out", "t.json"], "{what}: no temporary file is left");
    }
}

#[test]
fn the_file_stays_as_it_is_where_it_is_not_to_be_touched() {
    let place = Place::with_trade();
    assert_eq!(place.session(&["t.json", "--no-update"]).1, 0);
    assert_eq!(place.read("t.json"), TRADE);
    // A duplicate updates it after all.
    assert_eq!(place.session(&["t.json"]).0["status"], "duplicate");
    assert_ne!(place.read("t.json"), TRADE);
}

#[test]
fn entries_of_others_are_kept() {
    let place = Place::new();
    let theirs = r#""artifacts": {"poster": {"mine": 1}, "trade_journal": {"note": "x", "generated": false}}"#;
    place.put("t.json", TRADE.replacen("\"artifacts\": {}", theirs, 1));
    assert_eq!(place.session(&["t.json"]).1, 0);
    let document: Value = serde_json::from_str(&place.read("t.json")).expect("JSON");
    assert_eq!(document["artifacts"]["poster"], json!({ "mine": 1 }));
    assert_eq!(document["artifacts"]["trade_journal"]["note"], "x");
    assert_eq!(document["artifacts"]["trade_journal"]["generated"], true);
}

#[cfg(unix)]
#[test]
fn a_link_to_a_session_file_stays_a_link() {
    let place = Place::new();
    place.put("real/t.json", TRADE);
    std::os::unix::fs::symlink("real/t.json", place.path("t.json")).expect("links");
    assert_eq!(place.session(&["t.json"]).1, 0);
    assert!(place.path("t.json").symlink_metadata().expect("is there").is_symlink());
    assert_ne!(place.read("real/t.json"), TRADE);
}
