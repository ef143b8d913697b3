use super::*;
use flywheel_events::{Fact as _, SessionRejected, envelope::EVENT_BYTES_MAX};
use serde_json::json;

const SUBJECT: &str = "swarm.session.completed.Agent-7";
const SESSION: &str = "a1b2c3d4-e5f6-7890-abcd-ef1234567890";

fn session() -> Value {
    json!({
        "session_id": SESSION, "session_type": "build", "timestamp": "2025-12-02T05:20:00Z", "agent_id": "Agent-7",
        "source_data": { "conversations": [{ "content": "the key is ghp_0123456789abcdefghijABCDEFGHIJ012345" }] },
    })
}

fn message(subject: &str, source: &str, about: &str, data: &Value) -> Message {
    let event = json!({
        "specversion": "1.0", "id": "e-1", "source": source, "type": "dev.dreamos.session.completed.v1", "subject": about,
        "data": data,
    });
    Message { subject: subject.into(), headers: Ok(vec![]), payload: event.to_string().into() }
}

fn cleaner() -> Cleaner {
    Cleaner::new(crate::safety::Context::default())
}

#[test]
fn a_session_becomes_a_clean_fact_that_names_what_brought_it() {
    let message = message(SUBJECT, "/agents/Agent-7", SESSION, &session());
    let taken = judge(&message, &cleaner(), EVENT_BYTES_MAX, &Span::none()).expect("a session");
    assert_eq!(taken.id.to_string(), SESSION);
    let event = taken.fact.event(chrono::DateTime::default()).expect("is small");
    assert!(event.contains(r#""causationid":"e-1""#) && !event.contains("ghp_"), "{event:?}");
    assert_eq!(taken.removed.len(), 1, "{:?}", taken.removed);
}

#[test]
fn who_publishes_who_it_says_and_whose_session_it_is_must_be_the_same() {
    let other = |key: &str, value: &str| {
        let mut session = session();
        session[key] = value.into();
        session
    };
    for (message, code) in [
        (message(SUBJECT, "/agents/Agent-8", SESSION, &session()), "identity"),
        (message(SUBJECT, "Agent-7", SESSION, &session()), "identity"),
        (message(SUBJECT, "/agents/Agent-7", SESSION, &other("agent_id", "Agent-8")), "identity"),
        (message(SUBJECT, "/agents/Agent-7", "other", &session()), "identity"),
        (message("swarm.session.completed.Agent-8", "/agents/Agent-7", SESSION, &session()), "identity"),
        (message("swarm.session.completed.-", "/agents/-", SESSION, &session()), "bad_subject"),
        (message(SUBJECT, "/agents/Agent-7", SESSION, &other("session_id", "none")), "bad_session_id"),
    ] {
        let report = judge(&message, &cleaner(), EVENT_BYTES_MAX, &Span::none()).expect_err("is refused");
        assert_eq!(report.errors[0].code, code, "{report}");
    }
}

#[test]
fn a_refusal_quotes_no_secret_and_the_same_message_has_the_same_key() {
    let mut bad = session();
    bad["session_type"] = "ghp_0123456789abcdefghijABCDEFGHIJ012345".into();
    let refuse = |message: &Message| {
        let report = judge(message, &cleaner(), EVENT_BYTES_MAX, &Span::none()).expect_err("is refused");
        assert!(report.json().to_string().contains("ghp_"), "the report itself quotes it");
        Refusal::new(message, *report, &cleaner(), EVENT_BYTES_MAX)
    };
    let message = message(SUBJECT, "/agents/Agent-7", SESSION, &bad);
    let refusal = refuse(&message);
    let fact = refusal.fact();
    let event = fact.event(chrono::DateTime::default()).expect("is small");
    assert!(!event.contains("ghp_") && !refusal.report.to_string().contains("ghp_"), "{event:?}");
    assert!(event.contains(SessionRejected::TYPE), "{event:?}");
    assert_eq!(refusal.report["errors"][0]["pointer"], "/session_type");
    assert_eq!(refuse(&message).fact().key, fact.key);
    let other = Message { headers: Ok(vec![("a".into(), "b".into())]), ..message.clone() };
    assert_ne!(refuse(&other).fact().key, fact.key);
}

#[test]
fn a_report_of_any_length_fits_into_a_message() {
    let keys: String =
        (0..600).map(|n| format!(r#""{n}{}": 1, "{n}{}": 2,"#, "k".repeat(600), "k".repeat(600))).collect();
    let data = format!("{{{keys} \"end\": 1}}");
    let report = intake::read(SUBJECT, data.as_bytes(), None).expect_err("keys stand twice");
    let message = Message { subject: SUBJECT.into(), headers: Ok(vec![]), payload: data.into() };
    for max in [60 * 1024, EVENT_BYTES_MAX] {
        let refusal = Refusal::new(&message, Report::clone(&report), &cleaner(), max);
        assert!(refusal.report.to_string().len() <= 256 * 1024);
        assert_eq!(refusal.report["valid"], false);
        assert!(refusal.fact().check_size(16 * 1024).is_ok());
        assert!(refusal.event(chrono::DateTime::default()).len() <= max);
        assert!(refusal.rejected.reasons.last().is_some_and(|last| last.ends_with(" more")));
    }
}
