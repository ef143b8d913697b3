//! `session.completed`: what an agent says it did. The entry of every pipeline, and the format of `work_session.json`.

use crate::{AgentId, Digest, Fact, SessionId, stamp::Stamp};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The pattern of a commit's hash: no control characters, none that is invisible or reorders others.
const COMMIT_HASH_PATTERN: &str =
    r"^(?![\x20\xa0])[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+$";

/// A finished work session, as its agent reports it (`work_session.json`).
///
/// Fields beyond these are kept and used as evidence for the story. `artifacts` and `pipeline_status` are outputs:
/// they stand in the file, never in the fact.
// `flatten` is safe here although it ruins serde's errors: input is judged by the schema before it is decoded,
// and what is in the log is valid already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionCompleted {
    /// The session's id: 8-4-4-4-12 hexadecimal digits.
    pub session_id: SessionId,
    /// Which pipeline the session takes.
    pub session_type: SessionType,
    /// When the session ended: RFC 3339 with an offset. Its window is [end − duration, end].
    // Most validators do not assert `format`; the pattern holds what matters most.
    #[schemars(extend("pattern" = "([Zz]|[+-][0-9]{2}:[0-9]{2})$"))]
    pub timestamp: Stamp,
    /// The agent that worked.
    pub agent_id: AgentId,
    /// What the agent counted. Claims: every one that can be recomputed is checked.
    #[serde(default, deserialize_with = "null_is_empty")]
    #[schemars(with = "Option<Metadata>")]
    pub metadata: Metadata,
    /// What the session left behind.
    #[serde(default, deserialize_with = "null_is_empty")]
    #[schemars(with = "Option<SourceData>")]
    pub source_data: SourceData,
    /// Every other top-level field.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Agents write `null` where they have nothing.
fn null_is_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The three kinds of session, one pipeline each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum SessionType {
    /// Work on a repository.
    Build,
    /// Executed trades.
    Trade,
    /// Something made with Aria: a game, a site, a piece of life.
    LifeAria,
}

impl SessionType {
    /// All types, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Build, Self::Trade, Self::LifeAria];

    /// The name on the wire, which is also the pipeline's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Trade => "trade",
            Self::LifeAria => "life_aria",
        }
    }

    /// The key of this pipeline in a session file's `pipeline_status`.
    pub fn status_key(self) -> &'static str {
        match self {
            Self::Build => "build_artifact",
            Self::Trade => "trade_artifact",
            Self::LifeAria => "life_aria_artifact",
        }
    }
}

/// What the agent counted; all of it optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// Length of the session in minutes, not negative.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "rust_decimal::serde::arbitrary_precision_option"
    )]
    #[schemars(with = "Option<f64>", range(min = 0))]
    pub duration_minutes: Option<Decimal>,
    /// Files changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_changed: Option<u64>,
    /// Commits made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commits: Option<u64>,
    /// Lines added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines_added: Option<u64>,
    /// Lines removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines_removed: Option<u64>,
    /// Trades executed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trades_executed: Option<u64>,
    /// Claimed profit or loss, a number or its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_pnl: Option<Value>,
    /// Claimed win rate in percent, a number or its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub win_rate: Option<Value>,
    /// Claimed largest drawdown in money, a number or its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_drawdown: Option<Value>,
    /// Things made in a life/aria session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts_created: Option<u64>,
    /// Screenshots taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screenshots_taken: Option<u64>,
    /// The name under which the agent commits; without it, the agent's id is the author looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_author: Option<String>,
    /// Every other field.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What the session left behind; all of it optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourceData {
    /// The repository: absolute, or relative to the session file's folder. In the log only its last component stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo_path: Option<String>,
    /// The session's commits as the agent lists them.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<CommitRecord>>")]
    pub git_commits: Vec<CommitRecord>,
    /// Closed trades (`action`, `quantity`, `price`, `timestamp`, `exit_price`, `exit_timestamp`, `profit_loss`) or raw
    /// fills. A bad record is reported with its index by the trade pipeline, so nothing is refused here.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<Value>>")]
    pub trades: Vec<Value>,
    /// Raw fills: `exec_id`, `ts`, `symbol`, `account`, `side`, `qty`, `price`, `fee`, `fee_currency`, …
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<Value>>")]
    pub fills: Vec<Value>,
    /// How to read the fills: `matching`, `session`, `import_tz`, `fee_rates`, `base_currency`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trading: Option<Map<String, Value>>,
    /// What the market was like, in the agent's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market_conditions: Option<Map<String, Value>>,
    /// Conversations and notes.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<Conversation>>")]
    pub conversations: Vec<Conversation>,
    /// Screenshots, as paths relative to the session file's folder.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<Screenshot>>")]
    pub screenshots: Vec<Screenshot>,
    /// Every other field.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A commit as an agent lists it. Only the hash is needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommitRecord {
    /// Any printable text that begins with a visible character; a real hash is looked up in the repository.
    #[schemars(length(min = 1, max = 128), regex(pattern = COMMIT_HASH_PATTERN))]
    pub hash: String,
    /// The whole message or its first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The author's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// When it was made; a bad stamp is a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Value>,
    /// The files it changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Every other field.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One conversation or note.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Conversation {
    /// Who it was with, or where: `aria`, `captain`, `note`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What was said.
    #[serde(default)]
    pub content: String,
    /// When; a bad stamp is a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Value>,
    /// What was made in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Creation>,
    /// Every other field.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Something a session made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Creation {
    /// What kind of thing: `game`, `website`, …
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it lies. In the log an absolute path keeps only its last component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What it was made with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub technologies: Vec<String>,
    /// Every other field.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A screenshot: a path, or a path with what it shows.
// `untagged` is safe for the same reason as `flatten` above: the schema has judged the input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Screenshot {
    /// A path.
    Path(String),
    /// A path with a caption or alternative text.
    Described {
        /// The path.
        path: String,
        /// What it shows, for people who see it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caption: Option<String>,
        /// What it shows, for people who do not see it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alt: Option<String>,
        /// SHA-256 of its bytes, as they were uploaded to the blob store: with it they are found from any machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<Digest>,
    },
}

impl Screenshot {
    /// The path, however it was given.
    pub fn path(&self) -> &str {
        match self {
            Self::Path(path) | Self::Described { path, .. } => path,
        }
    }

    /// The digest of its bytes, where it was uploaded.
    pub fn sha256(&self) -> Option<&Digest> {
        match self {
            Self::Path(_) => None,
            Self::Described { sha256, .. } => sha256.as_ref(),
        }
    }
}

impl Fact for SessionCompleted {
    const TYPE: &'static str = "dev.dreamos.session.completed.v1";

    fn example() -> Self {
        serde_json::from_value(serde_json::json!({
            "session_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
            "session_type": "build",
            "timestamp": "2025-12-02T05:20:00-06:00",
            "agent_id": "Agent-7",
            "metadata": { "duration_minutes": 120, "commits": 1, "git_author": "Agent-7" },
            "source_data": {
                "repo_path": "flywheel",
                "git_commits": [{ "hash": "abc123def456", "message": "feat: add the publish queue" }]
            },
            "key_achievements": ["The queue survives a crash"]
        }))
        .expect("the example is a session")
    }
}
