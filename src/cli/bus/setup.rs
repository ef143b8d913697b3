//! `flywheel bus setup`.

use super::{Context, Exit, Reach, runtime, topology};
use crate::bus::{self, Change};
use serde_json::json;

/// Make the streams and consumers, or check that they are what they must be.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  flywheel bus setup --nats nats://localhost:4222\n  flywheel bus setup --dry-run --json | jq .streams\n\nWhat is there already and differs is never changed: the command names the difference and ends with 1."
)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Print the configurations, make nothing, and need no server.
    #[arg(long)]
    dry_run: bool,
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
    let changes = runtime()?.block_on(async {
        let bus = args.reach.connect(&context.settings).await?;
        let changes = bus::setup(&bus, &topology).await?;
        bus.is_narrow().iter().for_each(|why| context.console.note(format_args!("warning: {why}")));
        anyhow::Ok(changes)
    })?;
    if context.console.json {
        context.console.document(&changes);
    } else {
        for Change { what, name, there } in changes {
            context.console.line(format_args!("{what:<8}  {name:<40}  {}", if there { "there" } else { "made" }));
        }
    }
    Ok(Exit::Done)
}
