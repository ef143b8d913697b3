//! S5 `social`: a post about what shipped.
//!
//! It says what was done in the session's own words, one or two concrete things, and counted figures only.

use crate::{
    stages::Stop,
    story::{
        self,
        changelog::{Changelog, title},
        evidence::{self, Found, Role},
        figures::{Figures, is_path},
        posts,
    },
    templates::Templates,
    wording::{capitalised, count, list, number, sentence, shortened},
};
use flywheel_events::{
    ArtifactGenerated, ArtifactType, Evidence, RepoScanned, SessionCompleted, Statement, StoryExtracted,
};

/// Most things a post names.
const NAMED_MAX: usize = 2;
/// Most characters of one of them.
const NAME_MAX: usize = 200;
/// Most characters of the opening.
const OPENING_MAX: usize = 400;

/// Writes the post.
pub fn social(
    session: &SessionCompleted,
    scan: Option<&RepoScanned>,
    story: Option<&StoryExtracted>,
    templates: &Templates,
) -> Result<ArtifactGenerated, Stop> {
    let commits = story::commits(session, scan);
    let found = evidence::gather(session);
    let log = Changelog::of(&commits);
    let place = scan.and_then(|scan| scan.repo_name.as_deref());
    let features = story.map(|story| story.key_features.as_slice()).unwrap_or_default();
    let shipped: Vec<&str> = log.shipped().map(|entry| title(entry.commit)).collect();
    let figures = Figures::of(session, scan, &commits, &found);
    // What no repository shows is what the agent says.
    let reports = || format!("{} reports", session.agent_id);
    let (named, lead): (Vec<&str>, String) = match features.first() {
        Some(first) if figures.counted && matches!(first.evidence.first(), Some(Evidence::Commit(_))) => {
            (texts(features), "New".to_owned())
        }
        Some(_) => (texts(features), reports()),
        None if figures.counted => (shipped, "Done".to_owned()),
        None => (shipped, reports()),
    };
    let mut paragraphs = vec![];
    if let Some(opening) = opening(&found, story, named.is_empty()) {
        paragraphs.push(opening_words(opening, place));
    }
    let lead = match place {
        _ if !paragraphs.is_empty() => String::new(),
        Some(place) => format!("{lead} in {place}: "),
        None => format!("{lead}: "),
    };
    paragraphs.extend(named_words(&named, lead));
    if paragraphs.is_empty() {
        let files: Vec<&str> =
            found.iter().filter(|one| one.role == Role::Deliverable).map(|one| file_name(&one.text)).collect();
        paragraphs.extend(files_words(&files, session, place));
    }
    if paragraphs.is_empty() {
        return Err(Stop::nothing("the session says nothing that a post could tell"));
    }
    paragraphs.extend(figures.counted_sentence());
    let post = posts::post(&paragraphs);
    let rendered = templates.render("social_post.md", &post)?;
    let mut artifact = ArtifactGenerated::of_session(session.session_id, ArtifactType::SocialPost, rendered.text);
    artifact.template = Some(rendered.template);
    artifact.notes.insert("parts".into(), post.parts.into());
    Ok(artifact)
}

fn opening_words(text: &str, place: Option<&str>) -> String {
    let first: String = story::sentences(text).into_iter().take(2).collect::<Vec<_>>().join(" ");
    let first = shortened(&first, OPENING_MAX);
    match place {
        Some(place) if !first.contains(place) => format!("{place}: {}", sentence(&first)),
        _ => sentence(&capitalised(&first)),
    }
}

fn texts(statements: &[Statement]) -> Vec<&str> {
    statements.iter().map(|statement| statement.text.as_str()).collect()
}

/// What opens the post: the session's summary. How it went and what was said do only where nothing else is told.
fn opening<'a>(found: &'a [Found], story: Option<&'a StoryExtracted>, alone: bool) -> Option<&'a str> {
    let summary = found.iter().find(|one| one.role == Role::Overview).map(|one| one.text.as_str());
    let overview = story.and_then(|story| story.overview.as_ref()).filter(|_| alone).map(|one| one.text.as_str());
    summary.or(overview)
}

/// The first things by name, `and n more` where there are.
fn named_words(named: &[&str], mut text: String) -> Option<String> {
    let shown: Vec<&str> = named.iter().take(NAMED_MAX).copied().collect();
    if shown.is_empty() {
        return None;
    }
    for (i, one) in shown.iter().enumerate() {
        let flat = shortened(one, NAME_MAX);
        let one = if text.is_empty() { capitalised(&flat) } else { flat };
        text.push_str(if i == 0 { "" } else { "; " });
        text.push_str(one.trim_end_matches(['.', ';']));
    }
    let more = named.len() - shown.len();
    if more > 0 {
        text.push_str(&format!("; and {} more", number(more as u64)));
    }
    Some(sentence(&text))
}

fn files_words(files: &[&str], session: &SessionCompleted, place: Option<&str>) -> Option<String> {
    let mut names: Vec<String> = files.iter().take(NAMED_MAX).map(|name| (*name).to_owned()).collect();
    let more = files.len() - names.len();
    if more > 0 {
        names.push(format!("{} more", number(more as u64)));
    }
    let place = place.map(|place| format!(" in {place}")).unwrap_or_default();
    let made = count(files.len() as u64, "deliverable", "deliverables");
    (!names.is_empty()).then(|| sentence(&format!("{} reports {made}{place}: {}", session.agent_id, list(&names))))
}

fn file_name(text: &str) -> &str {
    if is_path(text) { text.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(text) } else { text }
}
