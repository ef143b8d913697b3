//! `gallery`: notes on each screenshot, as it lies in the blob store or on this machine. It looks at the world.

use super::{CLAIMS, mismatch, names};
use crate::{
    blobs,
    images::{self, Image, Missing},
    stages::Stop,
    story::evidence::without_root,
    templates::Templates,
    wording::{count, date, date_time, number, shortened},
    world::World,
};
use flywheel_events::{ArtifactGenerated, ArtifactType, CreationExtracted, Screenshot, SessionCompleted};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const TEMPLATE: &str = "gallery.md";

/// Most characters of what the screenshots are of.
const TITLE_MAX: usize = 80;
/// Most screenshots that are looked at; the rest are listed as not looked at.
const LOOKED_AT_MAX: usize = 200;

/// Writes the notes.
pub fn gallery(
    session: &SessionCompleted,
    creation: Option<&CreationExtracted>,
    world: &World,
    templates: &Templates,
) -> Result<ArtifactGenerated, Stop> {
    let screenshots = &session.source_data.screenshots;
    if screenshots.is_empty() {
        return Err(Stop::nothing("the session has no screenshots"));
    }
    let origin = (world.origins)(session.session_id).map_err(Stop::World)?;
    let on_this_machine = |i: usize, screenshot: &Screenshot| -> Result<Image, String> {
        let Some(origin) = &origin else { return Err("the session's folder is not on this machine".to_owned()) };
        if screenshot.path().trim().is_empty() {
            return Err("the session does not say where it lies".to_owned());
        }
        let path = origin.screenshots.get(i).map_or_else(|| screenshot.path(), String::as_str);
        images::look(&origin.folder, &world.roots, path).map_err(|missing: Missing| missing.to_string())
    };
    let look = |i: usize, screenshot: &Screenshot| -> Result<Result<Image, String>, Stop> {
        if i >= LOOKED_AT_MAX {
            return Ok(Err(format!("only the first {LOOKED_AT_MAX} are looked at")));
        }
        let Some(digest) = screenshot.sha256() else { return Ok(on_this_machine(i, screenshot)) };
        match (world.blobs)(digest) {
            Ok(bytes) => Ok(images::of(&bytes).map_err(|missing| missing.to_string())),
            Err(error @ (blobs::Error::Unreachable(_) | blobs::Error::Unusable(_))) => Err(Stop::World(error.into())),
            // The same bytes are the same screenshot, wherever they lie.
            Err(error) => Ok(on_this_machine(i, screenshot)
                .ok()
                .filter(|image| image.digest == *digest)
                .ok_or_else(|| error.to_string())),
        }
    };
    let (mut found, mut missing) = (vec![], vec![]);
    let mut first_of = BTreeMap::new();
    for (i, screenshot) in screenshots.iter().enumerate() {
        match look(i, screenshot)? {
            Ok(image) => {
                let same_as = first_of.insert(image.digest, label(screenshot));
                if let Some(first) = &same_as {
                    first_of.insert(image.digest, first.clone());
                }
                found.push(note(screenshot, &image, same_as.filter(|first| *first != label(screenshot))));
            }
            Err(why) => missing.push(with_words(screenshot, json!({ "why": why }))),
        }
    }
    let made = creation.and_then(|creation| names(&creation.creations));
    let text = render(session, made, &found, &missing, templates)?;
    let mut artifact = ArtifactGenerated::of_session(session.session_id, ArtifactType::Gallery, text.text);
    artifact.template = Some(text.template);
    artifact.notes.insert("found".into(), found.len().into());
    artifact.notes.insert("missing".into(), missing.len().into());
    Ok(artifact)
}

fn render(
    session: &SessionCompleted,
    made: Option<String>,
    found: &[Value],
    missing: &[Value],
    templates: &Templates,
) -> Result<crate::templates::Rendered, Stop> {
    let listed = session.source_data.screenshots.len() as u64;
    let claim = session.metadata.screenshots_taken;
    let claim = claim.map(|claimed| flywheel_events::Claim { field: CLAIMS[1].0.to_owned(), claimed, listed });
    let outcome = match (found.len() as u64, missing.len() as u64) {
        (0, _) => format!("{} listed, none found", count(listed, "screenshot", "screenshots")),
        (_, 0) => format!("{} listed, all found", count(listed, "screenshot", "screenshots")),
        (found, missing) => format!(
            "{} listed, {} found, {} missing",
            count(listed, "screenshot", "screenshots"),
            number(found),
            number(missing)
        ),
    };
    let context = json!({
        "made": made.map(|made| shortened(&made, TITLE_MAX)),
        "day": date(&session.timestamp),
        "when": date_time(&session.timestamp),
        "agent": session.agent_id,
        "outcome": outcome,
        "mismatch": claim.as_ref().and_then(mismatch),
        "found": found,
        "missing": missing,
        "session": session.session_id,
        "version": templates.version(TEMPLATE),
    });
    templates.render(TEMPLATE, &context)
}

/// What a screenshot is called in the text: its path as the session gives it, never an absolute one.
fn label(screenshot: &Screenshot) -> String {
    let label = without_root(screenshot.path().trim()).replace('\\', "/");
    if label.is_empty() { "a screenshot without a path".to_owned() } else { label }
}

fn note(screenshot: &Screenshot, image: &Image, same_as: Option<String>) -> Value {
    let facts = json!({
        "dimensions": format!("{} × {} pixels, {}", image.width, image.height, image.format),
        "size": count(image.bytes, "byte", "bytes"),
        "digest": image.digest,
        "same_as": same_as,
    });
    with_words(screenshot, facts)
}

fn with_words(screenshot: &Screenshot, mut facts: Value) -> Value {
    let said = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
    let (caption, alt) = match screenshot {
        Screenshot::Path(_) => (None, None),
        Screenshot::Described { caption, alt, .. } => (said(caption), said(alt)),
    };
    let label = label(screenshot);
    facts["file"] = label.rsplit('/').find(|part| !part.is_empty()).unwrap_or(&label).into();
    facts["path"] = label.into();
    facts["caption"] = caption.into();
    facts["alt"] = alt.into();
    facts
}
