//! Asking a consumer for messages.
//!
//! Invariants:
//! - There is one request at a time, on one subscription that lives as long as this: whoever stops waiting loses nothing, what
//!   the server has sent is there for the next call.
//! - A request that waits at the server waits a short time, so that the last one can be waited for: a message that is sent to
//!   somebody who has gone is nobody's until its acknowledgement is overdue.
//! - What the server says is told from what somebody published by the subject it comes on, never by its headers.

use super::{Bus, connect::with_causes, failed};
use crate::log::Error;
use async_nats::{
    StatusCode, Subscriber,
    jetstream::{Message, consumer::pull::BatchConfig},
};
use futures::{FutureExt as _, StreamExt as _};
use std::time::Duration;
use tokio::time::Instant;

/// How long a request waits at the server for a message.
const WAITS: Duration = Duration::from_secs(2);

/// Most bytes that are asked for at once of what is there, so that what all stages of a worker ask for finds room.
pub(super) const BYTES_MAX: usize = 16 * 1024 * 1024;

/// The least that one request asks for: more than any message has.
const BYTES_MIN: usize = 2 * 1024 * 1024;

/// How much later than due the server's last word on a request may come.
const LATE_MAX: Duration = Duration::from_secs(3);

/// What the server says of a request that has brought what it may: as many bytes, or as many messages and fewer bytes. Where a server
/// died meanwhile, not all of them may have come.
const HAS_BROUGHT_ALL: [&str; 2] = ["Message Size Exceeds MaxBytes", "Batch Completed"];

/// A consumer as one that asks it sees it.
#[derive(Debug)]
pub(super) struct Pull {
    bus: Bus,
    /// Where requests go.
    requests: String,
    /// The beginning of where the server answers them.
    inbox: String,
    answers: Subscriber,
    /// How many requests there were.
    count: u64,
    open: Option<Open>,
}

/// A request that the server has not dealt with.
#[derive(Debug)]
struct Open {
    /// How many messages are still to come at most.
    rest: usize,
    /// When the server must have said its last word on it.
    until: Instant,
    /// The connection it was made on.
    connection: u64,
}

impl Pull {
    /// Listens for what a consumer of a stream will be asked for.
    pub async fn new(bus: &Bus, stream: &str, consumer: &str) -> Result<Self, Error> {
        let inbox = bus.client.new_inbox();
        let answers = bus.client.subscribe(format!("{inbox}.*")).await;
        let answers = answers.map_err(|error| failed("listen for deliveries", with_causes(&error)))?;
        let requests = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        Ok(Self { bus: bus.clone(), requests, inbox, answers, count: 0, open: None })
    }

    /// Whether a request is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Asks for up to `max` messages that are there now, which have this many bytes at most, or [`BYTES_MIN`].
    pub async fn ask_for_what_is_there(&mut self, max: usize, bytes: usize) -> Result<(), Error> {
        let max_bytes = bytes.max(BYTES_MIN);
        let request = BatchConfig { batch: max, max_bytes, no_wait: true, ..BatchConfig::default() };
        self.ask(request, Duration::ZERO).await
    }

    /// Asks for the next message, for a while.
    pub async fn ask_for_the_next(&mut self) -> Result<(), Error> {
        self.ask(BatchConfig { batch: 1, expires: Some(WAITS), ..BatchConfig::default() }, WAITS).await
    }

    async fn ask(&mut self, request: BatchConfig, waits: Duration) -> Result<(), Error> {
        let body = serde_json::to_vec(&request).expect("a request is plain JSON");
        let connection = *self.bus.connections.borrow();
        self.count += 1;
        let reply = format!("{}.{}", self.inbox, self.count);
        let asked = self.bus.client.publish_with_reply(self.requests.clone(), reply, body.into()).await;
        asked.map_err(|error| failed("ask for deliveries", with_causes(&error)))?;
        self.open = Some(Open { rest: request.batch, until: Instant::now() + waits + LATE_MAX, connection });
        Ok(())
    }

    /// The next message; none when the request has come to its end, or was lost with its connection.
    pub async fn next(&mut self) -> Result<Option<Message>, Error> {
        loop {
            let Some(open) = &mut self.open else { return Ok(None) };
            let (until, connection) = (open.until, open.connection);
            let connections = &mut self.bus.connections;
            let answer = tokio::select! {
                biased;
                answer = self.answers.next() => answer,
                // An error here means that the connection's own task has ended, and so do the answers.
                Ok(_) = connections.wait_for(|count| *count != connection) => {
                    self.open = None;
                    return Ok(None);
                }
                () = tokio::time::sleep_until(until) => {
                    self.open = None;
                    return Err(failed("ask for deliveries", "the server does not answer"));
                }
            };
            let Some(message) = answer else {
                self.open = None;
                return Err(failed("take deliveries", "the connection has died"));
            };
            let Some(number) = message.subject.strip_prefix(&*self.inbox) else {
                open.rest = open.rest.saturating_sub(1);
                if open.rest == 0 {
                    self.open = None;
                }
                return Ok(Some(Message { message, context: self.bus.jetstream.clone() }));
            };
            if number.trim_start_matches('.') != self.count.to_string() {
                continue;
            }
            match message.status {
                Some(StatusCode::IDLE_HEARTBEAT) => {}
                Some(StatusCode::NOT_FOUND | StatusCode::TIMEOUT) => self.open = None,
                Some(StatusCode::REQUEST_TERMINATED)
                    if message.description.as_deref().is_some_and(|why| HAS_BROUGHT_ALL.contains(&why)) =>
                {
                    self.open = None;
                }
                status => {
                    self.open = None;
                    let status = status.map(|status| status.to_string()).unwrap_or_default();
                    let why = message.description.unwrap_or_default();
                    return Err(failed("take deliveries", format!("the server says {status} {why}")));
                }
            }
        }
    }

    /// What still comes of the request that is open.
    pub async fn finish(&mut self) -> Vec<Message> {
        let mut messages = vec![];
        while self.open.is_some() {
            // A request that failed is no longer open.
            messages.extend(self.next().await.ok().flatten());
        }
        // What came late for a request that was given up.
        while let Some(Some(message)) = self.answers.next().now_or_never() {
            if !message.subject.starts_with(&*self.inbox) {
                messages.push(Message { message, context: self.bus.jetstream.clone() });
            }
        }
        messages
    }
}
