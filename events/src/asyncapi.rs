//! The AsyncAPI 3 document, from the table of events.

use crate::{
    SessionType, catalog, envelope, id,
    key::{Kind, NAMESPACE},
};
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
    let mut messages: Map<String, Value> =
        events.iter().map(|event| (event.name().to_owned(), message(event))).collect();
    messages.insert("rejection".to_owned(), rejection());
    messages.insert("answer".to_owned(), answer());
    let agent = json!({ "agent_id": {
        "description": "the agent: a letter or digit, then up to 63 letters, digits, `_` or `-`",
        "examples": ["Agent-7"],
    } });
    let kinds = Kind::ALL.map(|(_, name)| name);
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
            "submission": {
                "address": "swarm.session.submit.{agent_id}",
                "description": "The same by request: flywheel answers what became of the session. A service of the name `flywheel`, to be found by $SRV.PING and $SRV.INFO. An agent may publish to its own subject and nothing else.",
                "parameters": agent,
                "messages": one("session.completed"),
            },
            "answers": {
                "address": null,
                "description": "Where a request says that its answer is to go.",
                "messages": one("answer"),
            },
            "log": {
                "address": "flywheel.log.{step}.{h1}.{h2}.{kind}.{id}.{run}",
                "description": "The log: one subject a fact, written once, by flywheel only.",
                "parameters": {
                    "step": { "description": "`<pipeline>-<stage>`, or the name of a fact that no stage makes" },
                    "h1": { "description": "the first hexadecimal digit of the SHA-256 of the id's 16 bytes" },
                    "h2": { "description": "the second one" },
                    "kind": { "description": "what the id names", "enum": kinds },
                    "id": { "description": "the session, publication, feedback or message, as a UUID" },
                    "run": { "description": "the generation of a re-run, or the number of a publication's transition, from 1" },
                },
                "messages": refs(""),
            },
            "rejected": {
                "address": "flywheel.rejected.{agent_id}",
                "description": "Messages that were refused, with every reason. What named no agent is on `_`.",
                "parameters": agent,
                "messages": one("rejection"),
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
            "answerSubmission": {
                "action": "receive",
                "channel": { "$ref": "#/channels/submission" },
                "summary": "Flywheel takes in a finished session and says what became of it.",
                "reply": { "channel": { "$ref": "#/channels/answers" } },
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

/// A refusal as its agent is told of it: the fact, and the whole report.
fn rejection() -> Value {
    let mut message = message(&catalog::find("session.rejected").expect("there is a row"));
    message["title"] = "rejection".into();
    message["payload"]["properties"]["data"]["properties"]["report"] = report();
    message["examples"][0]["name"] = "rejection".into();
    message["examples"][0]["payload"]["data"]["report"] = report_example();
    message
}

/// What a report is: that of `flywheel session validate --json`.
fn report() -> Value {
    let problem = json!({
        "type": "object",
        "required": ["code", "severity", "pointer", "line", "column", "length", "message"],
        "properties": {
            "code": { "type": "string", "description": "a stable name for programs" },
            "severity": { "enum": ["error", "warning"] },
            "pointer": { "type": "string", "description": "the JSON pointer of the value, within the session" },
            "line": { "type": "integer", "description": "within the session, from 1" },
            "column": { "type": "integer", "description": "in characters, from 1" },
            "length": { "type": "integer", "description": "in characters" },
            "message": { "type": "string" },
            "expected": { "type": "string" },
            "hint": { "type": "string", "description": "what to do" },
            "did_you_mean": { "type": "string" },
        },
    });
    json!({
        "type": "object",
        "description": "what `flywheel session validate --json` says",
        "required": ["file", "valid", "errors", "warnings"],
        "properties": {
            "file": { "type": "string", "description": "the subject it came on" },
            "valid": { "type": "boolean" },
            "errors": { "type": "array", "items": problem },
            "warnings": { "type": "array", "items": problem },
            "cut": { "type": "boolean", "description": "true where not every problem has room" },
        },
    })
}

fn report_example() -> Value {
    json!({
        "file": "swarm.session.completed.Agent-7",
        "valid": false,
        "errors": [{
            "code": "missing_field", "severity": "error", "pointer": "/session_id", "line": 1, "column": 1, "length": 1,
            "message": "`session_id` is missing", "expected": "8-4-4-4-12 hexadecimal digits",
        }],
        "warnings": [],
    })
}

/// What became of a submission.
fn answer() -> Value {
    let warnings = report()["properties"]["warnings"].take();
    json!({
        "name": "answer",
        "title": "answer",
        "summary": "What became of a submission. With `conflict`, `rejected` and `unavailable` the headers Nats-Service-Error and Nats-Service-Error-Code say so too.",
        "contentType": "application/json",
        "payload": {
            "type": "object",
            "required": ["status"],
            "properties": {
                "status": {
                    "enum": ["accepted", "duplicate", "conflict", "rejected", "unavailable"],
                    "description": "duplicate: the same is there, which is a success; conflict: another session has this id; unavailable: submit it again",
                },
                "session_id": { "type": "string", "pattern": id::SESSION_ID_PATTERN },
                "session_type": { "enum": SessionType::ALL },
                "position": { "type": "integer", "description": "where the fact of this id is in the log" },
                "warnings": warnings,
                "removed": { "type": "array", "items": { "type": "string" }, "description": "what was taken out before it was stored" },
                "report": report(),
                "error": { "type": "string" },
                "hint": { "type": "string", "description": "what to do" },
            },
        },
        "examples": [
            {
                "name": "accepted",
                "payload": {
                    "status": "accepted", "session_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "session_type": "build",
                    "position": 17,
                },
            },
            { "name": "rejected", "payload": { "status": "rejected", "report": report_example() } },
        ],
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
