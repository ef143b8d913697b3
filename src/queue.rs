//! What is queued where: the table of default targets, and the facts that queue an artifact.

use crate::log::NewFact;
use flywheel_events::{ArtifactGenerated, ArtifactType, Key, Kind, PublicationQueued, Step, Target};

/// The step of a publication's first transition.
pub const QUEUED: Step = Step::new("publication-queued");

/// The step of an artifact that no stage made.
pub const ADDED: Step = Step::new("queue-artifact_added");

/// The account where nothing else is configured.
pub const ACCOUNT: &str = "default";

/// Where an artifact goes until configured otherwise: READMEs to GitHub and the website, posts and threads to social
/// platforms, everything else to the website.
pub fn default_targets(artifact_type: ArtifactType) -> &'static [Target] {
    match artifact_type {
        ArtifactType::Readme => &[Target::Github, Target::Website],
        ArtifactType::SocialPost | ArtifactType::TradeThread => &[Target::Social],
        _ => &[Target::Website],
    }
}

/// The facts that queue an artifact at its default targets.
///
/// A README of a repository that could not be read is not queued for it: nobody knows what it would overwrite.
pub fn items(artifact: &ArtifactGenerated) -> Vec<NewFact> {
    let unread = artifact.notes.get("base").and_then(|base| base.as_str()) == Some("unknown");
    let targets = default_targets(artifact.artifact_type).iter();
    targets.filter(|target| !(unread && **target == Target::Github)).map(|target| item(artifact, *target)).collect()
}

/// The fact that queues an artifact at one target.
pub fn item(artifact: &ArtifactGenerated, target: Target) -> NewFact {
    let item_id = PublicationQueued::item_id(artifact.artifact_type, &artifact.sha256, target, ACCOUNT);
    let queued = PublicationQueued {
        item_id,
        session_id: artifact.session_id,
        artifact_type: artifact.artifact_type,
        path: artifact.path.clone(),
        sha256: artifact.sha256,
        target,
        account: ACCOUNT.to_owned(),
    };
    let key = Key { step: QUEUED, kind: Kind::Publication, id: item_id, run: 1 };
    NewFact::new(key, "/flywheel/queue", &queued)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_queued_somewhere_and_an_unread_readme_not_for_its_repository() {
        let session = "a1b2c3d4-e5f6-7890-abcd-ef1234567890".parse().expect("a session id");
        for (artifact_type, name, ..) in ArtifactType::ALL {
            let mut artifact = ArtifactGenerated::of_session(session, artifact_type, "text".into());
            let targets = default_targets(artifact_type).len();
            assert!(targets > 0, "{name}");
            assert_eq!(items(&artifact).len(), targets, "{name}");
            artifact.notes.insert("base".into(), "unknown".into());
            let expected = if artifact_type == ArtifactType::Readme { targets - 1 } else { targets };
            assert_eq!(items(&artifact).len(), expected, "{name}");
        }
    }
}
