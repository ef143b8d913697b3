//! The embedded backend, and what is its own: the database refuses to change, import and export.

use crate::Backend;
use flywheel::{
    local::Local,
    log::{Consumer, EmbeddedLog, Error, Log as _, NewFact, Scope, Subscription as _},
};
use flywheel_events::{Fact as _, Key, Step, StepSkipped};
use std::{path::PathBuf, time::Duration};
use tempfile::TempDir;

pub struct Embedded {
    folder: TempDir,
}

impl Backend for Embedded {
    type Log = EmbeddedLog;

    async fn make() -> Self {
        Self { folder: TempDir::new().expect("a folder") }
    }

    async fn open(&self) -> EmbeddedLog {
        let local = Local::open(self.folder.path()).expect("opens");
        EmbeddedLog::open(self.folder.path(), &local).expect("opens")
    }
}

impl Embedded {
    fn file(&self) -> PathBuf {
        self.folder.path().join("log.db")
    }

    fn export(log: &EmbeddedLog) -> String {
        let mut lines = String::new();
        log.export(0, |line| {
            lines.push_str(line);
            lines.push('\n');
            Ok(())
        })
        .expect("exports");
        lines
    }
}

fn fact(n: u128) -> NewFact {
    let session_id = uuid::Uuid::from_u128(n).into();
    let key = Key::session(Step::new("test-step"), session_id, 1);
    NewFact::new(key, "/test", &StepSkipped { session_id, ..StepSkipped::example() })
}

async fn filled(count: u128) -> (Embedded, EmbeddedLog) {
    let backend = Embedded::make().await;
    let log = backend.open().await;
    log.append((0..count).map(fact).collect()).await.expect("appends");
    (backend, log)
}

#[tokio::test]
async fn the_database_itself_refuses_every_change() {
    let (backend, log) = filled(3).await;
    let connection = rusqlite::Connection::open(backend.file()).expect("opens");
    for (sql, reason) in [
        ("UPDATE facts SET event = '{}' WHERE position = 2", "never changed"),
        ("DELETE FROM facts WHERE position = 3", "never deleted"),
        ("DELETE FROM facts", "never deleted"),
        ("INSERT OR REPLACE INTO facts SELECT * FROM facts WHERE position = 2", "taken"),
        (
            "INSERT INTO facts SELECT 9, randomblob(16), key, time, digest, event_digest, chain, event FROM facts LIMIT 1",
            "gaps",
        ),
        ("INSERT INTO facts SELECT 4, id, key, time, digest, event_digest, chain, event FROM facts LIMIT 1", "taken"),
        (
            "INSERT OR REPLACE INTO facts SELECT 4, id, key, time, digest, event_digest, chain, event FROM facts LIMIT 1",
            "taken",
        ),
    ] {
        let error = connection.execute(sql, []).expect_err(sql).to_string();
        assert!(error.contains(reason), "{sql}: {error}");
    }
    assert_eq!(log.read(0, 10).await.expect("reads").len(), 3);
}

#[tokio::test]
async fn the_chain_links_every_fact_to_those_before_it() {
    let (_backend, log) = filled(50).await;
    let rows = log.read_now(0, 100).expect("reads");
    let mut chain = flywheel_events::Digest::GENESIS;
    for row in &rows {
        chain = chain.chain(&row.record.key, &flywheel_events::Digest::of(row.record.event.as_bytes()));
        assert_eq!(row.chain, chain, "position {}", row.record.position);
    }
    assert_eq!(log.head_now().expect("reads"), flywheel::log::Head { position: 50, chain });
}

#[tokio::test]
async fn an_export_imported_into_an_empty_log_exports_the_same_bytes() {
    let (_a, log) = filled(40).await;
    let lines = Embedded::export(&log);
    assert_eq!(lines.lines().count(), 40);
    let copy = Embedded::make().await;
    let restored = copy.open().await;
    assert_eq!(restored.import(lines.as_bytes(), "x").expect("imports"), (0, 40));
    assert_eq!(Embedded::export(&restored), lines);
    assert_eq!(restored.head_now().expect("reads"), log.head_now().expect("reads"));
    // Again: all known. A longer export of the same log: the rest is appended.
    assert_eq!(restored.import(lines.as_bytes(), "x").expect("imports"), (40, 0));
    log.append((40..50).map(fact).collect()).await.expect("appends");
    assert_eq!(restored.import(Embedded::export(&log).as_bytes(), "x").expect("imports"), (40, 10));
    // What was imported is a fact like any other.
    assert!(matches!(restored.append(vec![fact(7)]).await.expect("appends")[0], flywheel::log::Appended::Duplicate(8)));
}

