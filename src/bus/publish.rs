//! Publishing a fact so that its key is written once, and its publisher knows what became of it.
//!
//! Invariants:
//! - Every publish expects its subject to be empty. What a taken subject holds is read from the leader and compared by
//!   digest: a server's word for it (`duplicate`, a wrong last sequence) differs between versions and under load.
//! - The message id is a hash of subject and digest. It is one for the whole stream, and without the digest it would make
//!   a duplicate of a conflict.
//! - Where it is not known whether a message was stored, the same message is published again, byte for byte.

use super::{BusLog, connect::with_causes, failed};
use crate::{
    log::{Appended, Error, Event, NewFact, Record},
    queue,
    telemetry::{
        measure,
        trace::{self, TRACEPARENT},
        traceparent_of,
    },
};
use async_nats::{
    HeaderMap, HeaderName, HeaderValue,
    jetstream::{
        self,
        context::{PublishAckFuture, PublishError, PublishErrorKind},
        message::PublishMessage,
    },
};
use bytes::Bytes;
use flywheel_events::{Digest, Key, envelope::CONTENT_TYPE};
use futures::future::try_join_all;
use std::{error::Error as _, time::Duration};
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

/// The header with the digest of a fact's content.
pub(super) const DIGEST: &str = "Flywheel-Digest";

/// The digest of a fact's content, as the headers of its message have it.
pub(super) fn digest_in(headers: &HeaderMap) -> Option<&str> {
    // A name that is not checked anew for every message.
    static NAME: HeaderName = HeaderName::from_static(DIGEST);
    headers.get(NAME.clone()).map(HeaderValue::as_str)
}

/// The first wait before a message is published again, doubled each time.
const RETRY_FIRST: Duration = Duration::from_millis(50);

/// The longest wait between two tries.
const RETRY_MAX: Duration = Duration::from_secs(2);

/// How often a message is published whose storing is not known, by whoever cannot wait: about 70 s with their timeouts, within the
/// server's memory of message ids. Beyond that the expectation tells.
const TRIES_MAX: u32 = 12;

/// A message under way, and what is needed to publish it again.
struct Sent {
    key: Key,
    digest: Digest,
    event: Event,
    message: PublishMessage,
    ack: Result<PublishAckFuture, PublishError>,
    /// From its sending to the server's answer.
    span: Span,
}

/// Publishes facts in their order. The last is published when the others are stored: what stands last says that a run has
/// ended, and must not be seen before what it names.
pub(super) async fn all(log: &BusLog, mut facts: Vec<NewFact>) -> Result<Vec<Appended>, Error> {
    let Some(last) = facts.pop() else { return Ok(vec![]) };
    let mut under_way = Vec::with_capacity(facts.len());
    for fact in facts {
        under_way.push(send(log, fact).await?);
    }
    let mut appended = settle_all(log, under_way).await?;
    appended.push(settle(log, send(log, last).await?).await?);
    Ok(appended)
}

/// Publishes facts that were recorded before, as they were, in any order among each other.
pub(super) async fn again(log: &BusLog, records: Vec<Record>) -> Result<Vec<Appended>, Error> {
    let mut under_way = Vec::with_capacity(records.len());
    for Record { key, digest, event, .. } in records {
        let traceparent = event.traceparent();
        under_way.push(send_event(log, key, digest, event, traceparent).await?);
    }
    settle_all(log, under_way).await
}

/// What becomes of each, in their order. They are waited for together: what a server that was lost does not acknowledge takes its
/// time once, however many there are.
async fn settle_all(log: &BusLog, under_way: Vec<Sent>) -> Result<Vec<Appended>, Error> {
    try_join_all(under_way.into_iter().map(|sent| settle(log, sent))).await
}

/// The headers of a fact that was recorded before.
pub(super) fn headers_of(record: &Record, subject: &str) -> Result<HeaderMap, Error> {
    headers(&record.digest, subject, record.event.traceparent())
}

async fn send(log: &BusLog, fact: NewFact) -> Result<Sent, Error> {
    let event = fact.event(log.now())?;
    send_event(log, fact.key, fact.digest, event, fact.traceparent).await
}

async fn send_event(
    log: &BusLog,
    key: Key,
    digest: Digest,
    event: Event,
    traceparent: Option<String>,
) -> Result<Sent, Error> {
    let subject = key.subject();
    let span = trace::publish(format_args!("flywheel.log.{}", key.step), &subject, key.event_id(), event.len());
    trace::follow(&span, traceparent.as_deref());
    let headers = headers(&digest, &subject, traceparent_of(&span).or(traceparent))?;
    let size = event.len() + headers_bytes(&headers);
    let max = log.inner.bus.message_bytes_max();
    if size > max {
        return Err(Error::TooLarge { key: Box::new(key), size, max });
    }
    let message = PublishMessage::build().payload(Bytes::copy_from_slice(event.as_bytes())).headers(headers);
    let ack = log.inner.bus.jetstream.send_publish(subject, message.clone()).await;
    Ok(Sent { key, digest, event, message, ack, span })
}

fn headers(digest: &Digest, subject: &str, traceparent: Option<String>) -> Result<HeaderMap, Error> {
    let value = |text: &str| text.parse::<HeaderValue>().map_err(|error| failed("write a header", error));
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", value(CONTENT_TYPE)?);
    headers.insert(DIGEST, value(&digest.to_string())?);
    headers.insert(async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, value("0")?);
    headers.insert(async_nats::header::NATS_MESSAGE_ID, value(&message_id(subject, digest))?);
    if let Some(traceparent) = traceparent {
        headers.insert(TRACEPARENT, value(&traceparent)?);
    }
    Ok(headers)
}

