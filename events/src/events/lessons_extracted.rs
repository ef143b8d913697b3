//! `lessons.extracted`: what a trading session teaches, each lesson with the trades it rests on.

use crate::{Fact, Figure, SessionId, stamp::Stamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The lessons of a session. No evidence, no lesson.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LessonsExtracted {
    /// The session.
    pub session_id: SessionId,
    /// In the order of the detectors; may be empty.
    pub lessons: Vec<Lesson>,
}

/// One lesson.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lesson {
    /// The detector that saw it, like `losers_held_longer`.
    pub detector: String,
    /// What was seen, with its figures: plain text, not yet escaped for any format.
    pub text: String,
    /// How many round trips were looked at.
    pub sample: u64,
    /// The trips it rests on; never empty.
    pub evidence: Vec<TripRef>,
}

/// A round trip, named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TripRef {
    /// Its index in `round_trips`.
    pub index: u64,
    /// What was traded.
    pub symbol: String,
    /// Its first entry.
    pub open_ts: Stamp,
    /// Its last exit.
    pub close_ts: Stamp,
    /// What it came to.
    pub net: Figure,
    /// The currency of `net`.
    pub currency: String,
}

impl Fact for LessonsExtracted {
    const TYPE: &'static str = "dev.dreamos.lessons.extracted.v1";

    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "session_id": "b2c3d4e5-f6a7-8901-bcde-f23456789012",
            "lessons": [{
                "detector": "dominant_loss",
                "text": "One loss made up 62 % of all losses (1 of 3).",
                "sample": 3,
                "evidence": [{
                    "index": 4, "symbol": "TSLA", "open_ts": "2025-12-02T14:30:00Z", "close_ts": "2025-12-02T14:41:00Z",
                    "net": "-310.5", "currency": "USD"
                }]
            }]
        }))
        .expect("the example is plain JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_round_trips_and_is_of_the_schema() {
        let event = crate::catalog::find(LessonsExtracted::TYPE).expect("a row of the table");
        let example = (event.example)();
        assert_eq!((event.round_trip)(example.clone()).expect("it decodes"), example);
        let schema = serde_json::to_value((event.schema)()).expect("JSON");
        assert!(jsonschema::is_valid(&schema, &example), "{schema:#}");
    }
}
