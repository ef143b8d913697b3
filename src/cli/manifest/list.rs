//! `flywheel manifest list`.
#![expect(clippy::disallowed_methods, reason = "how long ago is counted on this machine's clock")]

use super::{Context, Exit};
use crate::{
    cli::{
        Mistake, log,
        read::{self, Page},
        run::parse_pipeline,
        session::When,
        table::table,
    },
    views::read::manifest::{self, Filter, STATUSES, Session},
};
use anyhow::Context as _;
use flywheel_events::{SessionId, SessionType};
use serde_json::json;

/// Which sessions.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Sessions are in the order of their own time, then of their id. `pending` is a session whose first run has not ended.\n\nExamples:\n  flywheel manifest list\n  flywheel manifest list --type build --since 7d\n  flywheel manifest list --status partial --limit 20 --json | jq .next"
)]
pub struct Args {
    /// Of this type: build, trade or life_aria.
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_pipeline)]
    session_type: Option<SessionType>,
    /// Of this agent.
    #[arg(long)]
    agent: Option<String>,
    /// With this status: pending, ready, partial or failed.
    #[arg(long, value_parser = STATUSES)]
    status: Option<String>,
    /// Ended at this time or after it: RFC 3339, or a length of time before now.
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Ended at this time or before it.
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    #[command(flatten)]
    page: Page,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let log = log::open(context)?;
    let now = chrono::Utc::now().fixed_offset();
    let micros = |when: Option<When>| -> anyhow::Result<Option<i64>> {
        when.map(|when| Ok(when.resolve(now)?.timestamp_micros())).transpose()
    };
    let filter = Filter {
        session_type: args.session_type.map(|kind| kind.as_str().to_owned()),
        agent: args.agent.clone(),
        status: args.status.clone(),
        since: micros(args.since).context("--since")?,
        until: micros(args.until).context("--until")?,
    };
    let view = read::view(context, &log, "manifest")?;
    let after = args.page.after.as_deref().map(|cursor| {
        let session: Option<SessionId> = cursor.to_lowercase().parse().ok();
        let known = session.map(|session| manifest::session(&view, session)).transpose()?.flatten();
        known.map(|session| session.session_id).ok_or_else(|| {
            anyhow::Error::from(Mistake::new(
                format!("--after: `{cursor}` is no cursor"),
                "give the `next` of the page before",
            ))
        })
    });
    let found = manifest::sessions(&view, &filter, after.transpose()?, args.page.limit + 1)?;
    let (sessions, more) = args.page.cut(found);
    print(&sessions, more, context);
    Ok(Exit::Done)
}

fn print(sessions: &[Session], more: bool, context: &Context) {
    let console = context.console;
    let next = sessions.last().filter(|_| more).map(|session| session.session_id);
    if console.json {
        return console.document(&json!({ "sessions": sessions, "next": next }));
    }
    if sessions.is_empty() {
        return console.note("no such session");
    }
    let rows = sessions.iter().map(|session| {
        vec![
            session.session_id.to_string(),
            session.session_type.clone(),
            session.status.clone(),
            session.agent_id.clone(),
            session.timestamp.clone(),
            session.artifacts.to_string(),
        ]
    });
    let headings = ["session", "type", "status", "agent", "ended", "artifacts"];
    console.line(table(&headings, &rows.collect::<Vec<_>>()));
    if let Some(next) = next {
        console.note(format_args!("there are more: --after {next}"));
    }
}
