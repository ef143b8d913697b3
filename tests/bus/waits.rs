//! What a worker waits for, and what of it counts as a try.

use crate::{
    nats::Server,
    place::{bus, fact},
    swarm::{Swarm, id, until},
};
use async_nats::jetstream;
use flywheel::{
    accept,
    bus::{BusLog, Topology, setup},
    intake,
    local::Local,
    log::{Appended, Consumer, Delivery, Log as _, NewFact, Record, Scope, Subscription},
    runner::{self, ATTEMPTS_MAX, Tools},
    safety::{self, Cleaner},
    stages::pipelines,
    templates::Templates,
    world::{Origin, World},
};
use flywheel_events::{FailureClass, Key, RepoScanned, SessionId, SessionReady, Step, StepFailed};
use futures::StreamExt as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    os::unix::fs::PermissionsExt as _,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

const BUILD: &str = include_str!("../sessions/guide-build.json");
const TRADE: &str = include_str!("../sessions/guide-trade.json");

/// The fact of a session, under an id of its own.
fn session(text: &str, n: usize) -> NewFact {
    let mut session: Value = serde_json::from_str(text).expect("JSON");
    session["session_id"] = id(n).into();
    let accepted = intake::read("s.json", session.to_string().as_bytes(), None).expect("a good session");
    accept::fact(&accepted, &Cleaner::new(safety::Context::default())).0
}

/// A log for work, on a connection of its own.
async fn log_for_work(server: &Server, topology: &Topology) -> BusLog {
    BusLog::open_for_work(bus(server).await, topology.clone()).await.expect("opens")
}

async fn outcome_of(log: &BusLog, step: &str, n: usize) -> Record {
    let session: SessionId = id(n).parse().expect("an id");
    let key = Key::session(step.parse().expect("a step"), session, 1);
    log.get(&key).await.expect("reads").unwrap_or_else(|| panic!("{step} has no outcome"))
}

