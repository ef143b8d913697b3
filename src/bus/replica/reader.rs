//! Reading the stream in order, as fast as it comes.
//!
//! Every message's place is checked twice: in the order of the consumer (a message that was dropped on the way is asked for
//! again) and in the order of the stream (one that is not there is a hole). The library's own ordered consumer makes itself
//! anew in silence, on whatever stream is there by then.

use crate::{
    bus::{Bus, connect::with_causes, failed, setup, topology::LOG},
    log::{Error, HOLE},
};
use async_nats::{
    Client, Message, StatusCode, Subscriber,
    jetstream::consumer::{AckPolicy, DeliverPolicy, push},
};
use futures::{FutureExt as _, Stream, StreamExt as _};
use std::time::Duration;

/// How often the server says that it is there while nothing comes.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// After how long without a word the consumer is gone.
const SILENCE_MAX: Duration = Duration::from_secs(7);

/// How long the server keeps the consumer of a reader that has gone.
const INACTIVE_MAX: Duration = Duration::from_secs(30);

/// Most messages in one batch.
const BATCH_MESSAGES_MAX: usize = 1024;

/// Most bytes in one batch, but for its last message.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Messages in a row.
pub(in crate::bus) struct Batch {
    /// With their positions.
    pub(in crate::bus) messages: Vec<(u64, Message)>,
    /// Whether nothing more was waiting in the stream when the last was sent.
    pub(in crate::bus) is_last: bool,
}

/// A consumer of the whole stream, from a position on.
pub(in crate::bus) struct Reader {
    client: Client,
    subscriber: Subscriber,
    next_position: u64,
    next_of_consumer: u64,
    /// Whether a position that does not come is a fault.
    without_holes: bool,
    /// Why there is nothing behind the last batch.
    fault: Option<Error>,
}