#[tokio::test]
async fn an_import_that_does_not_follow_is_refused_whole() {
    let (_a, log) = filled(5).await;
    let lines = Embedded::export(&log);
    let line = |n: usize| lines.lines().nth(n).expect("five lines");
    let join = |lines: &[&str]| lines.join("\n");
    let cases = [
        (join(&[line(0), line(2)]), "x:2: position 3 stands where 2 must be"),
        (join(&[line(1)]), "x:1: position 2 stands where 1 must be"),
        (join(&[line(0), &line(1).replace("no screenshots", "no pictures")]), "the chain breaks at position 2"),
        (join(&[line(0), &line(1).replacen("/1\"", "/2\"", 1)]), "does not belong to the key"),
        (join(&[line(0), "{}"]), "x:2: not a line of an export"),
        (join(&[line(0), "not json"]), "x:2: not a line of an export"),
        (join(&[line(0), "", line(1)]), "x:2: not a line of an export"),
    ];
    for (text, reason) in cases {
        let copy = Embedded::make().await;
        let restored = copy.open().await;
        match restored.import(text.as_bytes(), "x") {
            Err(Error::Import(message)) => assert!(message.contains(reason), "{message}"),
            other => panic!("{other:?}: {text}"),
        }
        assert_eq!(restored.head().await.expect("reads"), 0, "nothing is imported");
    }
    let (_b, other) = filled(0).await;
    other.append(vec![fact(99)]).await.expect("appends");
    let error = other.import(lines.as_bytes(), "x").expect_err("another log");
    assert!(error.to_string().contains("the two logs differ"), "{error}");
}

#[tokio::test]
async fn a_file_of_somebody_else_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("log.db");
    let local = Local::open(folder.path()).expect("opens");
    for bytes in [
        b"not a database, but long enough to look like one ".repeat(40),
        b"SQLite format 3\0 and then nothing".to_vec(),
    ] {
        std::fs::write(&path, &bytes).expect("writes");
        let error = EmbeddedLog::open(folder.path(), &local).expect_err("not ours").to_string();
        assert!(error.contains("log.db") && error.contains("left as it is"), "{error}");
        assert_eq!(std::fs::read(&path).expect("reads"), bytes);
    }
    std::fs::remove_file(&path).expect("removes");
    rusqlite::Connection::open(&path).expect("opens").execute_batch("CREATE TABLE theirs (x)").expect("makes");
    let error = EmbeddedLog::open(folder.path(), &local).expect_err("not ours").to_string();
    assert!(error.contains("another program made it"), "{error}");
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_hold_a_delivery_for_hours() {
    let (backend, log) = filled(1).await;
    let step = Step::new("test-step");
    let consumer = Consumer { name: step.clone(), steps: vec![step], scope: Scope::All };
    let mut subscription = log.subscribe(consumer).await.expect("subscribes");
    let delivery = subscription.next(1).await.expect("delivers").remove(0);
    subscription.retry(&delivery, Duration::from_secs(3600)).await.expect("retries");
    let local = rusqlite::Connection::open(backend.folder.path().join("local.db")).expect("opens");
    let wait = "SELECT due - unixepoch() * 1000 FROM in_flight";
    let wait: i64 = local.query_row(wait, [], |row| row.get(0)).expect("one is in flight");
    assert!((60_000..=122_000).contains(&wait), "two minutes at most: {wait}");
    // As if it had been written an hour later than now.
    local.execute("UPDATE in_flight SET due = due + 3600000", []).expect("updates");
    let again = tokio::time::timeout(Duration::from_secs(20), subscription.next(1)).await.expect("comes at once");
    assert_eq!(again.expect("delivers")[0].attempts, 2);
}

#[tokio::test]
async fn a_damaged_cut_or_foreign_file_is_refused_and_left_as_it_is() {
    let (backend, log) = filled(200).await;
    drop(log);
    let whole = std::fs::read(backend.file()).expect("reads");
    let zeros = |range: std::ops::Range<usize>| {
        let mut bytes = whole.clone();
        bytes[range].fill(0);
        bytes
    };
    for (name, bytes) in [
        ("text", b"this is no database, and long enough to be read as one".repeat(20)),
        ("cut in the header", whole[..60].to_vec()),
        ("cut in the middle", whole[..whole.len() / 2].to_vec()),
        ("no header", zeros(0..100)),
        ("no schema", zeros(100..4096)),
    ] {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("log.db");
        std::fs::write(&path, &bytes).expect("writes");
        let local = Local::open(folder.path()).expect("opens");
        let outcome = match EmbeddedLog::open(folder.path(), &local) {
            Err(error) => Err(error.to_string()),
            // What SQLite only sees when it reads on.
            Ok(log) => {
                let read = log.read(0, 1000).await.map(|records| records.len());
                let appended = log.append(vec![fact(999)]).await;
                read.map_err(|error| error.to_string()).and(appended.map_err(|error| error.to_string()))
            }
        };
        assert!(outcome.is_err(), "{name}: {outcome:?}");
        assert_eq!(std::fs::read(&path).expect("reads"), bytes, "{name} is left as it is");
    }
}

