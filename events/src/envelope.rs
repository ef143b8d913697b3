//! The CloudEvents 1.0 envelope in structured JSON: parsed once, valid ever after.
//!
//! Invariants:
//! - An [`Envelope`] obeys the CloudEvents 1.0.2 core and JSON format: required attributes present and not empty,
//!   extension names of lower-case letters and digits, a time of RFC 3339 whose offset is kept.
//! - It borrows: `data` is the bytes it came in, so no number is rounded and nothing is serialised again.

use crate::stamp::{self, Stamp};
use serde::{
    Deserialize, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeSet, fmt};

/// The media type of a structured event.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// Most bytes of one event.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// Why some bytes are no CloudEvent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not one JSON object.
    #[error("not a JSON object: {0}")]
    Json(String),
    /// A required attribute is not there (or null, which is the same).
    #[error("the attribute `{0}` is missing")]
    Missing(&'static str),
    /// An attribute that is there has no text.
    #[error("the attribute `{0}` is empty")]
    Empty(String),
    /// An attribute stands twice.
    #[error("the attribute `{0}` stands twice")]
    Twice(String),
    /// An attribute is of the wrong type.
    #[error("the attribute `{name}` must be {expected}")]
    WrongType {
        /// The attribute.
        name: String,
        /// What it must be.
        expected: &'static str,
    },
    /// Another version of the specification.
    #[error("specversion is `{0}`: expected `1.0`")]
    Version(String),
    /// An attribute's name is not lower-case letters and digits.
    #[error("`{0}` is not the name of an attribute: expected lower-case letters and digits")]
    Name(String),
    /// The time is no RFC 3339 with an offset.
    #[error("time: {0}")]
    Time(#[from] stamp::Error),
    /// An attribute has a character that the specification forbids, or is no URI.
    #[error("the attribute `{name}` is not {expected}: `{value}`")]
    Malformed {
        /// The attribute.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        value: String,
    },
    /// Both ways of carrying data at once.
    #[error("`data` and `data_base64` exclude each other")]
    TwoData,
}

/// The value of an extension attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extension<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// A whole number of 32 bits.
    Integer(i32),
    /// Yes or no.
    Boolean(bool),
}

/// A valid CloudEvent, borrowed from its bytes.
#[derive(Debug, Clone)]
pub struct Envelope<'a> {
    id: Cow<'a, str>,
    source: Cow<'a, str>,
    event_type: Cow<'a, str>,
    subject: Option<Cow<'a, str>>,
    time: Option<Stamp>,
    content_type: Option<Cow<'a, str>>,
    data_schema: Option<Cow<'a, str>>,
    extensions: Vec<(Cow<'a, str>, Extension<'a>)>,
    data: Option<&'a RawValue>,
    data_base64: Option<Cow<'a, str>>,
}

impl<'a> Envelope<'a> {
    /// Parses one structured event.
    ///
    /// # Errors
    /// The first rule of the specification that the bytes break.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let members: Members<'a> = serde_json::from_slice(bytes).map_err(|error| Error::Json(error.to_string()))?;
        Self::from_members(members)
    }

    fn from_members(Members(members): Members<'a>) -> Result<Self, Error> {
        let mut seen = BTreeSet::new();
        let (mut id, mut source, mut event_type, mut version) = (None, None, None, None);
        let (mut subject, mut time, mut content_type, mut data_schema) = (None, None, None, None);
        let (mut data, mut data_base64, mut extensions) = (None, None, Vec::new());
        for (name, value) in members {
            if !seen.insert(name.clone()) {
                return Err(Error::Twice(name.into_owned()));
            }
            match &*name {
                // Null data is data; a null attribute is an absent one (JSON format, section 2.2).
                "data" => data = Some(value),
                _ if value.get() == "null" => {}
                "data_base64" => data_base64 = Some(text(&name, value)?),
                "specversion" => version = Some(text(&name, value)?),
                "id" => id = Some(filled(&name, value)?),
                "source" => source = Some(filled(&name, value)?),
                "type" => event_type = Some(filled(&name, value)?),
                "subject" => subject = Some(filled(&name, value)?),
                "time" => time = Some(stamp::parse(&text(&name, value)?)?),
                "datacontenttype" => content_type = Some(filled(&name, value)?),
                "dataschema" => data_schema = Some(filled(&name, value)?),
                _ => {
                    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
                        return Err(Error::Name(name.into_owned()));
                    }
                    let value = extension(&name, value)?;
                    extensions.push((name, value));
                }
            }
        }
        match version.as_deref() {
            Some("1.0") => {}
            Some(other) => return Err(Error::Version(other.to_owned())),
            None => return Err(Error::Missing("specversion")),
        }
        if data.is_some() && data_base64.is_some() {
            return Err(Error::TwoData);
        }
        let envelope = Self {
            id: id.ok_or(Error::Missing("id"))?,
            source: source.ok_or(Error::Missing("source"))?,
            event_type: event_type.ok_or(Error::Missing("type"))?,
            subject,
            time,
            content_type,
            data_schema,
            extensions,
            data,
            data_base64,
        };
        envelope.check()
    }

    fn check(self) -> Result<Self, Error> {
        let wrong = |name, expected, value: &str| Err(Error::Malformed { name, expected, value: value.to_owned() });
        if self.source.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"{}|\\^`".contains(c)) {
            return wrong("source", "a URI reference", &self.source);
        }
        if let Some(schema) = &self.data_schema {
            let scheme = schema.split_once(':').map_or("", |(scheme, _)| scheme);
            let starts = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
            if !starts || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) {
                return wrong("dataschema", "an absolute URI", schema);
            }
        }
        if let Some(content_type) = &self.content_type {
            let essence = content_type.split(';').next().unwrap_or("").trim();
            let token = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
            if !essence.split_once('/').is_some_and(|(main, sub)| token(main) && token(sub)) {
                return wrong("datacontenttype", "a media type", content_type);
            }
        }
        if let Some(encoded) = &self.data_base64
            && !is_base64(encoded)
        {
            return wrong("data_base64", "base64 (RFC 4648, padded)", &encoded.chars().take(40).collect::<String>());
        }
        Ok(self)
    }

    /// The event's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it was made.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its type.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// What it is about.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// When it was recorded, in the offset it was written with.
    pub fn time(&self) -> Option<Stamp> {
        self.time
    }

    /// The media type of its data; `application/json` where it is not given.
    pub fn content_type(&self) -> &str {
        self.content_type.as_deref().unwrap_or("application/json")
    }

    /// The schema of its data.
    pub fn data_schema(&self) -> Option<&str> {
        self.data_schema.as_deref()
    }

    /// An extension attribute.
    pub fn extension(&self, name: &str) -> Option<&Extension<'a>> {
        self.extensions.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Every extension attribute, in the order of the bytes.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, &Extension<'a>)> {
        self.extensions.iter().map(|(name, value)| (&**name, value))
    }

    /// Its JSON data, byte for byte.
    pub fn data(&self) -> Option<&'a RawValue> {
        self.data
    }

    /// Its binary data, still encoded.
    pub fn data_base64(&self) -> Option<&str> {
        self.data_base64.as_deref()
    }
}

