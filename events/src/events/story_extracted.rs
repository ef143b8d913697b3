//! `story.extracted`: what happened and why, each statement with the evidence it rests on.

use crate::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The story of a session. What has no evidence is null or empty, never invented.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoryExtracted {
    /// One paragraph: what the session was about.
    pub overview: Option<Statement>,
    /// What is new for a user.
    pub key_features: Vec<Statement>,
    /// What was wrong or missing.
    pub problem: Option<Statement>,
    /// What was done about it.
    pub solution: Option<Statement>,
    /// What was learnt.
    pub lessons: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Statement {
    /// The words, taken from the evidence: plain text, not yet escaped for any format.
    pub text: String,
    /// What it rests on; never empty.
    pub evidence: Vec<Evidence>,
}

/// Where a statement comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// A commit, by hash.
    Commit(String),
    /// A record of the session, like `source_data.conversations[0]`.
    Record(String),
    /// A field of the session, like `metadata.session_summary`.
    Field(String),
}

impl Fact for StoryExtracted {
    const TYPE: &'static str = "dev.dreamos.story.extracted.v1";

    fn example() -> Self {
        Self {
            overview: Some(Statement {
                text: "The publish queue now survives a crash.".into(),
                evidence: vec![Evidence::Field("metadata.session_summary".into())],
            }),
            key_features: vec![Statement {
                text: "Items are kept across a crash".into(),
                evidence: vec![Evidence::Commit("9fceb02d0ae598e95dc970b74767f19372d61af8".into())],
            }],
            ..Self::default()
        }
    }
}
