//! A fact on its way into the log, and one that is there.

use super::Error;
use chrono::{DateTime, Utc};
use flywheel_events::{
    Digest, Fact, Key, SessionId, canonical,
    envelope::{self, Draft, EVENT_BYTES_MAX},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, value::RawValue};
use std::sync::Arc;

/// A fact that is to be appended. Its event is written when its time is known: in the log's write transaction.
#[derive(Debug, Clone)]
pub struct NewFact {
    /// Where it lives.
    pub key: Key,
    /// Its event type.
    pub event_type: &'static str,
    /// The agent or the stage.
    pub source: String,
    /// The session, or what else it is about.
    pub subject: String,
    /// The session it belongs to.
    pub session: Option<SessionId>,
    /// The id of the event that triggered it.
    pub cause: Option<String>,
    /// The trace it began in.
    pub traceparent: Option<String>,
    /// The digest of its content.
    pub digest: Digest,
    data: Box<RawValue>,
    schema: String,
}

impl NewFact {
    /// A fact with its content's digest worked out.
    pub fn new<F: Fact>(key: Key, source: impl Into<String>, fact: &F) -> Self {
        let value = serde_json::to_value(fact).expect("a fact is plain JSON");
        Self::of_value(key, F::TYPE, source, &value)
    }

    /// A fact whose data is JSON already.
    pub fn of_value(key: Key, event_type: &'static str, source: impl Into<String>, data: &Value) -> Self {
        Self {
            session: key.session_id(),
            subject: key.id.to_string(),
            digest: canonical::content_digest(event_type, data),
            data: serde_json::value::to_raw_value(data).expect("a value is plain JSON"),
            schema: envelope::data_schema(event_type),
            event_type,
            source: source.into(),
            cause: None,
            traceparent: None,
            key,
        }
    }

    /// The same fact, triggered by that event.
    pub fn caused_by(mut self, id: impl Into<String>) -> Self {
        self.cause = Some(id.into());
        self
    }

    /// The same fact, about that session (for facts whose key is not the session's).
    pub fn about(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// Whether the log takes a fact of this size, whenever it is recorded.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond [`EVENT_BYTES_MAX`].
    pub fn check_size(&self) -> Result<(), Error> {
        /// More than everything in an event but its data takes.
        const ENVELOPE_BYTES_MAX: usize = 16 * 1024;
        if self.data.get().len() + ENVELOPE_BYTES_MAX <= EVENT_BYTES_MAX {
            return Ok(());
        }
        // A time with as many digits as any.
        self.event(DateTime::from_timestamp_micros(1).unwrap_or_default()).map(drop)
    }

    /// The event's bytes, recorded at this time.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond [`EVENT_BYTES_MAX`].
    pub(crate) fn event(&self, time: DateTime<Utc>) -> Result<String, Error> {
        let draft = Draft {
            specversion: envelope::Version::V1,
            id: self.key.event_id(),
            source: &self.source,
            event_type: self.event_type,
            subject: &self.subject,
            time,
            datacontenttype: envelope::Json::Json,
            dataschema: &self.schema,
            correlationid: self.session,
            causationid: self.cause.as_deref(),
            traceparent: self.traceparent.as_deref(),
            data: &self.data,
        };
        let event = serde_json::to_string(&draft).expect("an event is plain JSON");
        if event.len() > EVENT_BYTES_MAX {
            return Err(Error::TooLarge { key: Box::new(self.key.clone()), size: event.len(), max: EVENT_BYTES_MAX });
        }
        Ok(event)
    }
}

/// A fact in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it is, from 1, without gaps.
    pub position: u64,
    /// Its key.
    pub key: Key,
    /// The digest of its content.
    pub digest: Digest,
    /// The event, byte for byte.
    pub event: Arc<str>,
}

/// The part of an event that carries its fact. Events in the log are ours and valid.
#[derive(serde::Deserialize)]
struct Carrier<'a, T> {
    #[serde(borrow, rename = "type")]
    event_type: std::borrow::Cow<'a, str>,
    data: T,
}

impl Record {
    /// The event's type and data.
    ///
    /// # Errors
    /// When the data is not of that shape.
    pub fn data<T: DeserializeOwned>(&self) -> Result<(String, T), serde_json::Error> {
        let carrier: Carrier<'_, T> = serde_json::from_str(&self.event)?;
        Ok((carrier.event_type.into_owned(), carrier.data))
    }

    /// The event's id, which is the key's.
    pub fn id(&self) -> String {
        self.key.event_id().to_string()
    }
}
