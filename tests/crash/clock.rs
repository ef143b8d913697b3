//! A clock that was set back.

use crate::place::{Place, check_sessions, rechained, session};
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::Value;

fn times(place: &Place) -> Vec<DateTime<Utc>> {
    let time = |event: &Value| event["time"].as_str().expect("a time").parse().expect("RFC 3339");
    place.facts().all.iter().map(|(_, event)| time(event)).collect()
}

#[test]
fn a_clock_set_back_an_hour_does_not_set_the_log_back() {
    let before = Place::new();
    before.done(&["run", &session(&before, 0)]);
    let facts = before.facts().all;
    // A log whose last fact was recorded when the clock was an hour ahead.
    let ahead = Utc::now() + Duration::hours(1);
    let shown = ahead.to_rfc3339_opts(SecondsFormat::Micros, true);
    let last = facts.len() - 1;
    let lines = rechained(&facts, |index, event| {
        if index == last {
            event["time"] = shown.clone().into();
        }
    });
    let place = Place::new();
    place.put("log.ndjson", &lines);
    place.done(&["log", "import", "log.ndjson"]);
    place.done(&["replay"]);
    let ran = place.done(&["run", "--json", &session(&place, 0), &session(&place, 1), &session(&place, 2)]);
    let status: Vec<_> = ran.sessions().into_iter().map(|(_, status)| status).collect();
    assert_eq!(status, ["duplicate", "ready", "ready"]);
    assert!(place.export().starts_with(&lines), "what was there is there");
    check_sessions(&place, 0..3);
    let times = times(&place);
    assert!(times.is_sorted(), "{times:?}");
    assert!(*times.last().expect("facts") >= ahead - Duration::milliseconds(1));
    // Views go on, and asking for a time finds the position.
    place.done(&["replay"]);
    let now = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    let ran = place.done(&["replay", "--json", "--until", &now, "--into", "then"]);
    let built: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(built["views"][0]["position"].as_u64(), Some(last as u64), "all before the clock was ahead");
}

#[test]
fn an_import_whose_events_run_back_in_time_is_taken_and_its_rows_do_not() {
    let before = Place::new();
    before.done(&["run", &session(&before, 0)]);
    let facts = before.facts().all;
    let back = rechained(&facts, |index, event| {
        if index == 3 {
            event["time"] = "2020-01-01T00:00:00Z".into();
        }
    });
    let place = Place::new();
    place.put("log.ndjson", &back);
    // On a bus each publisher stamps its own clock.
    place.done(&["log", "import", "log.ndjson"]);
    assert_eq!(place.export(), back);
    place.done(&["verify"]);
    let ran = place.done(&["replay", "--json", "--until", "2021-01-01T00:00:00Z", "--into", "then"]);
    let built: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(built["views"][0]["position"].as_u64(), Some(0), "no row is from before the first one");
}
