//! The inbox: what agents publish, one at a time or a hundred at once.
//!
//! Invariants:
//! - A message is acknowledged after its fact is stored, through the log's connection: the inbox's own may have died meanwhile.
//! - A stored message can end every connection it is delivered on. What was delivered and not acknowledged when a connection
//!   ended is therefore read without a delivery, judged like everything else, and deleted.
//! - What is delivered too often is taken alone, so that it harms no other, and refused in the end without being looked at.

use super::{Intake, Message};
use crate::{
    bus::{
        Address, Bus, BusLog, Life, Topology, connect,
        connect::with_causes,
        failed,
        pull::{BYTES_MAX, Pull},
        setup,
        stored::{self, Stored},
        supervise,
        topology::{INBOX, INTAKE},
    },
    intake::Report,
    log::Error,
    safety::Cleaner,
    telemetry::measure,
};
use async_nats::jetstream::{AckKind, response::Response};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{future::Future, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Most messages in hand at once.
const IN_HAND_MAX: usize = 128;

/// After how many deliveries a message is taken alone.
const TOGETHER_MAX: u32 = 3;

/// After how many deliveries it is refused: those that judge it do not live to say so.
const DELIVERIES_MAX: u32 = 10;

/// How long a process that is to end waits for the log with what is in hand.
const LEAVE_MAX: Duration = Duration::from_secs(5);

/// Takes in what comes to the inbox until `stop` is said.
///
/// # Errors
/// When the bus is not as it must be.
pub async fn run(
    address: &Address,
    topology: &Topology,
    cleaner: &Arc<Cleaner>,
    stop: &CancellationToken,
) -> Result<(), Error> {
    supervise("the inbox", address, stop, async |life: Life| {
        let log = BusLog::open_for_work(connect(address).await?, topology.clone()).await?;
        let intake = Intake::new(log, cleaner.clone());
        Inbox::open(life, topology, intake, stop).await?.live().await
    })
    .await
}

/// Looks whether the inbox is as it must be.
async fn find_consumer(bus: &Bus, topology: &Topology) -> Result<(), Error> {
    let mut consumers = topology.consumers().into_iter();
    let (stream, wanted) = consumers.find(|(stream, _)| *stream == INBOX).expect("the topology has an inbox");
    match setup::find_consumer(bus, stream, &wanted).await? {
        Some(_) => Ok(()),
        None => Err(failed("take from the inbox", "it has no consumer `intake`; `flywheel bus setup` makes it")),
    }
}

/// A message in hand.
struct Delivered {
    message: Message,
    /// Where to acknowledge it.
    reply: String,
    /// How often it was tried.
    count: u32,
}

struct Inbox<'a> {
    bus: Bus,
    intake: Intake,
    stop: &'a CancellationToken,
    /// How often a word to the server holds what is in hand.
    hold_every: Duration,
    pull: Pull,
    arrived: Vec<Delivered>,
    /// The connection on which nothing is left behind that came on one before it.
    whole: Option<u64>,
}

impl<'a> Inbox<'a> {
    async fn open(life: Life, topology: &Topology, intake: Intake, stop: &'a CancellationToken) -> Result<Self, Error> {
        find_consumer(&life.bus, topology).await?;
        let pull = Pull::new(&life.bus, INBOX, INTAKE).await?;
        // The first connection of a process has none before it, and what another process has in hand is that one's.
        let whole = (life.before == 0).then(|| *life.bus.connections.borrow());
        let hold_every = topology.hold_every();
        Ok(Self { bus: life.bus, intake, stop, hold_every, pull, arrived: vec![], whole })
    }

