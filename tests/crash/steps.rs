//! Every durable write of a session's run, and a crash before and behind each: all come to the same end.

use crate::place::{Facts, Place, id, rechained};
use flywheel::{
    accept, drive,
    intake::session as intake,
    local::Local,
    log::{Appended, Consumer, Delivery, EmbeddedLog, Error, Log, NewFact, Record, Subscription},
    runner::Tools,
    safety::{self, Cleaner},
    templates::Templates,
    views,
    world::World,
};
use flywheel_events::{Key, SessionId};
use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Whether the write that kills the process is made.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Crash {
    Before,
    Behind,
}

/// A process that dies at its n-th durable write: from there on nothing of it reaches the disk.
#[derive(Debug)]
struct Life {
    left: AtomicUsize,
    crash: Crash,
}

impl Life {
    fn new(writes: usize, crash: Crash) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(writes), crash })
    }

    /// How this write goes: it is made, it is made and nobody hears of it, or the process is dead.
    async fn write<T>(&self, write: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let before = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(1)));
        match before.expect("always updated") {
            0 => Err(Error::Closed),
            1 => {
                if self.crash == Crash::Behind {
                    write.await?;
                }
                Err(Error::Closed)
            }
            _ => write.await,
        }
    }

    fn is_over(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

/// The embedded log in a process that dies.
#[derive(Debug, Clone)]
struct Mortal {
    log: EmbeddedLog,
    life: Arc<Life>,
}

struct MortalSubscription {
    deliveries: <EmbeddedLog as Log>::Subscription,
    life: Arc<Life>,
}

impl Log for Mortal {
    type Subscription = MortalSubscription;

    fn event_bytes_max(&self) -> usize {
        self.log.event_bytes_max()
    }

    async fn append(&self, facts: Vec<NewFact>) -> Result<Vec<Appended>, Error> {
        self.life.write(self.log.append(facts)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Record>, Error> {
        self.log.get(key).await
    }

    async fn position(&self, key: &Key, behind: u64) -> Result<Option<u64>, Error> {
        self.log.position(key, behind).await
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

    async fn subscribe(&self, consumer: Consumer) -> Result<MortalSubscription, Error> {
        Ok(MortalSubscription { deliveries: self.log.subscribe(consumer).await?, life: self.life.clone() })
    }

    async fn forget(&self, ended: &HashMap<SessionId, u32>) -> Result<(), Error> {
        self.life.write(self.log.forget(ended)).await
    }
}

impl Subscription for MortalSubscription {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        // The lease is written once there is something to lease; nobody waits for what never comes.
        let deliveries = self.deliveries.next(max).await?;
        self.life.write(async { Ok(deliveries) }).await
    }

    async fn acknowledge(&mut self, done: &[Delivery]) -> Result<(), Error> {
        self.life.write(self.deliveries.acknowledge(done)).await
    }

    async fn retry(&mut self, delivery: &Delivery, delay: Duration) -> Result<(), Error> {
        self.life.write(self.deliveries.retry(delivery, delay)).await
    }
}

/// What `flywheel run` does between its file and its report; whether it came to the end.
async fn run(data: &Path, file: &Path, life: Arc<Life>) -> bool {
    let local = Local::open(data).expect("opens");
    let log = Mortal { log: EmbeddedLog::open(data, &local).expect("opens"), life: life.clone() };
    match run_on(&log, &local, file).await {
        Ok(()) => true,
        Err(Error::Closed) if life.is_over() => false,
        Err(error) => panic!("{error}"),
    }
}

async fn run_on(log: &Mortal, local: &Local, file: &Path) -> Result<(), Error> {
    let bytes = std::fs::read(file).expect("reads");
    let accepted = intake::read("s.json", &bytes, None).expect("a good session");
    let cleaner = Cleaner::new(safety::Context::default());
    let (fact, _) = accept::fact(&accepted, &cleaner);
    let (id, session_type) = (accepted.session.session_id, accepted.session.session_type);
    let folder = file.parent().expect("a folder").to_owned();
    local.remember_origin(id, Some(file), &accept::origin(&accepted, folder), true).expect("remembers");
    let position = log.append(vec![fact]).await?[0].position();
    let run = drive::newest_run(log, id).await?;
    if drive::has_ended(log, id, session_type, run).await? {
        return Ok(());
    }
    let origins = local.clone();
    let tools = Tools {
        templates: Templates::load(None).expect("the built-in ones"),
        world: World { origins: Box::new(move |session| origins.origin(session)), ..World::nowhere() },
        cleaner,
    };
    drive::drive(log, &Arc::new(tools), [(id, run)].into(), position - 1, |_| {}).await
}

fn export(data: &Path) -> String {
    let local = Local::open(data).expect("opens");
    let log = EmbeddedLog::open(data, &local).expect("opens");
    let mut lines = String::new();
    log.export(0, |line| {
        lines += &format!("{line}\n");
        Ok(())
    })
    .expect("exports");
    lines
}

/// What two runs of a session must agree in: every fact, but not when it was recorded, in which order steps ended that do
/// not need each other, and which of the facts a step needs came last.
fn end_state(export: &str) -> String {
    let mut facts = Facts::of(export);
    facts.all.sort_by_key(|(key, _)| key.to_string());
    rechained(&facts.all, |_, event| {
        event["time"] = "2025-12-02T06:00:00Z".into();
        if let Some(cause) = event.get_mut("causationid") {
            *cause = "any".into();
        }
    })
}

/// The digests of the views of a log that has these lines.
fn digests(lines: &str) -> Vec<String> {
    let place = Place::new();
    place.put("log.ndjson", lines);
    place.done(&["log", "import", "log.ndjson"]);
    rebuilt(&place.data())
}

fn rebuilt(data: &Path) -> Vec<String> {
    let local = Local::open(data).expect("opens");
    let log = EmbeddedLog::open(data, &local).expect("opens");
    let all: Vec<_> = flywheel_projections::all().iter().collect();
    let built = views::rebuild(data, &log, &all, views::Until::Head, None, |_| {}).expect("rebuilds");
    built.iter().map(|built| format!("{} {}", built.view.name, built.digest)).collect()
}

/// Views that are caught up after every crash.
fn caught_up(data: &Path) -> Vec<String> {
    let local = Local::open(data).expect("opens");
    let log = EmbeddedLog::open(data, &local).expect("opens");
    let digest = |view: &'static flywheel_projections::View| {
        let connection = views::caught_up(data, &log, view).expect("reads");
        format!("{} {}", view.name, views::digest(&connection).expect("reads"))
    };
    flywheel_projections::all().iter().map(digest).collect()
}

/// Dies at every write in turn, twice in a row, and goes on.
fn check_all(n: usize, crash: Crash) {
    let runtime = tokio::runtime::Runtime::new().expect("starts");
    let one = |place: &Place, life| {
        let file = place.path(&crate::place::session(place, n));
        runtime.block_on(run(&place.data(), &file, life))
    };
    let whole = Place::new();
    assert!(one(&whole, Life::new(usize::MAX, crash)));
    let expect = end_state(&export(&whole.data()));
    let expect_views = digests(&expect);
    for write in 1.. {
        let place = Place::new();
        let ended = one(&place, Life::new(write, crash));
        let crashed = export(&place.data());
        caught_up(&place.data());
        let _ = one(&place, Life::new(write, crash));
        caught_up(&place.data());
        assert!(one(&place, Life::new(usize::MAX, crash)), "write {write}: the next one ends");
        let end = export(&place.data());
        assert!(end.starts_with(&crashed), "write {write}: what was there is there");
        assert_eq!(end_state(&end), expect, "write {write}");
        assert_eq!(caught_up(&place.data()), rebuilt(&place.data()), "write {write}");
        assert_eq!(digests(&end_state(&end)), expect_views, "write {write}");
        // The program finds nothing left to do but the files, which are those of the log.
        let ran = place.done(&["run", "--json", &format!("s{n}.json")]);
        assert_eq!(ran.sessions(), [(id(n), "duplicate".to_owned())]);
        assert_eq!(export(&place.data()), end);
        assert!(Facts::of(&end).check_artifacts(&place.data().join("artifacts")) >= 2);
        let local = rusqlite::Connection::open(place.path(".flywheel/local.db")).expect("opens");
        let in_flight: u32 = local
            .query_row("SELECT (SELECT count(*) FROM in_flight) + (SELECT count(*) FROM leases)", [], |row| row.get(0))
            .expect("reads");
        assert_eq!(in_flight, 0, "write {write}");
        if ended {
            // Its acceptance, a lease, an append and an acknowledgement a step, and the end.
            return assert!(write > 10, "{write} writes were found");
        }
    }
}

#[test]
fn a_trade_session_ends_the_same_if_it_crashed_before_any_write() {
    check_all(0, Crash::Before);
}

#[test]
fn a_trade_session_ends_the_same_if_it_crashed_behind_any_write() {
    check_all(0, Crash::Behind);
}

#[test]
fn a_life_session_ends_the_same_if_it_crashed_before_any_write() {
    check_all(1, Crash::Before);
}

#[test]
fn a_life_session_ends_the_same_if_it_crashed_behind_any_write() {
    check_all(1, Crash::Behind);
}
