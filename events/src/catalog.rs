//! The table of events. A new event is one file in `events/` and one row here.

use crate::{Fact, events::*};
use schemars::{Schema, generate::SchemaSettings};
use serde_json::Value;

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// The CloudEvents `type`.
    pub event_type: &'static str,
    /// The JSON Schema (2020-12) of its data.
    pub schema: fn() -> Schema,
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
        schema: || {
            let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<F>();
            schema.insert("title".into(), F::TYPE.into());
            schema
        },
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
        row::<CreationExtracted>(),
        row::<ArtifactGenerated>(),
        row::<StepFailed>(),
        row::<StepSkipped>(),
        row::<SessionReady>(),
        row::<SessionRerunRequested>(),
        row::<SessionRejected>(),
        row::<PublicationQueued>(),
        row::<FeedbackRecorded>(),
    ]
}

/// The row of a type, by its full type or its short name.
pub fn find(name: &str) -> Option<Event> {
    all().into_iter().find(|event| event.event_type == name || event.name() == name)
}
