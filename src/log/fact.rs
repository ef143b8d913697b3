//! A fact on its way into the log, and one that is there.

use super::Error;
use crate::telemetry::trace::TRACEPARENT;
use chrono::{DateTime, Utc};
use flywheel_events::{
    Digest, Fact, Key, SessionId, canonical,
    envelope::{self, Draft, EVENT_BYTES_MAX, Envelope, Extension},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};
use std::{
    any::Any,
    borrow::Cow,
    fmt,
    ops::Deref,
    sync::{Arc, OnceLock},
};
use uuid::Uuid;

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
    id: Uuid,
    /// JSON.
    data: String,
    /// The same as its type, where that is at hand.
    typed: Option<Typed>,
}

/// Data as its type, whichever that is.
type Typed = Arc<dyn Any + Send + Sync>;

/// A fact whose type is not known where it is passed on.
pub trait AnyFact: Any + Send + Sync {
    /// Its data.
    fn value(&self) -> Value;

    /// The digest of its content, and its data as text.
    fn digest_and_text(&self) -> (Digest, String);
}

impl<F: Fact> AnyFact for F {
    fn value(&self) -> Value {
        serde_json::to_value(self).expect("a fact is plain JSON")
    }

    fn digest_and_text(&self) -> (Digest, String) {
        canonical::digest_and_text_of(self)
    }
}

impl NewFact {
    /// A fact with its content's digest worked out.
    pub fn new<F: Fact>(key: Key, source: impl Into<String>, fact: &F) -> Self {
        Self::of_text(key, F::TYPE, source, canonical::digest_and_text_of(fact))
    }

    /// A fact whose data is JSON already.
    pub fn of_value(key: Key, event_type: &'static str, source: impl Into<String>, data: &Value) -> Self {
        Self::of_text(key, event_type, source, canonical::digest_and_text(event_type, data))
    }

    /// A fact that is kept as its type, for whoever asks for it here.
    pub fn of_any(key: Key, event_type: &'static str, source: impl Into<String>, fact: Arc<dyn AnyFact>) -> Self {
        let text = fact.digest_and_text();
        Self { typed: Some(fact), ..Self::of_text(key, event_type, source, text) }
    }

