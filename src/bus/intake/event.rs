//! A message as a CloudEvent: structured JSON, or binary with its attributes in headers.
//!
//! Invariants:
//! - Data are the bytes that came. Nothing that is kept of them was serialised again.
//! - Attributes obey one set of rules, those of [`Envelope`], whichever way they came.
//! - Nothing here panics, whatever the bytes.

use crate::telemetry::trace::{TRACEPARENT, is_traceparent};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use cloudevents::{
    event::SpecVersion,
    message::{BinaryDeserializer, BinarySerializer, MessageAttributeValue, Result as BindingResult},
};
use flywheel_events::{
    Fact as _, SessionCompleted,
    envelope::{self, Envelope, Extension},
};
use percent_encoding::percent_decode_str;
use std::{borrow::Cow, collections::BTreeSet};

/// Most bytes of an event's id and of its trace.
const ID_BYTES_MAX: usize = 256;

/// The media type of several events in one message.
const BATCH: &str = "application/cloudevents-batch";

/// The beginning of the media type of a structured event; its format follows.
const STRUCTURED: &str = "application/cloudevents";

/// A message as it came in.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where it came.
    pub subject: String,
    /// Its headers in the order of their names, or why they cannot be read.
    pub headers: Result<Vec<(String, String)>, String>,
    /// Its bytes.
    pub payload: Bytes,
}

impl Message {
    /// The W3C context of whoever published it.
    pub(super) fn traceparent(&self) -> Option<&str> {
        self.header(TRACEPARENT).filter(|context| is_traceparent(context))
    }

    /// A header by its name, in any case of its letters.
    fn header(&self, name: &str) -> Option<&str> {
        let headers = self.headers.as_deref().unwrap_or_default();
        headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl From<&async_nats::Message> for Message {
    fn from(message: &async_nats::Message) -> Self {
        let headers = match (&message.headers, message.status) {
            (_, Some(status)) => Err(format!("the status {status}, which only a server sets")),
            (None, None) => Ok(vec![]),
            (Some(headers), None) => {
                let lines = headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
                let mut lines: Vec<_> =
                    lines.map(|(name, value)| (name.to_string(), value.as_str().to_owned())).collect();
                lines.sort();
                Ok(lines)
            }
        };
        Self { subject: message.subject.to_string(), headers, payload: message.payload.clone() }
    }
}

/// Why a message is no event that can be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// A stable name for programs.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

fn wrong(code: &'static str, message: impl Into<String>, hint: &'static str) -> Wrong {
    Wrong { code, message: message.into(), hint }
}

/// What is read of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    pub id: String,
    pub source: String,
    pub subject: Option<String>,
    /// The W3C context of the trace it began in.
    pub traceparent: Option<String>,
    /// The session, as JSON.
    pub data: Cow<'a, [u8]>,
}

/// Reads a `session.completed`.
pub(super) fn read(message: &Message) -> Result<Event<'_>, Wrong> {
    if let Err(why) = &message.headers {
        let hint = "give each header one line of printable characters";
        return Err(wrong("unreadable_headers", format!("the headers cannot be read: {why}"), hint));
    }
    let content_type = message.header("content-type").unwrap_or_default().to_ascii_lowercase();
    if content_type.starts_with(BATCH) {
        return Err(wrong("batch", "this is a batch of events", "publish each event in a message of its own"));
    }
    let structured = content_type.starts_with(STRUCTURED);
    let mut event = match message.header("ce-specversion") {
        Some(version) if !structured => binary(message, version)?,
        _ => from_structured(message)?,
    };
    event.traceparent = event.traceparent.filter(|context| is_traceparent(context));
    Ok(event)
}

fn from_structured(message: &Message) -> Result<Event<'_>, Wrong> {
    if message.payload.is_empty() {
        return Err(wrong("empty", "the message is empty", "publish a CloudEvent with the session in `data`"));
    }
    let envelope = Envelope::parse(&message.payload).map_err(|error| not_an_event(&error))?;
    let data = match (envelope.data(), envelope.data_base64()) {
        (Some(data), _) => Cow::Borrowed(data.get().as_bytes()),
        (None, Some(encoded)) => {
            let decoded = BASE64.decode(encoded);
            Cow::Owned(decoded.map_err(|error| wrong("no_event", format!("`data_base64`: {error}"), HOW))?)
        }
        (None, None) => return Err(wrong("no_data", "the event has no data", "put the session into `data`")),
    };
    of_envelope(&envelope, data)
}

