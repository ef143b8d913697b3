//! `flywheel manifest show`.

use super::{Context, Exit};
use crate::{
    cli::{log, read, table::table},
    views::read::{
        manifest::{self, Artifact, Session, Step},
        queue::{self, Item},
    },
};
use flywheel_events::SessionId;
use serde::Serialize;
use std::path::PathBuf;

/// Which session.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  flywheel manifest show a1b2c3d4\n  flywheel manifest show a1b2c3d4-e5f6-7890-abcd-ef1234567890 --json | jq .artifacts"
)]
pub struct Args {
    /// A session's id, or its first digits.
    session: String,
}

/// Everything on a session.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    session: Session,
    /// The file it was read from on this machine.
    file: Option<PathBuf>,
    steps: Vec<Step>,
    artifacts: Vec<Version>,
}

/// A version of an artifact, where it lies and what became of it.
#[derive(Debug, Serialize)]
struct Version {
    #[serde(flatten)]
    artifact: Artifact,
    /// Where it was written on this machine; those of a superseded version hold the later one.
    files: Vec<PathBuf>,
    /// Every session with this content, the original first, where there are several.
    equal_content: Vec<SessionId>,
    publications: Vec<Item>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let (log, local) = log::open_both(context)?;
    let view = read::view(context, &log, "manifest")?;
    let id = read::session(&view, &args.session)?;
    let session = manifest::session(&view, id)?.ok_or_else(|| read::no_session(&args.session))?;
    let publish_queue = read::view(context, &log, "publish_queue")?;
    let places = local.places(Some(id))?;
    let version = |artifact: Artifact| -> anyhow::Result<Version> {
        let filter = queue::Filter { sha256: Some(artifact.sha256), ..queue::Filter::default() };
        let mut publications = queue::items(&publish_queue, &filter, 0, crate::views::read::PAGE_ROWS_MAX)?;
        publications.retain(|item| item.artifact_type == artifact.artifact_type);
        let files = places.iter().map(|(_, folder)| folder.join(&artifact.path));
        let files = if artifact.superseded { vec![] } else { files.collect() };
        let makers = manifest::makers(&view, &artifact.artifact_type, &artifact.sha256)?;
        let equal_content = if makers.len() > 1 { makers } else { vec![] };
        Ok(Version { files, equal_content, publications, artifact })
    };
    let artifacts = manifest::artifacts(&view, Some(id))?.into_iter().map(version).collect::<Result<_, _>>()?;
    let shown = Shown { file: local.session_file(id)?, steps: manifest::steps(&view, id)?, artifacts, session };
    if context.console.json {
        context.console.document(&shown);
    } else {
        print(&shown, context);
    }
    Ok(Exit::Done)
}

fn print(shown: &Shown, context: &Context) {
    let console = context.console;
    let session = &shown.session;
    console.line(format_args!(
        "{}  {}  {}  {}  {}",
        session.session_id, session.session_type, session.status, session.agent_id, session.timestamp
    ));
    if let Some(file) = &shown.file {
        console.line(format_args!("read from {}", crate::intake::report::plain(&file.to_string_lossy())));
    }
    let rows = shown.steps.iter().map(|step| {
        let reason = step.reason.clone().unwrap_or_default();
        vec![step.step.clone(), step.run.to_string(), step.outcome.clone(), reason]
    });
    console.line(format_args!("\n{}", table(&["step", "run", "outcome", "reason"], &rows.collect::<Vec<_>>())));
    if shown.artifacts.is_empty() {
        return;
    }
    let rows = shown.artifacts.iter().map(|version| {
        let artifact = &version.artifact;
        let publications = version.publications.iter().map(|item| format!("{} {}", item.target, item.state));
        let superseded = if artifact.superseded { "yes" } else { "no" };
        vec![
            artifact.artifact_type.clone(),
            artifact.run.to_string(),
            artifact.sha256.to_string()[..16].to_owned(),
            artifact.size.to_string(),
            superseded.to_owned(),
            publications.collect::<Vec<_>>().join(", "),
        ]
    });
    let headings = ["artifact", "run", "sha256", "bytes", "superseded", "publications"];
    console.line(format_args!("\n{}", table(&headings, &rows.collect::<Vec<_>>())));
    for version in &shown.artifacts {
        for file in &version.files {
            console.line(format_args!("  {}", file.display()));
        }
        if let Some(original) = version.equal_content.first().filter(|original| **original != session.session_id) {
            console.line(format_args!("  {} has the content of session {original}", version.artifact.artifact_type));
        }
    }
}
