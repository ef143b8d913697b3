//! `flywheel failures list`.

use super::{Context, Exit};
use crate::{
    cli::{
        log,
        read::{self, Page},
        table::table,
    },
    views::read::failures::{self, Failure, Filter},
};
use serde_json::json;

/// Which failures.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  flywheel failures list\n  flywheel failures list --session a1b2c3d4 --class world --json"
)]
pub struct Args {
    /// Of this session: its id, or its first digits.
    #[arg(long)]
    session: Option<String>,
    /// Of this step, like build-readme; `intake` is input that was refused.
    #[arg(long)]
    step: Option<String>,
    /// Of this class: refused, too_large, input_failed, world, parked or rejected.
    #[arg(long, value_parser = ["refused", "too_large", "input_failed", "world", "parked", "rejected"])]
    class: Option<String>,
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
    let filter = Filter { session, step: args.step.clone(), class: args.class.clone() };
    let view = read::view(context, &log, "failures")?;
    let found = failures::failures(&view, &filter, args.page.after_position()?, args.page.limit + 1)?;
    let (failures, more) = args.page.cut(found);
    print(&failures, more, context);
    Ok(Exit::Done)
}

fn print(failures: &[Failure], more: bool, context: &Context) {
    let console = context.console;
    let next = failures.last().filter(|_| more).map(|failure| failure.position.to_string());
    if console.json {
        return console.document(&json!({ "failures": failures, "next": next }));
    }
    if failures.is_empty() {
        return console.note("no such failure");
    }
    let rows = failures.iter().map(|failure| {
        vec![
            failure.position.to_string(),
            failure.session_id.map_or_else(|| "-".to_owned(), |session| session.to_string()),
            failure.step.clone(),
            failure.run.to_string(),
            failure.class.clone(),
            failure.message.clone(),
        ]
    });
    console.line(table(&["position", "session", "step", "run", "class", "message"], &rows.collect::<Vec<_>>()));
    if let Some(next) = next {
        console.note(format_args!("there are more: --after {next}"));
    }
}
