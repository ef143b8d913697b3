//! What comes in: sessions are taken, everything else is refused by name, and nothing ends the intake.

use crate::{
    deployed::Deployed,
    swarm::{AGENT, Swarm, assert_documented, event, id, inbox, session, until},
};
use flywheel::log::Log as _;
use flywheel_events::SessionRejected;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

const ACK_WAIT: Duration = Duration::from_secs(30);

async fn is_empty(swarm: &Swarm) {
    until("the inbox is empty", || async { swarm.waiting().await == 0 }).await;
}

/// The refusals in the log, by the code of the first error in the report.
async fn refused(swarm: &Swarm) -> BTreeMap<String, usize> {
    let facts = swarm.facts_of("session-rejected").await;
    for fact in &facts {
        let (_, rejected): (_, SessionRejected) = fact.data().expect("decodes");
        assert!(!rejected.reasons.is_empty() && !fact.event.contains("ghp_"), "{:?}", fact.event);
    }
    let mut codes = BTreeMap::new();
    for report in swarm.reports().await {
        let code = report["report"]["errors"][0]["code"].as_str().unwrap_or_else(|| panic!("{report}"));
        *codes.entry(code.to_owned()).or_default() += 1;
    }
    assert_eq!(codes.values().sum::<usize>(), facts.len(), "each fact has its report");
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_taken_in_once_and_everything_else_is_refused_by_name() {
    let swarm = Swarm::new(ACK_WAIT).await;
    let mut intake = swarm.start(&["intake"]);
    swarm.publish_session(&session(1)).await;
    // The same again, in other bytes and the other mode.
    let binary = [
        ("ce-specversion", "1.0"),
        ("CE-Id", "another"),
        ("ce-source", "/agents/Agent-5"),
        ("ce-type", "dev.dreamos.session.completed.v1"),
        ("content-type", "application/json"),
    ];
    swarm.publish(&inbox(), &binary, session(1).to_string()).await;
    swarm.publish(&inbox(), &binary, session(2).to_string()).await;

    let mut other = session(1);
    other["metadata"]["total_pnl"] = 1.into();
    swarm.publish_session(&other).await;
    let mut secret = session(3);
    secret["session_type"] = "ghp_0123456789abcdefghijABCDEFGHIJ012345".into();
    let mut deep = String::new();
    deep.extend(std::iter::repeat_n('[', 100_000));
    let mut wide = session(3);
    wide["notes"] = "x".repeat(800 * 1024).into();
    let long = "v".repeat(200);
    let bomb: Vec<(String, &str)> = (0..100).map(|n| (format!("x-{n}"), long.as_str())).collect();
    let bomb: Vec<(&str, &str)> = bomb.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    for payload in [
        Vec::new(),
        vec![0xff; 64],
        b"junk".to_vec(),
        b"junk".to_vec(),
        deep.into_bytes(),
        event(&secret).to_string().into_bytes(),
        event(&wide).to_string().into_bytes(),
        session(3).to_string().into_bytes(),
    ] {
        swarm.publish(&inbox(), &[], payload).await;
    }
    swarm.publish(&inbox(), &bomb, "junk").await;
    // Somebody else's session, source or subject.
    swarm.publish("swarm.session.completed.Agent-6", &[], event(&session(3)).to_string()).await;
    let mut foreign = session(3);
    foreign["agent_id"] = "Agent-6".into();
    swarm.publish_session(&foreign).await;
    // Two agents may give their messages the same id.
    let same_id = [("Nats-Msg-Id", "1")];
    swarm.publish("swarm.session.completed.-", &same_id, event(&session(3)).to_string()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    swarm.publish(&inbox(), &same_id, event(&session(4)).to_string()).await;

    is_empty(&swarm).await;
    let taken: Vec<String> =
        swarm.facts_of("session-completed").await.iter().map(|fact| fact.key.id.to_string()).collect();
    assert_eq!(taken, [id(1), id(2), id(4)]);
    let codes = refused(&swarm).await;
    let expect = [
        ("bad_subject", 1),
        ("conflict", 1),
        ("empty", 1),
        ("identity", 2),
        // Not UTF-8, junk, junk with a hundred headers, nothing but brackets, a session without an event around it.
        ("no_event", 5),
        ("too_large", 1),
        ("unknown_session_type", 1),
    ];
    assert_eq!(codes, expect.map(|(code, count)| (code.to_owned(), count)).into(), "{:#?}", swarm.reports().await);
    assert!(intake.lives());
    assert!(intake.terminate().success());

    // The operator sees them all.
    assert!(swarm.command_in("replica", &["replica", "--once"]).status().expect("runs").success());
    let listed = swarm.command_in("replica", &["failures", "list", "--class", "rejected", "--json"]).output();
    let listed: Value = serde_json::from_slice(&listed.expect("runs").stdout).expect("JSON");
    assert_eq!(listed["failures"].as_array().map(Vec::len), Some(expect.iter().map(|(_, count)| count).sum()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_ends_every_connection_it_is_delivered_on_is_refused_and_keeps_no_other_back() {
    let swarm = Swarm::new(ACK_WAIT).await;
    // The first ends the client's task with a panic; the others end the connection, time and again.
    let poison: [&[u8]; 4] = [
        b"NATS/1.0\r\na: x\ry\r\n\r\n",
        b"NATS/1.0\r\nno colon\r\n\r\n",
        b"NATS/1.0\r\na: \xff\r\n\r\n",
        b"NATS/1.0\r\na b: 1\r\n\r\n",
    ];
    let wave = async |first: usize| {
        for (n, headers) in poison.iter().enumerate() {
            swarm.publish_session(&session(first + 2 * n)).await;
            swarm.publish_raw(&inbox(), headers, format!("{first}").as_bytes());
            swarm.publish_session(&session(first + 2 * n + 1)).await;
        }
    };
    // There before anybody listens, and while somebody does.
    wave(0).await;
    let mut intake = swarm.start(&["intake"]);
    is_empty(&swarm).await;
    wave(8).await;
    is_empty(&swarm).await;
    let mut taken: Vec<String> =
        swarm.facts_of("session-completed").await.iter().map(|fact| fact.key.id.to_string()).collect();
    taken.sort();
    assert_eq!(taken, (0..16).map(id).collect::<Vec<_>>());
    assert_eq!(refused(&swarm).await, [("unreadable_headers".to_owned(), 8)].into());
    assert!(intake.lives());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_is_answered_with_what_became_of_it() {
    let swarm = Swarm::new(ACK_WAIT).await;
    let _intake = swarm.start(&["intake"]);
    let ask = async |subject: &str, payload: String| -> Value {
        let answer = swarm.client.request(subject.to_owned(), payload.into()).await;
        answer.map_or_else(
            |error| json!(error.to_string()),
            |answer| serde_json::from_slice(&answer.payload).expect("JSON"),
        )
    };
    let submit_to = async |subject: &str, payload: String| {
        let answer = ask(subject, payload).await;
        assert_documented("answer", &answer);
        answer
    };
    let submit = format!("swarm.session.submit.{AGENT}");
    // Nobody answers before it listens.
    until("it answers", || async { ask("$SRV.PING.flywheel", String::new()).await["name"] == "flywheel" }).await;
    let info = ask("$SRV.INFO.flywheel", String::new()).await;
    assert_eq!(info["endpoints"][0]["subject"], "swarm.session.submit.*", "{info}");

    let answer = submit_to(&submit, event(&session(1)).to_string()).await;
    assert_eq!((answer["status"].as_str(), &answer["session_id"]), (Some("accepted"), &json!(id(1))), "{answer}");
    let position = answer["position"].as_u64().expect("a position");
    assert_eq!(swarm.facts().await[position as usize - 1].key.id.to_string(), id(1));
    let answer = submit_to(&submit, event(&session(1)).to_string()).await;
    assert_eq!((answer["status"].as_str(), answer["position"].as_u64()), (Some("duplicate"), Some(position)));
    let mut other = session(1);
    other["goal"] = "another".into();
    let answer = submit_to(&submit, event(&other).to_string()).await;
    assert_eq!((answer["status"].as_str(), answer["position"].as_u64()), (Some("conflict"), Some(position)));
    assert_eq!(answer["report"]["errors"][0]["code"], "conflict");

    // The report is the one of `session validate`.
    let mut bad = session(2);
    bad["timestamp"] = "2025-12-02T03:00:00".into();
    bad.as_object_mut().expect("an object").remove("session_type");
    let answer = submit_to(&submit, event(&bad).to_string()).await;
    let output = {
        let mut child = swarm.command(&["session", "validate", "-", "--json"]);
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bad.to_string()).expect("writes");
        child.stdin(std::fs::File::open(file.path()).expect("opens")).output().expect("runs")
    };
    let validated: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["status"], "rejected");
    assert_eq!(answer["report"]["errors"], validated["files"][0]["errors"]);

    // A poisoned request ends a connection, and the next one is answered.
    swarm.publish_raw(&submit, b"NATS/1.0\r\na: x\ry\r\n\r\n", b"");
    until("it answers again", || async { ask(&submit, event(&session(3)).to_string()).await["position"].is_u64() })
        .await;
    let stats = ask("$SRV.STATS.flywheel", String::new()).await;
    assert!(stats["endpoints"][0]["data"].is_object(), "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_intake_gets_along_with_what_its_role_may() {
    let deployed = Deployed::start(false).await;
    let intake = deployed.process("intake", &["intake"]);
    let agent = deployed.bus("Agent-7").await;
    let of_agent_7 = |n: usize| {
        let text = event(&session(n)).to_string();
        text.replace(AGENT, "Agent-7")
    };
    for payload in [of_agent_7(1), "junk".to_owned()] {
        let sent = agent.jetstream.publish("swarm.session.completed.Agent-7", payload.into()).await.expect("sends");
        sent.await.expect("is stored");
    }
    let ask = async || agent.client.request("swarm.session.submit.Agent-7", of_agent_7(2).into()).await;
    until("it answers", || async { ask().await.is_ok() }).await;
    let log = deployed.log("admin").await;
    until("everything is in the log", || async { log.head().await.expect("reads") == 3 }).await;
    let said = intake.end();
    assert!(!said.to_lowercase().contains("permission"), "{said}");
}