#[tokio::test]
async fn what_is_in_hand_waits_for_the_server_for_as_long_as_it_takes() {
    let mut server = Server::start();
    let topology = Topology::default();
    setup(&bus(&server).await, &topology).await.expect("sets up");
    let log = log_for_work(&server, &topology).await;
    log_for_work(&server, &topology).await.append(vec![fact(1)]).await.expect("appends");
    server.stop();
    // The time that a real outage takes, at once.
    tokio::time::pause();
    let (key, facts) = (fact(1).key, vec![fact(2)]);
    let mut both = Box::pin(async { tokio::join!(log.get(&key), log.append(facts)) });
    let waited = timeout(Duration::from_secs(600), &mut both).await;
    assert!(waited.is_err(), "it gave up: {waited:?}");
    tokio::time::resume();
    server.start_again();
    let (read, appended) = both.await;
    assert_eq!(read.expect("reads").map(|record| record.position), Some(1));
    // What was sent again and again is there once.
    let positions: Vec<u64> = appended.expect("appends").into_iter().map(Appended::position).collect();
    assert_eq!((positions, log.head().await.expect("reads")), (vec![2], 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgements_that_were_lost_are_waited_for_together() {
    let mut server = Server::start();
    let topology = Topology::default();
    setup(&bus(&server).await, &topology).await.expect("sets up");
    let log = log_for_work(&server, &topology).await;
    let process = Pid::from_raw(server.id().cast_signed()).expect("a process");
    kill_process(process, Signal::STOP).expect("is there");
    let (began, sent) = (Instant::now(), log.bus().client.statistics().out_messages.load(Ordering::Relaxed));
    let appending = tokio::spawn({
        let log = log.clone();
        async move { log.append((1..=9).map(fact).collect()).await }
    });
    // They are on their way, and die with the server that does not read them.
    let client = &log.bus().client;
    until("eight are sent", || async { client.statistics().out_messages.load(Ordering::Relaxed) >= sent + 8 }).await;
    client.flush().await.expect("writes");
    tokio::task::block_in_place(|| {
        server.stop();
        server.start_again();
    });
    let appended = appending.await.expect("does not panic").expect("appends");
    let took = began.elapsed();
    let mut positions: Vec<u64> = appended.into_iter().map(Appended::position).collect();
    assert_eq!(positions.pop(), Some(9), "the last stands behind all others");
    positions.sort();
    assert_eq!(positions, (1..=8).collect::<Vec<_>>());
    // One wait is 5 s.
    assert!((Duration::from_secs(4)..Duration::from_secs(15)).contains(&took), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_again_because_the_server_was_away_counts_as_no_try() {
    let mut server = Server::start();
    let topology = Topology { ack_wait: Duration::from_secs(1), ..Topology::default() };
    setup(&bus(&server).await, &topology).await.expect("sets up");
    let consumer = || Consumer {
        name: Step::new("build-story"),
        steps: vec![Step::new("build-scan"), runner::RERUN_REQUESTED],
        scope: Scope::All,
    };
    let mut worker = log_for_work(&server, &topology).await.subscribe(consumer()).await.expect("subscribes");
    log_for_work(&server, &topology).await.append(vec![fact(1)]).await.expect("appends");
    // Somebody has it in hand, and is out of reach as long as the server is.
    let stream = bus(&server).await.jetstream.get_stream("FLYWHEEL").await.expect("is there");
    let unreachable: jetstream::consumer::PullConsumer = stream.get_consumer("build-story").await.expect("is there");
    for _ in 0..2 {
        let taken = unreachable.batch().max_messages(1).expires(Duration::from_secs(10)).messages().await;
        taken.expect("asks").next().await.expect("comes").expect("comes");
        // Long enough that the server has written down what it delivered.
        sleep(Duration::from_millis(500)).await;
        server.stop();
        sleep(Duration::from_secs(1)).await;
        server.start_again();
    }
    assert_eq!(next(&mut worker).await.attempts, 1, "nobody's handler ended its process");
    drop(worker);
    // Whoever was not there cannot know it.
    let mut newcomer = log_for_work(&server, &topology).await.subscribe(consumer()).await.expect("subscribes");
    assert!(next(&mut newcomer).await.attempts >= 3);
}

async fn next(deliveries: &mut impl Subscription) -> Delivery {
    timeout(Duration::from_secs(20), deliveries.next(10)).await.expect("comes").expect("comes").remove(0)
}

/// A worker in this process, until the session has ended.
async fn work_until_ready(server: &Server, topology: &Topology, tools: &Arc<Tools>, ready: &Key) {
    let log = log_for_work(server, topology).await;
    let done = async {
        while log.get(ready).await?.is_none() {
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    };
    runner::work(&log, pipelines(), tools, Scope::All, |_| true, done).await.expect("works");
    log.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_look_at_the_world_that_takes_long_is_taken_once() {
    let ack_wait = Duration::from_secs(2);
    let swarm = Swarm::new(ack_wait).await;
    let topology = Topology { ack_wait, ..Topology::default() };
    let looks = Arc::new(AtomicU32::new(0));
    let counted = looks.clone();
    let origins = move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(3 * ack_wait);
        Ok(None)
    };
    let world = World { origins: Box::new(origins), ..World::nowhere() };
    let templates = Templates::load(None).expect("the built-in ones");
    let tools = Arc::new(Tools { templates, world, cleaner: Cleaner::new(safety::Context::default()) });
    let fact = session(BUILD, 1);
    let ready = Key { step: Step::new("build-ready"), ..fact.key.clone() };
    swarm.log.append(vec![fact]).await.expect("appends");
    // What is not held goes to the one who has nothing to do.
    let both = futures::future::join(
        work_until_ready(&swarm.server, &topology, &tools, &ready),
        work_until_ready(&swarm.server, &topology, &tools, &ready),
    );
    timeout(Duration::from_secs(60), both).await.expect("the session ends");
    assert_eq!(looks.load(Ordering::SeqCst), 1);
    let (_, _): (_, RepoScanned) = outcome_of(&swarm.log, "build-scan", 1).await.data().expect("a scan");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_kills_its_process_is_parked_and_the_others_go_on() {
    let swarm = Swarm::new(Duration::from_secs(1)).await;
    let (repository, programs) = (swarm.path("repository"), swarm.path("programs"));
    let made = Command::new("git").args(["init", "-q"]).arg(&repository).status();
    assert!(made.expect("git runs").success());
    std::fs::create_dir(&programs).expect("makes");
    let git = programs.join("git");
    std::fs::write(&git, "#!/bin/sh\nkill -9 $PPID\n").expect("writes");
    std::fs::set_permissions(&git, std::fs::Permissions::from_mode(0o755)).expect("sets");
    let paths = format!("{}:{}", programs.display(), std::env::var("PATH").expect("is set"));
    std::fs::create_dir(swarm.path("data")).expect("makes");
    let origin = Origin { folder: swarm.path("."), repo_path: Some("repository".into()), ..Origin::default() };
    let deadly: SessionId = id(1).parse().expect("an id");
    let local = Local::open(&swarm.path("data")).expect("opens");
    local.remember_origin(deadly, None, &origin, false).expect("remembers");
    drop(local);

    let others = 2..=4;
    let facts = others.clone().map(|n| session(TRADE, n));
    swarm.log.append(std::iter::once(session(BUILD, 1)).chain(facts).collect()).await.expect("appends");
    let start = || swarm.start_in("data", &["worker"], &[("PATH", &paths)]);
    let (mut worker, mut deaths) = (start(), 0);
    let began = Instant::now();
    while swarm.count_of("build-ready").await == 0 {
        if !worker.lives() {
            deaths += 1;
            worker = start();
        }
        assert!(began.elapsed() < crate::swarm::PATIENCE, "{deaths} deaths: {}", worker.said());
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(deaths, ATTEMPTS_MAX);
    let (_, parked): (_, StepFailed) = outcome_of(&swarm.log, "build-scan", 1).await.data().expect("a failure");
    assert_eq!((parked.class, parked.attempts), (FailureClass::Parked, ATTEMPTS_MAX));
    assert!(parked.message.contains("did not end in 5 attempts") && parked.hint.is_some(), "{parked:?}");
    until("the others have ended", || async { swarm.count_of("trade-ready").await == others.clone().count() }).await;
    for n in others {
        let (_, ready): (_, SessionReady) = outcome_of(&swarm.log, "trade-ready", n).await.data().expect("a ready");
        assert!(ready.failures.is_empty(), "{ready:?}");
    }
}
