//! What each role may do, and what it may not, on the configuration that is deployed.

use crate::{
    deployed::{self, Deployed, Judged, PASSWORD},
    swarm::{event, id, inbox, session, until},
};
use async_nats::{HeaderMap, jetstream};
use bytes::Bytes;
use flywheel::{
    accept,
    bus::{self, permissions::API_ELSEWHERE},
    intake,
    log::{Log, NewFact},
    safety::{self, Cleaner},
};
use flywheel_events::{Key, SessionId};
use futures::StreamExt as _;
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

const TRADE: &str = include_str!("../sessions/guide-trade.json");

/// The subject of a fact that nobody has written.
fn fact_subject(step: &str) -> String {
    let session: SessionId = "a1b2c3d4-e5f6-7890-abcd-ef1234567890".parse().expect("an id");
    Key::session(step.parse().expect("a step"), session, 1).subject()
}

/// The fact that a trade session was completed, and the session's id.
fn completed() -> (NewFact, SessionId) {
    let accepted = intake::read("s.json", TRADE.as_bytes(), None).expect("a good session");
    let (fact, _) = accept::fact(&accepted, &Cleaner::new(safety::Context::default()));
    (fact, accepted.session.session_id)
}

/// How many messages a stream has.
async fn count(deployed: &Deployed, stream: &str) -> u64 {
    let stream = deployed.bus("admin").await.jetstream.get_stream(stream).await.expect("is there");
    stream.cached_info().state.messages
}