/// How to publish.
const HOW: &str = "publish a CloudEvent 1.0 as structured JSON (Content-Type application/cloudevents+json) with the session in `data`; `flywheel asyncapi` describes it";

fn not_an_event(error: &envelope::Error) -> Wrong {
    wrong("no_event", format!("not a CloudEvent: {error}"), HOW)
}

/// The attributes of a binary event, which stand in headers of their names behind `ce-`.
struct Attributes<'a> {
    version: &'a str,
    headers: Vec<(String, String)>,
}

impl BinaryDeserializer for Attributes<'_> {
    fn deserialize_binary<R: Sized, V: BinarySerializer<R>>(self, visitor: V) -> BindingResult<R> {
        let version = SpecVersion::try_from(self.version)?;
        let known = version.attribute_names();
        let mut visitor = visitor.set_spec_version(version)?;
        for (name, value) in self.headers {
            let value = MessageAttributeValue::String(value);
            visitor = match known.contains(&&*name) {
                true => visitor.set_attribute(&name, value)?,
                false => visitor.set_extension(&name, value)?,
            };
        }
        visitor.end()
    }
}

fn binary<'a>(message: &'a Message, version: &str) -> Result<Event<'a>, Wrong> {
    let mut seen = BTreeSet::new();
    let mut headers = vec![];
    for (name, value) in message.headers.as_deref().unwrap_or_default() {
        let name = name.to_ascii_lowercase();
        let attribute = match name.strip_prefix("ce-") {
            _ if name == "content-type" => "datacontenttype",
            Some(attribute) => attribute,
            None => continue,
        };
        if !seen.insert(attribute.to_owned()) {
            return Err(not_an_event(&envelope::Error::Twice(attribute.to_owned())));
        }
        if attribute != "specversion" {
            let decoded = percent_decode_str(value).decode_utf8();
            let decoded = decoded.map_err(|_| wrong("no_event", format!("the header `{name}` is not UTF-8"), HOW))?;
            headers.push((attribute.to_owned(), decoded.into_owned()));
        }
    }
    let event = BinaryDeserializer::into_event(Attributes { version, headers })
        .map_err(|error| wrong("no_event", format!("not a CloudEvent: {error}"), HOW))?;
    let attributes = serde_json::to_vec(&event).expect("an event's attributes are plain JSON");
    let envelope = Envelope::parse(&attributes).map_err(|error| not_an_event(&error))?;
    of_envelope(&envelope, Cow::Borrowed(&message.payload))
}

fn of_envelope<'a>(envelope: &Envelope<'_>, data: Cow<'a, [u8]>) -> Result<Event<'a>, Wrong> {
    if envelope.event_type() != SessionCompleted::TYPE {
        let message = format!("the event is a `{}`", envelope.event_type());
        return Err(wrong("wrong_type", message, "publish `dev.dreamos.session.completed.v1` here, and nothing else"));
    }
    let essence = envelope.content_type().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence != "application/json" && !essence.ends_with("+json") {
        let message = format!("the data are `{essence}`");
        return Err(wrong(
            "wrong_content",
            message,
            "give the session as JSON, and `datacontenttype` as application/json",
        ));
    }
    if envelope.id().len() > ID_BYTES_MAX {
        let message = format!("the event's id has more than {ID_BYTES_MAX} bytes");
        return Err(wrong("long_id", message, "give the event a UUID as its id"));
    }
    let traceparent = match envelope.extension(TRACEPARENT) {
        Some(Extension::Text(text)) => Some(text.to_string()),
        _ => None,
    };
    Ok(Event {
        id: envelope.id().to_owned(),
        source: envelope.source().to_owned(),
        subject: envelope.subject().map(str::to_owned),
        traceparent,
        data,
    })
}

#[cfg(test)]
mod tests;
