//! Deliveries of one consumer, shared by any number of workers.
//!
//! Invariants:
//! - Only what is handed out is asked for, so that a delivery's count is the count of its tries. The one exception is a
//!   message that arrives while nobody waits any more; it is handed out next.
//! - What is in hand is held by a word to the server at every third of the acknowledgement's wait.
//! - What is in hand when this is dropped goes back at once, and so does what was asked for and comes later.
//! - A server that is away is waited for, with what is in hand: giving it up would count as a try. What it delivers again because
//!   nobody could hold it meanwhile counts as none.

use super::{
    BusLog, failed,
    pull::{BYTES_MAX, Pull},
    setup,
    topology::LOG,
};
use crate::{
    log::{Consumer, Delivery, Error, Scope, Subscription},
    telemetry::{measure, trace::TRACEPARENT},
};
use async_nats::jetstream::{
    AckKind, Message,
    consumer::{AckPolicy, DeliverPolicy, pull},
    message::Acker,
};
use flywheel_events::Key;
use futures::{
    FutureExt as _,
    future::{join_all, select_all},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::task::JoinSet;

/// How long the server keeps the consumer of a run that says nothing more.
const RUN_INACTIVE_MAX: Duration = Duration::from_secs(300);

/// After how many waits for deliveries in a row it is looked whether the consumers are there: a minute or two.
const LOOK_EVERY_WAITS: u32 = 30;

/// How long giving back may take: a server that is away then waits for the acknowledgements in vain.
const LEAVE_MAX: Duration = Duration::from_secs(10);

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
    /// The consumer's name at the server.
    name: String,
    pull: Pull,
    /// What the server has sent.
    came: VecDeque<Message>,
    /// Whether it may have more than one message.
    busy: bool,
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
            let name = find_or_create(&log, config).await?;
            let pull = Pull::new(bus, LOG, &name).await?;
            parts.push(Part { name, pull, came: VecDeque::new(), busy: true });
        }
        let in_hand = Arc::<InHand>::default();
        let mut holding = JoinSet::new();
        holding.spawn(hold(in_hand.clone(), log.inner.topology.hold_every()));
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
    async fn arrive(&mut self) -> Result<(), Error> {
        while let Some(message) = self.parts.iter_mut().find_map(|part| part.came.pop_front()) {
            let info = message.info().map_err(|error| failed("read a delivery", error))?;
            let position = info.stream_sequence;
            let attempts = self.log.tries(info.delivered, info.published.unix_timestamp());
            let (message, acker) = message.split();
            let reply = Reply(Arc::new(acker));
            match Key::from_subject(&message.subject) {
                Ok(key) if self.wants(&key) => {
                    let consumer = self.consumer.name.clone();
                    measure::delivered(consumer.as_str(), attempts);
                    self.log.take_in(position, &key, &message);
                    let traceparent = message.headers.as_ref().and_then(|headers| headers.get(TRACEPARENT));
                    let traceparent = traceparent.map(|value| value.as_str().to_owned());
                    self.arrived.push_back((Delivery { consumer, position, key, attempts, traceparent }, reply));
                }
                Ok(_) => reply.say(AckKind::Ack).await?,
                Err(error) => {
                    // Whoever folds the log stops at it; a stage has nothing to do with it.
                    tracing::error!("position {position} of the bus's log: {error}: passed over");
                    reply.say(AckKind::Ack).await?;
                }
            }
        }
        Ok(())
    }

    fn wants(&self, key: &Key) -> bool {
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

/// Finds a consumer, or makes it where it is not there. Its name at the server.
async fn find_or_create(log: &BusLog, config: pull::Config) -> Result<String, Error> {
    let bus = &log.inner.bus;
    let there = match config.durable_name {
        Some(_) => setup::find_consumer(bus, LOG, &config).await?,
        None => None,
    };
    let consumer = match there {
        Some(there) => there,
        None => setup::create_consumer(bus, LOG, config).await?,
    };
    Ok(consumer.cached_info().name.clone())
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
    /// Takes what is there now, up to `max` of so many bytes; of one that had nothing, what its open request has brought since.
    async fn take(&mut self, max: usize, bytes: usize) -> Result<(), Error> {
        if !self.busy {
            return self.wait().now_or_never().unwrap_or(Ok(()));
        }
        // A request that is still open has the first claim on what comes.
        if !self.pull.is_open() {
            self.pull.ask_for_what_is_there(max, bytes).await?;
        }
        while let Some(message) = self.pull.next().await? {
            self.came.push_back(message);
        }
        Ok(())
    }

    /// Waits for the next message, or for nothing when the request has run out.
    async fn wait(&mut self) -> Result<(), Error> {
        if !self.pull.is_open() {
            self.pull.ask_for_the_next().await?;
        }
        self.came.extend(self.pull.next().await?);
        Ok(())
    }

    /// What was not taken in, and what still comes.
    async fn rest(&mut self) -> Vec<Message> {
        let late = self.pull.finish().await;
        self.came.drain(..).chain(late).collect()
    }
}

impl BusSubscription {
    /// Waits until something has arrived, or might have. While one has much, the others have their turn too.
    async fn gather(&mut self, max: usize) -> Result<(), Error> {
        let busy = self.parts.iter().filter(|part| part.busy).count();
        if busy > 0 {
            let (share, bytes) = (max.div_ceil(busy), BYTES_MAX / busy);
            let taken = join_all(self.parts.iter_mut().map(|part| part.take(share, bytes))).await;
            taken.into_iter().collect::<Result<(), _>>()?;
        } else {
            let waiting = self.parts.iter_mut().map(|part| Box::pin(part.wait()));
            select_all(waiting).await.0?;
        }
        self.parts.iter_mut().for_each(|part| part.busy = !part.came.is_empty());
        Ok(())
    }

    /// Looks whether the consumers are as they must be, and makes those that were lost.
    async fn look_after_consumers(&self) -> Result<(), Error> {
        if !matches!(self.consumer.scope, Scope::All) {
            return Ok(());
        }
        for config in self.log.inner.topology.consumers_of(&self.consumer) {
            match find_or_create(&self.log, config).await {
                // Nobody answers, and that is what is waited for.
                Ok(_) | Err(Error::Bus(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Subscription for BusSubscription {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        let mut patience = self.log.patience();
        loop {
            self.arrive().await?;
            if !self.arrived.is_empty() {
                return Ok(self.hand_out(max));
            }
            match self.gather(max).await {
                Ok(()) => {
                    self.log.waited(patience.since());
                    patience = self.log.patience();
                }
                Err(error) => {
                    patience.wait(&self.log.inner.bus, error).await?;
                    if patience.tries().is_multiple_of(LOOK_EVERY_WAITS) {
                        self.look_after_consumers().await?;
                    }
                }
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
        // They are under way then; one that is lost is a delivery that comes again.
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
        let mut parts = std::mem::take(&mut self.parts);
        let stream = self.log.inner.stream.clone();
        // What does not get back comes again when its wait is over.
        let give_back = async move {
            for reply in back {
                let _ = reply.say(AckKind::Nak(None)).await;
            }
            let late = join_all(parts.iter_mut().map(Part::rest)).await;
            for message in late.concat() {
                let _ = message.ack_with(AckKind::Nak(None)).await;
            }
            // What is said before is read before this is answered. What was not read when a process ends may be lost.
            if let Some(part) = parts.first() {
                let _ = stream.consumer_info(&part.name).await;
            }
        };
        self.log.inner.leaving.spawn_on(tokio::time::timeout(LEAVE_MAX, give_back), &runtime);
    }
}