/// Waits for the fact of a step.
async fn fact_of(log: &impl Log, step: &str, session: SessionId) {
    let key = Key::session(step.parse().expect("a step"), session, 1);
    let start = Instant::now();
    while log.get(&key).await.expect("reads").is_none() {
        assert!(start.elapsed() < Duration::from_secs(60), "{step} does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_hands_in_its_own_sessions_and_may_do_nothing_else() {
    let deployed = Deployed::start(false).await;
    let agent = deployed.bus("Agent-7").await;
    let handed_in =
        agent.jetstream.publish("swarm.session.completed.Agent-7", "a session".into()).await.expect("sends");
    assert_eq!(handed_in.await.expect("is stored").stream, "SWARM");

    let mut agent = deployed.client("Agent-7").await;
    let fact = fact_subject("session-completed");
    agent
        .may_not_publish(&[
            &fact,
            "swarm.session.completed.Agent-8",
            "swarm.session.submit.Agent-8",
            "flywheel.rejected.Agent-8",
            "flywheel.metrics.sessions_total",
            "$JS.API.INFO",
            "$JS.API.STREAM.PURGE.SWARM",
            "$JS.API.STREAM.PURGE.FLYWHEEL",
            "$JS.API.STREAM.DELETE.FLYWHEEL",
            "$JS.API.STREAM.UPDATE.FLYWHEEL",
            "$JS.API.STREAM.MSG.DELETE.SWARM",
            "$JS.API.STREAM.MSG.GET.FLYWHEEL",
            "$JS.API.STREAM.MSG.GET.SWARM",
            "$JS.API.DIRECT.GET.FLYWHEEL",
            "$JS.API.CONSUMER.CREATE.SWARM.mine",
            "$JS.API.CONSUMER.CREATE.FLYWHEEL",
            "$JS.API.CONSUMER.MSG.NEXT.SWARM.intake",
            "$JS.API.CONSUMER.DELETE.SWARM.intake",
            "$JS.ACK.SWARM.intake.1.1.1.1.1",
            "$SYS.REQ.SERVER.PING",
        ])
        .await;
    agent
        .may_not_subscribe(&[
            "swarm.session.completed.Agent-8",
            "swarm.session.submit.Agent-7",
            "flywheel.rejected.Agent-8",
            "flywheel.rejected.*",
            "flywheel.log.>",
            "_INBOX_Agent-8.>",
            "_INBOX_admin.>",
            "_R_.>",
            "$JS.>",
            ">",
        ])
        .await;

    // Where the server is to answer is not checked, so it must not lead anywhere: not to a fact, not to another's inbox.
    for answer in [fact.as_str(), "swarm.session.completed.Agent-8", "flywheel.metrics.sessions_total"] {
        let own = "swarm.session.completed.Agent-7";
        agent.client.publish_with_reply(own, answer.to_owned(), "a session".into()).await.expect("sends");
    }
    agent.was_refused_nothing_else().await;
    let start = Instant::now();
    while count(&deployed, "SWARM").await < 4 {
        assert!(start.elapsed() < Duration::from_secs(60), "its own sessions are stored");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for (stream, messages) in [("SWARM", 4), ("FLYWHEEL", 0), ("FLYWHEEL_METRICS", 0)] {
        assert_eq!(count(&deployed, stream).await, messages, "{stream}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_may_use_a_password_and_a_service_answers_it_across_accounts() {
    let deployed = Deployed::start(false).await;
    // As the service that takes sessions in: it listens, and answers.
    let intake = deployed.client("intake").await;
    let mut asked = intake.client.subscribe("swarm.session.submit.*").await.expect("listens");
    intake.client.flush().await.expect("flushes");
    let answering = tokio::spawn(async move {
        let request = asked.next().await.expect("is asked");
        let answer = request.reply.expect("wants an answer");
        intake.client.publish(answer, request.payload).await.expect("answers");
        intake.client.flush().await.expect("flushes");
        intake
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{}\n", PASSWORD.0)).expect("writes");
    let with_password =
        bus::Address { nkey: None, user: Some(("Agent-8".into(), file)), ..deployed.address("Agent-8") };
    let agent = bus::connect(&with_password).await.expect("connects");
    let answer = agent.client.request("swarm.session.submit.Agent-8", "a session".into()).await.expect("is answered");
    assert_eq!(answer.payload, Bytes::from("a session"));
    answering.await.expect("answers").was_refused_nothing_else().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_swarm_runs_on_the_rights_it_has() {
    let deployed = Deployed::start(false).await;
    let mut metrics = deployed.client("metrics").await;
    let mut told = metrics.client.subscribe("flywheel.metrics.*").await.expect("listens");
    let processes = [
        deployed.process("intake", &["intake"]),
        deployed.process("worker", &["worker"]),
        deployed.process("emitter", &["replica", "--emit-metrics"]),
        deployed.process("serve", &["serve"]),
    ];
    let mut agent = deployed.client("Agent-5").await;
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", "application/cloudevents+json");
    let message = |n| Bytes::from(event(&session(n)).to_string());
    let submit = async || {
        let start = Instant::now();
        loop {
            let asked = agent.client.request_with_headers("swarm.session.submit.Agent-5", headers.clone(), message(1));
            match asked.await {
                Ok(answer) => return answer.payload,
                // Nobody answers yet.
                Err(error) => assert!(start.elapsed() < Duration::from_secs(60), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let answer: serde_json::Value = serde_json::from_slice(&submit().await).expect("JSON");
    assert_eq!(answer["status"], "accepted", "{answer}");
    let handed_in = jetstream::new(agent.client.clone());
    let handed_in = handed_in.publish_with_headers(inbox(), headers.clone(), message(2)).await.expect("sends");
    handed_in.await.expect("is stored");
    let mut why = agent.client.subscribe("flywheel.rejected.Agent-5").await.expect("listens");
    let refused = jetstream::new(agent.client.clone());
    refused.publish(inbox(), "junk".into()).await.expect("sends").await.expect("is stored");
    let why = tokio::time::timeout(Duration::from_secs(60), why.next()).await.expect("in time").expect("is told");
    assert!(String::from_utf8_lossy(&why.payload).contains("no_event"), "{why:?}");
    let log = deployed.log("reader").await;
    for n in [1, 2] {
        fact_of(&log, "trade-ready", id(n).parse().expect("an id")).await;
    }
    let heard = tokio::time::timeout(Duration::from_secs(60), told.next()).await.expect("in time").expect("is told");
    assert!(heard.subject.starts_with("flywheel.metrics."));
    until("the inbox is empty", || async { count(&deployed, "SWARM").await == 0 }).await;
    until("what was refused is told", || async { count(&deployed, "FLYWHEEL_REJECTED").await == 1 }).await;
    for process in processes {
        let said = process.end();
        assert!(!said.contains("ERROR") && !said.contains("Violation"), "{said}");
    }
    let doctor = deployed.process("admin", &["bus", "doctor"]).ended();
    assert!(doctor.contains("always") && !doctor.contains("system account"), "{doctor}");
    agent.was_refused_nothing_else().await;
    metrics.was_refused_nothing_else().await;
    assert!(!deployed.server_log().contains("Violation"), "{}", deployed.server_log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_from_intake_to_a_reader_and_each_may_do_no_more() {
    let deployed = Deployed::start(false).await;
    let (fact, session) = completed();
    deployed.log("intake").await.append(vec![fact]).await.expect("appends");
    let worker = deployed.process("worker", &["worker"]);
    let log = deployed.log("reader").await;
    fact_of(&log, "trade-ready", session).await;
    assert!(!worker.end().contains("ERROR"), "a worker is refused nothing it needs");
    let head = log.head().await.expect("reads");
    assert_eq!(log.read(0, 1000).await.expect("reads").len() as u64, head);
    reads_in_order(&deployed, head).await;

    let fact = fact_subject("build-scan");
    let touching_stages = [
        fact.as_str(),
        "$JS.API.STREAM.PURGE.FLYWHEEL",
        "$JS.API.STREAM.DELETE.FLYWHEEL",
        "$JS.API.STREAM.UPDATE.FLYWHEEL",
        "$JS.API.STREAM.MSG.DELETE.FLYWHEEL",
        "$SYS.REQ.SERVER.PING.VARZ",
        "$JS.API.CONSUMER.CREATE.FLYWHEEL",
        "$JS.API.CONSUMER.CREATE.FLYWHEEL.build-scan",
        "$JS.API.CONSUMER.CREATE.FLYWHEEL.build-scan.flywheel.log.x",
        "$JS.API.CONSUMER.DURABLE.CREATE.FLYWHEEL.build-scan",
        "$JS.API.CONSUMER.DELETE.FLYWHEEL.build-scan",
    ];
    let mut reader = deployed.client("reader").await;
    reader.may_not_publish(&touching_stages).await;
    let inbox = ["$JS.API.STREAM.MSG.GET.SWARM", "$JS.API.STREAM.MSG.DELETE.SWARM"];
    reader.may_not_publish(&inbox).await;
    let stages = ["$JS.API.CONSUMER.MSG.NEXT.FLYWHEEL.build-scan", "$JS.ACK.FLYWHEEL.build-scan.1.1.1.1.1"];
    reader.may_not_publish(&stages).await;
    reader.may_not_publish(&["flywheel.metrics.sessions_total", "swarm.session.completed.Agent-7"]).await;
    reader.may_not_subscribe(&["flywheel.log.>", "swarm.>", "_INBOX_worker.>"]).await;
    let mut intake = deployed.client("intake").await;
    intake.may_not_publish(&touching_stages).await;
    intake.may_not_subscribe(&["swarm.session.completed.*", "flywheel.log.>"]).await;
    intake.may_not_publish(&["$JS.API.STREAM.PURGE.SWARM", "$JS.API.STREAM.DELETE.SWARM"]).await;
    intake.may_not_publish(&["$JS.API.STREAM.INFO.SWARM", "$JS.API.STREAM.NAMES"]).await;
    let mut worker = deployed.client("worker").await;
    worker.may_not_publish(&touching_stages[1..]).await;
    worker.may_not_publish(&inbox).await;
    worker.may_not_publish(&[&fact_subject("session-completed"), "$JS.API.CONSUMER.MSG.NEXT.SWARM.intake"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_sees_that_what_is_acknowledged_is_on_disk() {
    let deployed = Deployed::start(false).await;
    let admin = deployed.bus("admin").await.client;
    let answer = admin.request("$SYS.REQ.SERVER.PING.VARZ", "{}".into()).await.expect("is answered");
    let server: serde_json::Value = serde_json::from_slice(&answer.payload).expect("JSON");
    assert_eq!(server["data"]["jetstream"]["config"]["sync_always"], true, "{server}");
    assert_eq!(server["data"]["max_payload"], 2 * 1024 * 1024);
}

/// As a replica does: a consumer with a name of its own, which sends to it.
async fn reads_in_order(deployed: &Deployed, head: u64) {
    let mut judged = deployed.client("reader").await;
    let context = jetstream::new(judged.client.clone());
    let stream = context.get_stream_no_info("FLYWHEEL").await.expect("a handle");
    let ordered = jetstream::consumer::push::OrderedConfig {
        name: Some("reader-of-a-test".to_owned()),
        deliver_subject: judged.client.new_inbox(),
        ..Default::default()
    };
    let messages = stream.create_consumer(ordered).await.expect("makes").messages().await.expect("reads");
    let positions = messages.map(|message| message.expect("a message").info().expect("its place").stream_sequence);
    let read: Vec<u64> = positions.take(usize::try_from(head).expect("few")).collect().await;
    assert_eq!(read, (1..=head).collect::<Vec<_>>());
    judged.was_refused_nothing_else().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_of_one_stage_writes_its_own_facts_alone() {
    let deployed = Deployed::start(true).await;
    let (fact, session) = completed();
    deployed.log("intake").await.append(vec![fact]).await.expect("appends");
    let worker = deployed.process("trade-normalize", &["worker", "--stage", "trade-normalize"]);
    fact_of(&deployed.log("reader").await, "trade-normalize", session).await;
    assert!(!worker.end().contains("ERROR"), "it is refused nothing it needs");

    let mut stage = deployed.client("trade-normalize").await;
    let others = ["trade-summarize", "build-scan", "session-completed", "publication-queued"].map(fact_subject);
    stage.may_not_publish(&others.each_ref().map(String::as_str)).await;
    stage
        .may_not_publish(&[
            "$JS.API.STREAM.PURGE.FLYWHEEL",
            "$JS.API.STREAM.DELETE.FLYWHEEL",
            "$JS.API.STREAM.INFO.SWARM",
            "$JS.API.STREAM.MSG.DELETE.FLYWHEEL",
            "$JS.API.CONSUMER.CREATE.FLYWHEEL.mine",
            "$JS.API.CONSUMER.DELETE.FLYWHEEL.trade-normalize",
            "$JS.API.CONSUMER.MSG.NEXT.FLYWHEEL.trade-summarize",
            "$JS.ACK.FLYWHEEL.trade-summarize.1.1.1.1.1",
            "swarm.session.completed.Agent-7",
        ])
        .await;
    stage.may_not_subscribe(&["flywheel.log.>", "_INBOX_reader.>", ">"]).await;
    let mut ready = deployed.client("trade-ready").await;
    let queued = fact_subject("publication-queued");
    ready.client.publish(queued, "{}".into()).await.expect("sends");
    ready.was_refused_nothing_else().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_the_metrics_gets_them_and_writes_nothing() {
    let deployed = Deployed::start(false).await;
    let emitter = deployed.bus("emitter").await.jetstream;
    let publish = async |name: &str, value: &'static str| {
        let sent = emitter.publish(format!("flywheel.metrics.{name}"), value.into()).await.expect("sends");
        sent.await.expect("is stored");
    };
    publish("first", "1").await;
    publish("second", "1").await;
    publish("first", "2").await;
    let mut metrics = deployed.client("metrics").await;
    let mut live = metrics.client.subscribe("flywheel.metrics.*").await.expect("listens");
    metrics.client.flush().await.expect("flushes");
    let expected = [("flywheel.metrics.second", "1"), ("flywheel.metrics.first", "2")];
    let expected = expected.map(|(subject, value)| (subject.to_owned(), Bytes::from(value)));
    assert_eq!(last_of_each(&metrics).await, expected);
    publish("second", "2").await;
    let heard = live.next().await.expect("is heard");
    assert_eq!((heard.subject.as_str(), &heard.payload[..]), ("flywheel.metrics.second", b"2".as_slice()));

    metrics
        .may_not_publish(&[
            "flywheel.metrics.first",
            &fact_subject("build-scan"),
            "swarm.session.completed.Agent-7",
            "$JS.API.STREAM.MSG.GET.FLYWHEEL",
            "flywheel.api.STREAM.MSG.GET.FLYWHEEL",
            "$JS.API.CONSUMER.CREATE.FLYWHEEL_METRICS.mine",
            "$JS.API.STREAM.PURGE.FLYWHEEL_METRICS",
        ])
        .await;
    metrics.may_not_subscribe(&["flywheel.log.>", "swarm.>", ">"]).await;
    // Its questions are answered to nobody else: not on a metric's subject.
    let (get, own) = (format!("{API_ELSEWHERE}.STREAM.MSG.GET.FLYWHEEL_METRICS"), "flywheel.metrics.forged");
    metrics.client.publish_with_reply(get, own, r#"{"seq":1}"#.into()).await.expect("sends");
    metrics.client.flush().await.expect("flushes");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(count(&deployed, "FLYWHEEL_METRICS").await, 2);
}

/// The last value of each metric, with one question a metric.
async fn last_of_each(metrics: &Judged) -> Vec<(String, Bytes)> {
    let context = jetstream::context::ContextBuilder::new().api_prefix(API_ELSEWHERE).build(metrics.client.clone());
    let stream = context.get_stream_no_info("FLYWHEEL_METRICS").await.expect("a handle");
    let (mut found, mut from) = (vec![], 1);
    while let Ok(message) = stream.get_first_raw_message_by_subject("flywheel.metrics.*", from).await {
        from = message.sequence + 1;
        found.push((message.subject.to_string(), message.payload));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_asks_again_rates_and_queues_and_a_rater_rates() {
    let deployed = Deployed::start(false).await;
    let (fact, session) = completed();
    deployed.log("intake").await.append(vec![fact]).await.expect("appends");
    let worker = deployed.process("worker", &["worker"]);
    let log = deployed.log("operator").await;
    fact_of(&log, "trade-ready", session).await;
    let (id, text) = (session.to_string(), tempfile::NamedTempFile::new().expect("a file"));
    std::fs::write(text.path(), "A text to publish.\n").expect("writes");
    let text = text.path().to_str().expect("UTF-8");
    let rate = |quality| ["feedback", "add", "--session", &id, "--agent", "Agent-5", "--quality", quality];
    for (role, arguments, says) in [
        ("operator", &["retry", &id][..], "nothing has failed"),
        ("operator", &["rerun", &id], "requested"),
        ("operator", &rate("4"), "recorded"),
        ("operator", &["queue", "add", "--type", "social_post", "--file", text], "queued"),
        ("rater", &rate("5"), "recorded"),
        ("rater", &rate("5"), "duplicate"),
        // It catches up, and reads.
        ("operator", &["replica", "--once"], "the replica ends at position"),
    ] {
        let said = deployed.process(role, arguments).ended();
        assert!(said.contains(says) && !said.contains("error"), "{role} {arguments:?}: {said}");
    }
    let again = Key::session("trade-ready".parse().expect("a step"), session, 2);
    until("the run that was asked for has ended", || async { log.get(&again).await.expect("reads").is_some() }).await;
    assert!(!worker.end().contains("ERROR"));

    let (completed, queued, scan) =
        (fact_subject("session-completed"), fact_subject("publication-queued"), fact_subject("build-scan"));
    let nobodys = [
        completed.as_str(),
        &scan,
        "flywheel.metrics.sessions",
        "flywheel.rejected.Agent-7",
        "swarm.session.completed.Agent-7",
        "$JS.API.STREAM.PURGE.FLYWHEEL",
        "$JS.API.STREAM.UPDATE.FLYWHEEL",
        "$JS.API.STREAM.MSG.DELETE.FLYWHEEL",
        "$JS.API.STREAM.MSG.GET.SWARM",
        "$JS.API.CONSUMER.MSG.NEXT.FLYWHEEL.build-scan",
        "$JS.ACK.FLYWHEEL.build-scan.1.1.1.1.1",
    ];
    deployed.client("operator").await.may_not_publish(&nobodys).await;
    let mut rater = deployed.client("rater").await;
    rater.may_not_publish(&nobodys).await;
    rater.may_not_publish(&[&queued, &fact_subject("session-rerun_requested")]).await;
    rater.may_not_subscribe(&["flywheel.log.>", "_INBOX_operator.>"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_finds_the_service_and_each_process_behind_it() {
    let deployed = Deployed::start(false).await;
    let _intakes = [1, 2].map(|_| deployed.process("intake", &["intake"]));
    let mut agent = deployed.client("Agent-7").await;
    let ask = async |verb: &str| {
        let inbox = agent.client.new_inbox();
        let mut answers = agent.client.subscribe(inbox.clone()).await.expect("listens");
        agent.client.publish_with_reply(format!("$SRV.{verb}.flywheel"), inbox, "".into()).await.expect("asks");
        let mut found = vec![];
        while let Ok(Some(answer)) = tokio::time::timeout(Duration::from_millis(500), answers.next()).await {
            // Nobody listens yet.
            if answer.status.is_none() {
                found.push(serde_json::from_slice::<serde_json::Value>(&answer.payload).expect("JSON"));
            }
        }
        found
    };
    until("both answer", || async { ask("PING").await.len() == 2 }).await;
    let info = ask("INFO").await;
    assert_eq!(info[0]["endpoints"][0]["subject"], "swarm.session.submit.*", "{info:?}");
    assert!(ask("STATS").await.iter().all(|stats| stats["endpoints"][0]["data"].is_object()));
    agent.was_refused_nothing_else().await;
    agent.may_not_publish(&["$SRV.PING", "$SRV.PING.other", "$SRV.INFO.flywheel.1"]).await;
    agent.may_not_subscribe(&["$SRV.PING.flywheel", "$SRV.>"]).await;
}

#[test]
fn a_key_that_cannot_be_used_ends_the_making_of_credentials() {
    let (folder, credentials) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    deployed::configure(folder.path(), credentials.path(), false);
    let make = || {
        std::process::Command::new(folder.path().join("make-credentials"))
            .arg(credentials.path())
            .arg("localhost")
            .env("FLYWHEEL", deployed::FLYWHEEL)
            .output()
            .expect("starts")
    };
    let read = |file: &str| std::fs::read_to_string(credentials.path().join("server").join(file)).expect("reads");
    for (key, made) in [("clients/reader.nk", "keys.conf"), ("agents/Agent-7.nk", "agents.conf")] {
        let (before, key) = (read(made), credentials.path().join(key));
        let seed = std::fs::read(&key).expect("reads");
        std::fs::write(&key, "no seed").expect("writes");
        let ran = make();
        assert!(!ran.status.success(), "{ran:?}");
        assert!(String::from_utf8_lossy(&ran.stderr).contains("no seed of a user's key"), "{ran:?}");
        assert_eq!(read(made), before, "what there was stays");
        std::fs::write(&key, seed).expect("writes");
    }
    assert!(make().status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_tls_or_with_another_key() {
    let deployed = Deployed::start(false).await;
    let good = deployed.address("worker");
    let refused = async |address: bus::Address| bus::connect(&address).await.expect_err("is refused").to_string();
    let stranger = tempfile::tempdir().expect("a folder");
    let key = stranger.path().join("stranger.nk");
    std::fs::write(&key, nkeys::KeyPair::new_user().seed().expect("a seed")).expect("writes");
    assert!(refused(bus::Address { nkey: Some(key), ..good.clone() }).await.contains("authorization violation"));
    assert!(refused(bus::Address { nkey: None, ..good.clone() }).await.contains("authorization violation"));
    // A certificate of an authority that we do not know.
    assert!(refused(bus::Address { certificate_authority: None, ..good.clone() }).await.contains("certificate"));
    // In the clear the server says who it is, and answers nothing.
    let mut plain = TcpStream::connect(deployed.url().replace("tls://", "")).expect("connects");
    plain.write_all(b"CONNECT {\"verbose\":true}\r\nPING\r\n").expect("sends");
    let mut said = vec![];
    // It may end the connection in any way.
    let _ = plain.read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("\"tls_required\":true") && !said.contains("PONG") && !said.contains("+OK"), "{said}");
}
