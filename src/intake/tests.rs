//! Whole files through the whole intake.

use super::{document, read, report::Report, update};
use flywheel_events::SessionType;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const GOOD: &str = r#"{
  "session_id": "A1B2C3D4-E5F6-7890-ABCD-EF1234567890",
  "session_type": "build",
  "timestamp": "2025-12-02T05:20:00-06:00",
  "agent_id": "Agent-7",
  "metadata": { "duration_minutes": 120.50, "mood": 1e400 },
  "source_data": { "git_commits": [{ "hash": "def456ghi789" }] },
  "artifacts": {},
  "pipeline_status": { "build_artifact": "pending" },
  "deliverables": ["a"]
}
"#;

/// The good file with one piece of text replaced.
fn with(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "{old}");
    GOOD.replacen(old, new, 1)
}

fn refused(bytes: &[u8]) -> Report {
    *read("session.json", bytes, None).expect_err("a bad file")
}

/// `code line:column` of every error.
fn errors(bytes: &[u8]) -> Vec<String> {
    let place = |problem: &super::Problem| format!("{} {}:{}", problem.code, problem.line, problem.column);
    refused(bytes).errors.iter().map(place).collect()
}

#[test]
fn a_good_file_is_read_without_its_outputs() {
    let accepted = read("session.json", GOOD.as_bytes(), Some(SessionType::Build)).expect("a good file");
    assert_eq!(accepted.session.session_id.to_string(), "a1b2c3d4-e5f6-7890-abcd-ef1234567890");
    assert_eq!(accepted.session.metadata.duration_minutes.map(|d| d.to_string()).as_deref(), Some("120.50"));
    assert_eq!(accepted.session.metadata.extra["mood"].to_string(), "1e+400");
    assert_eq!(accepted.session.extra.keys().collect::<Vec<_>>(), ["deliverables"]);
    assert_eq!(accepted.document.value["pipeline_status"]["build_artifact"], "pending");
    assert_eq!(accepted.warnings, []);
    let marked = format!("\u{feff}{GOOD}");
    assert_eq!(read("session.json", marked.as_bytes(), None).expect("a mark is fine").session, accepted.session);
}

