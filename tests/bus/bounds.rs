//! How much of what the bus sends waits in a process.

use crate::{
    nats::Server,
    place::{bus, fact},
};
use flywheel::{
    bus::{Address, BusLog, Topology, connect, setup},
    log::{Consumer, Log as _, NewFact, Scope, Subscription as _},
    runner,
};
use flywheel_events::{Fact as _, Step, StepSkipped};
use futures::StreamExt as _;
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_takes_is_dropped_beyond_a_bound() {
    let server = Server::start();
    let narrow = Address { url: server.url.clone(), waiting_max: Some(8), ..Address::default() };
    let client = connect(&narrow).await.expect("connects").client;
    let mut waiting = client.subscribe("x").await.expect("listens");
    let mut last = client.subscribe("last").await.expect("listens");
    for subject in std::iter::repeat_n("x", 100).chain(["last"]) {
        client.publish(subject, "message".into()).await.expect("sends");
    }
    timeout(Duration::from_secs(20), last.next()).await.expect("comes, behind them all");
    let mut taken = 0;
    while let Ok(Some(_)) = timeout(Duration::from_millis(200), waiting.next()).await {
        taken += 1;
    }
    assert_eq!(taken, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_large_comes_a_few_at_a_time_and_none_counts_twice() {
    const FACTS: u64 = 100;
    let server = Server::start();
    let topology = Topology::default();
    setup(&bus(&server).await, &topology).await.expect("sets up");
    let log = BusLog::open_for_work(bus(&server).await, topology).await.expect("opens");
    let large = |n| {
        let skipped = StepSkipped { reason: "x".repeat(400 * 1024), ..StepSkipped::example() };
        NewFact::new(fact(n).key, "/test", &skipped)
    };
    log.append((1..=FACTS).map(large).collect()).await.expect("appends");
    let steps = vec![Step::new("build-scan"), runner::RERUN_REQUESTED];
    let consumer = Consumer { name: Step::new("build-story"), steps, scope: Scope::All };
    let mut deliveries = log.subscribe(consumer).await.expect("subscribes");
    let (mut positions, mut rounds) = (vec![], 0);
    while positions.len() < usize::try_from(FACTS).expect("few") {
        let came = timeout(Duration::from_secs(20), deliveries.next(512)).await.expect("comes").expect("comes");
        // 16 MiB are 40 of them.
        assert!(came.len() <= 40, "{}", came.len());
        assert!(came.iter().all(|delivery| delivery.attempts == 1), "{came:?}");
        positions.extend(came.iter().map(|delivery| delivery.position));
        deliveries.acknowledge(&came).await.expect("acknowledges");
        rounds += 1;
    }
    assert_eq!(positions, (1..=FACTS).collect::<Vec<_>>());
    assert!(rounds <= 6, "{rounds}");
}
