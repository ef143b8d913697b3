//! `flywheel queue show`.

use super::{Context, Exit};
use crate::{
    cli::{Mistake, log, read},
    intake::report::plain,
    views::read::queue,
};
use uuid::Uuid;

/// Which item.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  flywheel queue show 2f1c5d0e-6a43-5b1f-9d0c-2b8f1f0c9a77\n  flywheel queue show 2f1c5d0e-6a43-5b1f-9d0c-2b8f1f0c9a77 --json | jq .state"
)]
pub struct Args {
    /// The item's id, as `flywheel queue list` prints it.
    item: String,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let log = log::open(context)?;
    let view = read::view(context, &log, "publish_queue")?;
    let id: Option<Uuid> = args.item.parse().ok();
    let Some(item) = id.map(|id| queue::item(&view, id)).transpose()?.flatten() else {
        let message = format!("the queue has no item `{}`", args.item);
        return Err(Mistake::new(message, "`flywheel queue list` prints them").into());
    };
    let console = context.console;
    if console.json {
        console.document(&item);
        return Ok(Exit::Done);
    }
    let session = item.session_id.map_or_else(|| "(by hand)".to_owned(), |session| session.to_string());
    for (name, value) in [
        ("item", item.item_id.to_string()),
        ("state", item.state),
        ("target", item.target),
        ("account", item.account),
        ("artifact", item.artifact_type),
        ("session", session),
        ("path", item.path.unwrap_or_default()),
        ("sha256", item.sha256.to_string()),
        ("queued", item.queued_at),
        ("position", item.position.to_string()),
    ] {
        console.line(format_args!("{name:<10}{}", plain(&value)));
    }
    Ok(Exit::Done)
}
