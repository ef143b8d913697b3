//! A stream that was lost, emptied or cut comes back from a replica, and nothing of it twice.

use crate::{
    nats::Server,
    place::{Place, append, bus, log},
};
use async_nats::jetstream::stream::Config;
use flywheel::bus::{BusLog, Topology, setup};
use serde_json::{Value, json};
use std::path::Path;

const RECONCILE: [&str; 3] = ["bus", "reconcile", "--json"];
const ONCE: [&str; 3] = ["replica", "--once", "--json"];

/// A server with these facts, and a replica of them.
async fn replicated(count: u64) -> (Server, BusLog, Place) {
    let server = Server::start();
    let stream = log(&server).await;
    append(&stream, 1..=count).await;
    let place = Place::on(&server);
    assert_eq!(place.run(&ONCE).json()["position"], count);
    (server, stream, place)
}

/// Subject and bytes of every message.
async fn messages(server: &Server) -> Vec<(String, Vec<u8>)> {
    let stream = bus(server).await.jetstream.get_stream("FLYWHEEL").await.expect("is there");
    let mut messages = vec![];
    for position in 1..=stream.cached_info().state.last_sequence {
        let message = stream.get_raw_message(position).await.expect("reads");
        messages.push((message.subject.to_string(), message.payload.to_vec()));
    }
    messages
}

