//! `social`: a post about what was made.

use super::names;
use crate::{
    stages::Stop,
    story::{self, posts},
    templates::Templates,
    wording::{capitalised, list, sentence, shortened},
};
use flywheel_events::{ArtifactGenerated, ArtifactType, CreationExtracted, SessionCompleted};

/// Most sentences a post takes of what was said.
const SENTENCES_MAX: usize = 2;
/// Most characters of one of them: what has no end is no sentence.
const SENTENCE_MAX: usize = 400;

/// Writes the post.
pub fn social(
    session: &SessionCompleted,
    creation: &CreationExtracted,
    templates: &Templates,
) -> Result<ArtifactGenerated, Stop> {
    let story = &creation.story;
    let mut said: Vec<String> = story.overview.iter().flat_map(|overview| story::sentences(&overview.text)).collect();
    if said.is_empty() {
        let told = if story.key_features.is_empty() { &creation.highlights } else { &story.key_features };
        said = told.iter().map(|one| one.text.clone()).collect();
    }
    let said: Vec<String> =
        said.iter().take(SENTENCES_MAX).map(|text| sentence(&shortened(text, SENTENCE_MAX))).collect();
    let said = said.join(" ");
    let paragraphs = match (names(&creation.creations), said.is_empty()) {
        (None, true) => return Err(Stop::nothing("the session says nothing that a post could tell")),
        (Some(made), false) => vec![format!("{made}: {said}")],
        (None, false) => vec![capitalised(&said)],
        (Some(made), true) => {
            let with = creation.creations.first().map(|made| list(&made.technologies)).filter(|with| !with.is_empty());
            let with = with.filter(|_| creation.creations.len() == 1);
            vec![sentence(&with.map_or_else(|| format!("Made: {made}"), |with| format!("Made with {with}: {made}")))]
        }
    };
    let post = posts::post(&paragraphs);
    let rendered = templates.render("social_post.md", &post)?;
    let mut artifact = ArtifactGenerated::of_session(session.session_id, ArtifactType::SocialPost, rendered.text);
    artifact.template = Some(rendered.template);
    artifact.notes.insert("parts".into(), post.parts.into());
    Ok(artifact)
}
