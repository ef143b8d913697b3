//! Deliveries of one consumer, shared by any number of workers.
//!
//! Invariants:
//! - Only what is handed out is asked for, so that a delivery's count is the count of its tries. The one exception is a
//!   message that arrives while nobody waits any more; it is handed out next.
//! - What is in hand is held by a word to the server at every third of the acknowledgement's wait.
//! - What is in hand when this is dropped goes back at once.

use super::{BusLog, connect::with_causes, failed, log::record_of, setup, topology::LOG};
use crate::{
    log::{Consumer, Delivery, Error, Scope, Subscription},
    telemetry::{measure, trace::TRACEPARENT},
};
use async_nats::jetstream::{
    AckKind, Message,
    consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
    message::Acker,
};
use futures::{StreamExt as _, future::join_all};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::task::JoinSet;

/// How long one request for a message stays with the server.
const EXPIRES: Duration = Duration::from_secs(30);

/// How long the server keeps the consumer of a run that says nothing more.
const RUN_INACTIVE_MAX: Duration = Duration::from_secs(300);

/// Where to say what became of a delivery.
#[derive(Clone)]
struct Reply(Arc<Acker>);

impl Reply {
    async fn say(&self, kind: AckKind) -> Result<(), Error> {
        self.0.ack_with(kind).await.map_err(|error| failed("answer a delivery", error))
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply")
    }
}

/// What is handed out and not yet acknowledged, by position.
#[derive(Debug, Default)]
struct InHand(Mutex<BTreeMap<u64, Reply>>);

impl InHand {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Reply>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Deliveries of one consumer from the bus.
#[derive(Debug)]
pub struct BusSubscription {
    log: BusLog,
    consumer: Consumer,
    parts: Vec<Part>,
    /// Delivered, and not yet handed out.
    arrived: VecDeque<(Delivery, Reply)>,
    in_hand: Arc<InHand>,
    /// Holds what is in hand.
    _holding: JoinSet<()>,
}

/// One of the consumers that share a stage's deliveries.
#[derive(Debug)]
struct Part {
    consumer: PullConsumer,
    /// A request for one message that was not answered when its caller went away.
    waiting: Option<Waiting>,
}

struct Waiting(pull::Batch);

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiting")
    }
}

impl BusSubscription {
    pub(super) async fn new(log: BusLog, consumer: Consumer) -> Result<Self, Error> {
        let bus = &log.inner.bus;
        let mut parts = vec![];
        let configs = match &consumer.scope {
            Scope::All => log.inner.topology.consumers_of(&consumer),
            Scope::Sessions { after, .. } => vec![of_a_run(&log, &consumer, *after)],
        };
        for config in configs {
            let there = match config.durable_name {
                Some(_) => setup::find_consumer(bus, LOG, &config).await?,
                None => None,
            };
            let consumer = match there {
                Some(there) => there,
                None => setup::create_consumer(bus, LOG, config).await?,
            };
            parts.push(Part { consumer, waiting: None });
        }
        let in_hand = Arc::<InHand>::default();
        let mut holding = JoinSet::new();
        holding.spawn(hold(in_hand.clone(), log.inner.topology.ack_wait / 3));
        Ok(Self { log, consumer, parts, arrived: VecDeque::new(), in_hand, _holding: holding })
    }

    /// Takes what has arrived, up to `max`, in the order of the log.
    fn hand_out(&mut self, max: usize) -> Vec<Delivery> {
        self.arrived.make_contiguous().sort_by_key(|(delivery, _)| delivery.position);
        let count = self.arrived.len().min(max);
        let mut in_hand = self.in_hand.lock();
        self.arrived
            .drain(..count)
            .map(|(delivery, reply)| {
                in_hand.insert(delivery.position, reply);
                delivery
            })
            .collect()
    }

    /// Takes in what the server has sent. What nobody wants is acknowledged.
    async fn arrive(&mut self, messages: Vec<Message>) -> Result<(), Error> {
        for message in messages {
            let info = message.info().map_err(|error| failed("read a delivery", error))?;
            let (position, attempts) = (info.stream_sequence, u32::try_from(info.delivered).unwrap_or(u32::MAX));
            let empty = async_nats::HeaderMap::new();
            let headers = message.headers.as_ref().unwrap_or(&empty);
            let record = record_of(position, &message.subject, headers, &message.payload);
            let traceparent = headers.get(TRACEPARENT).map(|value| value.as_str().to_owned());
            let reply = Reply(Arc::new(message.split().1));
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    // Whoever folds the log stops at it; a stage has nothing to do with it.
                    tracing::error!("{error}: passed over");
                    reply.say(AckKind::Ack).await?;
                    continue;
                }
            };
            if self.wants(&record.key) {
                let (consumer, key) = (self.consumer.name.clone(), record.key.clone());
                measure::delivered(consumer.as_str(), attempts);
                let delivery = Delivery { consumer, position, key, attempts, traceparent };
                self.log.keep(record);
                self.arrived.push_back((delivery, reply));
            } else {
                reply.say(AckKind::Ack).await?;
            }
        }
        Ok(())
    }

    fn wants(&self, key: &flywheel_events::Key) -> bool {
        let Some(session) = key.session_id() else { return true };
        let forgotten = self.log.inner.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = forgotten.get(&session).is_some_and(|run| key.run <= *run);
        !ended
            && match &self.consumer.scope {
                Scope::All => true,
                Scope::Sessions { sessions, .. } => sessions.contains(&session),
            }
    }
}

