//! `artifact.generated`: a text that is ready to be read, whole.

use crate::{Digest, Fact, SessionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One generated artifact. The text travels in the fact, so the log alone rebuilds every file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactGenerated {
    /// The session it was made from; null for a file that was queued by hand.
    pub session_id: Option<SessionId>,
    /// What it is.
    #[serde(rename = "type")]
    pub artifact_type: ArtifactType,
    /// Where it lies under the artifact folder: `<session_id>/<file>`.
    pub path: String,
    /// The media type of `content`.
    pub media_type: String,
    /// SHA-256 of `content` in UTF-8.
    pub sha256: Digest,
    /// Bytes of `content` in UTF-8, at most 256 KiB.
    pub size: u64,
    /// The template it was made with and the digest of its source; null where no template was used.
    pub template: Option<String>,
    /// What a reviewer should know: claims that do not follow, a score with its rules.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub notes: serde_json::Map<String, serde_json::Value>,
    /// The text itself.
    pub content: String,
}

/// The artifact types, each with its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ArtifactType {
    /// The repository's README with its managed blocks replaced, or a first one.
    Readme,
    /// What shipped in a build session.
    BuildLog,
    /// A post or thread about a session.
    SocialPost,
    /// The journal of a trading day.
    TradeJournal,
    /// A thread about a trading day.
    TradeThread,
    /// The equity curve of a trading session.
    EquityCurve,
    /// What was made and how it went.
    Devlog,
    /// Notes per screenshot.
    Gallery,
}

impl ArtifactType {
    /// Every type with its name on the wire, its file's name and its media type.
    pub const ALL: [(Self, &'static str, &'static str, &'static str); 8] = [
        (Self::Readme, "readme", "README.md", "text/markdown"),
        (Self::BuildLog, "build_log", "build-log.md", "text/markdown"),
        (Self::SocialPost, "social_post", "social_post.md", "text/markdown"),
        (Self::TradeJournal, "trade_journal", "trade_journal.md", "text/markdown"),
        (Self::TradeThread, "trade_thread", "social_trade_thread.md", "text/markdown"),
        (Self::EquityCurve, "equity_curve", "equity_curve.svg", "image/svg+xml"),
        (Self::Devlog, "devlog", "devlog_entry.md", "text/markdown"),
        (Self::Gallery, "gallery", "screenshot_notes.md", "text/markdown"),
    ];

    fn row(self) -> &'static (Self, &'static str, &'static str, &'static str) {
        Self::ALL.iter().find(|row| row.0 == self).expect("every type has a row")
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.row().1
    }

    /// The file's name.
    pub fn file_name(self) -> &'static str {
        self.row().2
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        self.row().3
    }
}

impl ArtifactGenerated {
    /// An artifact of a session, with its path, digest and size worked out.
    pub fn of_session(session_id: SessionId, artifact_type: ArtifactType, content: String) -> Self {
        Self {
            session_id: Some(session_id),
            artifact_type,
            path: format!("{session_id}/{}", artifact_type.file_name()),
            media_type: artifact_type.media_type().to_owned(),
            sha256: Digest::of(content.as_bytes()),
            size: content.len() as u64,
            template: None,
            notes: serde_json::Map::new(),
            content,
        }
    }
}

impl Fact for ArtifactGenerated {
    const TYPE: &'static str = "dev.dreamos.artifact.generated.v1";

    fn example() -> Self {
        let session = "a1b2c3d4-e5f6-7890-abcd-ef1234567890".parse().expect("a session id");
        Self::of_session(session, ArtifactType::BuildLog, "# The publish queue survives a crash\n".into())
    }
}
