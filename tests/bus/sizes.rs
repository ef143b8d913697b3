//! What is larger than the server takes in one message ends as such, and keeps nobody else back.

use crate::{
    nats::Server,
    place::Place,
    swarm::{Process, Swarm, event, id, session, until},
};
use flywheel::{
    accept,
    log::{Error, Log as _, NewFact},
    safety::{self, Cleaner},
    stages::trade::normalize::normalize,
};
use flywheel_events::{FailureClass, Key, SessionReady, StepFailed, TradesNormalized, envelope::EVENT_BYTES_MAX};
use serde_json::{Value, json};
use std::time::Duration;

const ACK_WAIT: Duration = Duration::from_secs(30);

fn configuration(max_payload: usize) -> String {
    format!("listen: 127.0.0.1:-1\nmax_payload: {max_payload}\njetstream {{ store_dir: \"{{store}}\" }}\n")
}

/// The smallest of these sessions whose fact, as `fact_of` makes it, does not go through a server, although another takes it.
fn just_too_large(event_bytes_max: usize, made: impl Fn(usize) -> Value, fact_of: impl Fn(&Value) -> NewFact) -> Value {
    let size = |count: usize| match fact_of(&made(count)).check_size(0) {
        Err(Error::TooLarge { size, .. }) => size,
        other => panic!("every fact has a size: {other:?}"),
    };
    let (few, more) = (size(100), size(200));
    let mut count = 100 + (event_bytes_max - few) * 100 / (more - few);
    while size(count) > event_bytes_max {
        count -= 1;
    }
    while size(count) <= event_bytes_max {
        count += 1;
    }
    assert!(size(count) <= EVENT_BYTES_MAX, "there is room between the two");
    made(count)
}

/// A session with this many trades, whose fills take more than they.
fn with_trades(n: usize, count: usize) -> Value {
    let mut session = session(n);
    let trade =
        json!({ "symbol": "A", "action": "buy", "quantity": 1, "price": 2, "timestamp": "2025-12-02T03:00:00Z" });
    session["source_data"]["trades"] = vec![trade; count].into();
    session
}

fn read(session: &Value) -> flywheel::intake::session::Accepted {
    flywheel::intake::read("x.json", session.to_string().as_bytes(), None).expect("a good session")
}

/// The fact that the first step makes of a session.
fn normalized(session: &Value) -> NewFact {
    let session = read(session).session;
    let fact = normalize(&session).expect("it has trades");
    let key = Key::session("trade-normalize".parse().expect("a step"), session.session_id, 1);
    NewFact::new(key, "/flywheel/trade/normalize", &fact).caused_by("x".repeat(36))
}

/// The fact of a session that grows when it is cleaned.
fn cleaned(session: &Value) -> NewFact {
    accept::fact(&read(session), &Cleaner::new(safety::Context::default())).0
}

/// The outcome of a step, which must be of this type.
async fn outcome<F: flywheel_events::Fact + serde::de::DeserializeOwned>(swarm: &Swarm, n: usize, step: &str) -> F {
    let key = Key::session(step.parse().expect("a step"), id(n).parse().expect("an id"), 1);
    let record = swarm.log.get(&key).await.expect("reads").unwrap_or_else(|| panic!("{step} has no outcome"));
    let (event_type, value) =
        record.data().unwrap_or_else(|error| panic!("{error}: {} bytes, {:.600}", record.event.len(), &*record.event));
    assert_eq!(event_type, F::TYPE, "{step}: {:?}", record.event);
    value
}

/// A step whose outcome is too large for the server ends as such, and the session with it; nobody begins anew.
async fn a_step_fails_by_its_size(swarm: &Swarm) {
    let max = swarm.log.event_bytes_max();
    assert!(max < EVENT_BYTES_MAX);
    swarm.publish_session(&just_too_large(max, |count| with_trades(1, count), normalized)).await;
    swarm.publish_session(&session(2)).await;
    until("both have ended", || async { swarm.count_of("trade-ready").await == 2 }).await;
    let failed: StepFailed = outcome(swarm, 1, "trade-normalize").await;
    assert_eq!((failed.class, failed.attempts), (FailureClass::TooLarge, 1), "{failed:?}");
    assert!(failed.hint.as_ref().is_some_and(|hint| hint.contains("max_payload")), "{failed:?}");
    let ready: SessionReady = outcome(swarm, 1, "trade-ready").await;
    assert!(!ready.failures.is_empty(), "{ready:?}");
    let _: TradesNormalized = outcome(swarm, 2, "trade-normalize").await;
}

