//! The log on a JetStream stream: one subject a fact.
//!
//! What is read is read from the stream's leader, so that a join sees everything that was acknowledged to anybody before.

use super::{
    Bus, Topology, connect::with_causes, failed, outages::Outages, patience::Patience, publish, setup, stored,
    subscription::BusSubscription, topology::LOG,
};
use crate::log::{Appended, Consumer, Error, Log, NewFact, Record};
use async_nats::{
    HeaderMap, Message,
    jetstream::{
        message::StreamMessage,
        stream::{LastRawMessageErrorKind, RawMessageErrorKind, Stream},
    },
};
use chrono::{DateTime, Utc};
use flywheel_events::{Digest, Key, SessionId};
use futures::{StreamExt as _, TryStreamExt as _};
use quick_cache::{Weighter, sync::Cache};
use serde_json::json;
use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// Most bytes of facts that this process keeps of those it has just seen.
const SEEN_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How often a reader looks whether the stream has grown.
const POLL: Duration = Duration::from_millis(50);

/// How long the leader may be behind what was delivered. Longer, and it has lost it.
const LAG_MAX: Duration = Duration::from_secs(60);

/// Most messages asked for at once.
const READS_AT_ONCE: usize = 64;

/// The log of a swarm. Clones share it.
#[derive(Debug, Clone)]
pub struct BusLog {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) bus: Bus,
    pub(super) topology: Topology,
    pub(super) stream: Stream<()>,
    /// Facts by key, for most of what a stage reads was delivered or published here a moment ago. A fact never
    /// changes, so what is found here is right, as long as the server that had it does not start anew.
    seen: Cache<Key, Arc<Record>, ByBytes>,
    /// The connection on which they were seen.
    seen_on: AtomicU64,
    /// Runs that have ended and whose deliveries nobody needs.
    pub(super) forgotten: Mutex<HashMap<SessionId, u32>>,
    /// Whether calls wait for the server, and for room in its stream, for as long as that takes.
    pub(super) is_for_work: bool,
    /// When the server was away.
    outages: Outages,
    /// What still has to be said to the server when nobody waits for it any more.
    pub(super) leaving: TaskTracker,
    /// The time of the last fact published here: a clock that is set back does not set it back.
    last_time: Mutex<DateTime<Utc>>,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<Key, Arc<Record>> for ByBytes {
    fn weight(&self, _: &Key, record: &Arc<Record>) -> u64 {
        record.event.len() as u64 + 256
    }
}

impl BusLog {
    /// Opens the log on a bus whose streams are there.
    ///
    /// # Errors
    /// When its stream is not there, or not as it must be, or nobody says.
    pub async fn open(bus: Bus, topology: Topology) -> Result<Self, Error> {
        Self::open_as(bus, topology, false).await
    }

