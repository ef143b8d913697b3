//! The laws. Each takes any backend and nothing but the trait.

use crate::Backend;
use flywheel::log::{Appended, Consumer, Delivery, Error, Log, NewFact, Scope, Subscription};
use flywheel_events::{Fact as _, Key, SessionId, Step, StepSkipped};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::timeout;

/// One test a law, for a backend.
macro_rules! laws {
    ($backend:ty) => {
        $crate::laws::laws!($backend: a_free_key_is_appended_a_taken_one_is_a_duplicate_or_a_conflict
            positions_have_no_gaps
            of_many_writers_of_one_key_one_wins
            time_never_runs_back
            a_fact_over_the_limit_is_refused_and_spares_the_others
            what_was_appended_is_there_after_a_restart
            a_reader_wakes_when_the_log_grows
            two_openings_see_each_other
            a_consumer_gets_its_steps_in_order_and_nothing_else
            what_is_not_acknowledged_comes_again_after_a_restart_with_its_attempts
            what_is_acknowledged_never_comes_again
            a_retried_delivery_waits_and_then_comes_again
            two_workers_share_a_consumer
            a_consumer_catches_up_and_goes_on_live_without_gap_or_repeat
            a_scope_keeps_to_its_sessions
            a_restart_at_every_step_loses_nothing
            what_is_forgotten_never_comes_again_and_the_rest_does);
    };
    ($backend:ty: $($law:ident)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $law() {
            let backend = <$backend as $crate::Backend>::make().await;
            $crate::laws::$law(&backend).await;
        })+
    };
}
pub(crate) use laws;

const STEP: Step = Step::new("test-step");

fn session(n: u128) -> SessionId {
    uuid::Uuid::from_u128(n).into()
}

fn skipped(n: u128, reason: &str) -> StepSkipped {
    StepSkipped { session_id: session(n), step: "test-step".into(), reason: reason.into() }
}

fn fact_of(step: Step, n: u128, reason: &str) -> NewFact {
    NewFact::new(Key::session(step, session(n), 1), "/test", &skipped(n, reason))
}

fn fact(n: u128) -> NewFact {
    fact_of(STEP, n, "no screenshots")
}

async fn append_one<L: Log>(log: &L, fact: NewFact) -> Appended {
    log.append(vec![fact]).await.expect("the log takes it")[0]
}

fn everybody(name: Step) -> Consumer {
    Consumer { name, steps: vec![STEP], scope: Scope::All }
}

async fn next<S: Subscription>(subscription: &mut S, max: usize) -> Vec<Delivery> {
    timeout(Duration::from_secs(20), subscription.next(max))
        .await
        .expect("a delivery is due")
        .expect("the log delivers")
}

async fn nothing_comes<S: Subscription>(subscription: &mut S) {
    let got = timeout(Duration::from_millis(300), subscription.next(10)).await;
    assert!(got.is_err(), "nothing was due, and this came: {got:?}");
}

fn positions(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.position).collect()
}

pub async fn a_free_key_is_appended_a_taken_one_is_a_duplicate_or_a_conflict<B: Backend>(backend: &B) {
    let log = backend.open().await;
    assert_eq!(append_one(&log, fact(1)).await, Appended::Appended(1));
    assert_eq!(append_one(&log, fact(1)).await, Appended::Duplicate(1));
    let other = append_one(&log, fact_of(STEP, 1, "other content").caused_by("x")).await;
    assert_eq!(other, Appended::Conflict(1));
    // Source and cause are no content.
    assert_eq!(append_one(&log, fact(1).caused_by("somebody else")).await, Appended::Duplicate(1));
    let outcomes = log.append(vec![fact_of(STEP, 1, "other"), fact(2), fact(2)]).await.expect("appends");
    assert_eq!(outcomes, [Appended::Conflict(1), Appended::Appended(2), Appended::Duplicate(2)]);
    let key = Key::session(STEP, session(1), 1);
    let record = log.get(&key).await.expect("reads").expect("is there");
    let (event_type, data): (_, StepSkipped) = record.data().expect("decodes");
    assert_eq!((event_type.as_str(), data.reason.as_str()), (StepSkipped::TYPE, "no screenshots"));
    assert_eq!(log.get(&Key::session(STEP, session(9), 1)).await.expect("reads"), None);
}