/// A session whose fact is too large for the server is refused as such, whichever way it comes.
async fn a_session_is_refused_by_its_size(swarm: &Swarm) {
    let grown = |count: usize| {
        let mut grown = session(3);
        grown["goal"] = "a@b.co ".repeat(count).into();
        grown
    };
    let grown = just_too_large(swarm.log.event_bytes_max(), grown, cleaned);
    swarm.publish_session(&grown).await;
    until("it is refused", || async { swarm.reports().await.len() == 1 }).await;
    assert_eq!(swarm.reports().await[0]["report"]["errors"][0]["code"], "too_large");
    let subject = format!("swarm.session.submit.{}", crate::swarm::AGENT);
    let answer = swarm.client.request(subject, event(&grown).to_string().into()).await.expect("answers");
    let answer: Value = serde_json::from_slice(&answer.payload).expect("JSON");
    assert_eq!((&answer["status"], &answer["report"]["errors"][0]["code"]), (&json!("rejected"), &json!("too_large")));
    assert_eq!(swarm.count_of("session-completed").await, 3);
}

/// An artifact that is too large for the server fails, and the others beside it are made.
async fn an_artifact_fails_by_its_size(swarm: &Swarm) {
    let mut session: Value = serde_json::from_str(include_str!("../sessions/guide-life.json")).expect("JSON");
    session["session_id"] = id(5).into();
    session["agent_id"] = crate::swarm::AGENT.into();
    // Each star becomes three bytes of the devlog's fact.
    let made = |n: usize| json!({ "name": format!("{n}{}", "*".repeat(100)), "type": "game" });
    session["source_data"]["conversations"][0]["artifacts"] = (0..210).map(made).collect();
    swarm.publish_session(&session).await;
    until("it has ended", || async { swarm.count_of("life_aria-ready").await == 1 }).await;
    let failed: StepFailed = outcome(swarm, 5, "life_aria-devlog").await;
    assert_eq!(failed.class, FailureClass::TooLarge, "{failed:?}");
    let ready: SessionReady = outcome(swarm, 5, "life_aria-ready").await;
    assert_eq!((ready.failures.len(), ready.artifacts.is_empty()), (1, false), "{ready:?}");
}

fn nobody_began_anew(processes: [Process; 2]) {
    for mut process in processes {
        assert!(process.lives() && !process.said().contains("anew"), "{}", process.said());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_server_as_it_comes_the_largest_outcomes_fail_by_name() {
    let swarm = Swarm::new(ACK_WAIT).await;
    let processes = [swarm.start(&["intake"]), swarm.start(&["worker"])];
    a_step_fails_by_its_size(&swarm).await;
    nobody_began_anew(processes);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_narrow_server_sessions_outcomes_and_artifacts_fail_by_name() {
    let swarm = Swarm::on(Server::configured(&configuration(64 << 10)), ACK_WAIT).await;
    let processes = [swarm.start(&["intake"]), swarm.start(&["worker"])];
    a_step_fails_by_its_size(&swarm).await;
    an_artifact_fails_by_its_size(&swarm).await;
    a_session_is_refused_by_its_size(&swarm).await;
    nobody_began_anew(processes);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_is_told_what_a_server_does_not_take() {
    for (max_payload, said) in [(2 << 20, None), (1 << 20, Some("note: ")), (64 << 10, Some("finding: "))] {
        let server = Server::configured(&configuration(max_payload));
        let place = Place::on(&server);
        let setup = place.run(&["bus", "setup"]);
        assert_eq!((setup.code, setup.err.contains("`max_payload`")), (0, said.is_some()), "{setup:?}");
        let doctor = place.run(&["bus", "doctor"]);
        let line = doctor.out.lines().find(|line| line.contains("`max_payload`"));
        assert_eq!(line.map(|line| said.is_some_and(|said| line.starts_with(said))), said.map(|_| true), "{doctor:?}");
    }
    let server = Server::configured(&configuration(32 << 10));
    Place::on(&server).run(&["bus", "setup"]).failed(1, &["32768", "set `max_payload`"]);
}
