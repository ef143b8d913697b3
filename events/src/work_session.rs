//! The schema of `work_session.json`: `session.completed` plus what the program writes back into the file.

use crate::SessionCompleted;
use schemars::{Schema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// What `pipeline_status` may say about a pipeline.
pub const PIPELINE_STATUSES: [&str; 5] = ["pending", "complete", "partial", "failed", "not_applicable"];

/// The JSON Schema (2020-12) of a session file. It stands alone: nothing in it is a reference.
pub fn work_session_schema() -> Schema {
    let mut schema = session_schema();
    schema.insert("title".into(), json!("work_session.json"));
    schema.insert(
        "description".into(),
        json!(
            "A finished work session of an agent. Fields beyond these are kept. `artifacts` and `pipeline_status` are \
             written by the program after a run."
        ),
    );
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("artifacts".into(), artifacts());
        properties.insert("pipeline_status".into(), pipeline_status());
    }
    schema
}

/// The JSON Schema of [`SessionCompleted`] without references, so that an error names its own part.
pub fn session_schema() -> Schema {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<SessionCompleted>()
}

fn artifacts() -> Value {
    json!({
        "type": "object",
        "description": "What was made, by artifact type.",
        "additionalProperties": {
            "type": "object",
            "properties": {
                "generated": { "type": "boolean", "description": "Whether it was made." },
                "path": { "type": ["string", "null"], "description": "Where it lies." },
                "status": { "type": "string", "description": "`ready`, or why not: `failed`, `pending`, `not_applicable`." }
            }
        }
    })
}

fn pipeline_status() -> Value {
    let keys: Map<String, Value> = crate::SessionType::ALL
        .iter()
        .map(|kind| (kind.status_key().to_owned(), json!({ "type": "string", "enum": PIPELINE_STATUSES })))
        .collect();
    json!({ "type": "object", "description": "How far each pipeline is with the session.", "properties": keys })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fact as _;

    #[test]
    fn the_schema_takes_a_session_with_its_outputs_and_nothing_else_for_a_status() {
        let schema = serde_json::to_value(work_session_schema()).expect("a schema");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(!schema.to_string().contains("$ref"));
        let validator = jsonschema::draft202012::new(&schema).expect("a valid schema");
        let mut file = serde_json::to_value(SessionCompleted::example()).expect("JSON");
        file["artifacts"] = json!({ "readme": { "generated": true, "path": "README.md", "status": "ready" }, "x": {} });
        for status in PIPELINE_STATUSES {
            file["pipeline_status"] = json!({ "build_artifact": status });
            assert!(validator.is_valid(&file), "{status}");
        }
        file["pipeline_status"] = json!({ "build_artifact": "done" });
        assert!(!validator.is_valid(&file));
        file["pipeline_status"] = json!({});
        for (stamp, valid) in [("2025-12-02T05:20:00-06:00", true), ("2025-12-02T05:20:00", false), ("today", false)] {
            file["timestamp"] = json!(stamp);
            assert_eq!(validator.is_valid(&file), valid, "{stamp}");
        }
    }
}
