//! Workers that come and go: every session ends once, and nothing waits for anybody who has gone.

use crate::nats::Server;
use crate::swarm::{Process, Swarm, id, session, until};
use flywheel::{bus::Topology, log::Log as _};
use flywheel_events::{Key, Outcome, SessionReady, Step, StepFailed};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const SESSIONS: usize = 60;

/// Every session has ended well, in exactly one `ready`.
async fn every_session_has_ended(swarm: &Swarm) {
    until("every session has ended", || async { swarm.count_of("trade-ready").await >= SESSIONS }).await;
    let facts = swarm.facts().await;
    let of = |step: &str| facts.iter().filter(|fact| fact.key.step.as_str() == step).collect::<Vec<_>>();
    let ready: Vec<_> = of("trade-ready").iter().map(|fact| fact.key.id.to_string()).collect();
    assert_eq!(ready.len(), SESSIONS, "each session has one");
    assert_eq!(ready.into_iter().collect::<BTreeSet<_>>(), (0..SESSIONS).map(id).collect());
    for fact in of("trade-ready") {
        let (_, ready): (_, SessionReady) = fact.data().expect("decodes");
        let failed: Vec<(String, StepFailed)> =
            facts.iter().filter(|other| other.key.id == fact.key.id).filter_map(|fact| fact.data().ok()).collect();
        assert_eq!(format!("{:?}", ready.outcome), "Ready", "{failed:?}");
    }
}

/// Starts two workers, and waits until sessions are under way.
async fn two_workers(swarm: &Swarm) -> (Process, Process) {
    let workers = (swarm.start(&["worker"]), swarm.start(&["worker"]));
    until("sessions are under way", || async { swarm.count_of("trade-normalize").await > 0 }).await;
    workers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_asked_to_end_leaves_nothing_behind() {
    // What it left behind would wait for twice as long as the test may take.
    let swarm = Swarm::new(2 * crate::swarm::PATIENCE).await;
    let _intake = swarm.start(&["intake"]);
    for n in 0..SESSIONS {
        swarm.publish_session(&session(n)).await;
    }
    // All are there before anybody works on them, so that much is in hand.
    until("every session is taken in", || async { swarm.count_of("session-completed").await == SESSIONS }).await;
    let (first, second) = two_workers(&swarm).await;
    assert!(first.terminate().success());
    assert!(second.terminate().success());
    let began = Instant::now();
    let _third = swarm.start(&["worker"]);
    every_session_has_ended(&swarm).await;
    assert!(began.elapsed() < crate::swarm::PATIENCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_and_a_server_that_starts_anew_lose_nothing_and_end_nobody() {
    let mut swarm = Swarm::new(Duration::from_secs(3)).await;
    let mut intake = swarm.start(&["intake"]);
    for n in 0..SESSIONS / 2 {
        swarm.publish_session(&session(n)).await;
    }
    let (first, mut second) = two_workers(&swarm).await;
    first.kill();
    swarm.server.restart(Duration::from_millis(500));
    for n in SESSIONS / 2..SESSIONS {
        swarm.publish_session(&session(n)).await;
    }
    every_session_has_ended(&swarm).await;
    assert!(intake.lives() && second.lives(), "{} {}", intake.said(), second.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_what_is_partitioned() {
    let topology = Topology { ack_wait: Duration::from_secs(30), partitions: 16, ..Topology::default() };
    let swarm = Swarm::of(Server::start(), topology).await;
    let _intake = swarm.start(&["intake"]);
    for n in 0..SESSIONS {
        swarm.publish_session(&session(n)).await;
    }
    let (first, second) = two_workers(&swarm).await;
    every_session_has_ended(&swarm).await;
    assert!(first.terminate().success() && second.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_fact_ends_its_own_session_and_nobody_else() {
    let swarm = Swarm::new(Duration::from_secs(30)).await;
    let mut intake = swarm.start(&["intake"]);
    let taken = |step: &'static str, n: usize| {
        let key = Key::session(Step::new(step), id(n).parse().expect("an id"), 1);
        swarm.publish_raw(&key.subject(), b"NATS/1.0\r\n\r\n", b"junk");
    };
    // The place of a session, and that of a step.
    taken("session-completed", 1);
    for n in 1..=3 {
        swarm.publish_session(&session(n)).await;
    }
    until("two are taken in", || async { swarm.count_of("session-completed").await == 3 }).await;
    until("one is refused", || async { swarm.reports().await.len() == 1 }).await;
    taken("trade-normalize", 2);
    let mut worker = swarm.start(&["worker"]);
    until("two have ended", || async { swarm.count_of("trade-ready").await == 2 }).await;
    for (n, outcome) in [(2, Outcome::Failed), (3, Outcome::Ready)] {
        let key = Key::session(Step::new("trade-ready"), id(n).parse().expect("an id"), 1);
        let record = swarm.log.get(&key).await.expect("reads").expect("is there");
        let (_, ready): (_, SessionReady) = record.data().expect("decodes");
        assert_eq!(ready.outcome, outcome, "{ready:?}");
        let named = ready.failures.iter().any(|failure| failure.message.contains("the fact trade-normalize/session/"));
        assert_eq!(named, outcome == Outcome::Failed, "{ready:?}");
    }
    assert!(intake.lives() && worker.lives(), "{} {}", intake.said(), worker.said());
    assert!(worker.said().contains("on flywheel.log.trade-normalize."), "{}", worker.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_does_everything_and_ends_when_it_is_asked_to() {
    let swarm = Swarm::new(Duration::from_secs(30)).await;
    let serve = swarm.start(&["serve"]);
    for n in 0..SESSIONS {
        swarm.publish_session(&session(n)).await;
    }
    every_session_has_ended(&swarm).await;
    assert!(serve.terminate().success());
}
