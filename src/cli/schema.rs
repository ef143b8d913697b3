//! `flywheel schema`: the JSON Schemas of the contract.

use super::{Context, Exit, Mistake};
use flywheel_events::catalog;
use serde_json::json;

/// Which schema.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  flywheel schema\n  flywheel schema work_session\n  flywheel schema artifact.generated"
)]
pub struct Args {
    /// An event's name or type, or `work_session`; without it, the names are listed.
    name: Option<String>,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let console = context.console;
    let Some(name) = args.name else {
        let rows: Vec<_> = catalog::all().iter().map(|event| (event.name(), event.event_type)).collect();
        if console.json {
            let events = rows.iter().map(|(name, event_type)| json!({ "name": name, "type": event_type }));
            let session = json!({ "name": "work_session", "type": null });
            console.document(&std::iter::once(session).chain(events).collect::<Vec<_>>());
        } else {
            console.line("work_session             the session file");
            rows.iter().for_each(|(name, event_type)| console.line(format_args!("{name:<24} {event_type}")));
        }
        return Ok(Exit::Done);
    };
    if name == "work_session" {
        console.document(&flywheel_events::work_session::work_session_schema());
        return Ok(Exit::Done);
    }
    let event = catalog::find(&name)
        .ok_or_else(|| Mistake::new(format!("there is no event `{name}`"), "`flywheel schema` lists the names"))?;
    console.document(&(event.schema)());
    Ok(Exit::Done)
}