/// The consumer of a run that was given files: it goes with the run.
fn of_a_run(log: &BusLog, consumer: &Consumer, after: u64) -> pull::Config {
    pull::Config {
        filter_subjects: consumer.steps.iter().map(super::subject_of_step).collect(),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
        ack_policy: AckPolicy::Explicit,
        ack_wait: log.inner.topology.ack_wait,
        max_deliver: -1,
        inactive_threshold: RUN_INACTIVE_MAX,
        ..pull::Config::default()
    }
}

/// Says of everything in hand that it is being worked on.
async fn hold(in_hand: Arc<InHand>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let held: Vec<Reply> = in_hand.lock().values().cloned().collect();
        for reply in held {
            if let Err(error) = reply.say(AckKind::Progress).await {
                tracing::warn!("cannot hold a delivery: {error}");
            }
        }
    }
}

impl Part {
    /// What is there now, up to `max`.
    async fn fetch(&mut self, max: usize) -> Result<Vec<Message>, Error> {
        let batch = self.consumer.fetch().max_messages(max).messages().await;
        let batch = batch.map_err(|error| failed("ask for deliveries", with_causes(&error)))?;
        let messages = batch.map(|message| message.map_err(|error| failed("take deliveries", error)));
        messages.collect::<Vec<_>>().await.into_iter().collect()
    }

    /// Waits for the next message, or for nothing when the request has run out. What arrives after its caller went away is
    /// there for the next.
    async fn wait(&mut self) -> Result<Option<Message>, Error> {
        if self.waiting.is_none() {
            let batch = self.consumer.batch().max_messages(1).expires(EXPIRES).messages().await;
            self.waiting = Some(Waiting(batch.map_err(|error| failed("wait for deliveries", with_causes(&error)))?));
        }
        let Some(Waiting(batch)) = &mut self.waiting else { return Ok(None) };
        let message = batch.next().await;
        self.waiting = None;
        message.transpose().map_err(|error| failed("take a delivery", error))
    }
}

impl Subscription for BusSubscription {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        loop {
            if !self.arrived.is_empty() {
                return Ok(self.hand_out(max));
            }
            // A request that is still open has the first claim on what comes.
            if self.parts.iter().all(|part| part.waiting.is_none()) {
                let fetched = join_all(self.parts.iter_mut().map(|part| part.fetch(max))).await;
                let messages = fetched.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
                self.arrive(messages).await?;
            }
            if self.arrived.is_empty() {
                let waiting = self.parts.iter_mut().map(|part| Box::pin(part.wait()));
                let (message, ..) = futures::future::select_all(waiting).await;
                self.arrive(message?.into_iter().collect()).await?;
            }
        }
    }

    async fn acknowledge(&mut self, done: &[Delivery]) -> Result<(), Error> {
        let replies: Vec<Reply> = {
            let mut in_hand = self.in_hand.lock();
            done.iter().filter_map(|delivery| in_hand.remove(&delivery.position)).collect()
        };
        for reply in replies {
            reply.say(AckKind::Ack).await?;
        }
        // The server has them when it has answered.
        self.log.inner.bus.client.flush().await.map_err(|error| failed("acknowledge deliveries", error))
    }

    async fn retry(&mut self, delivery: &Delivery, delay: Duration) -> Result<(), Error> {
        let reply = self.in_hand.lock().remove(&delivery.position);
        match reply {
            Some(reply) => reply.say(AckKind::Nak((!delay.is_zero()).then_some(delay))).await,
            None => Ok(()),
        }
    }
}

impl Drop for BusSubscription {
    fn drop(&mut self) {
        let held = std::mem::take(&mut *self.in_hand.lock()).into_values();
        let back: Vec<Reply> = held.chain(self.arrived.drain(..).map(|(_, reply)| reply)).collect();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let client = self.log.inner.bus.client.clone();
        // What does not get back comes again when its wait is over.
        let give_back = async move {
            for reply in back {
                let _ = reply.say(AckKind::Nak(None)).await;
            }
            let _ = client.flush().await;
        };
        self.log.inner.leaving.spawn_on(give_back, &runtime);
    }
}
