//! What makes two facts the same: canonical content and its digest.

mod serializer;

use crate::{Fact, SessionCompleted, text};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, value::RawValue};
use sha2::{Digest as _, Sha256};
use std::{borrow::Cow, fmt, fmt::Write as _, str::FromStr};

/// A SHA-256, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The raw 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The chain value before the first fact: 32 zero bytes.
    pub const GENESIS: Self = Self([0; 32]);

    /// The next value of the log's hash chain: SHA-256(previous ‖ key ‖ digest of the event's bytes).
    ///
    /// `self` and `event` enter as their 32 raw bytes, the key as its text in UTF-8.
    pub fn chain(&self, key: &crate::Key, event: &Self) -> Self {
        self.chain_text(&key.to_string(), event)
    }

    /// As [`chain`](Self::chain), of a key that is text already.
    pub fn chain_text(&self, key: &str, event: &Self) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(key);
        hasher.update(event.0);
        Self(hasher.finalize().into())
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(const_hex::Buffer::<32>::new().format(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = const_hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The decoder takes what begins with `0x`, too.
        if text.len() != 64 {
            return Err(Self::Err::InvalidStringLength);
        }
        let mut bytes = [0; 32];
        const_hex::decode_to_slice(text, &mut bytes).map(|()| Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer)
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256, lower-case hexadecimal" })
    }
}

/// The digest of a fact's content: its type and its canonical data.
///
/// Of a session, `artifacts` and `pipeline_status` are outputs and no content.
pub fn content_digest(event_type: &str, data: &Value) -> Digest {
    digest_and_text(event_type, data).0
}

/// The digest of a fact's content, and its data as text: JSON in which numbers stand as they were given.
pub fn digest_and_text(event_type: &str, data: &Value) -> (Digest, String) {
    let mut out = Writer::new();
    let begins = out.begin(event_type);
    let is_session = event_type == SessionCompleted::TYPE;
    out.value(data, if is_session { &["artifacts", "pipeline_status"] } else { &[] });
    let digest = Digest::of(&out.text);
    if !out.as_given {
        return (digest, data.to_string());
    }
    out.text.drain(..begins);
    (digest, out.finish())
}

/// As [`digest_and_text`] of the value that a fact serialises to, which is made only where it has to be.
pub fn digest_and_text_of<F: Fact>(fact: &F) -> (Digest, String) {
    let of_value = || digest_and_text(F::TYPE, &serde_json::to_value(fact).expect("a fact is plain JSON"));
    if F::TYPE == SessionCompleted::TYPE {
        return of_value();
    }
    let mut out = Writer::new();
    let begins = out.begin(F::TYPE);
    fact.serialize(&mut out).expect("a fact is plain JSON");
    if !out.as_given {
        return of_value();
    }
    let digest = Digest::of(&out.text);
    out.text.drain(..begins);
    let direct = (digest, out.finish());
    debug_assert_eq!(direct, of_value());
    direct
}

/// Whether data has this digest as its content. Data that is written canonically, as most facts are, is not parsed for it.
///
/// # Errors
/// When the data is no JSON.
pub fn is_content(digest: &Digest, event_type: &str, data: &RawValue) -> Result<bool, serde_json::Error> {
    let mut head = Writer::new();
    head.begin(event_type);
    let written = Sha256::new().chain_update(head.text).chain_update(data.get());
    if Digest(written.finalize().into()) == *digest {
        return Ok(true);
    }
    Ok(content_digest(event_type, &serde_json::from_str(data.get())?) == *digest)
}

/// Canonical JSON: keys sorted by their bytes, no white space, numbers as exact decimals (`1.50`, `15e-1` → `1.5`).
pub fn to_string(value: &Value) -> String {
    let mut out = Writer::new();
    out.value(value, &[]);
    out.finish()
}

/// Writes canonical JSON.
struct Writer {
    text: Vec<u8>,
    /// Whether that is what was given: nothing was left out, and no number had another spelling.
    as_given: bool,
}

impl Writer {
    fn new() -> Self {
        Self { text: Vec::with_capacity(4096), as_given: true }
    }

    /// Writes what stands before the data where a digest is taken of both: the type. Where the data begins.
    fn begin(&mut self, event_type: &str) -> usize {
        write_string(&mut self.text, event_type);
        self.text.push(b'\n');
        self.text.len()
    }

    fn value(&mut self, value: &Value, skip: &[&str]) {
        match value {
            Value::Null => self.text.extend_from_slice(b"null"),
            Value::Bool(value) => self.text.extend_from_slice(if *value { b"true" } else { b"false" }),
            Value::Number(number) => self.number(number.as_str()),
            Value::String(text) => write_string(&mut self.text, text),
            Value::Array(items) => {
                self.text.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        self.text.push(b',');
                    }
                    self.value(item, &[]);
                }
                self.text.push(b']');
            }
            Value::Object(members) => self.object(members, skip),
        }
    }

    /// `serde_json::Map` is ordered by key here: the `preserve_order` feature must stay off.
    fn object(&mut self, members: &Map<String, Value>, skip: &[&str]) {
        self.text.push(b'{');
        let mut first = true;
        for (name, member) in members {
            if skip.contains(&name.as_str()) {
                self.as_given = false;
                continue;
            }
            if !std::mem::take(&mut first) {
                self.text.push(b',');
            }
            write_string(&mut self.text, name);
            self.text.push(b':');
            self.value(member, &[]);
        }
        self.text.push(b'}');
    }

    fn number(&mut self, text: &str) {
        if is_plain_number(text) {
            self.text.extend_from_slice(text.as_bytes());
            return;
        }
        let canonical = canonical_number(text);
        self.as_given &= canonical == text;
        self.text.extend_from_slice(canonical.as_bytes());
    }

    fn finish(self) -> String {
        String::from_utf8(self.text).expect("JSON is text")
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string is JSON");
}