pub async fn positions_have_no_gaps<B: Backend>(backend: &B) {
    let log = backend.open().await;
    for n in 0..50 {
        // Duplicates and conflicts between them take no position.
        log.append(vec![fact(n), fact(n), fact_of(STEP, n, "other")]).await.expect("appends");
    }
    let records = log.read(0, 100).await.expect("reads");
    assert_eq!(records.iter().map(|record| record.position).collect::<Vec<_>>(), (1..=50).collect::<Vec<_>>());
    assert_eq!(log.head().await.expect("reads"), 50);
    assert_eq!(log.read(48, 100).await.expect("reads").len(), 2);
}

pub async fn of_many_writers_of_one_key_one_wins<B: Backend>(backend: &B) {
    let (one, other) = (backend.open().await, backend.open().await);
    let tasks = (0..40_u32).map(|i| {
        let log = if i % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move { append_one(&log, fact_of(STEP, 7, &format!("content {}", i % 4))).await })
    });
    let mut outcomes = vec![];
    for task in tasks.collect::<Vec<_>>() {
        outcomes.push(task.await.expect("runs"));
    }
    let count = |wanted: Appended| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    assert_eq!(
        (count(Appended::Appended(1)), count(Appended::Duplicate(1)), count(Appended::Conflict(1))),
        (1, 9, 30),
        "{outcomes:?}"
    );
}

pub async fn time_never_runs_back<B: Backend>(backend: &B) {
    let log = backend.open().await;
    for n in 0..20 {
        append_one(&log, fact(n)).await;
    }
    let records = log.read(0, 100).await.expect("reads");
    let times: Vec<_> = records
        .iter()
        .map(|record| {
            let envelope = flywheel_events::envelope::Envelope::parse(record.event.as_bytes()).expect("valid");
            assert_eq!(envelope.id(), record.key.event_id().to_string());
            envelope.time().expect("every fact has a time")
        })
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}

pub async fn a_fact_over_the_limit_is_refused_and_spares_the_others<B: Backend>(backend: &B) {
    let log = backend.open().await;
    let large = fact_of(STEP, 1, &"x".repeat(1024 * 1024));
    assert!(matches!(log.append(vec![large]).await, Err(Error::TooLarge { .. })));
    assert_eq!(append_one(&log, fact(2)).await, Appended::Appended(1));
}

pub async fn what_was_appended_is_there_after_a_restart<B: Backend>(backend: &B) {
    let head = {
        let log = backend.open().await;
        log.append((0..10).map(fact).collect()).await.expect("appends");
        log.head().await.expect("reads")
    };
    let log = backend.open().await;
    assert_eq!(log.head().await.expect("reads"), head);
    assert_eq!(append_one(&log, fact(3)).await, Appended::Duplicate(4));
}

