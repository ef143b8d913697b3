//! Filling the local log from the stream: everything that is there, nothing that is not right, and words where it ends.

use crate::{
    nats::Server,
    place::{Place, append, bus, fact, log, wait_until},
};
use async_nats::{HeaderMap, jetstream::stream::Config};
use flywheel::bus::{Bus, Topology, setup};
use flywheel_events::{Digest, Fact as _, Key, Step, StepSkipped, canonical};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

const ONCE: [&str; 3] = ["replica", "--once", "--json"];

#[tokio::test(flavor = "multi_thread")]
async fn it_catches_up_follows_a_server_that_comes_back_and_ends_when_it_is_asked_to() {
    let mut server = Server::start();
    let stream = log(&server).await;
    append(&stream, 1..=2500).await;
    let place = Place::on(&server);
    let caught_up = place.run(&ONCE).json();
    assert_eq!((&caught_up["from"], &caught_up["position"]), (&json!(0), &json!(2500)));
    let again = place.run(&ONCE).json();
    assert_eq!((&again["facts"], &again["chain"]), (&json!(0), &caught_up["chain"]));

    let follower = place.stay(&["replica", "--json"]);
    append(&stream, 2501..=2510).await;
    wait_until("what was appended while it follows", || place.head() == 2510);
    server.stop();
    server.start_again();
    append(&log(&server).await, 2511..=2520).await;
    wait_until("what was appended after the server was gone", || place.head() == 2520);
    let ended = follower.end().json();
    assert_eq!((&ended["from"], &ended["position"]), (&json!(2500), &json!(2520)));

    let verified = place.run(&["verify", "--format", "json"]);
    let report: Value = serde_json::from_str(&verified.out).expect("JSON");
    let of_the_log: Vec<_> =
        report["findings"].as_array().expect("a list").iter().filter(|it| it["kind"] == "log").collect();
    assert!(of_the_log.is_empty(), "{of_the_log:?}");
    assert_eq!(report["checked"]["facts"], 2520);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_fills_and_the_next_waits_for_it() {
    let server = Server::start();
    let stream = log(&server).await;
    append(&stream, 1..=10).await;
    let place = Place::on(&server);
    let first = place.stay(&["replica"]);
    wait_until("the first has filled it", || place.head() == 10);
    let second = place.stay(&ONCE);
    std::thread::sleep(std::time::Duration::from_millis(500));
    append(&stream, 11..=12).await;
    wait_until("the first goes on", || place.head() == 12);
    first.end();
    let second = second.wait();
    assert!(second.err.contains("another process fills this replica"), "{second:?}");
    assert_eq!(second.json()["position"], 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_appended_to_a_replica_and_what_is_said_goes_through_the_bus() {
    let server = Server::start();
    append(&log(&server).await, 1..=3).await;
    let place = Place::on(&server);
    place.run(&ONCE).json();
    let session = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions/guide-trade.json");
    let session = session.to_str().expect("UTF-8");
    place.run(&["run", session]).failed(2, &["is a replica of the bus's log", "swarm.session.completed.<agent>"]);
    std::fs::write(place.path("one.ndjson"), place.run(&["log", "export"]).out).expect("writes");
    place.run(&["log", "import", "one.ndjson"]).failed(2, &["this log is a replica"]);

    std::fs::write(place.path("post.md"), "A post.\n").expect("writes");
    let add = ["queue", "add", "--type", "social_post", "--file", "post.md", "--json"];
    let without_bus = place.command(&add).env_remove("FLYWHEEL_NATS_URL").output().expect("starts");
    assert_eq!(without_bus.status.code(), Some(2));
    assert_eq!(place.run(&add).json()["items"][0]["status"], "queued");
    assert_eq!(place.run(&add).json()["items"][0]["status"], "duplicate");
    assert_eq!(place.head(), 3, "it comes by the bus");
    assert_eq!(place.run(&ONCE).json()["position"], 5);
    assert_eq!(place.run(&["queue", "list", "--json"]).json()["items"].as_array().map(Vec::len), Some(1));
}

/// Publishes what nobody checks.
async fn publish(bus: &Bus, subject: String, digest: Option<String>, event: &str) {
    let mut headers = HeaderMap::new();
    if let Some(digest) = digest {
        headers.insert("Flywheel-Digest", digest);
    }
    let sent = bus.jetstream.publish_with_headers(subject, headers, event.to_owned().into()).await;
    sent.expect("sends").await.expect("is stored");
}

/// An event of ours, as JSON.
fn event(n: u64, time: &str) -> (Key, Value) {
    let session_id = uuid::Uuid::from_u128(u128::from(n)).into();
    let key = Key::session(Step::new("build-scan"), session_id, 1);
    let data = StepSkipped { session_id, ..StepSkipped::example() };
    let event = json!({
        "specversion": "1.0", "id": key.event_id(), "source": "/test", "type": StepSkipped::TYPE,
        "subject": n.to_string(), "time": time, "datacontenttype": "application/json", "data": data,
    });
    (key, event)
}

fn digest(event: &Value) -> Option<String> {
    Some(canonical::content_digest(event["type"].as_str().expect("text"), &event["data"]).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_fact_stops_it_before_that_position() {
    let server = Server::start();
    let (key, good) = event(9, "2026-01-01T00:00:00Z");
    let with = |member: &str, value: Value| {
        let mut event = good.clone();
        event[member] = value;
        event
    };
    let subject = key.subject();
    let cases = [
        ("no digest", subject.clone(), None, good.to_string(), "Flywheel-Digest is missing"),
        ("no JSON", subject.clone(), digest(&good), "{".to_owned(), "not a JSON object"),
        ("another subject", fact(8).key.subject(), digest(&good), good.to_string(), "does not belong to its key"),
        ("no key", "flywheel.log.x".to_owned(), digest(&good), good.to_string(), "is not a key"),
        (
            "another content",
            subject.clone(),
            Some(Digest::of(b"x").to_string()),
            good.to_string(),
            "does not have the digest",
        ),
        (
            "of a newer program",
            subject.clone(),
            digest(&good),
            with("type", json!("dev.dreamos.x.done.v9")).to_string(),
            "use the newer flywheel",
        ),
        ("without a time", subject.clone(), digest(&good), with("time", Value::Null).to_string(), "no time"),
    ];
    for (name, subject, digest, event, words) in cases {
        let stream = log(&server).await;
        append(&stream, 1..=3).await;
        publish(stream.bus(), subject, digest, &event).await;
        append(&stream, 4..=5).await;
        let place = Place::on(&server);
        place.run(&ONCE).failed(1, &["position 4 of the bus's log", words]);
        assert_eq!(place.head(), 3, "{name}: what came before it is kept");
        stream.bus().jetstream.delete_stream("FLYWHEEL").await.expect("deletes");
    }
}

/// Publishes on a connection that checks nothing: headers as they are given.
fn publish_raw(server: &Server, subject: &str, headers: &[u8]) {
    let mut socket = TcpStream::connect(server.url.strip_prefix("nats://").expect("an address")).expect("connects");
    let line = format!("CONNECT {{\"verbose\":false,\"headers\":true}}\r\nHPUB {subject} {0} {0}\r\n", headers.len());
    for part in [line.as_bytes(), headers, b"\r\nPING\r\n"] {
        socket.write_all(part).expect("writes");
    }
    let (mut said, mut buffer) = (String::new(), [0; 4096]);
    while !said.contains("PONG") {
        let count = socket.read(&mut buffer).expect("reads");
        assert!(count > 0 && !said.contains("-ERR"), "the server refuses it: {said}");
        said += &String::from_utf8_lossy(&buffer[..count]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_ends_every_connection_stops_it_at_once_and_is_named() {
    let server = Server::start();
    // The first ends the client's task with a panic, the others the connection.
    let poison: [&[u8]; 3] =
        [b"NATS/1.0\r\na: x\ry\r\n\r\n", b"NATS/1.0\r\nno colon\r\n\r\n", b"NATS/1.0\r\na: \xff\r\n\r\n"];
    for headers in poison {
        let stream = log(&server).await;
        append(&stream, 1..=3).await;
        publish_raw(&server, &fact(9).key.subject(), headers);
        append(&stream, 4..=5).await;
        let place = Place::on(&server);
        for arguments in [&ONCE[..], &["replica"]] {
            let ran = place.run(arguments);
            ran.failed(1, &["position 4 of the bus's log", "headers", "bus reconcile"]);
            assert!(ran.err.matches("trying again").count() <= 1, "it does not try again and again: {ran:?}");
            assert_eq!(place.head(), 3, "what came before it is kept");
        }
        stream.bus().jetstream.delete_stream("FLYWHEEL").await.expect("deletes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publishers_clock_that_is_behind_does_not_set_the_log_back() {
    let server = Server::start();
    let stream = log(&server).await;
    for (n, time) in [(1, "2026-01-01T00:00:10Z"), (2, "2026-01-01T00:00:04Z"), (3, "2026-01-01T00:00:12Z")] {
        let (key, event) = event(n, time);
        publish(stream.bus(), key.subject(), digest(&event), &event.to_string()).await;
    }
    let place = Place::on(&server);
    place.run(&ONCE).json();
    let until = |time: &str| {
        let replayed = place.run(&["replay", "--until", time, "--into", &format!("then-{}", &time[17..19]), "--json"]);
        replayed.json()["views"][0]["position"].clone()
    };
    assert_eq!((until("2026-01-01T00:00:09Z"), until("2026-01-01T00:00:10Z")), (json!(0), json!(2)));
    let log_findings = |place: &Place| {
        let report: Value = serde_json::from_str(&place.run(&["verify", "--format", "json"]).out).expect("JSON");
        report["findings"].as_array().expect("a list").iter().filter(|it| it["kind"] == "log").count()
    };
    assert_eq!(log_findings(&place), 0);
    let export = place.run(&["log", "export"]).out;
    let elsewhere = Place::alone();
    std::fs::write(elsewhere.path("log.ndjson"), &export).expect("writes");
    assert_eq!(elsewhere.run(&["log", "import", "log.ndjson"]).code, 0);
    assert_eq!(elsewhere.run(&["log", "export"]).out, export);
    assert_eq!(log_findings(&elsewhere), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_in_the_stream_stops_it() {
    let server = Server::start();
    let bus = bus(&server).await;
    // The configuration forbids to delete; somebody who makes the stream himself may first do so.
    let wanted = Topology::default().log();
    let lax =
        Config { deny_delete: false, metadata: [("flywheel.epoch".to_owned(), "by hand".to_owned())].into(), ..wanted };
    let made = bus.jetstream.create_stream(lax.clone()).await.expect("makes");
    for n in 1..=5 {
        let (key, event) = event(n, "2026-01-01T00:00:00Z");
        publish(&bus, key.subject(), digest(&event), &event.to_string()).await;
    }
    let place = Place::on(&server);
    place.run(&ONCE).failed(1, &["the stream FLYWHEEL is not what flywheel needs", "deny_delete"]);
    made.delete_message(3).await.expect("deletes");
    bus.jetstream.update_stream(Config { deny_delete: true, ..lax }).await.expect("updates");
    place.run(&ONCE).failed(1, &["has lost 1 of its 5 facts", "flywheel bus doctor"]);
}

fn copy(from: &Path, to: &Path) {
    assert!(std::process::Command::new("cp").arg("-a").args([from, to]).status().expect("cp runs").success());
}

/// A server with five facts, its store, and a copy of that.
async fn five_and_their_copy() -> (Server, PathBuf, PathBuf) {
    let mut server = Server::start();
    append(&log(&server).await, 1..=5).await;
    server.stop();
    let (store, kept) = (server.store(), server.store().with_extension("kept"));
    copy(&store, &kept);
    server.start_again();
    (server, store, kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lost_its_last_moments_is_noticed_whatever_came_behind_them() {
    let (mut server, store, kept) = five_and_their_copy().await;
    append(&log(&server).await, 6..=8).await;
    let place = Place::on(&server);
    assert_eq!(place.run(&ONCE).json()["position"], 8);
    server.stop();
    std::fs::remove_dir_all(&store).expect("removes");
    copy(&kept, &store);
    server.start_again();
    place.run(&ONCE).failed(1, &["ends at position 5, and this replica at 8", "flywheel bus reconcile"]);
    let stream = log(&server).await;
    append(&stream, 21..=25).await;
    place.run(&ONCE).failed(1, &["differ at position 8", "flywheel replica --rebuild"]);
    assert_eq!(place.head(), 8);

    let rebuilt = place.run(&["replica", "--once", "--rebuild", "--json"]);
    assert_eq!(rebuilt.json()["position"], 10);
    assert!(rebuilt.err.contains("replaced/1"), "{rebuilt:?}");
    let aside = place.run(&["--data", ".flywheel/replaced/1", "log", "export"]).out;
    assert_eq!(aside.lines().count(), 8, "nothing is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_comes_to_its_end_a_moment_later_has_lost_nothing() {
    let (mut server, store, kept) = five_and_their_copy().await;
    let stream = log(&server).await;
    append(&stream, 6..=6).await;
    let place = Place::on(&server);
    assert_eq!(place.run(&ONCE).json()["position"], 6);
    let handle = stream.bus().jetstream.get_stream("FLYWHEEL").await.expect("is there");
    let last = handle.get_raw_message(6).await.expect("reads");
    server.stop();
    std::fs::remove_dir_all(&store).expect("removes");
    copy(&kept, &store);
    server.start_again();

    // As a new leader that has not applied everything.
    let replica = place.stay(&ONCE);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let jetstream = bus(&server).await.jetstream;
    let sent = jetstream.publish_with_headers(last.subject, last.headers, last.payload).await;
    sent.expect("sends").await.expect("is stored");
    assert_eq!(replica.wait().json()["position"], 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_stream_is_followed_where_it_begins_with_the_same_facts_and_else_not() {
    let server = Server::start();
    let stream = log(&server).await;
    append(&stream, 1..=4).await;
    let place = Place::on(&server);
    let first = place.run(&ONCE).json();
    let jetstream = &stream.bus().jetstream;
    let handle = jetstream.get_stream("FLYWHEEL").await.expect("is there");
    let mut messages = vec![];
    for n in 1..=4 {
        messages.push(handle.get_raw_message(n).await.expect("reads"));
    }
    let again = async |order: [usize; 4]| {
        jetstream.delete_stream("FLYWHEEL").await.expect("deletes");
        setup(stream.bus(), &Topology::default()).await.expect("sets up");
        for n in order {
            let message = &messages[n];
            let headers = HeaderMap::from_iter([(
                "Flywheel-Digest".parse().expect("a name"),
                message.headers.get("Flywheel-Digest").expect("is there").clone(),
            )]);
            let sent = jetstream.publish_with_headers(message.subject.clone(), headers, message.payload.clone()).await;
            sent.expect("sends").await.expect("is stored");
        }
    };
    again([0, 1, 2, 3]).await;
    append(&stream, 5..=5).await;
    let followed = place.run(&ONCE).json();
    assert_eq!((&followed["position"], followed["epoch"] == first["epoch"]), (&json!(5), false));
    // Only the order in the middle differs.
    again([0, 2, 1, 3]).await;
    append(&stream, 5..=6).await;
    place.run(&ONCE).failed(1, &["differ at position 2"]);
    assert_eq!(place.head(), 5);
}
