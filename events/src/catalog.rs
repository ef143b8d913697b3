//! The table of events. A new event is one file in `events/` and one row here.

use crate::{Fact, asyncapi, events::*};
use schemars::{Schema, generate::SchemaSettings};
use serde_json::Value;

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// The CloudEvents `type`.
    pub event_type: &'static str,
    /// Whether it is a fact of the log. What is not is computed from it.
    pub in_log: bool,
    /// The JSON Schema (2020-12) of its data.
    pub schema: fn() -> Schema,
    /// The same as one draft 7 schema without references, for AsyncAPI.
    pub schema_inline: fn() -> Schema,
    /// One example of its data.
    pub example: fn() -> Value,
    /// Decodes data of this type and encodes it again, or says what is wrong with it.
    pub round_trip: fn(Value) -> Result<Value, serde_json::Error>,
}

impl Event {
    /// The name without prefix and version: `session.completed`.
    pub fn name(&self) -> &'static str {
        let name = self.event_type.strip_prefix("dev.dreamos.").expect("every type has the prefix");
        name.rsplit_once(".v").expect("every type has a version").0
    }
}

fn row<F: Fact>() -> Event {
    Event {
        event_type: F::TYPE,
        in_log: true,
        schema: || {
            let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<F>();
            schema.insert("title".into(), F::TYPE.into());
            schema
        },
        schema_inline: || asyncapi::settings().into_generator().into_root_schema_for::<F>(),
        example: || serde_json::to_value(F::example()).expect("a fact is plain JSON"),
        round_trip: |value| serde_json::to_value(serde_json::from_value::<F>(value)?),
    }
}

/// Every event, entry first, then in the order of the pipelines.
pub fn all() -> Vec<Event> {
    vec![
        row::<SessionCompleted>(),
        row::<RepoScanned>(),
        row::<StoryExtracted>(),
        row::<TradesNormalized>(),
        row::<TradingSummarized>(),
        row::<LessonsExtracted>(),
        row::<CreationExtracted>(),
        row::<ArtifactGenerated>(),
        row::<StepFailed>(),
        row::<StepSkipped>(),
        row::<SessionReady>(),
        row::<SessionRerunRequested>(),
        row::<SessionRejected>(),
        row::<PublicationQueued>(),
        row::<FeedbackRecorded>(),
        Event { in_log: false, ..row::<MetricChanged>() },
    ]
}

/// The row of a type, by its full type or its short name.
pub fn find(name: &str) -> Option<Event> {
    all().into_iter().find(|event| event.event_type == name || event.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_has_a_row() {
        let listing = include_str!("events/mod.rs");
        let files: BTreeSet<String> = listing
            .lines()
            .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
            .map(str::to_owned)
            .collect();
        let rows: BTreeSet<String> = all().iter().map(|event| event.name().replace('.', "_")).collect();
        assert_eq!(files, rows);
    }

    #[test]
    fn every_example_round_trips_and_obeys_its_schema() {
        for event in all() {
            let example = (event.example)();
            assert_eq!((event.round_trip)(example.clone()).expect(event.event_type), example, "{}", event.event_type);
            for schema in [(event.schema)(), (event.schema_inline)()] {
                let validator = jsonschema::validator_for(schema.as_value()).expect(event.event_type);
                let errors: Vec<_> = validator.iter_errors(&example).map(|error| error.to_string()).collect();
                assert!(errors.is_empty(), "{}: {errors:?}", event.event_type);
            }
        }
    }

    #[test]
    fn every_schema_says_what_its_event_is() {
        for event in all() {
            let schema = (event.schema)();
            assert!(schema.get("description").is_some(), "{} has no doc comment", event.event_type);
            let name = event.name().split('.').collect::<Vec<_>>();
            assert_eq!(name.len(), 2, "{} is <noun>.<past tense>", event.event_type);
        }
    }
}
