//! Metrics as events: once for each change, never an old one, and readable for those who come later.

use crate::{
    nats::Server,
    place::{Place, Staying, append, log, wait_until},
};
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use cloudevents::AttributesReader as _;
use flywheel::bus::BusLog;
use flywheel_events::catalog;
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

const EMIT: [&str; 4] = ["replica", "--once", "--emit-metrics", "--json"];

/// The last event of a metric and its sequence.
async fn last(log: &BusLog, name: &str) -> Option<(u64, Value)> {
    let stream = log.bus().jetstream.get_stream("FLYWHEEL_METRICS").await.expect("is there");
    match stream.get_last_raw_message_by_subject(&format!("flywheel.metrics.{name}")).await {
        Ok(message) => Some((message.sequence, serde_json::from_slice(&message.payload).expect("JSON"))),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => None,
        Err(error) => panic!("{error}"),
    }
}

async fn count(log: &BusLog) -> u64 {
    log.bus().jetstream.get_stream("FLYWHEEL_METRICS").await.expect("is there").cached_info().state.last_sequence
}

/// A session from one machine, on the bus.
fn with_a_session(server: &Server) -> Place {
    let alone = Place::alone();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions/guide-trade.json");
    std::fs::copy(file, alone.path("t.json")).expect("copies");
    assert!(alone.run(&["run", "t.json", "--no-update"]).code < 2);
    alone.run(&["bus", "reconcile", "--nats", &server.url, "--json"]).json();
    alone
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metric_is_sent_when_it_changes_and_never_again() {
    let server = Server::start();
    let stream = log(&server).await;
    with_a_session(&server);
    let place = Place::on(&server);
    place.run(&EMIT).json();
    let (_, event) = last(&stream, "pipeline_success_rate").await.expect("it was sent");
    let schema = (catalog::find("metric.changed").expect("in the catalog").schema)();
    assert!(jsonschema::is_valid(schema.as_value(), &event["data"]), "{event}");
    let theirs: cloudevents::Event = serde_json::from_value(event.clone()).expect("a CloudEvent");
    assert_eq!(theirs.ty(), "dev.dreamos.metric.changed.v1");
    let trade = json!({ "value": "1", "numerator": 1, "denominator": 1, "window": "all", "dimensions": { "pipeline": "trade" } });
    assert!(event["data"]["values"].as_array().expect("a list").contains(&trade), "{event}");
    let after_first = count(&stream).await;
    assert_eq!(after_first, 8, "each once");

    // A restart, a replay, a replica elsewhere, and one that is behind.
    place.run(&EMIT).json();
    assert_eq!(place.run(&["replay"]).code, 0);
    place.run(&EMIT).json();
    Place::on(&server).run(&EMIT).json();
    assert_eq!(count(&stream).await, after_first, "nothing old is sent");

    // One fact that says nothing new of any metric but the steps' times.
    append(&stream, 1..=1).await;
    place.run(&EMIT).json();
    let changed = count(&stream).await;
    assert_eq!(last(&stream, "pipeline_success_rate").await.expect("is there").1, event);
    let rated = [
        "feedback",
        "add",
        "--session",
        "b2c3d4e5-f6a7-8901-bcde-f23456789012",
        "--agent",
        "Agent-9",
        "--quality",
        "4",
    ];
    assert_eq!(place.run(&rated).code, 0);
    place.run(&EMIT).json();
    assert_eq!(count(&stream).await, changed + 1, "only the quality has changed");
    let (_, quality) = last(&stream, "artifact_quality").await.expect("is there");
    assert_eq!(quality["data"]["values"][0]["value"], "4");
    assert_eq!(quality["data"]["log_position"], place.head());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emitter_that_is_behind_replaces_nothing() {
    let server = Server::start();
    let stream = log(&server).await;
    with_a_session(&server);
    let place = Place::on(&server);
    place.run(&EMIT).json();
    let (sequence, newest) = last(&stream, "sessions").await.expect("is there");
    // As another emitter would have sent it that is ahead of this one.
    let mut ahead = newest.clone();
    ahead["data"]["log_position"] = json!(1_000_000);
    ahead["data"]["values"] = json!([]);
    let sent = stream.bus().jetstream.publish("flywheel.metrics.sessions", ahead.to_string().into()).await;
    assert!(sent.expect("sends").await.expect("is stored").sequence > sequence);
    Place::on(&server).run(&EMIT).json();
    assert_eq!(last(&stream, "sessions").await.expect("is there").1, ahead);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_set_up_anew_is_not_silenced_by_the_one_before() {
    let server = Server::start();
    let stream = log(&server).await;
    append(&stream, 1..=50).await;
    with_a_session(&server);
    Place::on(&server).run(&EMIT).json();
    let (_, before) = last(&stream, "sessions").await.expect("is there");
    assert!(before["data"]["log_position"].as_u64() > Some(50), "{before}");

    stream.bus().jetstream.delete_stream("FLYWHEEL").await.expect("is lost");
    let place = Place::on(&server);
    assert_eq!(place.run(&["bus", "setup"]).code, 0);
    append(&stream, 1..=3).await;
    place.run(&EMIT).json();
    let (sequence, after) = last(&stream, "sessions").await.expect("is there");
    assert_eq!((after["data"]["log_position"].as_u64(), &after["data"]["values"]), (Some(3), &json!([])), "{after}");
    assert_ne!(after["id"], before["id"]);
    // In the new one the order is by position again.
    append(&stream, 4..=5).await;
    place.run(&EMIT).json();
    Place::on(&server).run(&EMIT).json();
    assert_eq!(last(&stream, "sessions").await.expect("is there").0, sequence);
}

/// The lines that a process prints, as they come.
fn lines(mut command: Command) -> (Staying, Arc<Mutex<Vec<String>>>) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    let lines = Arc::<Mutex<Vec<String>>>::default();
    std::thread::spawn({
        let lines = lines.clone();
        move || {
            out.lines()
                .map_while(Result::ok)
                .for_each(|line| lines.lock().unwrap_or_else(PoisonError::into_inner).push(line))
        }
    });
    (Staying::of(child), lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_5_sees_the_last_values_and_then_every_change() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/python/bin/python");
    assert!(python.exists(), "the Python clients are not installed: `tests/tools/python` installs them");
    let server = Server::start();
    let stream = log(&server).await;
    with_a_session(&server);
    let place = Place::on(&server);
    let follower = place.stay(&["replica", "--emit-metrics"]);
    // What there is to ask for must be there.
    while last(&stream, "sessions").await.is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut agent = Command::new(python);
    agent
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bus/agent5.py"))
        .arg(&server.url)
        .arg("pipeline_success_rate");
    let (_agent, lines) = lines(agent);
    let saw = |beginning: &str| {
        lines.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|line| line.starts_with(beginning))
    };
    wait_until("the values that were there", || saw("pipeline_success_rate all {'pipeline': 'trade'} 1 "));
    let rated = [
        "feedback",
        "add",
        "--session",
        "b2c3d4e5-f6a7-8901-bcde-f23456789012",
        "--agent",
        "Agent-9",
        "--quality",
        "5",
    ];
    assert_eq!(place.run(&rated).code, 0);
    wait_until("the change", || saw("artifact_quality all {'measure': 'rating'} 5 "));
    assert_eq!(follower.end().code, 0);
}