    fn of_text(
        key: Key,
        event_type: &'static str,
        source: impl Into<String>,
        (digest, data): (Digest, String),
    ) -> Self {
        Self {
            session: key.session_id(),
            subject: key.id.to_string(),
            digest,
            id: key.event_id(),
            data,
            event_type,
            source: source.into(),
            cause: None,
            traceparent: None,
            typed: None,
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

    /// Its event's id, which is the key's.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Whether a log that takes events of up to `max` bytes takes this one, whenever and in whatever trace it is recorded.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if it does not.
    pub fn check_size(&self, max: usize) -> Result<(), Error> {
        /// More than everything in an event but its data takes.
        const ENVELOPE_BYTES_MAX: usize = 16 * 1024;
        /// More than the context of a trace takes, with its name.
        const TRACE_BYTES_MAX: usize = 128;
        if self.data.len() + ENVELOPE_BYTES_MAX <= max {
            return Ok(());
        }
        // A time with as many digits as any.
        let size = self.write(DateTime::from_timestamp_micros(1).unwrap_or_default()).0.len();
        match size + TRACE_BYTES_MAX {
            size if size > max => Err(Error::TooLarge { key: Box::new(self.key.clone()), size, max }),
            _ => Ok(()),
        }
    }

    /// The event, recorded at this time.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond [`EVENT_BYTES_MAX`].
    pub(crate) fn event(&self, time: DateTime<Utc>) -> Result<Event, Error> {
        let (event, data_begins) = self.write(time);
        if event.len() > EVENT_BYTES_MAX {
            return Err(Error::TooLarge { key: Box::new(self.key.clone()), size: event.len(), max: EVENT_BYTES_MAX });
        }
        Ok(Event::new(event, Some((self.event_type, data_begins)), self.typed.clone()))
    }

    /// The text of the event, and where its data begins.
    fn write(&self, time: DateTime<Utc>) -> (String, usize) {
        let draft = Draft {
            specversion: envelope::Version::V1,
            id: self.id,
            source: &self.source,
            event_type: self.event_type,
            subject: &self.subject,
            time,
            datacontenttype: envelope::Json::Json,
            dataschema: &envelope::data_schema(self.event_type),
            correlationid: self.session,
            causationid: self.cause.as_deref(),
            traceparent: self.traceparent.as_deref(),
        };
        draft.write(&self.data)
    }
}

/// The text of an event in the log: ours, and valid. Clones share it, and what its data was decoded to.
#[derive(Clone)]
pub struct Event(Arc<Shared>);

struct Shared {
    text: String,
    /// Of one that this process has written: its type, and where its data begins.
    written: Option<(&'static str, usize)>,
    /// The data as the type that it was first asked for as.
    decoded: OnceLock<Typed>,
}

impl Event {
    fn new(text: String, written: Option<(&'static str, usize)>, typed: Option<Typed>) -> Self {
        let decoded = typed.map_or_else(OnceLock::new, OnceLock::from);
        Self(Arc::new(Shared { text, written, decoded }))
    }

    /// Its type, and its data.
    ///
    /// # Errors
    /// When it is no event.
    pub fn parts(&self) -> Result<(Cow<'_, str>, Data), serde_json::Error> {
        if let Some((event_type, begins)) = self.0.written {
            return Ok((event_type.into(), Data { event: self.clone(), begins, ends: self.len() - 1 }));
        }
        let carrier: Carrier<'_, &RawValue> = serde_json::from_str(self)?;
        let data = carrier.data.get();
        // The data is borrowed from the text.
        let begins = data.as_ptr() as usize - self.as_ptr() as usize;
        Ok((carrier.event_type, Data { event: self.clone(), begins, ends: begins + data.len() }))
    }

    /// The trace it began in.
    pub fn traceparent(&self) -> Option<String> {
        match Envelope::parse(self.as_bytes()).ok()?.extension(TRACEPARENT)? {
            Extension::Text(text) => Some(text.to_string()),
            _ => None,
        }
    }
}

impl From<&str> for Event {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned(), None, None)
    }
}

impl From<String> for Event {
    fn from(text: String) -> Self {
        Self::new(text, None, None)
    }
}

impl Deref for Event {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0.text
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Event {}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// The data of an event: JSON, shared with it.
#[derive(Clone)]
pub struct Data {
    event: Event,
    begins: usize,
    ends: usize,
}

impl Data {
    /// The data as its type.
    ///
    /// # Errors
    /// When it is not of that shape.
    pub fn decode<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self)
    }

    /// The data as its type, decoded once for whoever shares the event.
    ///
    /// # Errors
    /// When it is not of that shape.
    pub fn shared<T: Fact>(&self) -> Result<Arc<T>, serde_json::Error> {
        let decoded = &self.event.0.decoded;
        if let Some(known) = decoded.get().and_then(|known| known.clone().downcast::<T>().ok()) {
            debug_assert_eq!(*known, self.decode()?, "what is written is what is read");
            return Ok(known);
        }
        let data = Arc::new(self.decode::<T>()?);
        // Who asks for another type than the first asks by himself.
        let _ = decoded.set(data.clone());
        Ok(data)
    }
}

impl Deref for Data {
    type Target = str;

    fn deref(&self) -> &str {
        &self.event[self.begins..self.ends]
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
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
    pub event: Event,
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
        let (event_type, data) = self.event.parts()?;
        Ok((event_type.into_owned(), data.decode()?))
    }

    /// The event's id, which is the key's.
    pub fn id(&self) -> String {
        self.key.event_id().to_string()
    }
}
