//! Identifiers, parsed once at the edge.

use crate::text;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, fmt, str::FromStr};
use uuid::Uuid;

/// A session's id: any 8-4-4-4-12 hexadecimal, held in lower case. Version and variant are not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Uuid);

/// The pattern a session id must match, for schemas.
pub const SESSION_ID_PATTERN: &str = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";

/// The pattern an agent id must match, for schemas.
pub const AGENT_ID_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$";

/// Why a text is no id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Not 36 characters of the form 8-4-4-4-12.
    #[error("`{0}` is not a session id: expected 8-4-4-4-12 hexadecimal digits")]
    Session(String),
    /// Not one of the characters an agent id may have, or too long.
    #[error("`{0}` is not an agent id: expected a letter or digit, then up to 63 letters, digits, `_` or `-`")]
    Agent(String),
}

impl SessionId {
    /// The 16 bytes of the id.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id as a UUID, for deriving others from it.
    pub fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for SessionId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl FromStr for SessionId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // `Uuid` also reads braces, `urn:uuid:` and bare digits; a session id is the hyphenated form alone.
        let hyphenated = text.len() == 36 && text.as_bytes()[8] == b'-';
        hyphenated
            .then(|| Uuid::try_parse(text).ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| Error::Session(text.to_owned()))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// An agent's id: `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`, so that it is one token of a subject and of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(String);

impl AgentId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AgentId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if first && rest && text.len() <= 64 { Ok(Self(text.to_owned())) } else { Err(Error::Agent(text.to_owned())) }
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! textual {
    ($type:ident, $pattern:expr, $about:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text::deserialize(deserializer)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $about })
            }
        }
    };
}

textual!(SessionId, SESSION_ID_PATTERN, "8-4-4-4-12 hexadecimal digits, stored in lower case");
textual!(AgentId, AGENT_ID_PATTERN, "a letter or digit, then up to 63 letters, digits, `_` or `-`");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_is_hyphenated_hexadecimal_of_any_version() {
        let stored = |text: &str| text.parse::<SessionId>().map(|id| id.to_string()).ok();
        assert_eq!(
            stored("A1B2C3D4-E5F6-7890-ABCD-EF1234567890").as_deref(),
            Some("a1b2c3d4-e5f6-7890-abcd-ef1234567890")
        );
        assert!(stored("00000000-0000-0000-0000-000000000002").is_some());
        for bad in [
            "",
            "uuid-here",
            "a1b2c3d4e5f67890abcdef1234567890",
            "{a1b2c3d4-e5f6-7890-abcd-ef1234567890}",
            "a1b2c3d4-e5f6-7890-abcd-ef123456789*",
            "../../../etc/passwd-aaaa-aaaa-aaaaaaaa",
            "ä1b2c3d4-e5f6-7890-abcd-ef123456789",
        ] {
            assert_eq!(stored(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_agent_id_is_one_token() {
        for good in ["Agent-7", "a", "0_x", &"a".repeat(64)] {
            assert!(good.parse::<AgentId>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a.b", "a b", "a/b", "*", ">", "é", &"a".repeat(65)] {
            assert!(bad.parse::<AgentId>().is_err(), "{bad}");
        }
    }
}