#[tokio::test]
async fn what_a_dead_process_held_comes_again_alone() {
    let (backend, log) = filled(4).await;
    let step = Step::new("test-step");
    let consumer = || Consumer { name: step.clone(), steps: vec![step.clone()], scope: Scope::All };
    let mut subscription = log.subscribe(consumer()).await.expect("subscribes");
    assert_eq!(subscription.next(3).await.expect("delivers").len(), 3);
    drop((subscription, log));
    // The process has died; one of the three has killed it, and the fourth was never handed out.
    let log = backend.open().await;
    let mut subscription = log.subscribe(consumer()).await.expect("subscribes");
    for position in 1..=3 {
        let got = subscription.next(10).await.expect("delivers");
        assert_eq!(got.iter().map(|one| (one.position, one.attempts)).collect::<Vec<_>>(), [(position, 2)]);
    }
    let got = subscription.next(10).await.expect("delivers");
    assert_eq!((got.len(), got[0].position, got[0].attempts), (1, 4, 1));
}

#[tokio::test]
async fn another_programs_database_is_refused_and_not_one_byte_of_it_changes() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("log.db");
    rusqlite::Connection::open(&path).expect("opens").execute_batch("CREATE TABLE theirs (x)").expect("makes");
    let before = std::fs::read(&path).expect("reads");
    let local = Local::open(folder.path()).expect("opens");
    let error = EmbeddedLog::open(folder.path(), &local).expect_err("is not ours").to_string();
    assert!(error.contains("another program made it"), "{error}");
    assert_eq!(std::fs::read(&path).expect("reads"), before);
}

#[tokio::test]
async fn what_was_leased_for_too_long_goes_to_another_worker_one_by_one_and_ends_once() {
    let (backend, log) = filled(3).await;
    let step = Step::new("test-step");
    let consumer = || Consumer { name: step.clone(), steps: vec![step.clone()], scope: Scope::All };
    let mut slow = log.subscribe(consumer()).await.expect("subscribes");
    let held = slow.next(10).await.expect("delivers");
    slow.acknowledge(&held[..1]).await.expect("acknowledges");
    let local = rusqlite::Connection::open(backend.folder.path().join("local.db")).expect("opens");
    local.execute("UPDATE leases SET leased_until = 1", []).expect("updates");
    let other = backend.open().await;
    let mut quick = other.subscribe(consumer()).await.expect("subscribes");
    let got = quick.next(10).await.expect("delivers");
    assert_eq!(got.iter().map(|one| (one.position, one.attempts)).collect::<Vec<_>>(), [(2, 2)]);
    // Who was slow comes to an end after all.
    slow.acknowledge(&held[1..]).await.expect("acknowledges");
    let left = "SELECT (SELECT count(*) FROM in_flight) + (SELECT count(*) FROM leases)";
    assert_eq!(local.query_row(left, [], |row| row.get::<_, u32>(0)).expect("counts"), 0);
}

#[tokio::test]
async fn local_state_of_an_older_program_is_taken_over() {
    let (backend, log) = filled(2).await;
    drop(log);
    let path = backend.folder.path().join("local.db");
    let local = rusqlite::Connection::open(&path).expect("opens");
    let session = uuid::Uuid::from_u128(0);
    local.execute_batch("DROP TABLE leases; PRAGMA user_version = 1").expect("is as the first version made it");
    local
        .execute(
            "INSERT INTO in_flight VALUES ('test-step', 1, ?1, 1, 0, 'a worker that died', 9999999999999)",
            [format!("test-step/session/{session}/1")],
        )
        .expect("inserts");
    drop(local);
    let step = Step::new("test-step");
    let log = backend.open().await;
    let consumer = Consumer { name: step.clone(), steps: vec![step], scope: Scope::All };
    let mut subscription = log.subscribe(consumer).await.expect("subscribes");
    let mut got = subscription.next(10).await.expect("delivers");
    got.extend(subscription.next(10).await.expect("delivers"));
    assert_eq!(got.iter().map(|one| (one.position, one.attempts)).collect::<Vec<_>>(), [(1, 2), (2, 1)]);
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_to_the_newest() {
    let (backend, log) = filled(3).await;
    let export = Embedded::export(&log);
    drop(log);
    // As the first version made it.
    let old = rusqlite::Connection::open(backend.file()).expect("opens");
    old.execute_batch("DROP TABLE replica_of; PRAGMA user_version = 1").expect("makes it old");
    drop(old);
    let log = backend.open().await;
    log.append(vec![fact(9)]).await.expect("appends");
    assert!(Embedded::export(&log).starts_with(&export));
    assert_eq!(log.replica_of().expect("reads"), None);
    assert_eq!(log.audit(|_| ()).expect("reads").faults, []);
    let version: i32 = rusqlite::Connection::open(backend.file())
        .and_then(|file| file.pragma_query_value(None, "user_version", |row| row.get(0)))
        .expect("reads");
    assert_eq!(version, 2);
}
