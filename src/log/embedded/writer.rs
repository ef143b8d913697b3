//! The one writer of a process: whatever waits goes into one transaction.
#![expect(clippy::disallowed_methods, reason = "a fact's time is when it was recorded")]

use super::{catch_up, digest, replica, tail::Tail};
use crate::log::{Appended, Error, NewFact, Record};
use chrono::{DateTime, SubsecRound as _, Utc};
use flywheel_events::{Digest, Key};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, config::DbConfig, params};
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

/// Most facts in one transaction. Beyond about a thousand a larger batch is no faster.
const BATCH_FACTS_MAX: usize = 1024;

type Reply = oneshot::Sender<Result<Vec<Appended>, Error>>;

struct Request {
    facts: Vec<NewFact>,
    reply: Reply,
}

/// The handle on the writer's thread, which ends when the last handle is dropped and everything is written.
#[derive(Debug)]
pub(super) struct Writer {
    requests: Option<Sender<Request>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, announce: watch::Sender<u64>, tail: Arc<Tail>) -> Self {
        let (requests, receiver) = channel();
        let thread = thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || write_all(connection, &receiver, &announce, &tail))
            .expect("the system can start a thread");
        Self { requests: Some(requests), thread: Some(thread) }
    }

    pub(super) async fn append(&self, facts: Vec<NewFact>) -> Result<Vec<Appended>, Error> {
        let (reply, answer) = oneshot::channel();
        let requests = self.requests.as_ref().expect("taken only on drop");
        requests.send(Request { facts, reply }).map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write_all(mut connection: Connection, requests: &Receiver<Request>, announce: &watch::Sender<u64>, tail: &Tail) {
    while let Ok(first) = requests.recv() {
        let mut count = first.facts.len();
        let mut batch = vec![first];
        while count < BATCH_FACTS_MAX
            && let Ok(next) = requests.try_recv()
        {
            count += next.facts.len();
            batch.push(next);
        }
        match commit(&mut connection, &batch) {
            Ok((answers, end)) => {
                let first = end.appended.first().map_or(0, |record| record.position);
                // Where that fails, the next reader catches up, and meets the fault.
                if first <= tail.end() + 1 || catch_up(tail, &connection).is_ok() {
                    tail.add(end.appended);
                }
                announce.send_replace(end.position);
                // A caller that went away has its facts in the log all the same.
                batch.into_iter().zip(answers).for_each(|(request, answer)| drop(request.reply.send(answer)));
            }
            Err(error) => batch.into_iter().for_each(|request| drop(request.reply.send(Err(error.clone())))),
        }
    }
}

type Answers = Vec<Result<Vec<Appended>, Error>>;

fn commit(connection: &mut Connection, batch: &[Request]) -> Result<(Answers, End), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    replica::check_is_none(&transaction)?;
    let mut end = End::of(&transaction)?;
    let mut answers = Vec::with_capacity(batch.len());
    for request in batch {
        answers.push(append_each(&transaction, &mut end, &request.facts)?);
    }
    transaction.commit()?;
    Ok((answers, end))
}

/// The inner error is the request's own and spares the others; the outer one ends the transaction.
fn append_each(
    transaction: &Transaction<'_>,
    end: &mut End,
    facts: &[NewFact],
) -> rusqlite::Result<Result<Vec<Appended>, Error>> {
    let mut appended = Vec::with_capacity(facts.len());
    for fact in facts {
        match end.append(transaction, fact)? {
            Ok(outcome) => appended.push(outcome),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(appended))
}

/// Kibibytes of the file that are kept in memory: the pages of the keys' index, whose order is random.
const CACHE_KIB: i32 = 64 * 1024;

/// Makes a connection one that writes by [`End`], which sees by itself to what the file's triggers ask of everybody else with
/// every row: that it stands at the end, and its key nowhere else.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)
}

/// The end of the log inside a write transaction.
pub(super) struct End {
    pub(super) position: u64,
    pub(super) chain: Digest,
    time: DateTime<Utc>,
    /// What was appended behind it.
    appended: Vec<Record>,
}

impl End {
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let last = connection
            .prepare_cached("SELECT position, chain, time FROM facts ORDER BY position DESC LIMIT 1")?
            .query_row([], |row| {
                let time = DateTime::from_timestamp_micros(row.get(2)?).unwrap_or_default();
                Ok(Self { position: row.get(0)?, chain: digest(row, 1)?, time, appended: vec![] })
            })
            .optional()?;
        Ok(last.unwrap_or(Self { position: 0, chain: Digest::GENESIS, time: DateTime::UNIX_EPOCH, appended: vec![] }))
    }

    fn append(&mut self, connection: &Connection, fact: &NewFact) -> rusqlite::Result<Result<Appended, Error>> {
        let id = fact.id();
        let taken = connection
            .prepare_cached("SELECT position, digest FROM facts WHERE id = ?1")?
            .query_row([id.as_bytes()], |row| Ok((row.get::<_, u64>(0)?, digest(row, 1)?)))
            .optional()?;
        if let Some((position, stored)) = taken {
            let same = stored == fact.digest;
            return Ok(Ok(if same { Appended::Duplicate(position) } else { Appended::Conflict(position) }));
        }
        // A clock that was set back does not set the log back.
        let time = Utc::now().trunc_subsecs(6).max(self.time);
        let event = match fact.event(time) {
            Ok(event) => event,
            Err(error) => return Ok(Err(error)),
        };
        self.insert(connection, &Row::new((&fact.key, id), time, fact.digest, &*event))?;
        let position = self.position;
        self.appended.push(Record { position, key: fact.key.clone(), digest: fact.digest, event });
        Ok(Ok(Appended::Appended(self.position)))
    }

    /// Writes one row behind the end, and moves the end. A time before the end's becomes the end's.
    pub(super) fn insert<E: AsRef<str>>(&mut self, connection: &Connection, row: &Row<E>) -> rusqlite::Result<()> {
        let chain = self.chain.chain_text(&row.key, &row.event_digest);
        let time = row.time.max(self.time);
        connection.prepare_cached("INSERT INTO facts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(params![
            self.position + 1,
            row.id.as_bytes(),
            row.key,
            time.timestamp_micros(),
            row.content.as_bytes(),
            row.event_digest.as_bytes(),
            chain.as_bytes(),
            row.event.as_ref(),
        ])?;
        (self.position, self.chain, self.time) = (self.position + 1, chain, time);
        Ok(())
    }
}

/// A fact as it is stored, but for what follows from the rows before it.
#[derive(Debug, Clone)]
pub(super) struct Row<E> {
    pub(super) id: Uuid,
    pub(super) key: String,
    time: DateTime<Utc>,
    pub(super) content: Digest,
    pub(super) event_digest: Digest,
    pub(super) event: E,
}

impl<E: AsRef<str>> Row<E> {
    pub(super) fn new((key, id): (&Key, Uuid), time: DateTime<Utc>, content: Digest, event: E) -> Self {
        let event_digest = Digest::of(event.as_ref().as_bytes());
        Self { id, key: key.to_string(), time, content, event_digest, event }
    }
}
