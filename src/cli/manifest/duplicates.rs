//! `flywheel manifest duplicates`.

use super::{Context, Exit};
use crate::{
    cli::{log, read, table::table},
    views::read::manifest,
};
use serde_json::json;

/// Nothing to ask.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Equal content of several sessions is no fault: it is queued once, for the original, which is the session with the smallest time and id.\n\nExamples:\n  flywheel manifest duplicates\n  flywheel manifest duplicates --json | jq '.groups[].original'"
)]
pub struct Args {}

/// Runs the command.
pub fn run(_: &Args, context: &Context) -> anyhow::Result<Exit> {
    let log = log::open(context)?;
    let groups = manifest::duplicates(&read::view(context, &log, "manifest")?)?;
    let console = context.console;
    if console.json {
        console.document(&json!({ "groups": groups }));
    } else if groups.is_empty() {
        console.note("no content was made by several sessions");
    } else {
        let rows = groups.iter().flat_map(|group| {
            let (kind, digest) = (group.artifact_type.clone(), group.sha256.to_string()[..16].to_owned());
            let row = move |session: String, role: &str| vec![kind.clone(), digest.clone(), session, role.to_owned()];
            let others = group.duplicates.iter().map(|session| row(session.to_string(), "duplicate"));
            std::iter::once(row(group.original.to_string(), "original")).chain(others).collect::<Vec<_>>()
        });
        console.line(table(&["artifact", "sha256", "session", ""], &rows.collect::<Vec<_>>()));
    }
    Ok(Exit::Done)
}
