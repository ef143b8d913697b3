//! An event of the log, read in one pass: of its envelope and its data only what the read models need, the rest skipped
//! where it lies.

use crate::fact::Body;
use chrono::{DateTime, Utc};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};
use uuid::Uuid;

/// An event of the log, which is valid.
pub(crate) struct Event<'a> {
    /// Its id; none where it is no UUID, which none of the log's own is.
    pub(crate) id: Option<Uuid>,
    /// Its type.
    pub(crate) event_type: Text<'a>,
    /// When it was recorded.
    pub(crate) time: DateTime<Utc>,
    /// What triggered it. What the bus brought may be caused by an id of any form; none of our own facts is.
    pub(crate) cause: Option<Uuid>,
    /// What it says; none where its type is not known.
    pub(crate) body: Option<Body>,
}

/// Text that is borrowed where it has no escapes.
#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// The members of an event that are read.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    Id,
    Type,
    Time,
    CausationId,
    Data,
    #[serde(other)]
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Event<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Event<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event<'de>, A::Error> {
        let (mut id, mut cause, mut event_type, mut time) = (None, None, None, None);
        let (mut body, mut unread) = (None, None);
        while let Some(member) = map.next_key()? {
            match member {
                Member::Id => id = uuid(map.next_value()?),
                Member::CausationId => cause = uuid(map.next_value()?),
                Member::Type => event_type = Some(map.next_value::<Text<'de>>()?),
                Member::Time => time = Some(map.next_value_seed(Time)?),
                Member::Data => match &event_type {
                    Some(Text(event_type)) => body = Some(map.next_value_seed(Data { event_type })?),
                    // Nothing promises that the type stands before the data, though the log writes it so.
                    None => unread = Some(map.next_value::<&RawValue>()?),
                },
                Member::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let event_type = event_type.ok_or_else(|| A::Error::missing_field("type"))?;
        if let Some(data) = unread {
            let mut data = serde_json::Deserializer::from_str(data.get());
            body = Some(Data { event_type: &event_type.0 }.deserialize(&mut data).map_err(A::Error::custom)?);
        }
        let body = body.ok_or_else(|| A::Error::missing_field("data"))?;
        let time = time.ok_or_else(|| A::Error::missing_field("time"))?;
        Ok(Event { id, event_type, time, cause, body })
    }
}

fn uuid(text: Option<Text<'_>>) -> Option<Uuid> {
    text.and_then(|Text(text)| Uuid::try_parse(&text).ok())
}

/// The data of an event of a type.
struct Data<'a> {
    event_type: &'a str,
}

impl<'de> DeserializeSeed<'de> for Data<'_> {
    type Value = Option<Body>;

    fn deserialize<D: Deserializer<'de>>(self, data: D) -> Result<Option<Body>, D::Error> {
        Body::read(self.event_type, data)
    }
}

/// A time of the log.
struct Time;

impl<'de> DeserializeSeed<'de> for Time {
    type Value = DateTime<Utc>;

    fn deserialize<D: Deserializer<'de>>(self, time: D) -> Result<DateTime<Utc>, D::Error> {
        time.deserialize_str(self)
    }
}

impl Visitor<'_> for Time {
    type Value = DateTime<Utc>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time of RFC 3339")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DateTime<Utc>, E> {
        // Several times as fast as what chrono's own implementation of `Deserialize` accepts besides.
        DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(E::custom)
    }
}
