//! `devlog`: what was made and how it went, in the session's own words.

use super::{mismatch, name, names};
use crate::{
    stages::Stop,
    story::{
        self,
        evidence::{self, Role},
        figures::is_path,
    },
    templates::Templates,
    wording::{capitalised, date, date_time, duration, list, shortened},
};
use flywheel_events::{
    ArtifactGenerated, ArtifactType, CreationExtracted, Evidence, SessionCompleted, Statement, stamp,
};
use serde_json::{Value, json};

const TEMPLATE: &str = "devlog.md";

/// Most characters of a title.
const TITLE_MAX: usize = 80;

/// Writes the devlog.
pub fn devlog(
    session: &SessionCompleted,
    creation: &CreationExtracted,
    templates: &Templates,
) -> Result<ArtifactGenerated, Stop> {
    let found = evidence::gather(session);
    let texts = |role: Role| found.iter().filter(|one| one.role == role).map(|one| &one.text).collect::<Vec<_>>();
    let text = |statement: &Option<Statement>| statement.as_ref().map(|one| one.text.clone());
    let story = &creation.story;
    if creation.creations.is_empty() && creation.highlights.is_empty() && found.is_empty() {
        return Err(Stop::nothing("the session says nothing that a devlog could tell"));
    }
    let creations = creation.creations.iter().map(|made| {
        json!({
            "name": name(made),
            "kind": made.kind.as_deref().filter(|kind| *kind != name(made)),
            "technologies": list(&made.technologies),
            "path": made.path.as_deref().filter(|path| *path != name(made)),
        })
    });
    let mismatches: Vec<String> = creation.claims.iter().filter_map(mismatch).map(|text| capitalised(&text)).collect();
    let context = json!({
        "title": title(session, creation),
        "when": date_time(&session.timestamp),
        "agent": session.agent_id,
        "duration": session.metadata.duration_minutes.and_then(duration),
        "overview": text(&story.overview),
        "goals": texts(Role::Goal).into_iter().filter(|goal| !is_said(goal, creation)).collect::<Vec<_>>(),
        "creations": creations.collect::<Vec<_>>(),
        "features": story.key_features.iter().map(|one| &one.text).collect::<Vec<_>>(),
        "made": found.iter().filter(|one| one.role == Role::Deliverable).map(|one| json!({
            "text": one.text, "path": is_path(&one.text), "detail": one.detail,
        })).collect::<Vec<_>>(),
        "conversations": conversations(session, creation),
        "narrative": narrative(&texts(Role::Narrative), story.overview.as_ref()),
        "problem": text(&story.problem),
        "solution": text(&story.solution),
        "lessons": story.lessons.iter().map(|one| &one.text).collect::<Vec<_>>(),
        "tests": texts(Role::TestResult),
        "mismatches": mismatches,
        "session": session.session_id,
        "version": templates.version(TEMPLATE),
    });
    let rendered = templates.render(TEMPLATE, &context)?;
    let mut artifact = ArtifactGenerated::of_session(session.session_id, ArtifactType::Devlog, rendered.text);
    artifact.template = Some(rendered.template);
    if !mismatches.is_empty() {
        artifact.notes.insert("claims".into(), json!(mismatches));
    }
    Ok(artifact)
}

/// What was made; else the first thing the session says; else the day.
fn title(session: &SessionCompleted, creation: &CreationExtracted) -> String {
    let story = &creation.story;
    let said = [story.overview.as_ref(), story.key_features.first(), creation.highlights.first()];
    let said = || said.into_iter().flatten().find_map(|one| story::sentences(&one.text).into_iter().next());
    match names(&creation.creations).or_else(said) {
        Some(text) => capitalised(&shortened(&text, TITLE_MAX)),
        None => format!("Session of {}", date(&session.timestamp)),
    }
}

/// Whether a goal was said in a conversation, and so is told there.
fn is_said(goal: &str, creation: &CreationExtracted) -> bool {
    let sentences = story::sentences(goal);
    !sentences.is_empty() && sentences.iter().all(|text| creation.highlights.iter().any(|one| one.text == *text))
}

/// The highlights by conversation, each with whom it was and when.
fn conversations(session: &SessionCompleted, creation: &CreationExtracted) -> Vec<Value> {
    let records = session.source_data.conversations.iter().enumerate();
    records
        .filter_map(|(i, record)| {
            let place = Evidence::Record(format!("source_data.conversations[{i}]"));
            let said: Vec<&str> = creation
                .highlights
                .iter()
                .filter(|one| one.evidence.contains(&place))
                .map(|one| one.text.as_str())
                .collect();
            // Its own lines and paragraphs, unless only a part of it was taken.
            let (prose, _) = evidence::read(&record.content);
            let text = if story::sentences(&prose) == said { prose } else { format!("{} […]", said.join(" ")) };
            let when = record.timestamp.as_ref().and_then(Value::as_str);
            let when = when.and_then(|when| stamp::parse_lenient(when).ok()).map(|(when, _)| date_time(&when));
            let by = record.source.as_deref().map(str::trim).filter(|by| !by.is_empty());
            (!said.is_empty()).then(|| json!({ "by": by, "when": when, "text": text }))
        })
        .collect()
}

/// The narrative without what the overview has told.
fn narrative(texts: &[&String], overview: Option<&Statement>) -> Vec<String> {
    let told = overview.map(|overview| overview.text.as_str()).unwrap_or_default();
    let rest = texts.iter().map(|text| text.strip_prefix(told).unwrap_or(text).trim().to_owned());
    rest.filter(|text| !text.is_empty()).collect()
}
