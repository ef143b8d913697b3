//! What becomes of stages that panic, fail for ever, or say too much, and of the others beside them.

use super::*;
use crate::{
    local::Local,
    log::{Appended, EmbeddedLog, NewFact, Record},
    stages::{Stop, graph::stage, ready},
    world::World,
};
use flywheel_events::{
    Claim, CreationExtracted, Fact, FailureClass, Key, LessonsExtracted, Outcome, RepoScanned, SessionCompleted,
    SessionId, SessionReady, SessionType, StepFailed, StepSkipped, StoryExtracted, TradesNormalized, TradingSummarized,
};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        LazyLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

static PANICS: AtomicU32 = AtomicU32::new(0);
static STUMBLES: AtomicU32 = AtomicU32::new(0);

fn panics(_: &SessionCompleted) -> Result<RepoScanned, Stop> {
    PANICS.fetch_add(1, Ordering::SeqCst);
    panic!("a stage with a fault");
}

fn stumbles(_: &SessionCompleted) -> Result<StoryExtracted, Stop> {
    match STUMBLES.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Err(Stop::World(anyhow::anyhow!("/home/bob/x is busy"))),
        _ => Ok(StoryExtracted::example()),
    }
}

fn refuses(_: &SessionCompleted) -> Result<TradesNormalized, Stop> {
    Err(Stop::refused("no use: /home/bob/x", "do other work"))
}

fn says_too_much(_: &SessionCompleted) -> Result<CreationExtracted, Stop> {
    let claim = Claim { field: "x".repeat(2 * 1024 * 1024), claimed: 1, listed: 0 };
    Ok(CreationExtracted { claims: vec![claim], ..CreationExtracted::example() })
}

fn needs_what_panicked(_: &RepoScanned) -> Result<TradingSummarized, Stop> {
    unreachable!("what it needs is not there")
}

fn works(_: &SessionCompleted) -> Result<LessonsExtracted, Stop> {
    Ok(LessonsExtracted::example())
}

fn table() -> &'static [Pipeline] {
    static TABLE: LazyLock<[Pipeline; 1]> = LazyLock::new(|| {
        [Pipeline {
            session_type: SessionType::Build,
            about: "A table of stubs.",
            stages: vec![
                stage("panics", "Panics.", panics),
                stage("stumbles", "Works at the third attempt.", stumbles),
                stage("refuses", "Refuses.", refuses),
                stage("loud", "Says too much.", says_too_much),
                stage("bereft", "Lacks its need.", needs_what_panicked),
                stage("works", "Works.", works),
                ready(),
            ],
        }]
    });
    &*TABLE
}

fn tools() -> Arc<Tools> {
    let world = World::nowhere();
    let templates = Templates::load(None).expect("the built-in ones");
    Arc::new(Tools { templates, world, cleaner: Cleaner::new(safety::Context::default()) })
}