/// Done twice, it changes nothing.
#[track_caller]
fn again(place: &Place, known: u64) {
    let done = place.run(&RECONCILE).json();
    assert_eq!((&done["stream"], &done["appended"], &done["known"]), (&json!("there"), &json!(0), &json!(known)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_gone_or_whose_server_lost_its_store_comes_back_as_it_was() {
    let (mut server, stream, place) = replicated(2100).await;
    let before = messages(&server).await;
    let epoch = place.run(&ONCE).json()["epoch"].clone();
    stream.bus().jetstream.delete_stream("FLYWHEEL").await.expect("deletes");
    place.run(&ONCE).failed(1, &["the stream FLYWHEEL is not there", "flywheel bus reconcile"]);
    let done = place.run(&RECONCILE).json();
    assert_eq!(
        (&done["stream"], &done["appended"], &done["same_positions"]),
        (&json!("made"), &json!(2100), &json!(true))
    );
    assert!(messages(&server).await == before, "every fact at its position, byte for byte");
    again(&place, 2100);
    let info = bus(&server).await.jetstream.get_stream("FLYWHEEL").await.expect("is there").cached_info().clone();
    assert_eq!(info.config.metadata["flywheel.restored.epoch"], epoch.as_str().expect("text"));
    assert_eq!(info.config.metadata["flywheel.restored.position"], "2100");

    // Another replica meets the new epoch, and goes on where it agrees.
    let followed = place.run(&ONCE).json();
    assert_eq!((&followed["position"], followed["epoch"] == epoch), (&json!(2100), false));

    server.stop();
    std::fs::remove_dir_all(server.store()).expect("wipes");
    server.start_again();
    let done = place.run(&RECONCILE).json();
    assert_eq!((&done["stream"], &done["appended"]), (&json!("made"), &json!(2100)));
    assert!(messages(&server).await == before);
    append(&log(&server).await, 2101..=2102).await;
    assert_eq!(place.run(&ONCE).json()["position"], 2102);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_set_up_anew_or_holds_the_beginning_gets_the_rest() {
    let (server, stream, place) = replicated(30).await;
    let before = messages(&server).await;
    stream.bus().jetstream.delete_stream("FLYWHEEL").await.expect("deletes");
    setup(stream.bus(), &Topology::default()).await.expect("sets up");
    let done = place.run(&RECONCILE).json();
    assert_eq!((&done["stream"], &done["appended"]), (&json!("there"), &json!(30)));
    assert!(messages(&server).await == before);

    // Half of it, from a replica that saw no more.
    let behind = Place::on(&server);
    stream.bus().jetstream.delete_stream("FLYWHEEL").await.expect("deletes");
    let half = place.run(&["log", "export"]).out.lines().take(15).collect::<Vec<_>>().join("\n");
    std::fs::write(behind.path("half.ndjson"), half).expect("writes");
    assert_eq!(behind.run(&["log", "import", "half.ndjson"]).code, 0);
    assert_eq!(behind.run(&RECONCILE).json()["appended"], 15);
    let done = place.run(&RECONCILE).json();
    assert_eq!((&done["appended"], &done["known"], &done["same_positions"]), (&json!(15), &json!(15), &json!(true)));
    assert!(messages(&server).await == before);
    again(&place, 30);
    again(&behind, 15);
    assert_eq!(behind.run(&ONCE).json()["position"], 30, "and what was a log of its own is a replica now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_other_facts_gets_what_it_does_not_have_behind_its_own() {
    let (server, stream, place) = replicated(10).await;
    stream.bus().jetstream.delete_stream("FLYWHEEL").await.expect("deletes");
    let stream = log(&server).await;
    append(&stream, 1..=3).await;
    append(&stream, 50..=52).await;
    append(&stream, 7..=7).await;
    let ran = place.run(&RECONCILE);
    assert!(ran.err.contains("flywheel replica --rebuild"), "{ran:?}");
    let done = ran.json();
    assert_eq!((&done["appended"], &done["known"], &done["same_positions"]), (&json!(6), &json!(4), &json!(false)));
    assert_eq!(messages(&server).await.len(), 13, "3 of both, 3 of its own, and 7 of the replica's others");
    let twice = place.run(&RECONCILE).json();
    assert_eq!((&twice["appended"], &twice["known"]), (&json!(0), &json!(10)));
    place.run(&ONCE).failed(1, &["flywheel replica --rebuild"]);
    assert_eq!(place.run(&["replica", "--once", "--rebuild", "--json"]).json()["position"], 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_stream_is_made_anew_only_where_that_is_asked_for() {
    let server = Server::start();
    let bus = bus(&server).await;
    let wanted = Topology::default().log();
    // Whoever makes the stream himself can purge it, and forbid it afterwards.
    let lax = Config {
        deny_purge: false,
        deny_delete: false,
        metadata: [("flywheel.epoch".to_owned(), "by hand".to_owned())].into(),
        ..wanted
    };
    let strict = Config { deny_purge: true, deny_delete: true, ..lax.clone() };
    // What is lax is not opened.
    let stream = log(&server).await;
    bus.jetstream.delete_stream("FLYWHEEL").await.expect("deletes");
    let made = bus.jetstream.create_stream(lax).await.expect("makes");
    append(&stream, 1..=8).await;
    let before = messages(&server).await;
    let place = Place::on(&server);
    let export = place.path("x.ndjson");
    made.delete_message(5).await.expect("deletes");
    made.purge().await.expect("purges");
    append(&stream, 91..=92).await;
    bus.jetstream.update_stream(strict).await.expect("updates");
    // The replica that saw the first eight.
    let lines = log_of(&before);
    std::fs::write(&export, lines).expect("writes");
    assert_eq!(place.run(&["log", "import", "x.ndjson"]).code, 0);
    place.run(&RECONCILE).failed(1, &["has lost 8 of its 10 facts", "--recreate"]);
    let done = place.run(&[&RECONCILE[..], &["--recreate"]].concat()).json();
    assert_eq!((&done["stream"], &done["appended"], &done["carried"]), (&json!("made_anew"), &json!(10), &json!(2)));
    assert!(messages(&server).await[..8] == before);
    assert_eq!(messages(&server).await.len(), 10, "what only the stream had is behind the rest");
    again(&place, 8);
    assert_eq!(place.run(&ONCE).json()["position"], 10);
}

/// Messages as the export of a log.
fn log_of(messages: &[(String, Vec<u8>)]) -> String {
    use flywheel_events::{Digest, Key};
    let (mut chain, mut lines) = (Digest::GENESIS, String::new());
    for ((subject, event), position) in messages.iter().zip(1..) {
        let key = Key::from_subject(subject).expect("a key");
        chain = chain.chain(&key, &Digest::of(event));
        let event = std::str::from_utf8(event).expect("text");
        lines += &format!("{{\"position\":{position},\"key\":\"{key}\",\"chain\":\"{chain}\",\"event\":{event}}}\n");
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn one_machines_log_is_taken_to_the_bus_and_every_reading_command_reads_its_replica() {
    let alone = Place::alone();
    let sessions = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions");
    for name in ["guide-trade.json", "guide-life.json"] {
        std::fs::copy(sessions.join(name), alone.path(name)).expect("copies");
        assert!(alone.run(&["run", name, "--no-update"]).code < 2);
    }
    let server = Server::start();
    let nats = ["--nats", server.url.as_str()];
    let done = alone.run(&[&RECONCILE[..], &nats].concat()).json();
    assert_eq!((&done["stream"], &done["same_positions"]), (&json!("made"), &json!(true)));
    let place = Place::on(&server);
    place.run(&ONCE).json();
    for reading in [
        &["manifest", "list", "--json"][..],
        &["queue", "list", "--json"],
        &["failures", "list", "--json"],
        &["metrics", "--json"],
        &["log", "export"],
        &["log", "tail"],
        &["replay", "--json", "--into", "then"],
        &["replay", "--artifacts", "--out", "made"],
    ] {
        let (here, there) = (alone.run(reading), place.run(reading));
        let said = here.out.replace(&*alone.path("").to_string_lossy(), &place.path("").to_string_lossy());
        assert_eq!((here.code, &said), (there.code, &there.out), "{reading:?}");
        assert!(!there.out.is_empty(), "{reading:?}");
    }
    let report: Value = serde_json::from_str(&place.run(&["verify", "--format", "json"]).out).expect("JSON");
    assert_eq!(report["ok"], true, "{report}");
    let session = "b2c3d4e5-f6a7-8901-bcde-f23456789012";
    let asked = place.run(&["rerun", session, "--json"]).json();
    assert_eq!((&asked["run"], &asked["status"]), (&json!(2), &json!("requested")));
    assert_eq!(place.run(&["retry", session, "--json"]).json()["status"], "running");
    let rated = ["feedback", "add", "--session", session, "--agent", "Agent-9", "--quality", "4", "--json"];
    assert_eq!(place.run(&rated).json()["status"], "recorded");
    assert_eq!(place.run(&ONCE).json()["facts"], 2);
}