/// Whether a number is spelled canonically beyond doubt, as most are: `17`, `-3`, `1.25`.
fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "1"));
    let plain = |part: &str| part.len() <= 18 && part.bytes().all(|byte| byte.is_ascii_digit());
    plain(whole)
        && plain(fraction)
        && !fraction.ends_with('0')
        && (whole != "0" || text.len() > "-0".len() || text == "0")
}

/// One spelling per number, from its JSON text. Never expands an exponent beyond 40 places: `1e999999999` stays short.
fn canonical_number(text: &str) -> String {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let trimmed = digits.trim_end_matches('0');
    if trimmed.is_empty() {
        return "0".to_owned();
    }
    // The value is `trimmed` × 10^scale.
    let dropped = (digits.len() - trimmed.len()) as i128;
    let Ok(exponent) = exponent.parse::<i64>() else {
        return format!("{}{trimmed}e{exponent}-{}+{dropped}", if negative { "-" } else { "" }, fraction.len());
    };
    let scale = i128::from(exponent) - fraction.len() as i128 + dropped;
    let mut out = String::from(if negative { "-" } else { "" });
    match scale {
        0..=40 => {
            out.push_str(trimmed);
            (0..scale).for_each(|_| out.push('0'));
        }
        -40..0 => {
            let places = scale.unsigned_abs() as usize;
            let padded = format!("{trimmed:0>width$}", width = places + 1);
            let (whole, fraction) = padded.split_at(padded.len() - places);
            write!(out, "{whole}.{fraction}").expect("a string takes all text");
        }
        _ => write!(out, "{trimmed}e{scale}").expect("a string takes all text"),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_has_one_spelling() {
        for (text, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.5", "-0.5"),
            ("0.0", "0"),
            ("-17", "-17"),
            ("175.50", "175.5"),
            ("1755e-1", "175.5"),
            ("1.7550E+2", "175.5"),
            ("-0.0", "0"),
            ("100", "100"),
            ("1e2", "100"),
            ("0.001", "0.001"),
            ("1e-3", "0.001"),
            ("1e400", "1e400"),
            ("10e399", "1e400"),
            ("12345678901234567890123456789.123456789", "12345678901234567890123456789.123456789"),
        ] {
            assert_eq!(canonical_number(text), expected, "{text}");
            let mut written = Writer::new();
            written.number(text);
            assert_eq!((written.as_given, &*written.finish()), (text == expected, expected), "{text}");
        }
    }

    #[test]
    fn data_has_its_digest_however_it_is_written() {
        let canonical = r#"{"a":[1,2.5],"b":"ü"}"#;
        let digest = content_digest("x.y", &serde_json::from_str(canonical).expect("JSON"));
        for (text, expected) in
            [(canonical, true), (r#"{"b": "\u00fc", "a": [1, 2.50]}"#, true), (r#"{"a":[1,2.6],"b":"ü"}"#, false)]
        {
            let data: Box<RawValue> = serde_json::from_str(text).expect("JSON");
            assert_eq!(is_content(&digest, "x.y", &data).expect("JSON"), expected, "{text}");
            assert!(!is_content(&digest, "x.z", &data).expect("JSON"), "the type is content");
        }
    }

    #[test]
    fn text_is_data_as_it_was_given() {
        let session = SessionCompleted::TYPE;
        for (event_type, given) in [
            ("x.y", r#"{"a":[1,-2.5,null,true],"b":"ü\n"}"#),
            ("x.y", r#"{"a":[1.50,1e2],"artifacts":{}}"#),
            ("x.y", r#"{"artifacts":{"x":1}}"#),
            (session, r#"{"artifacts":{"x":1},"b":1}"#),
        ] {
            let data: Value = serde_json::from_str(given).expect("JSON");
            let (digest, text) = digest_and_text(event_type, &data);
            assert_eq!((text, digest), (data.to_string(), content_digest(event_type, &data)), "{given}");
        }
    }

    #[test]
    fn outputs_are_no_content_of_a_session_but_anything_else_is() {
        let digest =
            |text: &str| content_digest("dev.dreamos.session.completed.v1", &serde_json::from_str(text).expect("JSON"));
        let plain = digest(r#"{"a":1,"b":1.50}"#);
        assert_eq!(plain, digest(r#"{"b":1.5,"a":1,"artifacts":{"x":1},"pipeline_status":{}}"#));
        assert_ne!(plain, digest(r#"{"a":1,"b":1.51}"#));
        let nested = |n| content_digest("dev.dreamos.session.completed.v1", &json!({ "x": { "artifacts": n } }));
        assert_ne!(nested(1), nested(2), "only the top level is skipped");
    }
}
