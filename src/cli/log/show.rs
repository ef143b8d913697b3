//! `flywheel log show`.

use super::{Context, Exit, Mistake, open, readable};
use crate::log::{Chained, EmbeddedLog, Error, Line};
use flywheel_events::{Key, SessionId};
use serde_json::Value;

/// Which facts.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  flywheel log show 12\n  flywheel log show a1b2c3d4-e5f6-7890-abcd-ef1234567890\n  flywheel log show build-story/session/a1b2c3d4-e5f6-7890-abcd-ef1234567890/1"
)]
pub struct Args {
    /// A position, a key, or a session's id.
    #[arg(value_name = "POSITION|KEY|SESSION")]
    what: String,
}

/// Most facts read at once.
const READ_MAX: usize = 1024;

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let log = open(context)?;
    let records = find(&log, &args.what)?;
    if records.is_empty() {
        return Err(Mistake::new(
            format!("the log has no fact for `{}`", args.what),
            "give a position, a key as `flywheel log tail` prints it, or a session's id",
        )
        .into());
    }
    for row in &records {
        let record = &row.record;
        if context.console.json {
            context.console.line(Line::text(row));
        } else {
            let event: Value = serde_json::from_str(&record.event)?;
            context.console.line(readable(record));
            context.console.document(&event);
        }
    }
    Ok(Exit::Done)
}

fn find(log: &EmbeddedLog, what: &str) -> Result<Vec<Chained>, Error> {
    if let Ok(position) = what.parse::<u64>() {
        let rows = log.read_now(position.saturating_sub(1), 1)?;
        return Ok(rows.into_iter().filter(|row| row.record.position == position).collect());
    }
    if let Ok(key) = what.parse::<Key>() {
        return Ok(log.get_now(&key)?.into_iter().collect());
    }
    let Ok(session) = what.to_lowercase().parse::<SessionId>() else { return Ok(vec![]) };
    let correlation = format!("\"correlationid\":\"{session}\"");
    let (mut found, mut after) = (vec![], 0);
    loop {
        let rows = log.read_now(after, READ_MAX)?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = last.record.position;
        found.extend(rows.into_iter().filter(|Chained { record, .. }| {
            record.key.session_id() == Some(session) || record.event.contains(&correlation)
        }));
    }
}
