//! `flywheel failures show`.

use super::{Context, Exit};
use crate::{
    cli::{Mistake, log, read},
    intake::report::plain,
    views::read::failures,
};

/// Which failure.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  flywheel failures show 17\n  flywheel failures show 17 --json | jq -r .hint")]
pub struct Args {
    /// Its position, as `flywheel failures list` prints it.
    #[arg(value_parser = clap::value_parser!(u64).range(..=i64::MAX.unsigned_abs()))]
    position: u64,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let log = log::open(context)?;
    let view = read::view(context, &log, "failures")?;
    let Some(failure) = failures::failure(&view, args.position)? else {
        let message = format!("no failure is at position {}", args.position);
        return Err(Mistake::new(message, "`flywheel failures list` prints them").into());
    };
    let console = context.console;
    if console.json {
        console.document(&failure);
        return Ok(Exit::Done);
    }
    let session = failure.session_id.map_or_else(|| "-".to_owned(), |session| session.to_string());
    for (name, value) in [
        ("position", failure.position.to_string()),
        ("session", session),
        ("step", failure.step),
        ("run", failure.run.to_string()),
        ("class", failure.class),
        ("attempts", failure.attempts.to_string()),
        ("time", failure.time),
        ("message", failure.message),
        ("hint", failure.hint.unwrap_or_default()),
    ] {
        console.line(format_args!("{name:<10}{}", plain(&value)));
    }
    Ok(Exit::Done)
}
