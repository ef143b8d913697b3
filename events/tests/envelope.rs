//! The examples of the CloudEvents specification read, and what breaks a rule of it does not.

use flywheel_events::envelope::{Envelope, Error, Extension};

fn parse(text: &str) -> Result<Envelope<'_>, Error> {
    Envelope::parse(text.as_bytes())
}

/// The events of the JSON event format 1.0.2: sections 3.2 and 4.3 (the two of its batch, each by itself), then the one of
/// the core specification. One thing differs: where the specification writes the placeholder
/// `... base64 encoded string ...`, which is not base64, its base64 stands here.
const OFFICIAL: &[&str] = &[
    r#"{"specversion":"1.0","type":"com.example.someevent","source":"/mycontext","id":"A234-1234-1234",
        "time":"2018-04-05T17:31:00Z","comexampleextension1":"value","comexampleothervalue":5,
        "datacontenttype":"application/vnd.apache.thrift.binary","data_base64":"Li4uIGJhc2U2NCBlbmNvZGVkIHN0cmluZyAuLi4="}"#,
    r#"{"specversion":"1.0","type":"com.example.someevent","source":"/mycontext","id":"B234-1234-1234",
        "time":"2018-04-05T17:31:00Z","comexampleextension1":"value","comexampleothervalue":5,"unsetextension":null,
        "datacontenttype":"application/xml","data":"<much wow=\"xml\"/>"}"#,
    r#"{"specversion":"1.0","type":"com.example.someevent","source":"/mycontext","subject":null,"id":"C234-1234-1234",
        "time":"2018-04-05T17:31:00Z","comexampleextension1":"value","comexampleothervalue":5,
        "datacontenttype":"application/json","data":{"appinfoA":"abc","appinfoB":123,"appinfoC":true}}"#,
    r#"{"specversion":"1.0","type":"com.example.someevent","source":"/mycontext","subject":null,"id":"D234-1234-1234",
        "time":"2018-04-05T17:31:00Z","comexampleextension1":"value","comexampleothervalue":5,
        "data":"I'm just a string"}"#,
    r#"{"specversion":"1.0","type":"com.example.someevent","source":"/mycontext/4","id":"B234-1234-1234",
        "time":"2018-04-05T17:31:00Z","comexampleextension1":"value","comexampleothervalue":5,
        "datacontenttype":"application/vnd.apache.thrift.binary","data_base64":"Li4uIGJhc2U2NCBlbmNvZGVkIHN0cmluZyAuLi4="}"#,
    r#"{"specversion":"1.0","type":"com.example.someotherevent","source":"/mycontext/9","id":"C234-1234-1234",
        "time":"2018-04-05T17:31:05Z","comexampleextension1":"value","comexampleothervalue":5,
        "datacontenttype":"application/json","data":{"appinfoA":"abc","appinfoB":123,"appinfoC":true}}"#,
    r#"{"specversion":"1.0","type":"com.github.pull_request.opened","source":"https://github.com/cloudevents/spec/pull",
        "subject":"123","id":"A234-1234-1234","time":"2018-04-05T17:31:00Z","comexampleextension1":"value",
        "comexampleothervalue":5,"datacontenttype":"text/xml","data":"<much wow=\"xml\"/>"}"#,
];

#[test]
fn the_official_examples_read() {
    for text in OFFICIAL {
        let envelope = parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!(envelope.id().ends_with("234-1234-1234"));
        assert!(envelope.time().expect("a time").to_rfc3339().starts_with("2018-04-05T17:31:0"));
        assert_eq!(envelope.extension("comexampleothervalue"), Some(&Extension::Integer(5)));
        assert_eq!(envelope.data().is_some(), envelope.data_base64().is_none(), "{text}");
    }
    let read = |n: usize| parse(OFFICIAL[n]).expect("read above");
    assert_eq!(read(2).subject(), None, "null is absent");
    assert_eq!(read(1).extension("unsetextension"), None, "null is absent");
    assert_eq!(read(3).content_type(), "application/json", "implied");
    assert_eq!(read(6).subject(), Some("123"));
}

/// A valid event with one member replaced, added (`name` is new) or removed (`value` is empty).
fn with(name: &str, value: &str) -> String {
    let mut members = vec![
        ("specversion", r#""1.0""#),
        ("id", r#""1""#),
        ("source", r#""/a""#),
        ("type", r#""t""#),
        ("time", r#""2025-12-02T05:20:00.25-06:00""#),
        ("data", r#"{"price":175.50}"#),
    ];
    members.retain(|(known, _)| *known != name);
    if !value.is_empty() {
        members.push((name, value));
    }
    let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn what_breaks_a_rule_is_refused() {
    let missing = |name| Error::Missing(name);
    let cases: Vec<(String, Error)> = vec![
        (with("id", ""), missing("id")),
        (with("id", "null"), missing("id")),
        (with("id", r#""""#), Error::Empty("id".into())),
        (with("source", r#""""#), Error::Empty("source".into())),
        (with("source", ""), missing("source")),
        (with("type", r#""""#), Error::Empty("type".into())),
        (with("type", ""), missing("type")),
        (with("subject", r#""""#), Error::Empty("subject".into())),
        (with("specversion", ""), missing("specversion")),
        (with("specversion", r#""0.3""#), Error::Version("0.3".into())),
        (with("Upper", r#""x""#), Error::Name("Upper".into())),
        (with("under_score", r#""x""#), Error::Name("under_score".into())),
        (with("trace-id", r#""x""#), Error::Name("trace-id".into())),
        (with("", r#""x""#), Error::Name(String::new())),
        (with("time", r#""2025-12-02""#), Error::Time(flywheel_events::stamp::Error::Malformed("2025-12-02".into()))),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(&text).expect_err(&text), expected, "{text}");
    }
    for text in [
        with("id", "7"),
        with("ext", "1.5"),
        with("ext", "2147483648"),
        with("ext", "{}"),
        with("ext", "[1]"),
        with("source", r#""a b""#),
        with("dataschema", r#""not absolute""#),
        with("datacontenttype", r#""json""#),
        with("data_base64", r#""AA==""#),
        r#"{"specversion":"1.0","id":"1","id":"2","source":"/a","type":"t"}"#.into(),
        r#"{"specversion":"1.0","id":"1","source":"/a","type":"t","data_base64":"... not base64 ..."}"#.into(),
        "[]".into(),
        "{".into(),
        String::new(),
        "null".into(),
    ] {
        assert!(parse(&text).is_err(), "{text}");
    }
}

#[test]
fn offsets_and_decimals_are_kept() {
    let text = with("ext", r#""é\n""#);
    let envelope = parse(&text).expect("valid");
    assert_eq!(envelope.time().expect("a time").to_rfc3339(), "2025-12-02T05:20:00.250-06:00");
    assert_eq!(envelope.data().expect("data").get(), r#"{"price":175.50}"#);
    assert_eq!(envelope.extension("ext"), Some(&Extension::Text("é\n".into())));
}
