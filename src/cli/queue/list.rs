//! `flywheel queue list`.

use super::{Context, Exit};
use crate::{
    cli::{
        log,
        read::{self, Page},
        table::table,
    },
    views::read::queue::{self, Filter, Item},
};
use flywheel_events::{ArtifactType, Target};
use serde_json::json;

/// Every state that an item can be in.
const STATES: [&str; 14] = [
    "queued",
    "blocked",
    "in_review",
    "approved",
    "rejected",
    "publishing",
    "published",
    "verified",
    "retry_wait",
    "uncertain",
    "failed",
    "superseded",
    "retracted",
    "expired",
];

/// Which items.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "An item is one content, one target and one account. Its session is the original of those that made the content.\n\nExamples:\n  flywheel queue list\n  flywheel queue list --target social --state queued --json"
)]
pub struct Args {
    /// In this state.
    #[arg(long, value_parser = STATES)]
    state: Option<String>,
    /// For this target: github, website or social.
    #[arg(long, value_parser = super::add::parse_target)]
    target: Option<Target>,
    /// Of this artifact type.
    #[arg(long = "type", value_name = "TYPE", value_parser = read::parse_type)]
    artifact_type: Option<ArtifactType>,
    /// Of this session: its id, or its first digits.
    #[arg(long)]
    session: Option<String>,
    #[command(flatten)]
    page: Page,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let log = log::open(context)?;
    let session = match &args.session {
        Some(text) => Some(read::session(&read::view(context, &log, "manifest")?, text)?),
        None => None,
    };
    let filter = Filter {
        state: args.state.clone(),
        target: args.target.map(|target| target.as_str().to_owned()),
        artifact_type: args.artifact_type.map(|kind| kind.as_str().to_owned()),
        session,
        sha256: None,
    };
    let view = read::view(context, &log, "publish_queue")?;
    let found = queue::items(&view, &filter, args.page.after_position()?, args.page.limit + 1)?;
    let (items, more) = args.page.cut(found);
    print(&items, more, context);
    Ok(Exit::Done)
}

fn print(items: &[Item], more: bool, context: &Context) {
    let console = context.console;
    let next = items.last().filter(|_| more).map(|item| item.position.to_string());
    if console.json {
        return console.document(&json!({ "items": items, "next": next }));
    }
    if items.is_empty() {
        return console.note("no such item");
    }
    let rows = items.iter().map(|item| {
        vec![
            item.item_id.to_string(),
            item.state.clone(),
            item.target.clone(),
            item.account.clone(),
            item.artifact_type.clone(),
            item.session_id.map_or_else(|| "(by hand)".to_owned(), |session| session.to_string()),
        ]
    });
    console.line(table(&["item", "state", "target", "account", "artifact", "session"], &rows.collect::<Vec<_>>()));
    if let Some(next) = next {
        console.note(format_args!("there are more: --after {next}"));
    }
}
