//! `flywheel bus setup`.

use super::{Context, Exit, Reach, runtime, topology};
use crate::bus::{self, Change, Updated};
use serde_json::json;

/// Make the streams and consumers, or check that they are what they must be.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  flywheel bus setup --nats nats://localhost:4222\n  flywheel bus setup --dry-run --json | jq .streams\n  FLYWHEEL_NATS_BLOBS_GIB=16 flywheel bus setup --update\n\nWhat is there already and differs is named, and the command ends with 1. With --update it is changed where a changed setting costs no message: how much a stream takes (`nats_inbox_gib`, `nats_blobs_gib`, never below what it holds) and how many servers keep it (`nats_replicas`). Nothing else of a stream is ever changed."
)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Print the configurations, make nothing, and need no server.
    #[arg(long)]
    dry_run: bool,
    /// Change the streams that are there, where a setting has changed that costs nothing of what they hold.
    #[arg(long, conflicts_with = "dry_run")]
    update: bool,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let topology = topology(&context.settings);
    if args.dry_run {
        let consumers = topology.consumers().into_iter();
        let consumers: Vec<_> =
            consumers.map(|(stream, config)| json!({ "stream": stream, "config": config })).collect();
        context.console.document(&json!({ "streams": topology.streams(), "consumers": consumers }));
        return Ok(Exit::Done);
    }
    let (updated, changes) = runtime()?.block_on(async {
        let bus = args.reach.connect(&context.settings).await?;
        let updated = if args.update { bus::update(&bus, &topology).await? } else { vec![] };
        let changes = bus::setup(&bus, &topology).await?;
        bus.is_narrow().iter().for_each(|why| context.console.note(format_args!("warning: {why}")));
        anyhow::Ok((updated, changes))
    })?;
    if context.console.json {
        let changed = |name: &str| updated.iter().find(|updated| updated.name == name).map(|updated| &updated.changed);
        let changes: Vec<_> = changes
            .iter()
            .map(|Change { what, name, there }| json!({ "what": what, "name": name, "there": there, "changed": changed(name) }))
            .collect();
        context.console.document(&changes);
    } else {
        for Updated { name, changed } in updated {
            context.console.line(format_args!("stream    {name:<40}  changed: {}", changed.join("; ")));
        }
        for Change { what, name, there } in changes {
            context.console.line(format_args!("{what:<8}  {name:<40}  {}", if there { "there" } else { "made" }));
        }
    }
    Ok(Exit::Done)
}
