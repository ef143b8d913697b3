//! Metrics as events: `flywheel.metrics.<name>`, sent when a metric has another value.
//!
//! Invariants:
//! - Who emits begins behind the position of the last value that the bus has of each name, so a restart, a replay or a new
//!   replica sends nothing old.
//! - Positions of two streams are not compared: each value carries the epoch of the log it counts, in a header, and one of
//!   another epoch is older whatever its position.
//! - A value takes the place of the one it was compared with and of no other, so of two emitters one is refused.
//! - The same log gives the same bytes: an event's time is that of the fact up to which it counts.

use super::{Bus, connect::with_causes, failed, setup, topology::METRICS};
use crate::log::Error;
use async_nats::{
    HeaderMap, HeaderValue,
    jetstream::{
        context::PublishErrorKind,
        message::PublishMessage,
        stream::{LastRawMessageErrorKind, Stream},
    },
};
use chrono::{DateTime, Utc};
use flywheel_events::{
    Fact as _, MetricChanged, MetricValue,
    envelope::{self, CONTENT_TYPE, Draft, Envelope},
    key::NAMESPACE,
};
use flywheel_projections::metrics::{NAMES, Row, Value};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The header with the epoch of the log that a value counts.
const EPOCH: &str = "Flywheel-Epoch";

/// Most values in one event: they fit into a message.
const VALUES_MAX: usize = 3000;

/// Sends metrics that have changed.
#[derive(Debug)]
pub struct Emitter {
    bus: Bus,
    stream: Stream<()>,
    /// What the bus has of each name.
    last: BTreeMap<&'static str, Last>,
}

/// A position of a log.
#[derive(Debug, Clone, Copy)]
pub struct Position<'a> {
    /// The log's epoch.
    pub epoch: &'a str,
    /// Which position.
    pub position: u64,
    /// When its fact was recorded.
    pub time: DateTime<Utc>,
}

/// The last message of a name; nothing where there is none, or none that reads.
#[derive(Debug, Default)]
struct Last {
    sequence: u64,
    event: Option<MetricChanged>,
    /// The epoch of the log it counts, where that is known.
    epoch: Option<String>,
}

impl Emitter {
    /// Reads what the bus has.
    ///
    /// # Errors
    /// When the bus does not answer.
    pub async fn open(bus: Bus) -> Result<Self, Error> {
        let stream = setup::stream_handle(&bus, METRICS).await?;
        let mut emitter = Self { bus, stream, last: BTreeMap::new() };
        for name in NAMES {
            emitter.look_up(name).await?;
        }
        Ok(emitter)
    }

    async fn look_up(&mut self, name: &'static str) -> Result<(), Error> {
        let last = match self.stream.get_last_raw_message_by_subject(&subject(name)).await {
            Ok(message) => {
                let event = read(&message.payload);
                if event.is_none() {
                    tracing::warn!("the last message on {} is no metric; it will be replaced", subject(name));
                }
                let epoch = message.headers.get(EPOCH).map(|epoch| epoch.as_str().to_owned());
                Last { sequence: message.sequence, event, epoch }
            }
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Last::default(),
            Err(error) => return Err(failed(&format!("read the metric {name}"), with_causes(&error))),
        };
        self.last.insert(name, last);
        Ok(())
    }

    /// Sends every metric whose values differ from the last ones; how many that were. The rows are all those of one position of
    /// the log, which is of this epoch, and the time is that of its fact.
    ///
    /// # Errors
    /// When the bus does not take them.
    pub async fn emit(&mut self, rows: &[Row], log: Position<'_>) -> Result<usize, Error> {
        let mut sent = 0;
        for name in NAMES {
            let event = changed(name, rows, log.position);
            // Another emitter that was first may have been behind.
            while self.is_new(name, &event, log.epoch) {
                sent += usize::from(self.send(name, event.clone(), log).await?);
            }
        }
        Ok(sent)
    }

    /// Whether the bus has an older value, and another.
    fn is_new(&self, name: &str, event: &MetricChanged, epoch: &str) -> bool {
        let Some(Last { event: Some(last), epoch: of, .. }) = self.last.get(name) else { return true };
        let is_older = last.log_position < event.log_position || of.as_ref().is_some_and(|of| of != epoch);
        is_older && (&last.values, last.left_out) != (&event.values, event.left_out)
    }

    /// Sends one metric in the place of its last; false where another emitter was first.
    async fn send(&mut self, name: &'static str, event: MetricChanged, log: Position<'_>) -> Result<bool, Error> {
        let last = self.last.get(name).map_or(0, |last| last.sequence);
        let bytes = bytes(&event, log);
        let what = || format!("send the metric {name}");
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", CONTENT_TYPE);
        headers.insert(EPOCH, log.epoch.parse::<HeaderValue>().map_err(|error| failed(&what(), error))?);
        headers.insert(async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, HeaderValue::from(last));
        let message = PublishMessage::build().payload(bytes.into()).headers(headers);
        let ack = self.bus.jetstream.send_publish(subject(name), message).await;
        match ack.map_err(|error| failed(&what(), with_causes(&error)))?.await {
            Ok(ack) => {
                let epoch = Some(log.epoch.to_owned());
                self.last.insert(name, Last { sequence: ack.sequence, event: Some(event), epoch });
                Ok(true)
            }
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
                self.look_up(name).await?;
                Ok(false)
            }
            Err(error) => {
                // Whether it was stored is not known.
                self.look_up(name).await?;
                Err(failed(&what(), with_causes(&error)))
            }
        }
    }
}

fn subject(name: &str) -> String {
    format!("flywheel.metrics.{name}")
}

fn read(payload: &[u8]) -> Option<MetricChanged> {
    let envelope = Envelope::parse(payload).ok().filter(|envelope| envelope.event_type() == MetricChanged::TYPE)?;
    serde_json::from_str(envelope.data()?.get()).ok()
}

/// A metric with all its values.
fn changed(name: &str, rows: &[Row], log_position: u64) -> MetricChanged {
    let all = rows.iter().filter(|row| row.name == name);
    let left_out = all.clone().count().saturating_sub(VALUES_MAX) as u64;
    let values = all.take(VALUES_MAX).map(|row| MetricValue {
        value: row.value.as_ref().map(|value| match value {
            Value::Count(n) => Decimal::from(*n).into(),
            Value::Figure(figure) => *figure,
        }),
        numerator: row.numerator,
        denominator: row.denominator,
        window: row.window.clone(),
        dimensions: row.dimensions.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
    });
    MetricChanged { name: name.to_owned(), log_position, values: values.collect(), left_out }
}

fn bytes(event: &MetricChanged, log: Position<'_>) -> Vec<u8> {
    let data = serde_json::to_string(event).expect("a metric is plain JSON");
    let of = format!("metrics/{}/{}/{}", log.epoch, event.name, event.log_position);
    let draft = Draft {
        specversion: envelope::Version::V1,
        id: Uuid::new_v5(&NAMESPACE, of.as_bytes()),
        source: "/flywheel/metrics",
        event_type: MetricChanged::TYPE,
        subject: &event.name,
        time: log.time,
        datacontenttype: envelope::Json::Json,
        dataschema: &envelope::data_schema(MetricChanged::TYPE),
        correlationid: None,
        causationid: None,
        traceparent: None,
    };
    draft.write(&data).0.into_bytes()
}
