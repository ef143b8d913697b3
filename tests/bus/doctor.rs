//! The doctor: silent where all is well, and with words for each thing that is not.

use crate::{
    nats::Server,
    place::{Place, append, bus, log},
};
use async_nats::{
    HeaderMap,
    jetstream::{consumer::pull, stream::Config},
};
use serde_json::{Value, json};

fn examine(place: &Place, more: &[&str]) -> (Value, i32) {
    let ran = place.run(&[&["bus", "doctor", "--json"], more].concat());
    (serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}")), ran.code)
}

fn findings(report: &Value) -> Vec<String> {
    report["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it["what"].as_str().expect("text").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_as_it_must_be_has_no_findings_and_its_lag_is_told() {
    let server = Server::start();
    append(&log(&server).await, 1..=7).await;
    let place = Place::on(&server);
    let (report, code) = examine(&place, &[]);
    assert_eq!((code, findings(&report)), (0, vec![]));
    assert_eq!(report["streams"][0]["messages"], 7);
    let story = report["consumers"].as_array().expect("a list").iter().find(|it| it["name"] == "FLYWHEEL/build-story");
    assert_eq!(story.expect("it is there")["pending"], 7, "the lag of who reads build-scan");
    assert!(report["durability"]["why"].as_str().expect("text").contains("--monitor"), "not told is said: {report}");
    let text = place.run(&["bus", "doctor"]).out;
    assert!(text.contains("durable   unknown: ") && text.contains("everything is as it must be"), "{text}");
    let stage = text.lines().find(|line| line.starts_with("stage     build-story ")).expect("a line a stage");
    assert!(stage.contains(" 7 pending"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_says_of_its_disk_is_passed_on() {
    let always = "http: 127.0.0.1:-1\njetstream { store_dir: \"{store}\", sync_interval: always }\n";
    let system = "jetstream { store_dir: \"{store}\", sync_interval: 10s }\naccounts { A { jetstream: enabled, users: [{ user: a, password: a }] }, SYS { users: [{ user: s, password: s }] } }\nsystem_account: SYS\nno_auth_user: a\n";
    let server = Server::configured(always);
    log(&server).await;
    let (report, code) = examine(&Place::on(&server), &["--monitor", &server.monitor()]);
    assert_eq!((code, &report["durability"]), (0, &json!({ "is": "always" })));
    let (report, _) = examine(&Place::on(&server), &["--monitor", &server.url.replace("nats", "http")]);
    assert!(report["durability"]["why"].as_str().expect("text").contains("is no monitoring port"), "{report}");

    let server = Server::configured(system);
    let place = Place::on(&server);
    std::fs::write(place.path("password"), "s").expect("writes");
    let settings = "nats_user = \"s\"\nnats_password_file = \"password\"\n";
    std::fs::write(place.path("flywheel.toml"), settings).expect("writes");
    let (report, code) = examine(&place, &[]);
    assert_eq!((code, &report["durability"]), (1, &json!({ "is": "interval", "seconds": 10 })));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_is_not_as_it_must_be_is_named() {
    let server = Server::start();
    let place = Place::on(&server);
    let bus = bus(&server).await;
    let (report, code) = examine(&place, &[]);
    assert_eq!(code, 1);
    assert!(findings(&report).contains(&"the stream FLYWHEEL is not there".to_owned()), "{report}");

    let stream = log(&server).await;
    append(&stream, 1..=1).await;
    let jetstream = &bus.jetstream;
    let info = jetstream.get_stream("FLYWHEEL_REJECTED").await.expect("is there").cached_info().clone();
    let shorter = Config {
        max_age: std::time::Duration::from_secs(60),
        duplicate_window: std::time::Duration::from_secs(60),
        ..info.config
    };
    jetstream.update_stream(shorter).await.expect("updates");
    let facts = jetstream.get_stream("FLYWHEEL").await.expect("is there");
    facts.delete_consumer("build-readme").await.expect("deletes");
    // A delivery that is given back again and again.
    let consumer = facts.get_consumer::<pull::Config>("build-story").await.expect("is there");
    for _ in 0..6 {
        use futures::StreamExt as _;
        let batch = consumer.batch().max_messages(1).expires(std::time::Duration::from_secs(10));
        let mut batch = batch.messages().await.expect("asks");
        let message = batch.next().await.expect("comes").expect("comes");
        message.ack_with(async_nats::jetstream::AckKind::Nak(None)).await.expect("says");
        bus.client.flush().await.expect("says");
    }
    jetstream.publish("swarm.session.completed.Agent-7", "{".into()).await.expect("sends").await.expect("is stored");
    let mut headers = HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    let sent = jetstream.publish_with_headers("swarm.session.completed.Agent-8", headers, "{}".into()).await;
    sent.expect("sends").await.expect("is stored");
    let (report, code) = examine(&place, &[]);
    assert_eq!(code, 1);
    let found = findings(&report);
    for words in [
        "the stream FLYWHEEL_REJECTED: max_age is",
        "the consumer FLYWHEEL/build-readme is not there",
        "deliveries of FLYWHEEL/build-story come again and again",
        "message 1 of the inbox, on swarm.session.completed.Agent-7, is no CloudEvent",
    ] {
        assert!(found.iter().any(|what| what.contains(words)), "`{words}` is missing in {found:#?}");
    }
    assert!(!found.iter().any(|what| what.contains("Agent-8")), "binary mode is read: {found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_would_end_every_reader_is_found_without_reading_it() {
    use std::io::{Read as _, Write as _};
    let server = Server::start();
    log(&server).await;
    // No client library writes such a header; a socket does.
    let mut socket = std::net::TcpStream::connect(server.url.trim_start_matches("nats://")).expect("connects");
    let (headers, body) = ("NATS/1.0\r\nx: a\rb\r\n\r\n", "{}");
    let publish = format!(
        "CONNECT {{\"verbose\":false,\"headers\":true}}\r\nHPUB swarm.session.completed.Agent-6 {} {}\r\n{headers}{body}\r\nPING\r\n",
        headers.len(),
        headers.len() + body.len()
    );
    socket.write_all(publish.as_bytes()).expect("writes");
    let mut answered = [0; 4096];
    assert!(socket.read(&mut answered).expect("answers") > 0);
    std::thread::sleep(std::time::Duration::from_millis(100));
    let (report, code) = examine(&Place::on(&server), &[]);
    assert_eq!(code, 1);
    assert!(findings(&report).iter().any(|what| what.contains("a bare line end")), "{report}");
}
