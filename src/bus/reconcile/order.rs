//! Appending facts so that each comes to the position it had.

use super::{Reconciled, Rows};
use crate::{
    bus::{Bus, connect::with_causes, failed, publish},
    log::{EmbeddedLog, Error, Record},
};
use async_nats::{
    HeaderValue,
    jetstream::{context::PublishAckFuture, message::PublishMessage},
};
use std::collections::VecDeque;

/// Most publishes that wait for their answer.
const WINDOW: usize = 1024;

pub(super) enum End {
    /// Everything is there, at its position.
    All,
    /// Somebody else has appended meanwhile, or the bus was away: why.
    Moved(String),
}

/// Appends everything behind `position`, where the stream ends at `last`.
pub(super) async fn append(
    bus: &Bus,
    log: &EmbeddedLog,
    position: u64,
    last: u64,
    done: &mut Reconciled,
    progress: &impl Fn(u64),
) -> Result<End, Error> {
    if last > position {
        // The stream has everything, and more.
        return Ok(End::All);
    }
    let mut rows = Rows::behind(log, position)?;
    let mut window = VecDeque::with_capacity(WINDOW);
    while let Some(rows) = rows.next(log)? {
        for row in rows {
            if window.len() == WINDOW
                && let Some(why) = settle(&mut window, done).await
            {
                return Ok(End::Moved(why));
            }
            window.push_back((row.record.position, send(bus, &row.record).await?));
        }
        progress(window.front().map_or(0, |(position, _)| *position));
    }
    while !window.is_empty() {
        if let Some(why) = settle(&mut window, done).await {
            return Ok(End::Moved(why));
        }
    }
    Ok(End::All)
}

async fn send(bus: &Bus, record: &Record) -> Result<PublishAckFuture, Error> {
    let subject = record.key.subject();
    let mut headers = publish::headers_of(record, &subject)?;
    let before = HeaderValue::from(record.position - 1);
    headers.insert(async_nats::header::NATS_EXPECTED_LAST_SEQUENCE, before);
    let message =
        PublishMessage::build().payload(bytes::Bytes::copy_from_slice(record.event.as_bytes())).headers(headers);
    let sent = bus.jetstream.send_publish(subject, message).await;
    sent.map_err(|error| failed(&format!("append {}", record.key), with_causes(&error)))
}

/// Waits for the oldest answer; why it is not the right one.
async fn settle(window: &mut VecDeque<(u64, PublishAckFuture)>, done: &mut Reconciled) -> Option<String> {
    let (position, ack) = window.pop_front()?;
    match ack.await {
        Ok(ack) if ack.sequence == position => {
            done.appended += 1;
            None
        }
        Ok(ack) => Some(format!("the fact of position {position} came to position {}", ack.sequence)),
        Err(error) => Some(format!("the fact of position {position} was not appended: {}", with_causes(&error))),
    }
}