impl Reader {
    pub(in crate::bus) async fn start(bus: &Bus, position: u64) -> Result<Self, Error> {
        let inbox = bus.client.new_inbox();
        let name = inbox.rsplit('.').next().unwrap_or_default();
        let subscriber = bus.client.subscribe(inbox.clone()).await.map_err(|error| failed("read the log", error))?;
        let config = push::Config {
            name: Some(format!("reader-{name}")),
            description: Some("A replica of the log".to_owned()),
            deliver_subject: inbox.clone(),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: position },
            ack_policy: AckPolicy::None,
            max_deliver: 1,
            flow_control: true,
            idle_heartbeat: HEARTBEAT,
            inactive_threshold: INACTIVE_MAX,
            // It is gone when its server was, so that what it reads behind that is looked at anew.
            memory_storage: true,
            num_replicas: 1,
            ..push::Config::default()
        };
        let stream = setup::stream_handle(bus, LOG).await?;
        let made = stream.create_consumer(config).await;
        made.map_err(|error| failed("read the log", with_causes(&error)))?;
        let client = bus.client.clone();
        Ok(Self { client, subscriber, next_position: position, next_of_consumer: 1, without_holes: true, fault: None })
    }

    /// A consumer of whatever is there.
    pub(in crate::bus) async fn start_anywhere(bus: &Bus) -> Result<Self, Error> {
        Ok(Self { without_holes: false, ..Self::start(bus, 1).await? })
    }

    /// What comes, up to the target where there is one.
    pub(in crate::bus) fn batches(self, target: Option<u64>) -> impl Stream<Item = Result<Batch, Error>> {
        futures::stream::try_unfold(self, move |mut reader| async move {
            if target.is_some_and(|target| reader.next_position > target) {
                return Ok(None);
            }
            Ok(Some((reader.batch().await?, reader)))
        })
    }

    /// What has come, at least one message; what is wrong behind a message comes with the next call.
    async fn batch(&mut self) -> Result<Batch, Error> {
        let mut batch = Batch { messages: vec![], is_last: false };
        let mut bytes = 0;
        while batch.messages.len() < BATCH_MESSAGES_MAX && bytes < BATCH_BYTES_MAX {
            let next = match self.fault.take() {
                Some(fault) => Err(fault),
                None if batch.messages.is_empty() => self.wait().await,
                None => match self.subscriber.next().now_or_never() {
                    Some(next) => self.look_at(next).await,
                    None => break,
                },
            };
            match next {
                Ok(None) => {}
                Ok(Some((message, position, is_last))) => {
                    bytes += message.length;
                    batch.is_last = is_last;
                    batch.messages.push((position, message));
                }
                Err(fault) if batch.messages.is_empty() => return Err(fault),
                Err(fault) => {
                    self.fault = Some(fault);
                    break;
                }
            }
        }
        Ok(batch)
    }

    async fn wait(&mut self) -> Result<Option<(Message, u64, bool)>, Error> {
        match tokio::time::timeout(SILENCE_MAX, self.subscriber.next()).await {
            Ok(next) => self.look_at(next).await,
            Err(_) => Err(lost("the server says nothing any more")),
        }
    }

    /// A message with its position and whether it was the stream's last; nothing where it is the server's own.
    async fn look_at(&mut self, message: Option<Message>) -> Result<Option<(Message, u64, bool)>, Error> {
        let Some(message) = message else { return Err(lost("the connection has ended")) };
        if message.status.is_some() {
            return self.heed(&message).await.map(|()| None);
        }
        let (position, is_last) = self.place(&message)?;
        Ok(Some((message, position, is_last)))
    }

    /// Answers the server's flow control, and notices by its heartbeats what was dropped on the way.
    async fn heed(&mut self, message: &Message) -> Result<(), Error> {
        if message.status != Some(StatusCode::IDLE_HEARTBEAT) {
            let why = message.description.as_deref().unwrap_or("it gives no reason");
            return Err(lost(&format!("the server has ended the consumer: {why}")));
        }
        let header = |name: &str| {
            let values = message.headers.iter().flat_map(|headers| headers.iter());
            let mut found = values.filter(|(known, _)| AsRef::<str>::as_ref(*known) == name);
            found.find_map(|(_, values)| values.first().map(ToString::to_string))
        };
        if let Some(reply) = message.reply.clone().or_else(|| header("Nats-Consumer-Stalled").map(Into::into)) {
            let answered = self.client.publish(reply, bytes::Bytes::new()).await;
            answered.map_err(|error| failed("read on", error))?;
        }
        let sent: Option<u64> = header("Nats-Last-Consumer").and_then(|sent| sent.parse().ok());
        match sent {
            Some(sent) if sent >= self.next_of_consumer => Err(lost("messages were dropped on the way")),
            _ => Ok(()),
        }
    }

    /// The position of a message, which must be the next one, and whether it was the stream's last.
    fn place(&mut self, message: &Message) -> Result<(u64, bool), Error> {
        let place = message.reply.as_deref().and_then(Place::of);
        let place = place.ok_or_else(|| lost("a message does not say where it is from"))?;
        if place.of_consumer != self.next_of_consumer {
            return Err(lost("messages were dropped on the way"));
        }
        if place.position != self.next_position && self.without_holes {
            let missing = self.next_position;
            return Err(Error::Diverged(format!("the bus's log has no position {missing}: {HOLE}")));
        }
        self.next_of_consumer += 1;
        self.next_position = place.position + 1;
        Ok((place.position, place.pending == 0))
    }
}

/// Where a message is, as its reply subject says:
/// `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<position>.<of consumer>.<time>.<pending>[.<more>]`.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    position: u64,
    of_consumer: u64,
    pending: u64,
}

impl Place {
    fn of(reply: &str) -> Option<Self> {
        let tokens = reply.strip_prefix("$JS.ACK.")?;
        // Seven without the domain and the account, nine and more with them.
        let before = if tokens.split('.').count() > 7 { 5 } else { 3 };
        let mut tokens = tokens.split('.').skip(before);
        let position = tokens.next()?.parse().ok()?;
        let of_consumer = tokens.next()?.parse().ok()?;
        let pending = tokens.nth(1)?.parse().ok()?;
        Some(Self { position, of_consumer, pending })
    }
}

fn lost(why: &str) -> Error {
    failed("read on", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_reply_say_where_a_message_is() {
        let place = Some(Place { position: 20, of_consumer: 3, pending: 7 });
        assert_eq!(Place::of("$JS.ACK.FLYWHEEL.reader.1.20.3.1700000000000000000.7"), place);
        assert_eq!(Place::of("$JS.ACK.hub.ABCD.FLYWHEEL.reader.1.20.3.1700000000000000000.7.tok"), place);
        assert_eq!(Place::of("$JS.ACK.FLYWHEEL.reader.1.20.3"), None);
        assert_eq!(Place::of("_INBOX.x"), None);
    }
}
