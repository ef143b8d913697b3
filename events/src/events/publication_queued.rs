//! `publication.queued`: one artifact version waits to be published at one place.

use crate::{ArtifactType, Digest, Fact, SessionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An item of the publish queue: one artifact version × one target × one account. The first transition of its stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicationQueued {
    /// The item: a UUIDv5 of type, digest, target and account, so equal content is never queued twice for one place.
    pub item_id: Uuid,
    /// The session the artifact was made from; null for a file that was queued by hand.
    pub session_id: Option<SessionId>,
    /// What it is.
    pub artifact_type: ArtifactType,
    /// Where the artifact lies under the artifact folder.
    pub path: String,
    /// SHA-256 of the artifact's text.
    pub sha256: Digest,
    /// Where it is to be published.
    pub target: Target,
    /// Under which account there.
    pub account: String,
}

/// Where artifacts are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Target {
    /// A branch in the project's repository.
    Github,
    /// The static site.
    Website,
    /// Social platforms.
    Social,
}

impl Target {
    /// Every target with its name on the wire.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Github, "github"), (Self::Website, "website"), (Self::Social, "social")];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(target, _)| *target == self).map(|(_, name)| *name).expect("every target has a row")
    }
}

impl PublicationQueued {
    /// The item that publishes this artifact at this place.
    pub fn item_id(artifact_type: ArtifactType, sha256: &Digest, target: Target, account: &str) -> Uuid {
        let name = format!("publication/{}/{sha256}/{}/{account}", artifact_type.as_str(), target.as_str());
        Uuid::new_v5(&crate::key::NAMESPACE, name.as_bytes())
    }
}

impl Fact for PublicationQueued {
    const TYPE: &'static str = "dev.dreamos.publication.queued.v1";

    fn example() -> Self {
        let sha256 = Digest::of(b"# The publish queue survives a crash\n");
        Self {
            item_id: Self::item_id(ArtifactType::BuildLog, &sha256, Target::Website, "default"),
            session_id: Some("a1b2c3d4-e5f6-7890-abcd-ef1234567890".parse().expect("a session id")),
            artifact_type: ArtifactType::BuildLog,
            path: "a1b2c3d4-e5f6-7890-abcd-ef1234567890/build-log.md".into(),
            sha256,
            target: Target::Website,
            account: "default".into(),
        }
    }
}
