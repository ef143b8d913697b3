//! `flywheel log tail`.

use super::{Context, Exit, open, readable, wait};
use crate::log::{Chained, Error, Line, Log as _};

/// How many, and whether to stay.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  flywheel log tail\n  flywheel log tail -n 3 --follow\n  flywheel log tail --json | jq .key"
)]
pub struct Args {
    /// How many of the last facts.
    #[arg(short = 'n', long, default_value_t = 20)]
    lines: u64,
    /// Go on with those that come.
    #[arg(short, long)]
    follow: bool,
}

/// Most facts read at once.
const READ_MAX: usize = 256;

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let log = open(context)?;
    wait(async {
        let mut after = log.head().await?.saturating_sub(args.lines);
        loop {
            let rows = log.read_now(after, READ_MAX)?;
            rows.iter().for_each(|row| print(row, context));
            // Nobody reads any more.
            if context.console.lost().is_some() {
                return Ok(());
            }
            match rows.last() {
                Some(last) => after = last.record.position,
                None if args.follow => log.grown(after).await?,
                None => return Ok::<_, Error>(()),
            }
        }
    })??;
    Ok(Exit::Done)
}

fn print(row: &Chained, context: &Context) {
    if context.console.json {
        context.console.line(Line::text(row));
    } else {
        context.console.line(readable(&row.record));
    }
}