async fn outcome<F: Fact + serde::de::DeserializeOwned>(log: &EmbeddedLog, step: &str, session: SessionId) -> F {
    let key = Key::session(step.parse().expect("a step"), session, 1);
    let record = log.get(&key).await.expect("reads").unwrap_or_else(|| panic!("{step} has no outcome"));
    let (event_type, value) = record.data().expect("reads");
    assert_eq!(event_type, F::TYPE, "{step}");
    value
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_faulty_stage_is_retried_then_parked_and_its_siblings_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let local = Local::open(folder.path()).expect("opens");
    let log = EmbeddedLog::open(folder.path(), &local).expect("opens");
    let session = SessionCompleted { session_type: SessionType::Build, ..SessionCompleted::example() };
    let id = session.session_id;
    let entry = NewFact::new(Key::session(SESSION_COMPLETED, id, 1), "/test", &session);
    log.append(vec![entry]).await.expect("appends");
    let scope = Scope::Sessions { sessions: Arc::new(HashSet::from([id])), after: 0 };
    let ready_key = Key::session("build-ready".parse().expect("a step"), id, 1);
    let works_key = Key::session("build-works".parse().expect("a step"), id, 1);
    let done = async {
        let mut at = 0;
        while log.get(&ready_key).await?.is_none() {
            if log.get(&works_key).await?.is_some() && at == 0 {
                at = PANICS.load(Ordering::SeqCst);
                assert!(at < ATTEMPTS_MAX, "a sibling does not wait for the faulty one");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    };
    let began = std::time::Instant::now();
    tokio::time::timeout(Duration::from_secs(60), work(&log, table(), &tools(), scope, |_| true, done))
        .await
        .expect("it ends")
        .expect("the log works");
    log.forget(&HashMap::from([(id, 1)])).await.expect("forgets");

    // 0.2 + 0.4 + 0.8 + 1.6 s, each half at least.
    assert!(began.elapsed() > Duration::from_millis(1500), "there was a wait between the attempts");
    assert_eq!(PANICS.load(Ordering::SeqCst), ATTEMPTS_MAX);
    assert_eq!(STUMBLES.load(Ordering::SeqCst), 3);
    let parked: StepFailed = outcome(&log, "build-panics", id).await;
    assert_eq!((parked.class, parked.attempts), (FailureClass::Parked, ATTEMPTS_MAX));
    let _: StoryExtracted = outcome(&log, "build-stumbles", id).await;
    let _: LessonsExtracted = outcome(&log, "build-works", id).await;
    let refused: StepFailed = outcome(&log, "build-refuses", id).await;
    assert_eq!((refused.class, refused.attempts, &*refused.message), (FailureClass::Refused, 1, "no use: ~/x"));
    let loud: StepFailed = outcome(&log, "build-loud", id).await;
    assert_eq!(loud.class, FailureClass::TooLarge);
    let bereft: StepFailed = outcome(&log, "build-bereft", id).await;
    assert_eq!(bereft.class, FailureClass::InputFailed);
    let ready: SessionReady = outcome(&log, "build-ready", id).await;
    assert_eq!((ready.outcome, ready.failures.len()), (Outcome::Failed, 4));
    let left: u32 = local
        .connection()
        .query_row("SELECT (SELECT count(*) FROM in_flight) + (SELECT count(*) FROM leases)", [], |row| row.get(0))
        .expect("counts");
    assert_eq!(left, 0, "nothing stays in flight");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fact_that_does_not_read_is_a_failure_of_its_own_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = EmbeddedLog::open(folder.path(), &Local::open(folder.path()).expect("opens")).expect("opens");
    let ids: [SessionId; 2] = [1, 2].map(|n| format!("00000000-0000-4000-8000-{n:012}").parse().expect("an id"));
    let [damaged, sound] = ids;
    let facts = ids.map(|id| {
        let trade =
            SessionCompleted { session_type: SessionType::Trade, session_id: id, ..SessionCompleted::example() };
        NewFact::new(Key::session(SESSION_COMPLETED, id, 1), "/test", &trade)
    });
    log.append(facts.into()).await.expect("appends");
    let key = |step: &'static str, id| Key::session(Step::new(step), id, 1);
    let odd = serde_json::json!({ "class": "of a newer program" });
    let odd = NewFact::of_value(key("trade-normalize", damaged), StepFailed::TYPE, "/test", &odd);
    log.append(vec![odd]).await.expect("appends");
    let done = async {
        for id in ids {
            while log.get(&key("trade-ready", id)).await?.is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(())
    };
    let tools = tools();
    let worked = work(&log, crate::stages::pipelines(), &tools, Scope::All, |_| true, done);
    tokio::time::timeout(Duration::from_secs(60), worked).await.expect("it ends").expect("the log works");
    let ready: SessionReady = outcome(&log, "trade-ready", damaged).await;
    let failed = |step: &str| ready.failures.iter().find(|failure| failure.step == step).expect("failed");
    let (its, what_follows) = (failed("trade-normalize"), failed("trade-summarize"));
    assert_eq!((its.class, what_follows.class), (FailureClass::Refused, FailureClass::InputFailed));
    let named = format!("the fact {} does not read", key("trade-normalize", damaged));
    assert!(its.message.contains(&named) && what_follows.message.contains(&named), "{ready:?}");
    let ready: SessionReady = outcome(&log, "trade-ready", sound).await;
    assert!(ready.failures.iter().all(|failure| !failure.message.contains("does not read")), "{ready:?}");
}

/// A log that is read behind what it delivers, until that is waited for.
#[derive(Clone)]
struct Behind {
    log: EmbeddedLog,
    /// What is not seen.
    key: Key,
    /// Whether there is anything to wait for.
    comes: bool,
    seen: Arc<AtomicBool>,
}

impl Log for Behind {
    type Subscription = <EmbeddedLog as Log>::Subscription;

    fn event_bytes_max(&self) -> usize {
        self.log.event_bytes_max()
    }

    async fn append(&self, facts: Vec<NewFact>) -> Result<Vec<Appended>, Error> {
        self.log.append(facts).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Record>, Error> {
        let is_seen = *key != self.key || self.seen.load(Ordering::SeqCst);
        if is_seen { self.log.get(key).await } else { Ok(None) }
    }

    async fn position(&self, key: &Key, _: u64) -> Result<Option<u64>, Error> {
        Ok(self.get(key).await?.map(|record| record.position))
    }

    async fn reach(&self, _: u64) -> Result<bool, Error> {
        self.seen.store(self.comes, Ordering::SeqCst);
        Ok(self.comes)
    }

    async fn read(&self, after: u64, limit: usize) -> Result<Vec<Record>, Error> {
        self.log.read(after, limit).await
    }

    async fn keys(&self, after: u64, limit: usize) -> Result<Vec<(u64, Key)>, Error> {
        self.log.keys(after, limit).await
    }

    async fn head(&self) -> Result<u64, Error> {
        self.log.head().await
    }

    async fn grown(&self, after: u64) -> Result<(), Error> {
        self.log.grown(after).await
    }

    async fn subscribe(&self, consumer: Consumer) -> Result<Self::Subscription, Error> {
        self.log.subscribe(consumer).await
    }

    async fn forget(&self, ended: &HashMap<SessionId, u32>) -> Result<(), Error> {
        self.log.forget(ended).await
    }
}

#[tokio::test]
async fn what_is_missing_is_looked_for_again_where_reading_was_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = EmbeddedLog::open(folder.path(), &Local::open(folder.path()).expect("opens")).expect("opens");
    let session = SessionCompleted { session_type: SessionType::Trade, ..SessionCompleted::example() };
    let id = session.session_id;
    let bound = bind(crate::stages::pipelines());
    let stage = bound.iter().find(|bound| bound.step.as_str() == "trade-ready").expect("is one");
    let mut facts = vec![NewFact::new(Key::session(SESSION_COMPLETED, id, 1), "/test", &session)];
    for step in stage.inputs().cloned() {
        let skipped = StepSkipped { session_id: id, step: step.to_string(), ..StepSkipped::example() };
        facts.push(NewFact::new(Key::session(step, id, 1), "/test", &skipped));
    }
    let keys: Vec<Key> = facts.iter().map(|fact| fact.key.clone()).collect();
    log.append(facts).await.expect("appends");
    let (position, key) = (keys.len() as u64, keys.last().expect("some").clone());
    let delivery = Delivery { consumer: stage.step.clone(), position, key, attempts: 1, traceparent: None };
    // The session's own fact, and one of those that are joined.
    for hidden in &keys[..2] {
        for comes in [true, false] {
            let behind = Behind { log: log.clone(), key: hidden.clone(), comes, seen: Arc::default() };
            let asks = due::prepare(&behind, stage, &Seen::default(), &delivery).await.expect("reads");
            assert_eq!(matches!(asks, Asks::Run(_)), comes, "{hidden}: {asks:?}");
        }
    }
}

#[tokio::test]
async fn what_a_restored_stream_has_out_of_order_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = EmbeddedLog::open(folder.path(), &Local::open(folder.path()).expect("opens")).expect("opens");
    let session = SessionCompleted { session_type: SessionType::Trade, ..SessionCompleted::example() };
    let id = session.session_id;
    let bound = bind(crate::stages::pipelines());
    let stage = bound.iter().find(|bound| bound.step.as_str() == "trade-journal").expect("is one");
    let skipped = |step: &str| {
        let skipped = StepSkipped { session_id: id, step: step.to_owned(), ..StepSkipped::example() };
        NewFact::new(Key::session(step.parse().expect("a step"), id, 1), "/test", &skipped)
    };
    let first = NewFact::new(Key::session(SESSION_COMPLETED, id, 1), "/test", &session);
    let delivery =
        |position, key| Delivery { consumer: stage.step.clone(), position, key, attempts: 1, traceparent: None };
    let asks = async |delivery| due::prepare(&log, stage, &Seen::default(), &delivery).await.expect("reads");
    log.append(vec![first, skipped("trade-normalize")]).await.expect("appends");
    // Too early: a later delivery makes it due.
    assert!(matches!(asks(delivery(2, skipped("trade-normalize").key)).await, Asks::Nothing));
    log.append(vec![skipped("trade-lessons")]).await.expect("appends");
    let last = || delivery(3, skipped("trade-lessons").key);
    assert!(matches!(asks(last()).await, Asks::Wait), "no other delivery comes for it");
    log.append(vec![skipped("trade-summarize")]).await.expect("appends");
    assert!(matches!(asks(last()).await, Asks::Run(_)));
}

#[test]
fn what_was_tried_often_is_tried_alone_and_from_either_end() {
    // As (session, attempts), and the positions from 1 on.
    let turns = |deliveries: &[(u8, u32)]| -> Vec<Vec<u64>> {
        let delivery = |(position, (session, attempts)): (u64, &(u8, u32))| {
            let session = format!("00000000-0000-4000-8000-0000000000{session:02}").parse().expect("an id");
            let (consumer, key) = (Step::new("c"), Key::session(Step::new("c"), session, 1));
            Delivery { consumer, position, key, attempts: *attempts, traceparent: None }
        };
        let turns = in_turns((1..).zip(deliveries).map(delivery).collect());
        turns.into_iter().map(|turn| turn.into_iter().map(|delivery| delivery.position).collect()).collect()
    };
    assert_eq!(turns(&[(1, 1), (2, 4), (3, 3), (4, 4)]), [vec![1, 3], vec![2], vec![4]]);
    assert_eq!(turns(&[(1, 5), (2, 1), (3, 5), (4, 5)]), [vec![2], vec![4], vec![3], vec![1]]);
    // What one session brings at once.
    assert_eq!(turns(&[(1, 1), (2, 1), (1, 2), (1, 1), (3, 1)]), [vec![2, 4, 5], vec![1, 3]]);
    assert!(turns(&[]).is_empty());
}
