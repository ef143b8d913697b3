//! Files on disk: derived from the log, written whole or not at all, written again when missing.
#![expect(clippy::disallowed_methods, reason = "looks at the files it has written before")]

use crate::{
    files,
    intake::{document::Document, update},
    runner::step_of,
    stages::pipelines,
};
use flywheel_events::{ArtifactGenerated, ArtifactType, Digest, Outcome, SessionType};
use flywheel_projections::SessionView;
use serde_json::{Map, Value, json};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

/// What writing one artifact came to.
#[derive(Debug)]
pub struct Written {
    /// Where it is, absolute.
    pub path: PathBuf,
    /// A file of that name was there with other content, and was left as it is.
    pub differs: bool,
    /// The file was written: it was not there, or had other content.
    pub changed: bool,
}

/// Writes an artifact to `<folder>/<session_id>/<file>`. A file that is there already is left alone where `keep`.
///
/// # Errors
/// When the file cannot be written.
pub fn write(artifact: &ArtifactGenerated, folder: &Path, keep: bool) -> anyhow::Result<Written> {
    let path = folder.join(&artifact.path);
    // An empty file is what a power cut may leave of one, and no artifact is empty.
    let found = std::fs::read(&path).ok().filter(|bytes| !bytes.is_empty()).map(|bytes| Digest::of(&bytes));
    let same = found == Some(artifact.sha256);
    let changed = !same && (found.is_none() || !keep);
    if changed {
        let folder = path.parent().expect("an artifact lies in its session's folder");
        std::fs::create_dir_all(folder)
            .map_err(|error| anyhow::anyhow!("cannot make the folder {}: {error}", folder.display()))?;
        files::write_derived(&path, artifact.content.as_bytes())?;
    }
    Ok(Written { differs: keep && found.is_some() && !same, changed, path })
}

/// The entries that a run leaves in its session file: `artifacts`, and the pipelines' states. What could not be written
/// is in the log, but the file must not point to where nothing is.
pub fn entries(
    view: &SessionView,
    session_type: SessionType,
    folder: &Path,
    unwritten: &HashSet<ArtifactType>,
) -> (Map<String, Value>, Vec<(&'static str, &'static str)>) {
    let mut artifacts = Map::new();
    for artifact in view.artifacts() {
        let path = folder.join(&artifact.path);
        let entry = match unwritten.contains(&artifact.artifact_type) {
            true => json!({ "generated": false, "path": null, "status": "failed" }),
            false => json!({ "generated": true, "path": path.to_string_lossy(), "status": "ready" }),
        };
        artifacts.insert(artifact.artifact_type.as_str().to_owned(), entry);
    }
    for (step, status) in view
        .failures()
        .map(|failed| (&failed.step, "failed"))
        .chain(view.skipped().map(|skipped| (&skipped.step, "not_applicable")))
    {
        if let Some(artifact_type) = made_by(step) {
            let entry = json!({ "generated": false, "path": null, "status": status });
            artifacts.insert(artifact_type.as_str().to_owned(), entry);
        }
    }
    let own = match view.ready().map(|ready| ready.outcome) {
        None => "pending",
        Some(_) if !unwritten.is_empty() && unwritten.len() == view.artifacts().len() => "failed",
        Some(Outcome::Ready) if !unwritten.is_empty() => "partial",
        Some(Outcome::Ready) => "complete",
        Some(Outcome::Partial) => "partial",
        Some(Outcome::Failed) => "failed",
    };
    let status = SessionType::ALL
        .iter()
        .map(|pipeline| (pipeline.status_key(), if *pipeline == session_type { own } else { "not_applicable" }))
        .collect();
    (artifacts, status)
}

/// The artifact type a step makes.
fn made_by(step: &str) -> Option<ArtifactType> {
    pipelines()
        .iter()
        .flat_map(|pipeline| pipeline.stages.iter().map(move |row| (step_of(pipeline, row), row.makes)))
        .find_map(|(known, makes)| makes.filter(|_| known.as_str() == step))
}

/// Updates a session file in place: its `artifacts` and `pipeline_status`, nothing else.
///
/// # Errors
/// When the file was changed since it was read, or cannot be written.
pub fn update_session_file(
    path: &Path,
    document: &Document,
    artifacts: &Map<String, Value>,
    status: &[(&'static str, &'static str)],
) -> anyhow::Result<()> {
    let now = std::fs::read(path)?;
    let updated = update::update(document, artifacts, status);
    if now == updated {
        return Ok(());
    }
    anyhow::ensure!(
        now == document.source.text().as_bytes(),
        "{} was changed while it was worked on, so it was not updated",
        path.display()
    );
    files::write_atomically(path, &updated)
}