    async fn live(mut self) -> Result<(), Error> {
        let stop = self.stop;
        self.take_what_is_left_behind(Left::Acknowledged).await?;
        loop {
            let connection = *self.bus.connections.borrow();
            if self.whole != Some(connection) {
                self.take_what_is_left_behind(Left::Delivered).await?;
                self.whole = Some(connection);
            }
            let gathered = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                gathered = self.gather() => gathered,
            };
            // What came before the trouble is taken in, whatever the trouble is.
            self.take_arrived().await?;
            gathered?;
        }
        let late = self.pull.finish().await;
        for reply in
            self.arrived.iter().map(|delivered| delivered.reply.clone()).chain(late.iter().filter_map(reply_of))
        {
            self.say(reply, AckKind::Nak(None)).await?;
        }
        self.round_trip().await
    }

    /// Waits for messages.
    async fn gather(&mut self) -> Result<(), Error> {
        if !self.pull.is_open() {
            self.pull.ask_for_what_is_there(IN_HAND_MAX, BYTES_MAX).await?;
        }
        self.receive().await?;
        if self.arrived.is_empty() && !self.pull.is_open() {
            self.pull.ask_for_the_next().await?;
            self.receive().await?;
        }
        Ok(())
    }

    /// Takes what the open request brings.
    async fn receive(&mut self) -> Result<(), Error> {
        while let Some(message) = self.pull.next().await? {
            let info = message.info().map_err(|error| failed("read a delivery", error))?;
            let count = self.intake.log.tries(info.delivered, info.published.unix_timestamp());
            measure::delivered(INTAKE, count);
            if let Some(reply) = reply_of(&message) {
                self.arrived.push(Delivered { message: Message::from(&message.message), reply, count });
            }
        }
        Ok(())
    }

    async fn take_arrived(&mut self) -> Result<(), Error> {
        let (together, mut alone): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.arrived).into_iter().partition(|delivered| delivered.count <= TOGETHER_MAX);
        // Of those behind one that ends the process each time none had its turn: this time they come before it.
        if alone.first().is_some_and(|delivered| delivered.count % 2 == 1) {
            alone.reverse();
        }
        self.take(together).await?;
        for delivered in alone {
            if delivered.count <= DELIVERIES_MAX {
                self.take(vec![delivered]).await?;
                continue;
            }
            let why = format!("it was delivered {} times, and was not taken in", delivered.count);
            let hint = "see the messages of `flywheel intake` for why";
            let report = Report::unreadable(&delivered.message.subject, "parked", &why, hint);
            let refusal = self.intake.refuse(&delivered.message, report);
            let replies = [delivered.reply];
            self.holding(&replies, self.intake.record([&refusal].into_iter())).await?;
            let [reply] = replies;
            self.say(reply, AckKind::Ack).await?;
        }
        Ok(())
    }

    async fn take(&self, delivered: Vec<Delivered>) -> Result<(), Error> {
        if delivered.is_empty() {
            return Ok(());
        }
        let (messages, replies): (Vec<_>, Vec<_>) =
            delivered.into_iter().map(|delivered| (delivered.message, delivered.reply)).unzip();
        self.holding(&replies, self.intake.take(messages)).await?;
        for reply in replies {
            self.say(reply, AckKind::Ack).await?;
        }
        Ok(())
    }

    /// Waits until something is done, and holds these deliveries meanwhile. The log is waited for as long as it takes, because what is
    /// given back counts as tries; where the process is to end, not long: what is in hand then comes again.
    async fn holding<T>(&self, replies: &[String], done: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let hold = async {
            loop {
                tokio::time::sleep(self.hold_every).await;
                for reply in replies {
                    if let Err(error) = self.say(reply.clone(), AckKind::Progress).await {
                        tracing::warn!("cannot hold a delivery: {error}");
                    }
                }
            }
        };
        let leave = async {
            self.stop.cancelled().await;
            tokio::time::sleep(LEAVE_MAX).await;
        };
        tokio::select! {
            done = done => done,
            never = hold => never,
            () = leave => Err(failed("take sessions in", "the log does not answer, and the process is to end")),
        }
    }

    /// Says what became of a delivery.
    async fn say(&self, reply: String, kind: AckKind) -> Result<(), Error> {
        let said = self.intake.log.bus().client.publish(reply, kind.into()).await;
        said.map_err(|error| failed("answer a delivery", with_causes(&error)))
    }

    /// Sees that the server has read all that was said: what is not read when a process ends may be lost.
    async fn round_trip(&self) -> Result<(), Error> {
        info(self.intake.log.bus()).await.map(drop)
    }

    /// Takes in what is still there, without a delivery.
    async fn take_what_is_left_behind(&self, left: Left) -> Result<(), Error> {
        let info = info(&self.bus).await?;
        let last = match left {
            Left::Acknowledged => info.ack_floor.stream_seq,
            Left::Delivered => info.delivered.stream_seq,
        };
        let mut next = 1;
        while next <= last {
            let (mut positions, mut messages) = (vec![], vec![]);
            while next <= last && messages.len() < IN_HAND_MAX {
                let Some(stored) = self.stored(next).await?.filter(|stored| stored.seq <= last) else {
                    next = last + 1;
                    break;
                };
                next = stored.seq + 1;
                positions.push(stored.seq);
                messages.push(message(stored)?);
            }
            if let (Some(first), Some(last)) = (positions.first(), positions.last()) {
                tracing::warn!("taking in what was left between {first} and {last} of the inbox");
                self.holding(&[], self.intake.take(messages)).await?;
            }
            for position in positions {
                self.delete(position).await?;
            }
        }
        Ok(())
    }

    /// The first message at a position or behind it.
    async fn stored(&self, position: u64) -> Result<Option<Stored>, Error> {
        let request = json!({ "seq": position, "next_by_subj": "swarm.session.completed.*" });
        stored::get(&self.bus, INBOX, &request).await
    }

    async fn delete(&self, position: u64) -> Result<(), Error> {
        let request = json!({ "seq": position, "no_erase": true });
        let answer: Response<Value> = self.ask(&format!("STREAM.MSG.DELETE.{INBOX}"), &request).await?;
        match answer {
            Response::Err { error } if self.stored(position).await?.is_some_and(|stored| stored.seq == position) => {
                Err(failed(&format!("delete position {position} of the inbox"), error))
            }
            // Another has acknowledged it.
            _ => Ok(()),
        }
    }

    async fn ask<T: DeserializeOwned>(&self, subject: &str, request: &Value) -> Result<T, Error> {
        let answer = self.bus.jetstream.request(subject.to_owned(), request).await;
        answer.map_err(|error| failed("ask about the inbox", with_causes(&error)))
    }
}

/// What no delivery brings.
#[derive(Debug, Clone, Copy)]
enum Left {
    /// What was acknowledged and not removed, which a server that is killed in between leaves in the stream for ever.
    Acknowledged,
    /// That, and what was delivered on a connection that ended.
    Delivered,
}

fn reply_of(message: &async_nats::jetstream::Message) -> Option<String> {
    message.reply.as_ref().map(ToString::to_string)
}

/// How far the inbox was delivered and acknowledged.
#[derive(Deserialize)]
struct Info {
    delivered: Reached,
    ack_floor: Reached,
}

#[derive(Deserialize)]
struct Reached {
    stream_seq: u64,
}

async fn info(bus: &Bus) -> Result<Info, Error> {
    let answer = bus.jetstream.request(format!("CONSUMER.INFO.{INBOX}.{INTAKE}"), &json!({})).await;
    match answer.map_err(|error| failed("look at the inbox", with_causes(&error)))? {
        Response::Ok(info) => Ok(info),
        Response::Err { error } => Err(failed("look at the inbox", error)),
    }
}

/// What was read without a delivery, as a message.
fn message(stored: Stored) -> Result<Message, Error> {
    Ok(Message { headers: stored.headers()?, payload: stored.payload()?, subject: stored.subject })
}