    /// Opens it for whoever works on deliveries, and waits for the server and for room in its stream for as long as that takes: what it
    /// gave back would count as tries. Its calls are dropped where the work is to end.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_for_work(bus: Bus, topology: Topology) -> Result<Self, Error> {
        Self::open_as(bus, topology, true).await
    }

    async fn open_as(bus: Bus, topology: Topology, is_for_work: bool) -> Result<Self, Error> {
        if !setup::check_stream(&bus, &topology.log()).await? {
            return Err(failed("open the log", format!("there is no stream {LOG}; `flywheel bus setup` makes it")));
        }
        let stream = setup::stream_handle(&bus, LOG).await?;
        let inner = Inner {
            bus,
            topology,
            stream,
            seen: Cache::with_weighter(16 * 1024, SEEN_BYTES_MAX, ByBytes),
            seen_on: AtomicU64::default(),
            forgotten: Mutex::default(),
            is_for_work,
            outages: Outages::new(),
            leaving: TaskTracker::new(),
            last_time: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The connection it is on.
    pub fn bus(&self) -> &Bus {
        &self.inner.bus
    }

    /// Waits until everything that was in hand is back with the server, where it answers; else it comes again when its wait is
    /// over. What is subscribed must have been dropped.
    pub async fn close(&self) {
        self.inner.leaving.close();
        self.inner.leaving.wait().await;
    }

    /// What `read` comes to, however often it takes.
    async fn patiently<T, F: Future<Output = Result<T, Error>>>(&self, read: impl Fn() -> F) -> Result<T, Error> {
        let mut patience = self.patience();
        loop {
            match read().await {
                Ok(value) => {
                    self.waited(patience.since());
                    return Ok(value);
                }
                Err(error) => patience.wait(&self.inner.bus, error).await?,
            }
        }
    }

    /// The patience with a call.
    pub(super) fn patience(&self) -> Patience {
        if self.inner.is_for_work { Patience::endless() } else { Patience::new() }
    }

    /// A wait for the server has ended. One in which no word was missed that holds a delivery is none. After one that is, its stream
    /// may be another.
    pub(super) fn waited(&self, since: Option<Instant>) {
        if let Some(since) = since.filter(|since| since.elapsed() > self.inner.topology.hold_every()) {
            self.notice_connections();
            self.inner.outages.waited(since, seconds());
            self.inner.seen.clear();
        }
    }

    fn notice_connections(&self) {
        self.inner.outages.connected(*self.inner.bus.connections.borrow(), seconds());
    }

    /// How often a delivery was tried that came so often, and whose message was stored then, in seconds of the epoch.
    pub(super) fn tries(&self, delivered: i64, stored: i64) -> u32 {
        self.notice_connections();
        let delivered = u32::try_from(delivered).unwrap_or(u32::MAX);
        delivered.saturating_sub(self.inner.outages.since(stored)).max(1)
    }

    /// What was seen on the connection that there is: a server that was gone may have lost its last moments.
    fn seen(&self) -> &Cache<Key, Arc<Record>, ByBytes> {
        let connection = *self.inner.bus.connections.borrow();
        if self.inner.seen_on.swap(connection, Ordering::Relaxed) != connection {
            self.inner.seen.clear();
        }
        &self.inner.seen
    }

    /// Keeps a fact that was just seen.
    pub(super) fn keep(&self, record: Record) {
        self.seen().insert(record.key.clone(), Arc::new(record));
    }

    /// Keeps the fact under a key from its message that was delivered, but where it is kept already: what was worked out of it since
    /// is kept with it. What is no fact is kept like one, so that whatever waits for it ends.
    pub(super) fn take_in(&self, position: u64, key: &Key, message: &Message) {
        if self.seen().get(key).is_some_and(|seen| seen.position == position) {
            return;
        }
        let empty = HeaderMap::new();
        let headers = message.headers.as_ref().unwrap_or(&empty);
        self.keep(under_key(key, position, &message.subject, headers, &message.payload));
    }

    /// The time of a fact that is recorded now.
    #[expect(clippy::disallowed_methods, reason = "a fact's time is when it was recorded")]
    pub(super) fn now(&self) -> DateTime<Utc> {
        use chrono::SubsecRound as _;
        let mut last = self.inner.last_time.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Utc::now().trunc_subsecs(6).max(*last);
        *last
    }

    /// The fact under a key as the stream's leader has it. What is none has taken the key all the same.
    pub(super) async fn stored(&self, key: &Key) -> Result<Option<Record>, Error> {
        match self.inner.stream.get_last_raw_message_by_subject(&key.subject()).await {
            Ok(message) => {
                let record = under_key(key, message.sequence, &message.subject, &message.headers, &message.payload);
                self.keep(record.clone());
                Ok(Some(record))
            }
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(failed(&format!("read the fact {key}"), with_causes(&error))),
        }
    }

    /// The last position.
    async fn last(&self) -> Result<u64, Error> {
        let info = self.inner.stream.get_info().await;
        info.map(|info| info.state.last_sequence)
            .map_err(|error| failed("see how far the log goes", with_causes(&error)))
    }

    /// Whether the stream's leader has come to a position.
    async fn has(&self, position: u64) -> Result<bool, Error> {
        Ok(stored::get(&self.inner.bus, LOG, &json!({ "seq": position })).await?.is_some())
    }

    async fn at(&self, position: u64) -> Result<Record, Error> {
        let shown = format!("read position {position} of the log");
        match self.inner.stream.get_raw_message(position).await {
            Ok(message) => record(&message),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {
                Err(failed(&shown, "it is not there; `flywheel bus reconcile` restores the stream from a replica"))
            }
            Err(error) => Err(failed(&shown, with_causes(&error))),
        }
    }
}

/// The time, in seconds of the epoch.
#[expect(clippy::disallowed_methods, reason = "compared with when the server stored a message")]
fn seconds() -> i64 {
    Utc::now().timestamp()
}

/// A message of the stream as a fact.
fn record(message: &StreamMessage) -> Result<Record, Error> {
    record_of(message.sequence, &message.subject, &message.headers, &message.payload)
}

/// A message of the stream as a fact.
///
/// # Errors
/// When this program did not write it.
pub(super) fn record_of(position: u64, subject: &str, headers: &HeaderMap, event: &[u8]) -> Result<Record, Error> {
    let foreign = |what: &str| Error::Foreign(format!("position {position} of the bus's log, on {subject}, {what}"));
    let key = Key::from_subject(subject).map_err(|_| foreign("has no key"))?;
    let digest = publish::digest_in(headers).and_then(|digest| digest.parse().ok());
    let digest = digest.ok_or_else(|| foreign("has no digest"))?;
    let event = std::str::from_utf8(event).map_err(|_| foreign("is no text"))?;
    Ok(Record { position, key, digest, event: event.into() })
}

/// A message of the stream for whoever asks for its key. Of one that this program did not write nothing is taken over: it is a fact
/// that does not read, and is like no other.
fn under_key(key: &Key, position: u64, subject: &str, headers: &HeaderMap, event: &[u8]) -> Record {
    record_of(position, subject, headers, event).unwrap_or_else(|error| {
        tracing::error!("{error}");
        Record { position, key: key.clone(), digest: Digest::of(b""), event: "".into() }
    })
}

impl Log for BusLog {
    type Subscription = BusSubscription;

    fn event_bytes_max(&self) -> usize {
        self.inner.bus.event_bytes_max()
    }

    async fn append(&self, facts: Vec<NewFact>) -> Result<Vec<Appended>, Error> {
        publish::all(self, facts).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Record>, Error> {
        match self.seen().get(key) {
            Some(record) => Ok(Some(Record::clone(&record))),
            None => self.patiently(|| self.stored(key)).await,
        }
    }

    async fn position(&self, key: &Key, behind: u64) -> Result<Option<u64>, Error> {
        match self.position_at_hand(key, behind).await? {
            Some(position) => Ok(Some(position)),
            None => Ok(self.get(key).await?.map(|record| record.position)),
        }
    }

    async fn position_at_hand(&self, key: &Key, _behind: u64) -> Result<Option<u64>, Error> {
        Ok(self.seen().get(key).map(|record| record.position))
    }

    /// The servers of a stream apply what was stored in its order, each at its own pace, and a delivery may come from one that is
    /// ahead of the leader that is read.
    async fn reach(&self, position: u64) -> Result<bool, Error> {
        if self.inner.topology.replicas == 1 {
            return Ok(false);
        }
        let began = Instant::now();
        while !self.patiently(|| self.has(position)).await? {
            if began.elapsed() > LAG_MAX {
                tracing::warn!("the leader of {LOG} does not have position {position}, which was delivered");
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(true)
    }

    async fn read(&self, after: u64, limit: usize) -> Result<Vec<Record>, Error> {
        let last = self.head().await?.min(after.saturating_add(limit as u64));
        futures::stream::iter(after + 1..=last)
            .map(|position| self.patiently(move || self.at(position)))
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await
    }

    async fn keys(&self, after: u64, limit: usize) -> Result<Vec<(u64, Key)>, Error> {
        let records = self.read(after, limit).await?;
        Ok(records.into_iter().map(|record| (record.position, record.key)).collect())
    }

    async fn head(&self) -> Result<u64, Error> {
        self.patiently(|| self.last()).await
    }

    async fn grown(&self, after: u64) -> Result<(), Error> {
        while self.head().await? <= after {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    async fn subscribe(&self, consumer: Consumer) -> Result<BusSubscription, Error> {
        BusSubscription::new(self.clone(), consumer).await
    }

    async fn forget(&self, ended: &HashMap<SessionId, u32>) -> Result<(), Error> {
        let mut forgotten = self.inner.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        for (session, run) in ended {
            let known = forgotten.entry(*session).or_default();
            *known = run.max(known).to_owned();
        }
        Ok(())
    }
}