pub async fn a_reader_wakes_when_the_log_grows<B: Backend>(backend: &B) {
    let (log, other) = (backend.open().await, backend.open().await);
    for (n, writer) in [(1, &log), (2, &other)] {
        let reader = log.clone();
        let waiting = tokio::spawn(async move { reader.grown(n as u64 - 1).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!waiting.is_finished(), "nothing has been written yet");
        append_one(writer, fact(n)).await;
        timeout(Duration::from_secs(10), waiting).await.expect("wakes").expect("runs").expect("reads");
    }
}

pub async fn two_openings_see_each_other<B: Backend>(backend: &B) {
    let (one, other) = (backend.open().await, backend.open().await);
    assert_eq!(append_one(&one, fact(1)).await, Appended::Appended(1));
    assert_eq!(append_one(&other, fact(2)).await, Appended::Appended(2));
    assert_eq!(append_one(&one, fact(2)).await, Appended::Duplicate(2));
    assert_eq!(one.head().await.expect("reads"), other.head().await.expect("reads"));
}

pub async fn a_consumer_gets_its_steps_in_order_and_nothing_else<B: Backend>(backend: &B) {
    let log = backend.open().await;
    let other = Step::new("other-step");
    for n in 0..10 {
        log.append(vec![fact(n), fact_of(other.clone(), n, "not wanted")]).await.expect("appends");
    }
    let mut consumer = log.subscribe(everybody(Step::new("c"))).await.expect("subscribes");
    let got = next(&mut consumer, 100).await;
    assert_eq!(positions(&got), (0..10).map(|n| 2 * n + 1).collect::<Vec<_>>());
    assert!(got.iter().all(|delivery| delivery.attempts == 1 && delivery.key.step == STEP));
}

pub async fn what_is_not_acknowledged_comes_again_after_a_restart_with_its_attempts<B: Backend>(backend: &B) {
    for attempt in 1..=4 {
        let log = backend.open().await;
        append_one(&log, fact(1)).await;
        let mut consumer = log.subscribe(everybody(Step::new("c"))).await.expect("subscribes");
        let got = next(&mut consumer, 1).await;
        assert_eq!((got[0].position, got[0].attempts), (1, attempt));
        // The process ends here without a word.
    }
}

pub async fn what_is_acknowledged_never_comes_again<B: Backend>(backend: &B) {
    let log = backend.open().await;
    log.append((0..4).map(fact).collect()).await.expect("appends");
    let mut consumer = log.subscribe(everybody(Step::new("c"))).await.expect("subscribes");
    let got = next(&mut consumer, 100).await;
    consumer.acknowledge(&got[..3]).await.expect("acknowledges");
    nothing_comes(&mut consumer).await;
    drop((consumer, log));
    let log = backend.open().await;
    let mut consumer = log.subscribe(everybody(Step::new("c"))).await.expect("subscribes");
    let again = next(&mut consumer, 100).await;
    assert_eq!(positions(&again), [4]);
    consumer.acknowledge(&again).await.expect("acknowledges");
    nothing_comes(&mut consumer).await;
    // Another consumer has its own account.
    let mut other = log.subscribe(everybody(Step::new("d"))).await.expect("subscribes");
    assert_eq!(positions(&next(&mut other, 100).await), [1, 2, 3, 4]);
}

pub async fn a_retried_delivery_waits_and_then_comes_again<B: Backend>(backend: &B) {
    let log = backend.open().await;
    append_one(&log, fact(1)).await;
    let mut consumer = log.subscribe(everybody(Step::new("c"))).await.expect("subscribes");
    let got = next(&mut consumer, 1).await;
    consumer.retry(&got[0], Duration::from_millis(900)).await.expect("retries");
    nothing_comes(&mut consumer).await;
    let again = next(&mut consumer, 1).await;
    assert_eq!((again[0].position, again[0].attempts), (1, 2));
}

pub async fn two_workers_share_a_consumer<B: Backend>(backend: &B) {
    let (log, other) = (backend.open().await, backend.open().await);
    log.append((0..20).map(fact).collect()).await.expect("appends");
    let mut one = log.subscribe(everybody(Step::new("c"))).await.expect("subscribes");
    let mut two = other.subscribe(everybody(Step::new("c"))).await.expect("subscribes");
    let mut seen = vec![];
    for _ in 0..10 {
        for got in [next(&mut one, 1).await, next(&mut two, 1).await] {
            seen.extend(positions(&got));
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=20).collect::<Vec<_>>(), "each fact goes to one worker");
    nothing_comes(&mut one).await;
}

pub async fn a_consumer_catches_up_and_goes_on_live_without_gap_or_repeat<B: Backend>(backend: &B) {
    let log = backend.open().await;
    log.append((0..500).map(fact).collect()).await.expect("appends");
    let writer = {
        let log = log.clone();
        tokio::spawn(async move {
            for n in 500..700 {
                append_one(&log, fact(n)).await;
            }
        })
    };
    let mut consumer = log.subscribe(everybody(Step::new("c"))).await.expect("subscribes");
    let mut seen = vec![];
    while seen.len() < 700 {
        let got = next(&mut consumer, 64).await;
        consumer.acknowledge(&got).await.expect("acknowledges");
        seen.extend(positions(&got));
    }
    writer.await.expect("writes");
    assert_eq!(seen, (1..=700).collect::<Vec<_>>());
    nothing_comes(&mut consumer).await;
}

pub async fn a_scope_keeps_to_its_sessions<B: Backend>(backend: &B) {
    let log = backend.open().await;
    log.append((0..10).map(fact).collect()).await.expect("appends");
    let mine: HashSet<SessionId> = [session(4), session(6), session(11)].into();
    let scope = Scope::Sessions { sessions: Arc::new(mine), after: 0 };
    let consumer = Consumer { name: Step::new("c"), steps: vec![STEP], scope };
    let mut scoped = log.subscribe(consumer).await.expect("subscribes");
    let got = next(&mut scoped, 100).await;
    assert_eq!(positions(&got), [5, 7]);
    scoped.acknowledge(&got).await.expect("acknowledges");
    log.append(vec![fact(10), fact(11)]).await.expect("appends");
    assert_eq!(positions(&next(&mut scoped, 100).await), [12]);
}

pub async fn a_restart_at_every_step_loses_nothing<B: Backend>(backend: &B) {
    let done = Step::new("done-step");
    let total = 12_u128;
    backend.open().await.append((0..total).map(fact).collect()).await.expect("appends");
    // Before the delivery, after it, after the outcome, after the acknowledgement: then the process is gone.
    for stop in (0..200).map(|i| i % 4) {
        let log = backend.open().await;
        if stop == 0 {
            continue;
        }
        let mut consumer = log.subscribe(everybody(Step::new("c"))).await.expect("subscribes");
        let Ok(got) = timeout(Duration::from_millis(500), consumer.next(1)).await else { break };
        let got = got.expect("delivers");
        if stop == 1 {
            continue;
        }
        let n = got[0].key.id.as_u128();
        let outcome = append_one(&log, fact_of(done.clone(), n, "done")).await;
        assert!(!matches!(outcome, Appended::Conflict(_)));
        if stop == 3 {
            consumer.acknowledge(&got).await.expect("acknowledges");
        }
    }
    let log = backend.open().await;
    let records = log.read(0, 1000).await.expect("reads");
    let outcomes = records.iter().filter(|record| record.key.step == done).count();
    assert_eq!(outcomes, total as usize, "each fact has its outcome, once");
    assert_eq!(records.len(), 2 * total as usize);
}

pub async fn what_is_forgotten_never_comes_again_and_the_rest_does<B: Backend>(backend: &B) {
    let log = backend.open().await;
    let later = NewFact::new(Key::session(STEP, session(1), 2), "/test", &skipped(1, "a second run"));
    log.append(vec![fact(1), fact(2), later]).await.expect("appends");
    let mut subscription = log.subscribe(everybody(STEP)).await.expect("subscribes");
    for delivery in next(&mut subscription, 10).await {
        subscription.retry(&delivery, Duration::ZERO).await.expect("retries");
    }
    log.forget(&HashMap::from([(session(1), 1)])).await.expect("forgets");
    // What is given back one by one may come again one by one.
    let mut came = positions(&next(&mut subscription, 10).await);
    if came.len() < 2 {
        came.extend(positions(&next(&mut subscription, 10).await));
    }
    assert_eq!(came, [2, 3]);
}
