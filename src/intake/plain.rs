//! Whether a value plainly keeps a schema: a quick yes, or no answer at all.
//!
//! Nearly every session is good, and a validator that explains what is wrong takes longer to build than a session takes to
//! run. It is asked where this is not sure: at every error, and at every keyword that is not read here.

use regex::Regex;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Whether a value keeps a schema for certain.
pub fn keeps(schema: &Value, value: &Value) -> bool {
    match schema {
        Value::Bool(any) => *any,
        Value::Object(keywords) => keywords.iter().all(|(keyword, wanted)| keeps_one(keyword, wanted, value)),
        _ => false,
    }
}

fn keeps_one(keyword: &str, wanted: &Value, value: &Value) -> bool {
    let some = |schemas: &Value| schemas.as_array().map(|all| all.iter().filter(|schema| keeps(schema, value)).count());
    match keyword {
        "$schema" | "title" | "description" | "default" | "examples" | "format" => true,
        "type" => match wanted {
            Value::Array(names) => names.iter().any(|name| is_of(name, value)),
            name => is_of(name, value),
        },
        "properties" => match (wanted, value) {
            (Value::Object(known), Value::Object(members)) => {
                known.iter().all(|(name, schema)| members.get(name).is_none_or(|member| keeps(schema, member)))
            }
            (_, value) => !value.is_object(),
        },
        "additionalProperties" => wanted == &Value::Bool(true),
        "required" => match (wanted, value) {
            (Value::Array(names), Value::Object(members)) => {
                names.iter().all(|name| name.as_str().is_some_and(|name| members.contains_key(name)))
            }
            (_, value) => !value.is_object(),
        },
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| keeps(wanted, item))),
        "const" => wanted.is_string() && wanted == value,
        "anyOf" => some(wanted).is_some_and(|count| count > 0),
        // One that is not kept for certain might still be: what can differ in nothing but a constant cannot.
        "oneOf" => some(wanted) == Some(1) && wanted.as_array().is_some_and(|all| all.iter().all(is_constant)),
        "minimum" => match value {
            Value::Number(number) => wanted.as_u64() == Some(0) && !number.to_string().starts_with('-'),
            _ => true,
        },
        "pattern" => match (wanted, value) {
            (Value::String(pattern), Value::String(text)) => matches(pattern, text),
            (_, value) => !value.is_string(),
        },
        "minLength" | "maxLength" => match (wanted.as_u64(), value) {
            (Some(limit), Value::String(text)) => {
                let length = text.chars().count() as u64;
                if keyword == "minLength" { length >= limit } else { length <= limit }
            }
            (_, value) => !value.is_string(),
        },
        _ => false,
    }
}

fn is_of(name: &Value, value: &Value) -> bool {
    match (name.as_str(), value) {
        (Some("null"), Value::Null)
        | (Some("boolean"), Value::Bool(_))
        | (Some("string"), Value::String(_))
        | (Some("array"), Value::Array(_))
        | (Some("object"), Value::Object(_))
        | (Some("number"), Value::Number(_)) => true,
        // `8.0` is a whole number too, but not plainly.
        (Some("integer"), Value::Number(number)) => number.is_u64() || number.is_i64(),
        _ => false,
    }
}

fn is_constant(schema: &Value) -> bool {
    schema.get("const").is_some_and(Value::is_string)
}

/// Whether a text matches a pattern of the schema's, where that is one for this kind of expressions too.
fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: Mutex<BTreeMap<String, Arc<Option<Regex>>>> = Mutex::new(BTreeMap::new());
    let compiled = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = compiled().get(pattern).cloned();
    let regex = known.unwrap_or_else(|| {
        let regex = Arc::new(Regex::new(pattern).ok());
        compiled().insert(pattern.to_owned(), regex.clone());
        regex
    });
    regex.as_ref().as_ref().is_some_and(|regex| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flywheel_events::work_session;
    use jsonschema::Validator;
    use proptest::{prelude::*, sample::Index};
    use serde_json::json;
    use std::sync::LazyLock;

    static SCHEMA: LazyLock<Value> = LazyLock::new(|| work_session::session_schema().to_value());
    static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| jsonschema::draft202012::new(&SCHEMA).expect("a schema"));

    #[expect(clippy::disallowed_methods, reason = "a test reads the examples")]
    fn example(name: &str) -> Value {
        let path = format!("{}/tests/examples/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_slice(&std::fs::read(path).expect("an example")).expect("JSON")
    }

    #[test]
    fn usual_sessions_need_no_validator() {
        assert!(keeps(&SCHEMA, &example("trade")) && keeps(&SCHEMA, &example("life_aria")));
    }

    /// Every place in a document.
    fn places(value: &Value, at: String, found: &mut Vec<String>) {
        match value {
            Value::Array(items) => {
                (0..).zip(items).for_each(|(n, item): (u32, _)| places(item, format!("{at}/{n}"), found))
            }
            Value::Object(members) => {
                members.iter().for_each(|(name, member)| places(member, format!("{at}/{name}"), found))
            }
            _ => {}
        }
        found.push(at);
    }

    fn anything() -> impl Strategy<Value = Value> {
        let number = |text: &str| serde_json::from_str::<Value>(text).expect("a number");
        let numbers = ["8", "8.0", "8.5", "-1", "-0", "-0.0", "1e400", "-1e-400", "18446744073709551616"].map(number);
        let texts =
            ["", "a", "build", "2025-12-02T05:20:00Z", "../x", " a", "A-1", "a1b2c3d4-e5f6-7890-abcd-ef1234567890"];
        let mut all =
            vec![json!(null), json!(true), json!([]), json!({}), json!([null]), json!({ "path": 1 }), json!(["a"])];
        all.extend(numbers);
        all.extend(texts.map(|text| json!(text)));
        all.push(json!("x".repeat(200)));
        prop::sample::select(all)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(2000)))]

        #[test]
        fn what_it_says_the_validator_says(
            name in prop::sample::select(vec!["build", "trade", "life_aria"]),
            changes in prop::collection::vec((any::<Index>(), prop::option::of(anything())), 0..4),
        ) {
            let mut document = example(name);
            for (place, change) in changes {
                let mut found = vec![];
                places(&document, String::new(), &mut found);
                let place = place.get(&found);
                match (change, place.rsplit_once('/')) {
                    (Some(change), _) => *document.pointer_mut(place).expect("a place") = change,
                    (None, Some((parent, name))) => {
                        if let Some(members) = document.pointer_mut(parent).and_then(Value::as_object_mut) {
                            members.remove(name);
                        }
                    }
                    (None, None) => {}
                }
            }
            if keeps(&SCHEMA, &document) {
                prop_assert!(VALIDATOR.is_valid(&document), "{document}");
            }
        }
    }
}
