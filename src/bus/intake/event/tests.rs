use super::*;
use crate::bus::stored::parse_headers;
use proptest::prelude::*;

const STRUCTURED_EVENT: &str = r#"{"specversion":"1.0","id":"e-1","source":"/agents/Agent-7","type":"dev.dreamos.session.completed.v1","data":{"price":1.50}}"#;

fn message(headers: &[(&str, &str)], payload: &str) -> Message {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Message {
        subject: "swarm.session.completed.Agent-7".into(),
        headers: Ok(headers),
        payload: payload.to_owned().into(),
    }
}

const BINARY: [(&str, &str); 5] = [
    ("ce-specversion", "1.0"),
    ("Ce-Id", "e%2D1"),
    ("CE-SOURCE", "/agents/Agent-7"),
    ("ce-type", "dev.dreamos.session.completed.v1"),
    ("content-type", "application/json; charset=utf-8"),
];

#[test]
fn both_modes_are_read_alike_and_data_are_the_bytes_that_came() {
    for message in [
        message(&[("Content-Type", "application/cloudevents+json; charset=utf-8")], STRUCTURED_EVENT),
        // Without a word on what it is, and with a word that structured wins over.
        message(&[], STRUCTURED_EVENT),
        message(&[("ce-specversion", "1.0"), ("content-type", "application/cloudevents+json")], STRUCTURED_EVENT),
        message(&[], &STRUCTURED_EVENT.replace(r#""data":{"price":1.50}"#, r#""data_base64":"eyJwcmljZSI6MS41MH0=""#)),
        message(&BINARY, r#"{"price":1.50}"#),
    ] {
        let event = read(&message).expect("an event");
        assert_eq!(event.id, "e-1");
        assert_eq!(event.source, "/agents/Agent-7");
        assert_eq!(&*event.data, br#"{"price":1.50}"#);
    }
}

#[test]
fn what_is_no_event_of_ours_is_refused_by_name() {
    let with = |from: &str, to: &str| message(&[], &STRUCTURED_EVENT.replace(from, to));
    let without = |name: &str| {
        let headers: Vec<_> = BINARY.into_iter().filter(|(known, _)| !known.eq_ignore_ascii_case(name)).collect();
        message(&headers, "{}")
    };
    let and = |name, value| message(&[&BINARY[..], &[(name, value)]].concat(), "{}");
    let long = "x".repeat(ID_BYTES_MAX + 1);
    for (message, code) in [
        (message(&[], ""), "empty"),
        (message(&[], "{"), "no_event"),
        (message(&[("content-type", "application/cloudevents-batch+json")], "[]"), "batch"),
        (with("session.completed.v1", "session.ready.v1"), "wrong_type"),
        (with(r#""id":"e-1","#, ""), "no_event"),
        (with("e-1", ""), "no_event"),
        (with("e-1", &long), "long_id"),
        (with(r#","data":{"price":1.50}"#, ""), "no_data"),
        (with(r#""id""#, r#""datacontenttype":"text/xml","id""#), "wrong_content"),
        (without("ce-id"), "no_event"),
        (without("ce-source"), "no_event"),
        (and("ce-bad_name", "x"), "no_event"),
        (and("CE-id", "again"), "no_event"),
        (and("ce-time", "yesterday"), "no_event"),
        (and("ce-x", "%ff"), "no_event"),
    ] {
        assert_eq!(read(&message).map_err(|wrong| wrong.code).expect_err("is refused"), code, "{message:?}");
    }
}

#[test]
fn the_trace_of_the_hop_is_told_from_the_one_the_event_began_in_and_one_that_is_none_is_left_out() {
    let (own, hop) = (
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-11111111111111111111111111111111-b7ad6b7169203331-01",
    );
    let with = |own: &str| STRUCTURED_EVENT.replace(r#""id""#, &format!(r#""traceparent":"{own}","id""#));
    let check = |headers: &[(&str, &str)], payload: &str, of_hop: Option<&str>, of_event: Option<&str>| {
        let message = message(headers, payload);
        assert_eq!(message.traceparent(), of_hop);
        assert_eq!(read(&message).expect("an event").traceparent.as_deref(), of_event);
    };
    check(&[("traceparent", hop)], &with(own), Some(hop), Some(own));
    check(&[("Traceparent", hop)], STRUCTURED_EVENT, Some(hop), None);
    check(&[("traceparent", "nonsense")], &with("nonsense"), None, None);
    check(&[], STRUCTURED_EVENT, None, None);
}

#[test]
fn stored_headers_are_read_as_they_are_and_malformed_ones_are_told() {
    let read = |text: &str| parse_headers(text.as_bytes());
    let line = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(read(""), Ok(vec![]));
    assert_eq!(read("NATS/1.0\r\nb: 2\r\na:1 \r\n\r\n"), Ok(vec![line("a", "1"), line("b", "2")]));
    assert_eq!(read("NATS/1.0\r\na: 1\r\n 2\r\n\r\n"), Ok(vec![line("a", "1 2")]));
    for bad in [
        "NATS/1.0\r\na: x\ry\r\n\r\n",
        "NATS/1.0\r\nno colon\r\n\r\n",
        "NATS/1.0\r\na b: 1\r\n\r\n",
        "NATS/1.0 404 No Messages\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
    ] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
    assert!(parse_headers(b"NATS/1.0\r\na: \xff\r\n\r\n").is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        headers in proptest::collection::vec((".{0,20}", ".{0,40}"), 0..4),
        binary in any::<bool>(),
        payload in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut headers: Vec<(String, String)> = headers;
        if binary {
            headers.extend(BINARY.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        let _ = parse_headers(&payload);
        let _ = read(&Message { subject: String::new(), headers: Ok(headers), payload: payload.into() });
    }
}
