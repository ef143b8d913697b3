//! What a schema asks for and what a value is, in plain words; and the nearest of some names.

use super::report::plain;
use serde_json::Value;

/// How much of a text is quoted in a message, in characters.
const QUOTED_CHARS_MAX: usize = 60;

/// A text as it may stand in a message.
pub fn cut(text: &str) -> String {
    let mut chars = text.chars();
    let mut cut: String = plain(&chars.by_ref().take(QUOTED_CHARS_MAX).collect::<String>());
    if chars.next().is_some() {
        cut.push_str("...");
    }
    cut
}

/// What a value is: `"eight"`, `-3`, `a list`, …
pub fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(bool) => bool.to_string(),
        Value::Number(number) => cut(&number.to_string()),
        Value::String(text) => format!("\"{}\"", cut(text)),
        Value::Array(items) if items.is_empty() => "an empty list".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// What a schema asks for.
pub fn expectation(schema: &Value) -> String {
    let names = choices(schema);
    if !names.is_empty() {
        return listed(&names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>());
    }
    for combined in ["anyOf", "oneOf"] {
        if let Some(options) = schema[combined].as_array() {
            let options: Vec<String> =
                options.iter().filter(|option| option["type"] != "null").map(expectation).collect();
            return listed(&options);
        }
    }
    let not_negative = schema["minimum"].as_i64() == Some(0) || schema["minimum"].as_f64() == Some(0.0);
    let or_more = if not_negative { ", 0 or more" } else { "" };
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect(),
        _ => Vec::new(),
    };
    let words: Vec<String> = kinds.iter().map(|kind| kind_words(kind, or_more, schema)).collect();
    if words.is_empty() { "another value".into() } else { listed(&words) }
}

fn kind_words(kind: &str, or_more: &str, schema: &Value) -> String {
    match kind {
        "integer" => format!("a whole number{or_more}"),
        "number" => format!("a number{or_more}"),
        "boolean" => "`true` or `false`".into(),
        "array" => "a list `[...]`".into(),
        "object" => match schema["required"].as_array().map(Vec::as_slice) {
            Some([Value::String(only)]) => format!("an object with `{only}`"),
            _ => "an object `{...}`".into(),
        },
        "string" if schema["format"] == "date-time" => {
            "a date and time with a zone, like `2025-12-02T05:20:00Z`".into()
        }
        "string" => match (schema["pattern"].as_str(), schema["maxLength"].as_u64()) {
            (Some(flywheel_events::id::SESSION_ID_PATTERN), _) => SESSION_ID.into(),
            (Some(flywheel_events::id::AGENT_ID_PATTERN), _) => AGENT_ID.into(),
            (Some(_), Some(max)) => format!("printable text, 1 to {max} characters"),
            _ => "text".into(),
        },
        other => other.into(),
    }
}

/// What a session id is.
pub const SESSION_ID: &str = "8-4-4-4-12 hexadecimal digits, like `a1b2c3d4-e5f6-7890-abcd-ef1234567890`";
/// What an agent id is.
pub const AGENT_ID: &str = "a letter or digit, then up to 63 letters, digits, `_` or `-`, like `Agent-7`";

/// The names a schema lets choose from: `enum`, or `oneOf` with a `const` each.
pub fn choices(schema: &Value) -> Vec<&str> {
    if let Some(names) = schema["enum"].as_array() {
        return names.iter().filter_map(Value::as_str).collect();
    }
    let options = schema["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    options.iter().filter_map(|option| option["const"].as_str()).collect()
}

/// `a`, `a or b`, `a, b or c`.
pub fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
    }
}

/// The nearest of some names, where one is near enough to have been meant: case, `-` and spaces do not count, and at
/// most one letter in three is wrong.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance is quadratic in the length, and no known name is long.
    if name.len() > 64 {
        return None;
    }
    let plain = |text: &str| -> String {
        text.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let name = plain(name);
    known
        .into_iter()
        .filter(|known| known.len().abs_diff(name.len()) * 3 <= known.len() + 6)
        .map(|known| (strsim::damerau_levenshtein(&name, &plain(known)), known))
        .filter(|(distance, known)| distance * 3 <= known.len().min(name.len().max(1)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["session_id", "session_type", "agent_id", "trade", "build"];
        for (name, expect) in [
            ("sesion_id", Some("session_id")),
            ("sessionId", Some("session_id")),
            ("AGENT-ID", Some("agent_id")),
            ("trades", Some("trade")),
            ("Build", Some("build")),
            ("deliverables", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(name, known), expect, "{name}");
        }
    }
}