/// RFC 4648 with padding, as JSON carries binary data.
fn is_base64(text: &str) -> bool {
    let bytes = text.as_bytes();
    let body = bytes.strip_suffix(b"==").or_else(|| bytes.strip_suffix(b"=")).unwrap_or(bytes);
    bytes.len().is_multiple_of(4) && body.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'+' || *b == b'/')
}

fn text<'a>(name: &str, value: &'a RawValue) -> Result<Cow<'a, str>, Error> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'a>>(value.get())
        .map(|text| text.0)
        .map_err(|_| Error::WrongType { name: name.to_owned(), expected: "text" })
}

fn filled<'a>(name: &str, value: &'a RawValue) -> Result<Cow<'a, str>, Error> {
    let text = text(name, value)?;
    if text.is_empty() { Err(Error::Empty(name.to_owned())) } else { Ok(text) }
}

fn extension<'a>(name: &str, value: &'a RawValue) -> Result<Extension<'a>, Error> {
    let wrong =
        || Error::WrongType { name: name.to_owned(), expected: "text, a whole number of 32 bits, or a boolean" };
    match value.get() {
        "true" => Ok(Extension::Boolean(true)),
        "false" => Ok(Extension::Boolean(false)),
        json if json.starts_with('"') => text(name, value).map(Extension::Text),
        json => json.parse().map(Extension::Integer).map_err(|_| wrong()),
    }
}

/// The members of an object, in order, duplicates and all.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(12);
                while let Some(member) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    members.push((member.0.0, member.1));
                }
                Ok(Members(members))
            }
        }
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
        deserializer.deserialize_map(All)
    }
}

/// What an event of ours is written from. The order of the fields is the order of the bytes; the data comes last.
#[derive(Debug, Serialize)]
pub struct Draft<'a> {
    /// Always `1.0`.
    pub specversion: Version,
    /// The event's id.
    pub id: uuid::Uuid,
    /// The agent or the stage.
    pub source: &'a str,
    /// The full type.
    #[serde(rename = "type")]
    pub event_type: &'a str,
    /// The session, or what else the event is about.
    pub subject: &'a str,
    /// When it was recorded.
    pub time: chrono::DateTime<chrono::Utc>,
    /// Always `application/json`.
    pub datacontenttype: Json,
    /// The schema of `data`.
    pub dataschema: &'a str,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlationid: Option<crate::SessionId>,
    /// The event that triggered this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causationid: Option<&'a str>,
    /// The trace the event began in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<&'a str>,
}

impl Draft<'_> {
    /// The event with this data, which is JSON already, and where the data begins. Nothing but a brace follows it.
    pub fn write(&self, data: &str) -> (String, usize) {
        /// More than everything else takes, as a rule.
        const REST_BYTES: usize = 768;
        let mut event = Vec::with_capacity(REST_BYTES + data.len());
        serde_json::to_writer(&mut event, self).expect("attributes are plain JSON");
        event.pop();
        event.extend_from_slice(b",\"data\":");
        let begins = event.len();
        event.extend_from_slice(data.as_bytes());
        event.push(b'}');
        (String::from_utf8(event).expect("JSON is text"), begins)
    }
}

/// `1.0`.
#[derive(Debug, Clone, Copy, Serialize)]
pub enum Version {
    /// The only one.
    #[serde(rename = "1.0")]
    V1,
}

/// `application/json`.
#[derive(Debug, Clone, Copy, Serialize)]
pub enum Json {
    /// The only one.
    #[serde(rename = "application/json")]
    Json,
}

/// The `dataschema` of an event type: a stable URI, which `flywheel schema` resolves.
pub fn data_schema(event_type: &str) -> String {
    format!("urn:flywheel:schema:{event_type}")
}
