//! The AsyncAPI 3 document, from the table of events.

use crate::{catalog, envelope, id, key::NAMESPACE};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The AsyncAPI 3.0 document of the bus: what agents may publish, and what can be subscribed to.
pub fn document() -> Value {
    let events = catalog::all();
    let refs = |prefix: &str| -> Map<String, Value> {
        events
            .iter()
            .filter(|event| event.in_log)
            .map(|event| {
                (event.name().to_owned(), json!({ "$ref": format!("#/components/messages/{prefix}{}", event.name()) }))
            })
            .collect()
    };
    let one = |name: &str| json!({ name: { "$ref": format!("#/components/messages/{name}") } });
    let messages: Map<String, Value> = events.iter().map(|event| (event.name().to_owned(), message(event))).collect();
    let agent = json!({ "agent_id": {
        "description": "the agent: a letter or digit, then up to 63 letters, digits, `_` or `-`",
        "examples": ["Agent-7"],
    } });
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Flywheel",
            "version": "1.0.0",
            "description": "Facts about finished work sessions and the public artifacts made from them. Every message is a CloudEvent 1.0 in structured JSON.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": envelope::CONTENT_TYPE,
        "channels": {
            "inbox": {
                "address": "swarm.session.completed.{agent_id}",
                "description": "What agents publish when a session has ended. An agent may publish to its own subject and nothing else.",
                "parameters": agent,
                "messages": one("session.completed"),
            },
            "log": {
                "address": "flywheel.log.{step}.{h1}.{h2}.{kind}.{id}.{run}",
                "description": "The log: one subject a fact, written once, by flywheel only.",
                "parameters": {
                    "step": { "description": "`<pipeline>-<stage>`, or the name of a fact that no stage makes" },
                    "h1": { "description": "the first hexadecimal digit of the SHA-256 of the id's 16 bytes" },
                    "h2": { "description": "the second one" },
                    "kind": { "description": "what the id names", "enum": ["session", "publication", "feedback"] },
                    "id": { "description": "the session, publication or feedback, as a UUID" },
                    "run": { "description": "the generation of a re-run, or the number of a publication's transition, from 1" },
                },
                "messages": refs(""),
            },
            "rejected": {
                "address": "flywheel.rejected.{agent_id}",
                "description": "Inbox messages that were refused, with every reason.",
                "parameters": agent,
                "messages": one("session.rejected"),
            },
            "metrics": {
                "address": "flywheel.metrics.{name}",
                "description": "Each metric when it has another value. The last one of each is kept for those who come later.",
                "parameters": { "name": { "description": "the metric", "examples": ["pipeline_success_rate"] } },
                "messages": one("metric.changed"),
            },
        },
        "operations": {
            "receiveSession": {
                "action": "receive",
                "channel": { "$ref": "#/channels/inbox" },
                "summary": "Flywheel takes in finished sessions.",
            },
            "sendFact": {
                "action": "send",
                "channel": { "$ref": "#/channels/log" },
                "summary": "Flywheel records a fact.",
            },
            "sendRejection": {
                "action": "send",
                "channel": { "$ref": "#/channels/rejected" },
                "summary": "Flywheel says why it refused a message.",
            },
            "sendMetric": {
                "action": "send",
                "channel": { "$ref": "#/channels/metrics" },
                "summary": "Flywheel says that a metric has changed.",
            },
        },
        "components": { "messages": messages },
    })
}

fn message(event: &catalog::Event) -> Value {
    let mut schema = (event.schema_inline)().to_value();
    // AsyncAPI's own schema format is a superset of JSON Schema draft 7, without a dialect of its own.
    let members = schema.as_object_mut().expect("the schema of a struct is an object");
    members.remove("$schema");
    let about = members.get("description").cloned().unwrap_or_default();
    json!({
        "name": event.event_type,
        "title": event.name(),
        "summary": about,
        "contentType": envelope::CONTENT_TYPE,
        "payload": {
            "type": "object",
            "required": ["specversion", "id", "source", "type", "time", "data"],
            "properties": {
                "specversion": { "const": "1.0" },
                "id": { "type": "string", "minLength": 1, "description": "for facts: the UUIDv5 of the key" },
                "source": { "type": "string", "minLength": 1, "description": "the agent or the stage" },
                "type": { "const": event.event_type },
                "subject": { "type": "string", "minLength": 1, "description": "the session, or what else it is about" },
                "time": { "type": "string", "format": "date-time", "description": "when it was recorded" },
                "datacontenttype": { "const": "application/json" },
                "dataschema": { "type": "string", "description": "resolved by `flywheel schema`" },
                "correlationid": { "type": "string", "pattern": id::SESSION_ID_PATTERN, "description": "the session" },
                "causationid": { "type": "string", "description": "the event that triggered this one" },
                "traceparent": { "type": "string", "description": "the trace the event began in" },
                "data": schema,
            },
        },
        "examples": [{ "name": event.name(), "payload": example(event) }],
    })
}

fn example(event: &catalog::Event) -> Value {
    let session = "a1b2c3d4-e5f6-7890-abcd-ef1234567890";
    let data = (event.example)();
    let mut example = json!({
        "specversion": "1.0",
        "id": Uuid::new_v5(&NAMESPACE, format!("build-scan/session/{session}/1").as_bytes()),
        "source": "/flywheel/build/scan",
        "type": event.event_type,
        "subject": session,
        "time": "2025-12-02T11:20:01.5Z",
        "datacontenttype": "application/json",
        "dataschema": envelope::data_schema(event.event_type),
        "correlationid": session,
        "data": data,
    });
    if !event.in_log {
        example["source"] = "/flywheel/metrics".into();
        example["subject"] = data["name"].clone();
        example.as_object_mut().expect("an object").remove("correlationid");
    }
    example
}

/// How the schemas of AsyncAPI are generated: inlined, since a `$ref` there is resolved from the document's root.
pub(crate) fn settings() -> SchemaSettings {
    SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true)
}
