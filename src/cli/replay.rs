//! `flywheel replay`: the read models, rebuilt from the log.

mod artifacts;

use super::{Context, Exit, Mistake};
use crate::{
    cli::log,
    views::{self, Built, Until},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use std::path::PathBuf;

/// Up to where, and where to.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Replay never runs a stage again and never looks at the world: what was seen is in the facts. Readers of the live views go on reading while new ones are built beside them.\n\nWith --artifacts the artifact files are made instead, the newest version of each, wherever they were written before; files that differ from the log are replaced.\n\nExamples:\n  flywheel replay\n  flywheel replay --artifacts\n  flywheel replay --artifacts --out restored\n  flywheel replay --until 1000 --into then\n  flywheel replay --until 2025-12-02T00:00:00Z --into then --json"
)]
pub struct Args {
    /// Stop at this position, or at the last fact recorded at or before this time (RFC 3339).
    #[arg(long, value_name = "POSITION|TIME", requires = "into")]
    until: Option<String>,
    /// Build in this folder and leave the live views alone.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Make the artifact files from the log instead of the read models.
    #[arg(long, conflicts_with_all = ["until", "into"])]
    artifacts: bool,
    /// Make them in this folder, not where they were written before.
    #[arg(long, value_name = "DIR", requires = "artifacts")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    if args.artifacts {
        return artifacts::run(args.out.as_deref(), context);
    }
    let log = log::open(context)?;
    let until = match args.until.as_deref().map(parse_until).transpose()? {
        None => Until::Head,
        Some(When::Position(position)) => Until::Position(position),
        Some(When::Time(time)) => Until::Position(log.last_position_at(time)?),
    };
    let total = match until {
        Until::Head => log.head_now()?.position,
        Until::Position(position) => position,
    };
    let progress = context.console.progress(Some(total), "facts");
    let all: Vec<_> = flywheel_projections::all().iter().collect();
    let data = &context.settings.data;
    let built = views::rebuild(data, &log, &all, until, args.into.as_deref(), |read| progress.set_position(read))?;
    progress.finish_and_clear();
    print(&built, context);
    Ok(Exit::Done)
}

enum When {
    Position(u64),
    Time(DateTime<Utc>),
}

fn parse_until(text: &str) -> Result<When, Mistake> {
    if let Ok(position) = text.parse() {
        return Ok(When::Position(position));
    }
    flywheel_events::stamp::parse(text).map(|time| When::Time(time.to_utc())).map_err(|error| {
        Mistake::new(format!("--until: {error}"), "give a position of the log, or a time like 2025-12-02T05:20:00Z")
    })
}

fn print(built: &[Built], context: &Context) {
    let console = context.console;
    if console.json {
        let views = built.iter().map(|built| {
            json!({
                "view": built.view.name,
                "path": built.path,
                "position": built.checkpoint.position,
                "digest": built.digest,
            })
        });
        console.document(&json!({ "views": views.collect::<Vec<_>>() }));
        return;
    }
    for built in built {
        let digest = &built.digest.to_string()[..16];
        let (name, position) = (built.view.name, built.checkpoint.position);
        console.line(format_args!("{name:<14} position {position}  digest {digest}  {}", built.path.display()));
    }
}
