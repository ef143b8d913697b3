//! `flywheel replay --artifacts`: the artifact files, made again from the facts.

use crate::{
    cli::{Context, Exit, Mistake, check_utf8, log, read},
    local::Local,
    log::{EmbeddedLog, Log as _},
    output,
    verify::is_inside,
    views::read::manifest::{self, Artifact},
};
use flywheel_events::{ArtifactGenerated, Key, SessionId};
use serde::Serialize;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// It was not there.
    Written,
    /// It had other content.
    Restored,
    /// It was as it must be.
    Same,
    /// It could not be written.
    Failed,
}

/// A file.
#[derive(Debug, Serialize)]
struct Made {
    session_id: SessionId,
    #[serde(rename = "type")]
    artifact_type: String,
    path: PathBuf,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Runs the command.
pub fn run(out: Option<&Path>, context: &Context) -> anyhow::Result<Exit> {
    let out = out.map(std::path::absolute).transpose()?;
    if let Some(out) = &out {
        check_utf8(out, "the folder for artifacts")?;
        if out.exists() && !out.is_dir() {
            let message = format!("--out: {} is no folder", out.display());
            return Err(Mistake::new(message, "give the path of a folder").into());
        }
    }
    let (log, local) = log::open_both(context)?;
    let mut places: BTreeMap<SessionId, BTreeSet<PathBuf>> = BTreeMap::new();
    for (session, folder) in local.places(None)? {
        places.entry(session).or_default().insert(folder);
    }
    let view = read::view(context, &log, "manifest")?;
    let newest = manifest::artifacts(&view, None)?.into_iter().filter(|artifact| !artifact.superseded);
    let progress = context.console.progress(None, "artifacts");
    let mut made = vec![];
    for artifact in newest {
        let folders = match (&out, places.get(&artifact.session_id)) {
            (Some(out), _) => BTreeSet::from([out.clone()]),
            (None, Some(folders)) => folders.clone(),
            // Nothing of it was ever written on this machine.
            (None, None) => continue,
        };
        let text = text(&log, &artifact)?;
        if out.is_some() {
            remember(&local, &folders, artifact.session_id)?;
        }
        made.extend(folders.iter().map(|folder| write(&artifact, &text, folder)));
        progress.inc(1);
    }
    progress.finish_and_clear();
    print(&made, context);
    Ok(if made.iter().any(|made| made.status == Status::Failed) { Exit::Failed } else { Exit::Done })
}

/// From now on `verify` looks there too.
fn remember(local: &Local, folders: &BTreeSet<PathBuf>, session: SessionId) -> anyhow::Result<()> {
    folders.iter().try_for_each(|folder| local.remember_place(session, folder))
}

/// The fact of an artifact, with its text, as the log has it under its key.
fn text(log: &EmbeddedLog, artifact: &Artifact) -> anyhow::Result<ArtifactGenerated> {
    let key = Key::session(artifact.step.parse()?, artifact.session_id, artifact.run);
    let record = log::wait(log.get(&key))??;
    let damaged = |what: String| {
        let hint = "`flywheel verify` says what else is wrong; restore the log from a copy or an export";
        anyhow::anyhow!("the log does not hold {key}: {what}; {hint}")
    };
    let record = record.ok_or_else(|| damaged("nothing is under the key".to_owned()))?;
    let (_, fact): (_, ArtifactGenerated) = record.data().map_err(|error| damaged(error.to_string()))?;
    // What is written must be what was recorded, and lie where it belongs.
    if flywheel_events::Digest::of(fact.content.as_bytes()) != fact.sha256 {
        return Err(damaged("its text was changed".to_owned()));
    }
    if !is_inside(&fact.path) {
        return Err(damaged(format!("its path `{}` leads out of the artifact folder", fact.path)));
    }
    Ok(fact)
}

fn write(artifact: &Artifact, fact: &ArtifactGenerated, folder: &Path) -> Made {
    let path = folder.join(&fact.path);
    let before = path.exists();
    let (status, error) = match output::write(fact, folder, false) {
        Ok(written) if written.changed => (if before { Status::Restored } else { Status::Written }, None),
        Ok(_) => (Status::Same, None),
        Err(error) => (Status::Failed, Some(format!("{error:#}"))),
    };
    let (session_id, artifact_type) = (artifact.session_id, artifact.artifact_type.clone());
    Made { session_id, artifact_type, path, status, error }
}

fn print(made: &[Made], context: &Context) {
    let console = context.console;
    if console.json {
        return console.document(&json!({ "artifacts": made }));
    }
    let count = |status: Status| made.iter().filter(|made| made.status == status).count();
    for made in made.iter().filter(|made| made.status != Status::Same) {
        match (&made.status, &made.error) {
            (Status::Failed, Some(error)) => console.note(format_args!("failed: {}: {error}", made.path.display())),
            (Status::Restored, _) => console.line(format_args!("restored  {}", made.path.display())),
            _ => console.line(format_args!("written   {}", made.path.display())),
        }
    }
    console.line(format_args!(
        "{} written, {} restored, {} as they were, {} failed",
        count(Status::Written),
        count(Status::Restored),
        count(Status::Same),
        count(Status::Failed)
    ));
}