#[test]
fn every_bad_file_says_what_and_where() {
    let deep = |levels: usize| with("[\"a\"]", &format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
    let table: Vec<(String, &[&str])> = vec![
        ("".into(), &["syntax 1:1"]),
        (" \n".into(), &["syntax 1:1"]),
        ("{}".into(), &["missing_field 1:1"; 4]),
        ("[]".into(), &["not_an_object 1:1"]),
        ("null".into(), &["not_an_object 1:1"]),
        ("{\"a\": 1,}".into(), &["syntax 1:9"]),
        ("{\"a\": True}".into(), &["syntax 1:7"]),
        ("{\"a\": 1".into(), &["syntax 1:8"]),
        ("{\"a\": \"x\ty\"}".into(), &["syntax 1:9"]),
        ("{\"a\": [1, 2\n".into(), &["syntax 1:12"]),
        ("{'a': 1}".into(), &["syntax 1:2"]),
        ("{\"a\": 1} x".into(), &["syntax 1:10"]),
        ("{\"a\": \"\\ud800\"}".into(), &["syntax 1:14"]),
        (with("\"A1B2C3D4-E5F6-7890-ABCD-EF1234567890\"", "\"uuid-here\""), &["bad_session_id 2:17"]),
        (with("\"A1B2C3D4-E5F6-7890-ABCD-EF1234567890\"", "7"), &["wrong_type 2:17"]),
        (with("A1B2C3D4-E5F6-7890-ABCD-EF1234567890", "../../../etc/passwd"), &["bad_session_id 2:17"]),
        (
            with("A1B2C3D4-E5F6-7890-ABCD-EF1234567890", "A1B2C3D4-E5F6-7890-ABCD-EF123456789*"),
            &["bad_session_id 2:17"],
        ),
        (with("\"session_id\"", "\"sesion_id\""), &["missing_field 2:3"]),
        (with("\"build\"", "\"trades\""), &["unknown_session_type 3:19"]),
        (with("05:20:00-06:00", "05:20:00"), &["timestamp_without_zone 4:16"]),
        (with("2025-12-02T05:20:00-06:00", "2025-02-30T05:20:00Z"), &["bad_timestamp 4:16"]),
        (with("\"2025-12-02T05:20:00-06:00\"", "1764674400"), &["wrong_type 4:16"]),
        (with("Agent-7", "swarm.*"), &["bad_agent_id 5:15"]),
        (with("Agent-7", "a/b"), &["bad_agent_id 5:15"]),
        (with("120.50", "-307"), &["negative 6:37"]),
        (with("120.50", "-0.001"), &["negative 6:37"]),
        (with("120.50", "-1e999"), &["negative 6:37"]),
        (with("120.50", "1e999999999"), &["bad_value 6:37"]),
        (with("\"mood\": 1e400", "\"commits\": 8.5"), &["wrong_type 6:56"]),
        (with("\"mood\": 1e400", "\"commits\": 8.0"), &["bad_value 6:56"]),
        (with("\"mood\": 1e400", "\"commits\": 99999999999999999999"), &["bad_value 6:56"]),
        (with("\"mood\": 1e400", "\"commits\": \"eight\""), &["wrong_type 6:56"]),
        (with("\"mood\": 1e400", "\"duration_minutes\": 1"), &["duplicate_key 6:45"]),
        (with("\"mood\"", "\"$serde_json::private::Number\""), &["reserved_key 6:45"]),
        (with("{ \"hash\": \"def456ghi789\" }", "{ \"message\": \"x\" }"), &["missing_field 7:36"]),
        (with("def456ghi789", "a\\nb"), &["bad_text 7:46"]),
        (with("[{ \"hash\": \"def456ghi789\" }]", "{}"), &["wrong_type 7:35"]),
        (with("\"git_commits\"", "\"screenshots\": [[\"a.png\"]], \"git_commits\""), &["wrong_type 7:36"]),
        (with_screenshot(r#"{ "path": "a.png", "sha256": "abc" }"#), &["bad_digest 7:65"]),
        (with_screenshot(r#"{ "path": "a.png", "sha256": 7 }"#), &["bad_digest 7:65"]),
        (with_screenshot(&format!(r#"{{ "path": "a.png", "sha256": "{}" }}"#, "AB".repeat(32))), &["bad_digest 7:65"]),
        (deep(64), &["too_deep 10:82"]),
        ("[".repeat(100_000), &["too_deep 1:65"]),
    ];
    for (file, expect) in table {
        assert_eq!(errors(file.as_bytes()), expect, "{}", &file[..file.len().min(600)]);
    }
    assert!(read("x", deep(63).as_bytes(), None).is_ok());
}

/// The good session with a screenshot.
fn with_screenshot(screenshot: &str) -> String {
    with("\"git_commits\"", &format!("\"screenshots\": [{screenshot}], \"git_commits\""))
}

#[test]
fn a_screenshot_may_have_the_digest_of_its_file() {
    let digest = "ab".repeat(32);
    for (sha256, expect) in [(format!("\"{digest}\""), Some(digest.as_str())), ("null".to_owned(), None)] {
        let file = with_screenshot(&format!(r#"{{ "path": "a.png", "sha256": {sha256} }}"#));
        let accepted = read("x", file.as_bytes(), None).expect("a good session");
        let found = accepted.session.source_data.screenshots[0].sha256().map(ToString::to_string);
        assert_eq!(found.as_deref(), expect);
    }
    for wrong in [digest.to_uppercase(), format!("sha256:{digest}")] {
        let file = with_screenshot(&format!(r#"{{ "path": "a.png", "sha256": "{wrong}" }}"#));
        let report = refused(file.as_bytes());
        assert_eq!(report.errors[0].pointer, "/source_data/screenshots/0/sha256");
        assert_eq!(report.errors[0].did_you_mean.as_deref(), Some(digest.as_str()), "{wrong}");
    }
}

#[test]
fn bytes_that_are_no_text_or_too_many_are_refused() {
    let mut bytes = GOOD.as_bytes().to_vec();
    let at = GOOD.find("Agent-7").expect("an agent");
    bytes[at] = 0xff;
    assert_eq!(errors(&bytes), ["not_utf8 5:16"]);
    let padded = |length: usize| format!("{GOOD}{}", " ".repeat(length - GOOD.len()));
    assert!(read("x", padded(document::SIZE_BYTES_MAX).as_bytes(), None).is_ok());
    assert_eq!(errors(padded(document::SIZE_BYTES_MAX + 1).as_bytes()), ["too_large 1:1"]);
}

#[test]
fn a_type_that_contradicts_the_pipeline_is_refused() {
    let report = read("x", GOOD.as_bytes(), Some(SessionType::LifeAria)).expect_err("a contradiction");
    assert_eq!((report.errors[0].code, report.errors[0].line), ("type_contradicts_pipeline", 3));
}

#[test]
fn what_was_meant_is_named() {
    let meant = |file: String| refused(file.as_bytes()).errors[0].did_you_mean.clone();
    assert_eq!(meant(with("\"session_id\"", "\"sesion_id\"")).as_deref(), Some("session_id"));
    assert_eq!(meant(with("\"hash\"", "\"hsah\"")).as_deref(), Some("hash"));
    assert_eq!(meant(with("\"agent_id\"", "\"agentId\"")).as_deref(), Some("agent_id"));
    assert_eq!(meant(with("\"build\"", "\"trades\"")).as_deref(), Some("trade"));
    assert_eq!(meant(with("\"build\"", "\"BUILD\"")).as_deref(), Some("build"));
    assert_eq!(meant(with("\"build\"", "\"life-aria\"")).as_deref(), Some("life_aria"));
    assert_eq!(meant(with("\"build\"", "\"zebra\"")), None);
    assert_eq!(meant(with("Agent-7", "Agent 7")).as_deref(), Some("Agent-7"));
    assert_eq!(meant(with("02T05:20:00-06:00", "02 05:20:00 -0600Z")).as_deref(), Some("2025-12-02T05:20:00-06:00"));
    assert_eq!(
        meant(with("A1B2C3D4-E5F6-7890-ABCD-EF1234567890", "{A1B2C3D4E5F67890ABCDEF1234567890}")).as_deref(),
        Some("a1b2c3d4-e5f6-7890-abcd-ef1234567890")
    );
}

#[test]
fn a_value_behind_a_misspelt_key_is_judged_too() {
    let file = with("\"session_id\": \"A1B2C3D4-E5F6-7890-ABCD-EF1234567890\"", "\"sesion_id\": \"uuid-here\"");
    let file = file.replace("\"timestamp\"", "\"Timestamp\"").replace("05:20:00-06:00", "05:20:00");
    assert_eq!(
        errors(file.as_bytes()),
        ["missing_field 2:3", "bad_session_id 2:16", "missing_field 4:3", "timestamp_without_zone 4:16"]
    );
    assert_eq!(refused(file.as_bytes()).warnings, []);
}

#[test]
fn a_commits_hash_is_any_printable_text() {
    let taken = |hash: &str| read("x", with("def456ghi789", hash).as_bytes(), None).is_ok();
    for (hash, expect) in [
        ("abc 123", true),
        ("r4711", true),
        ("é", true),
        (&"a".repeat(128), true),
        (&"a".repeat(129), false),
        ("", false),
        (" a", false),
        ("a\\u0000", false),
        ("a\\u202eb", false),
    ] {
        assert_eq!(taken(hash), expect, "{hash}");
    }
}

#[test]
fn each_reason_is_one_line() {
    let report = refused(include_bytes!("../../tests/sessions/agent5_guardrail_implementation_2025-12-02.json"));
    assert_eq!(
        report.reasons(),
        [
            "session_id: the session id `a5-2025-12-02-guardrail-impl` is not a UUID",
            "timestamp: the session's timestamp `2025-12-02T03:00:00.000000` has no zone, so it names no instant",
        ]
    );
}

#[test]
fn record_stamps_and_near_keys_are_warnings_with_their_index() {
    let commits = r#"[{"hash": "a"}, {"hash": "b", "timestamp": "2025-12-02 05:15:00 -0600Z"},
        {"hash": "c", "timestamp": "2025-12-02T05:15:00"}, {"hash": "d", "timestamp": 5}],
        "conversations": [{"content": "x", "timestamp": "yesterday"}], "screenshot": []"#;
    let file = with("[{ \"hash\": \"def456ghi789\" }]", commits);
    let warnings = read("x", file.as_bytes(), None).expect("only warnings").warnings;
    let found: Vec<_> = warnings.iter().map(|warning| (warning.code, warning.pointer.as_str())).collect();
    assert_eq!(
        found,
        [
            ("unknown_key", "/source_data/screenshot"),
            ("repaired_record_timestamp", "/source_data/git_commits/1/timestamp"),
            ("record_timestamp_without_zone", "/source_data/git_commits/2/timestamp"),
            ("bad_record_timestamp", "/source_data/git_commits/3/timestamp"),
            ("bad_record_timestamp", "/source_data/conversations/0/timestamp"),
        ]
    );
    assert!(warnings[1].message.contains("2025-12-02T05:15:00-06:00"), "{}", warnings[1].message);
}

const MANY: &str = r#"{
  "sesion_id": "A1B2C3D4-E5F6-7890-ABCD-EF1234567890",
  "session_type": "Trades",
  "timestamp": "2025-12-02T05:20:00",
  "agent_id": "../../etc",
  "metadata": { "duration_minutes": -5, "commits": "eight", "file_changed": 3 },
  "source_data": {
    "git_commits": [{ "message": "é\t\u001b[31m no hash" }],
    "conversations": [{ "content": "hi", "timestamp": "noon" }]
  },
  "agent_id": "Agent-7"
}
"#;

#[test]
fn people_see_every_error_with_its_line_underlined() {
    insta::assert_snapshot!(refused(MANY.as_bytes()).render(false));
}

#[test]
fn programs_get_the_same_list() {
    let json = serde_json::to_string_pretty(&refused(MANY.as_bytes()).json()).expect("JSON");
    insta::assert_snapshot!(json);
}

#[test]
fn a_syntax_error_does_not_hide_what_stands_before_it() {
    let cut = with("\"Agent-7\"", "\"Agent 7\"").replace("120.50,", "120.50");
    assert_eq!(errors(cut.as_bytes()), ["bad_agent_id 5:15", "syntax 6:44"]);
}

#[test]
fn a_line_of_700_kib_is_cut_around_the_error() {
    let words = "word ".repeat(140_000);
    let file =
        format!("{{\"note\": \"{words}\", \"agent_id\": 7, \"rest\": \"{words}\"}}").replace("word word", "w\u{1b}");
    let report = refused(&file.as_bytes()[..document::SIZE_BYTES_MAX.min(file.len())]);
    let text = report.render(false);
    assert!(text.len() < 8_000, "{}", text.len());
    assert!(!text.contains('\u{1b}'));
    assert!(text.lines().all(|line| line.chars().count() < 200), "{text}");
}

#[test]
fn a_file_full_of_errors_ends_with_a_hint_that_there_are_more() {
    let listed = |file: String| {
        assert!(file.len() <= document::SIZE_BYTES_MAX);
        let report = refused(file.as_bytes());
        assert!(report.errors.len() < 2_100, "{}", report.errors.len());
        assert_eq!(report.errors.last().map(|problem| problem.code), Some("more_errors"));
        assert!(report.render(false).contains("--json prints them all"));
    };
    let good = |with: String| GOOD.replacen("\"source_data\"", &format!("{with}, \"source_data\""), 1);
    listed(with("[{ \"hash\": \"def456ghi789\" }]", &format!("[{}1]", "1,".repeat(380_000))));
    listed(good(format!("\"sessionid\": {{{}\"a\":1}}", "\"a\":1,".repeat(100_000))));
    listed(good(format!("\"{}\": [{}0]", "x".repeat(300_000), "{\"a\":1,\"a\":1},".repeat(20_000))));
}

#[test]
fn the_guides_and_the_swarms_own_files_are_judged_as_they_should() {
    macro_rules! file {
        ($name:literal) => {
            ($name, include_str!(concat!("../../tests/sessions/", $name)))
        };
    }
    for (name, text) in [
        file!("guide-build.json"),
        file!("guide-trade.json"),
        file!("guide-life.json"),
        file!("00000000-0000-0000-0000-000000000002_trade.json"),
        file!("12c9458e-892f-49a9-889d-74538fa37234_build.json"),
        file!("1eeb7297-1820-4e18-a0f0-6ce534713e68_build.json"),
        file!("7670d1d3-bf6e-40c1-b382-43e13f968ff6_build.json"),
    ] {
        let accepted = read(name, text.as_bytes(), None).unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(accepted.warnings, [], "{name}");
    }
    for ((name, text), expect) in [
        (file!("guide-minimal.json"), vec!["bad_session_id 2:17"]),
        (file!("00630e76-7543-4def-a35b-5a8489f0a05c_build.json"), vec!["negative 11:25"]),
        (file!("a2-phase2-arch-2025-12-02_build.json"), vec!["bad_session_id 2:17"]),
        (
            file!("agent5_guardrail_implementation_2025-12-02.json"),
            vec!["bad_session_id 2:17", "timestamp_without_zone 4:16"],
        ),
    ] {
        assert_eq!(errors(text.as_bytes()), expect, "{name}");
    }
}

fn updated(text: &str) -> String {
    let made = json!({
        "readme": { "generated": true, "path": "out/README.md", "status": "ready" },
        "build_log": { "generated": false, "path": null, "status": "failed" },
    });
    let Value::Object(made) = made else { unreachable!() };
    let accepted = read("x", text.as_bytes(), None).unwrap_or_else(|report| panic!("{report}"));
    String::from_utf8(update::update(&accepted.document, &made, &[("build_artifact", "partial")])).expect("text")
}

#[test]
fn an_update_follows_the_files_own_hand() {
    let head = r#""session_id": "A1B2C3D4-E5F6-7890-ABCD-EF1234567890", "session_type": "build", "timestamp": "2025-12-02T05:20:00Z", "agent_id": "a""#;
    assert_eq!(
        updated(&format!("{{{head}}}")),
        format!(
            "{{{head}, \"artifacts\": {{\"build_log\": {{\"generated\": false, \"path\": null, \"status\": \"failed\"}}, \
             \"readme\": {{\"generated\": true, \"path\": \"out/README.md\", \"status\": \"ready\"}}}}, \
             \"pipeline_status\": {{\"build_artifact\": \"partial\"}}}}"
        )
    );
    let tight = head.replace(": ", ":").replace(", ", ",");
    let kept = r#""artifacts":{"blog_post":{},"readme":{"status":"pending","note":1.50}},"pipeline_status":{"build_artifact":"pending","trade_artifact":"not_applicable"},"x":1e2"#;
    assert_eq!(
        updated(&format!("{{{tight},{kept}}}\n")),
        format!(
            "{{{tight},\"artifacts\":{{\"blog_post\":{{}},\"readme\":{{\"generated\":true,\"note\":1.50,\
             \"path\":\"out/README.md\",\"status\":\"ready\"}},\"build_log\":{{\"generated\":false,\"path\":null,\
             \"status\":\"failed\"}}}},\"pipeline_status\":{{\"build_artifact\":\"partial\",\
             \"trade_artifact\":\"not_applicable\"}},\"x\":1e2}}\n"
        )
    );
    let lines = format!("\u{feff}{}", GOOD.replace("  \"", "    \"").replace('\n', "\r\n"));
    let expect = lines
        .replace(
            "\"artifacts\": {}",
            "\"artifacts\": {\r\n        \"build_log\": {\r\n            \"generated\": false,\r\n            \"path\": null,\r\n            \
             \"status\": \"failed\"\r\n        },\r\n        \"readme\": {\r\n            \"generated\": true,\r\n            \
             \"path\": \"out/README.md\",\r\n            \"status\": \"ready\"\r\n        }\r\n    }",
        )
        .replace("\"build_artifact\": \"pending\"", "\"build_artifact\": \"partial\"");
    assert_eq!(updated(&lines), expect);
}

/// A session file in some hand: its bytes before the outputs, the outputs (or none), and after them.
fn hands() -> impl Strategy<Value = (String, String, String)> {
    let newline = prop_oneof![Just(""), Just("\n"), Just("\r\n")];
    let gap = prop_oneof![Just(""), Just(" ")];
    let outputs = prop_oneof![
        Just(""),
        Just("\"artifacts\":{}"),
        Just("\"artifacts\": null,\"pipeline_status\":[]"),
        Just("\"artifacts\" : { \"blog_post\" : { } },\n\"pipeline_status\":{\"x\":1.0}"),
        Just(
            "\"pipeline_status\": {\"build_artifact\": \"pending\"}, \"artifacts\": {\n\t\"readme\": {\n\t\t\"generated\": false, \"k\": [1.10]}}"
        ),
    ];
    (newline, gap, "[ \t]{0,5}", outputs, any::<bool>(), "[a-zé\\\\\"]{0,5}").prop_map(
        |(newline, gap, indent, outputs, mark, text)| {
            let indent = if newline.is_empty() { String::new() } else { format!("{newline}{indent}") };
            let member = |key: &str, value: &str| format!("{indent}\"{key}\":{gap}{value},");
            let before = [
                if mark { "\u{feff}{" } else { "{" }.to_owned(),
                member("session_id", "\"A1B2C3D4-E5F6-7890-ABCD-EF1234567890\""),
                member("session_type", "\"build\""),
                member("timestamp", "\"2025-12-02T05:20:00Z\""),
                member("agent_id", "\"a\""),
            ];
            let after = format!("{indent}\"zz\":{gap}{}{newline}}}{newline}", json!({ "price": text }));
            let comma = if outputs.is_empty() { "" } else { "," };
            (before.concat(), outputs.to_owned(), format!("{comma}{after}"))
        },
    )
}

proptest! {
    #[test]
    fn no_bytes_make_the_intake_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read("x", &bytes, None).map_err(|report| (report.render(true), report.json()));
    }

    #[test]
    fn no_damage_makes_the_intake_panic(at in 0..GOOD.len(), length in 0..40_usize, new in "[\\[\\]{}\",:0-9eE+\\-.a-z\\\\ué\n ]{0,6}") {
        let end = (at + length).min(GOOD.len());
        let file = format!("{}{new}{}", &GOOD[..at], &GOOD[end..]);
        if let Err(report) = read("x", file.as_bytes(), Some(SessionType::Trade)) {
            prop_assert!(!report.errors.is_empty());
            report.render(false);
        }
    }

    #[test]
    fn an_update_changes_the_two_values_and_nothing_else((before, outputs, after) in hands()) {
        let file = format!("{before}{outputs}{after}");
        let new = updated(&file);
        prop_assert!(new.starts_with(&before), "{new}");
        let mut kept = after.as_str();
        if outputs.is_empty() {
            // Missing members go before the closing brace.
            kept = after.trim_end().trim_end_matches('}').trim_end();
            prop_assert!(new.contains(kept), "{new}");
        } else if !outputs.contains("pipeline_status") {
            kept = kept.trim_end().trim_end_matches('}').trim_end();
            prop_assert!(new.contains(kept), "{new}");
        } else {
            prop_assert!(new.ends_with(kept), "{new}");
        }
        let value: Value = serde_json::from_str(new.trim_start_matches('\u{feff}')).expect("JSON");
        prop_assert_eq!(&value["artifacts"]["readme"]["status"], "ready");
        prop_assert_eq!(&value["pipeline_status"]["build_artifact"], "partial");
        let mut old: Value = serde_json::from_str(file.trim_start_matches('\u{feff}')).expect("JSON");
        let mut others = value.clone();
        let without = |value: &mut Value| {
            let object: &mut Map<String, Value> = value.as_object_mut().expect("an object");
            object.remove("artifacts");
            object.remove("pipeline_status");
        };
        without(&mut old);
        without(&mut others);
        prop_assert_eq!(old, others);
        prop_assert_eq!(updated(&new), new);
    }
}

#[test]
fn every_trading_setting_that_cannot_be_read_is_an_error_at_its_place() {
    let file = br#"{
  "session_id": "b2c3d4e5-f6a7-8901-bcde-f23456789012", "session_type": "trade",
  "timestamp": "2025-12-02T05:20:00Z", "agent_id": "Agent-5",
  "source_data": { "trading": {
    "matching": "hifo",
    "session": { "tz": "Mars/X", "rollover": "25:00" },
    "strating_equity": "100" } } }"#;
    let report = read("x.json", file, None).expect_err("three settings are wrong");
    let places: Vec<_> = report.errors.iter().map(|one| (one.code, one.pointer.as_str(), one.line)).collect();
    assert_eq!(
        places,
        [
            ("bad_setting", "/source_data/trading/matching", 5),
            ("bad_setting", "/source_data/trading/session/tz", 6),
            ("bad_setting", "/source_data/trading/session/rollover", 6),
        ]
    );
    let warning = &report.warnings[0];
    assert_eq!((warning.code, warning.pointer.as_str()), ("unknown_key", "/source_data/trading/strating_equity"));
}