/// 32 hexadecimal digits of the hash of subject and digest.
fn message_id(subject: &str, digest: &Digest) -> String {
    let hash = Digest::of(format!("{subject}\n{digest}").as_bytes());
    const_hex::encode(&hash.as_bytes()[..16])
}

fn headers_bytes(headers: &HeaderMap) -> usize {
    const LINE: usize = ": \r\n".len();
    const FRAME: usize = "NATS/1.0\r\n\r\n".len();
    let lines = headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    FRAME + lines.map(|(name, value)| AsRef::<str>::as_ref(name).len() + value.as_str().len() + LINE).sum::<usize>()
}

async fn settle(log: &BusLog, sent: Sent) -> Result<Appended, Error> {
    let (step, span, mut since) = (sent.key.step.clone(), sent.span.clone(), None);
    let outcome = settle_in(log, sent, &mut since).instrument(span.clone()).await;
    let word = match &outcome {
        Ok(Appended::Appended(_)) => "appended",
        Ok(Appended::Duplicate(_)) => "duplicate",
        // Equal content is queued once, by whichever session was first.
        Ok(Appended::Conflict(_)) if step == queue::QUEUED => "duplicate",
        Ok(Appended::Conflict(_)) => "conflict",
        Err(_) => "failed",
    };
    if outcome.is_ok() {
        log.waited(since);
    }
    match word {
        "conflict" | "failed" => trace::ended_in_fault(&span, word, word),
        _ => trace::ended(&span, word),
    }
    measure::sent(step.as_str(), word);
    outcome
}

/// Waits for what becomes of it. `since` is when it was first not known.
async fn settle_in(log: &BusLog, sent: Sent, since: &mut Option<Instant>) -> Result<Appended, Error> {
    let Sent { key, digest, event, message, mut ack, .. } = sent;
    let (mut wait, mut tries) = (RETRY_FIRST, 0);
    loop {
        let answer = match ack {
            Ok(ack) => ack.await,
            Err(error) => Err(error),
        };
        let unknown = match answer {
            Ok(ack) if !ack.duplicate => {
                let position = ack.sequence;
                log.keep(Record { position, key, digest, event });
                return Ok(Appended::Appended(position));
            }
            Ok(_) => match compare(log, &key, &digest).await? {
                Some(outcome) => return Ok(outcome),
                None => "the server took it for a duplicate, and it is not there".to_owned(),
            },
            Err(error) => match verdict(&error) {
                Verdict::Taken => match compare(log, &key, &digest).await? {
                    Some(outcome) => return Ok(outcome),
                    // Nothing is under the key, so that was not why: the stream is full, or its disk.
                    None => with_causes(&error),
                },
                Verdict::Unknown => with_causes(&error),
                Verdict::Refused => return Err(failed(&format!("append {key}"), with_causes(&error))),
            },
        };
        since.get_or_insert_with(Instant::now);
        tries += 1;
        if tries >= TRIES_MAX && (!log.inner.is_for_work || log.inner.bus.is_dead().await) {
            let why = format!("{unknown}; whether it was stored is not known after {tries} tries");
            return Err(failed(&format!("append {key}"), why));
        }
        if tries == TRIES_MAX {
            tracing::warn!("cannot append {key}: {unknown}; waiting for as long as that takes");
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MAX);
        ack = log.inner.bus.jetstream.send_publish(key.subject(), message.clone()).await;
    }
}

/// What the key's fact is to one that is to be appended; none where the key is free.
async fn compare(log: &BusLog, key: &Key, digest: &Digest) -> Result<Option<Appended>, Error> {
    let stored = match log.stored(key).await {
        Ok(stored) => stored,
        // A leader is being elected: the same message is published again, and this asked again.
        Err(Error::Bus(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(stored.map(|stored| match stored.digest == *digest {
        true => Appended::Duplicate(stored.position),
        false => Appended::Conflict(stored.position),
    }))
}

enum Verdict {
    /// Something may be under the key; if not, there is no room for it.
    Taken,
    /// It may have been stored, or not.
    Unknown,
    /// It was not, and will not be.
    Refused,
}

fn verdict(error: &PublishError) -> Verdict {
    /// A store that is full, a subject that has its message: told apart by what is there.
    const STORE_FAILED: u64 = 10077;
    /// The account's store is full, or the server's, or its disk.
    const NO_ROOM: [u64; 3] = [10002, 10023, 10047];
    /// Another publish to the subject, or a message of this id, is being decided.
    const IN_PROCESS: [u64; 3] = [10158, 10163, 10164];
    match error.kind() {
        PublishErrorKind::WrongLastSequence => Verdict::Taken,
        PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe | PublishErrorKind::StreamNotFound => {
            Verdict::Unknown
        }
        PublishErrorKind::MaxAckPending => Verdict::Unknown,
        PublishErrorKind::MaxPayloadExceeded | PublishErrorKind::WrongLastMessageId => Verdict::Refused,
        PublishErrorKind::Other => {
            let source = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
            match source.map(|source| source.error_code().0) {
                Some(STORE_FAILED) => Verdict::Taken,
                Some(code) if NO_ROOM.contains(&code) => Verdict::Taken,
                Some(code) if IN_PROCESS.contains(&code) => Verdict::Unknown,
                // 503: no leader, or not enough of the servers.
                Some(_) if source.is_some_and(|source| source.code() >= 500) => Verdict::Unknown,
                Some(_) => Verdict::Refused,
                None => Verdict::Unknown,
            }
        }
    }
}
