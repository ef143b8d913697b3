//! Where a fact lives: its key, which is written once, for ever.

use crate::{id::SessionId, text};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::{borrow::Cow, fmt, str::FromStr};
use uuid::{Uuid, uuid};

/// The UUIDv5 namespace of every id that is derived from a key.
pub const NAMESPACE: Uuid = uuid!("6f4b6c1e-7d0f-5c55-9a53-0f6d3f8f5b10");

/// The name of a step: `<pipeline>-<stage>`, or the name of a fact that no stage makes.
///
/// One token of a subject: lower-case letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(Cow<'static, str>);

impl Step {
    /// A step known at compile time.
    ///
    /// # Panics
    /// At compile time (in a `const`) or at start, when the name is not a token.
    pub const fn new(name: &'static str) -> Self {
        assert!(is_token(name.as_bytes()), "a step is lower-case letters, digits, _ and -");
        Self(Cow::Borrowed(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn is_token(bytes: &[u8]) -> bool {
    let mut i = 0;
    while i < bytes.len() {
        if !matches!(bytes[i], b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-') {
            return false;
        }
        i += 1;
    }
    !bytes.is_empty() && bytes.len() <= 64
}

impl FromStr for Step {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        is_token(text.as_bytes()).then(|| Self(Cow::Owned(text.to_owned()))).ok_or_else(|| Error(text.to_owned()))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the id in a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A work session.
    Session,
    /// An item of the publish queue.
    Publication,
    /// One piece of feedback.
    Feedback,
    /// A message that came in: an id of its bytes and of where it came.
    Message,
}

impl Kind {
    /// Every kind with its name on the wire.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Session, "session"),
        (Self::Publication, "publication"),
        (Self::Feedback, "feedback"),
        (Self::Message, "message"),
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map(|(_, name)| *name).expect("every kind has a row")
    }
}

/// A text that is no key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a key: expected <step>/<kind>/<uuid>/<run>")]
pub struct Error(String);

/// The key of a fact: `<step>/<kind>/<id>/<run>`.
///
/// `run` is the generation of a re-run, from 1; for publications it is the number of the transition, from 1.
/// The event id is the UUIDv5 of the key, so one unique index over 16 bytes keeps both unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The step whose outcome this is.
    pub step: Step,
    /// What `id` names.
    pub kind: Kind,
    /// The session, publication, feedback or message.
    pub id: Uuid,
    /// The generation, from 1.
    pub run: u32,
}

impl Key {
    /// The key of a step's outcome in one run of a session.
    pub fn session(step: Step, session: SessionId, run: u32) -> Self {
        Self { step, kind: Kind::Session, id: session.as_uuid(), run }
    }

    /// The event id: UUIDv5 of the key's text.
    pub fn event_id(&self) -> Uuid {
        Uuid::new_v5(&NAMESPACE, self.to_string().as_bytes())
    }

    /// The subject on the bus: `flywheel.log.<step>.<h1>.<h2>.<kind>.<id>.<run>`, with two hash nibbles of the id.
    pub fn subject(&self) -> String {
        let (h1, h2) = self.nibbles();
        format!("flywheel.log.{}.{h1:x}.{h2:x}.{}.{}.{}", self.step, self.kind.as_str(), self.id, self.run)
    }

    fn nibbles(&self) -> (u8, u8) {
        let byte = Sha256::digest(self.id.as_bytes())[0];
        (byte >> 4, byte & 15)
    }

    /// The key that a subject of the bus stands for.
    ///
    /// # Errors
    /// When it is not the one spelling of a key's subject.
    pub fn from_subject(subject: &str) -> Result<Self, Error> {
        let parse = || {
            let mut tokens = subject.strip_prefix("flywheel.log.")?.split('.');
            let (step, h1, h2) = (tokens.next()?, tokens.next()?, tokens.next()?);
            let key = Self::of_parts(step, &mut tokens)?;
            let is_nibble = |token: &str, nibble: u8| {
                token.len() == 1 && token.chars().next() == char::from_digit(nibble.into(), 16)
            };
            let nibbles = key.nibbles();
            (is_nibble(h1, nibbles.0) && is_nibble(h2, nibbles.1)).then_some(key)
        };
        parse().ok_or_else(|| Error(subject.to_owned()))
    }

    /// A key of its step and its other parts, in their one spelling: `01`, `+1` or an upper-case id would be another text for the
    /// same key.
    fn of_parts<'a>(step: &str, rest: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let (kind, id, run) = (rest.next()?, rest.next()?, rest.next()?);
        let kind = Kind::ALL.iter().find(|(_, name)| *name == kind)?.0;
        let one_spelling =
            run.starts_with(|first| matches!(first, '1'..='9')) && !id.bytes().any(|byte| byte.is_ascii_uppercase());
        let id: SessionId = id.parse().ok()?;
        let key = Self { step: step.parse().ok()?, kind, id: id.as_uuid(), run: run.parse().ok()? };
        (rest.next().is_none() && one_spelling).then_some(key)
    }

    /// The session, where the key is one of a session.
    pub fn session_id(&self) -> Option<SessionId> {
        (self.kind == Kind::Session).then(|| self.id.into())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.step, self.kind.as_str(), self.id.hyphenated(), self.run)
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let mut parts = text.split('/');
            Self::of_parts(parts.next()?, &mut parts)
        };
        parse().ok_or_else(|| Error(text.to_owned()))
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_spelling() {
        let text = "trade-normalize/session/b2c3d4e5-f6a7-8901-bcde-f23456789012/1";
        let key: Key = text.parse().expect("a key");
        assert_eq!(key.to_string(), text);
        assert_eq!(key.subject(), "flywheel.log.trade-normalize.f.e.session.b2c3d4e5-f6a7-8901-bcde-f23456789012.1");
        assert_eq!(Key::from_subject(&key.subject()), Ok(key.clone()));
        let with = |nibbles| key.subject().replace(".f.e.", nibbles);
        let more = format!("{}.1", key.subject());
        let bad = ["", "flywheel.log", "flywheel.log.a.f.e.session.x.1", &more];
        for bad in
            bad.into_iter().chain([".f.f.", ".F.e.", ".0f.e.", ".f..", ".."].map(with).iter().map(String::as_str))
        {
            assert!(Key::from_subject(bad).is_err(), "{bad}");
        }
        for bad in [
            "",
            "a/session/b2c3d4e5-f6a7-8901-bcde-f23456789012/01",
            "a/session/b2c3d4e5-f6a7-8901-bcde-f23456789012/+1",
            "a/session/B2C3D4E5-f6a7-8901-bcde-f23456789012/1",
            "a/session/b2c3d4e5-f6a7-8901-bcde-f23456789012/1/",
            "a/b/c/d",
            "a/session/x/1",
            "a/session/b2c3d4e5-f6a7-8901-bcde-f23456789012/0",
            "a.b/session/b2c3d4e5-f6a7-8901-bcde-f23456789012/1",
        ] {
            assert!(bad.parse::<Key>().is_err(), "{bad}");
        }
    }
}
