//! What differs between a configuration that is wanted and one that is there.

use serde::Serialize;
use serde_json::{Map, Value};

/// Differences in words, one a key, in the order of the keys. What the server or an operator adds on its own is none:
/// metadata, placement, and names that a server writes in two places.
pub fn differences<T: Serialize>(wanted: &T, found: &T) -> Vec<String> {
    const NOT_OURS: [&str; 4] = ["metadata", "placement", "consumer_limits", "name"];
    let (wanted, found) = (object(wanted), object(found));
    let keys = wanted.keys().chain(found.keys().filter(|key| !wanted.contains_key(*key)));
    keys.filter(|key| !NOT_OURS.contains(&key.as_str()))
        .filter_map(|key| {
            let (wanted, found) = (value(&wanted, key), value(&found, key));
            (wanted != found).then(|| format!("{key} is {found}, and must be {wanted}"))
        })
        .collect()
}

fn object<T: Serialize>(config: &T) -> Map<String, Value> {
    match serde_json::to_value(config) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// A default that is written and one that is left out are the same.
fn value(config: &Map<String, Value>, key: &str) -> String {
    let value = config.get(key).unwrap_or(&Value::Null);
    let default = match value {
        Value::Null => true,
        Value::Bool(yes) => !yes,
        Value::Number(number) => matches!(number.as_i64(), Some(0 | -1)),
        // A server writes out what the client leaves unsaid: no compression.
        Value::String(text) => matches!(text.as_str(), "" | "none"),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    };
    if default { "unset".to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_nats::jetstream::stream::Config;

    #[test]
    fn a_difference_names_the_key_and_both_values() {
        let wanted = Config { name: "A".into(), max_messages_per_subject: 1, deny_delete: true, ..Config::default() };
        let found = Config { max_messages: -1, allow_rollup: true, deny_delete: false, ..wanted.clone() };
        assert_eq!(
            differences(&wanted, &found),
            ["deny_delete is unset, and must be true", "allow_rollup_hdrs is true, and must be unset"]
        );
        assert!(differences(&wanted, &wanted).is_empty());
    }
}
