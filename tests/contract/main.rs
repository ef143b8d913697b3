//! The contract, kept as golden files: JSON Schemas, examples and the AsyncAPI document, all generated from the code.
//!
//! `UPDATE_GOLDENS=1 cargo test --test contract` writes them anew; a change of a published `v1` schema is a mistake.
#![allow(clippy::disallowed_methods, reason = "tests read and write golden files")]

use cloudevents::AttributesReader as _;
use flywheel_events::{asyncapi, catalog, envelope::Envelope, work_session};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a generated document with its golden file, or writes it.
fn golden(path: &str, value: &impl Serialize) {
    let text = serde_json::to_string_pretty(value).expect("plain JSON") + "\n";
    let path = root().join("events").join(path);
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes the folder");
        std::fs::write(&path, &text).expect("writes the golden file");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{} is not what the code generates: UPDATE_GOLDENS=1 writes it anew", path.display());
}

#[test]
fn the_schemas_and_examples_are_the_golden_ones() {
    let mut files = BTreeSet::from(["work_session.json".to_owned()]);
    for event in catalog::all() {
        golden(&format!("schemas/{}.json", event.event_type), &(event.schema)());
        golden(&format!("examples/{}.json", event.event_type), &(event.example)());
        files.insert(format!("{}.json", event.event_type));
    }
    golden("schemas/work_session.json", &work_session::work_session_schema());
    let kept: BTreeSet<String> = std::fs::read_dir(root().join("events/schemas"))
        .expect("the folder is there")
        .map(|entry| entry.expect("reads").file_name().into_string().expect("UTF-8"))
        .collect();
    assert_eq!(kept, files, "every file in events/schemas belongs to an event");
}

#[test]
fn every_schema_is_of_2020_12_and_valid() {
    for event in catalog::all() {
        let schema = (event.schema)().to_value();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{}: {error}", event.event_type));
    }
}

#[test]
fn the_asyncapi_document_is_the_golden_one_and_its_examples_are_valid() {
    let document = asyncapi::document();
    golden("asyncapi.json", &document);
    for event in catalog::all() {
        let message = &document["components"]["messages"][event.name()];
        let validator = jsonschema::draft7::new(&message["payload"]).expect(event.event_type);
        let example = &message["examples"][0]["payload"];
        let errors: Vec<_> = validator.iter_errors(example).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", event.event_type);
        let bytes = serde_json::to_vec(example).expect("plain JSON");
        let ours = Envelope::parse(&bytes).expect(event.event_type);
        let theirs: cloudevents::Event = serde_json::from_slice(&bytes).expect(event.event_type);
        assert_eq!((ours.id(), ours.event_type()), (theirs.id(), theirs.ty()));
    }
}

#[test]
fn what_is_told_of_a_refusal_and_answered_to_a_submission_is_as_the_document_says() {
    let document = asyncapi::document();
    for name in ["rejection", "answer"] {
        let message = &document["components"]["messages"][name];
        let validator = jsonschema::draft7::new(&message["payload"]).expect(name);
        for example in message["examples"].as_array().expect("has examples") {
            let errors: Vec<_> = validator.iter_errors(&example["payload"]).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{name}: {errors:?}");
        }
    }
}

/// `tests/run` installs the parser into an ignored folder; without it this fails, it never passes unseen.
#[test]
fn the_asyncapi_document_validates_with_the_official_parser() {
    let tools: PathBuf = root().join(".tools/asyncapi");
    assert!(tools.join("node_modules").exists(), "@asyncapi/parser is not installed: `tests/run` installs it");
    let output = Command::new("node")
        .arg(root().join("tests/contract/validate_asyncapi.mjs"))
        .arg(root().join("events/asyncapi.json"))
        .current_dir(&tools)
        .output()
        .expect("node runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("valid, 6 channels"), "{said}");
}
