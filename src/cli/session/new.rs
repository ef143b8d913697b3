//! `flywheel session new`: a session file from a repository and a window of time.

use super::{
    super::{Context, Exit},
    draft::{self, Contents, Draft, Output},
    repository, session_type,
    when::When,
};
use flywheel_events::{AgentId, SessionType};
use std::path::PathBuf;

/// Make a session file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flywheel session new --agent Agent-7 --repo . --since 2h --author 'Agent 7'
  flywheel session new --agent Agent-5 --type trade --since 3h --trades fills.json
  flywheel session new --agent Agent-7 --type life_aria --note 'Built a game' --out -

The window is [--since, --until] on commit dates; a length like 2h counts back from --until.
A begun minute counts as one in the duration.")]
pub struct Args {
    /// The agent that worked.
    #[arg(long, value_name = "ID", env = "FLYWHEEL_AGENT")]
    agent: AgentId,

    /// What kind of session it was.
    #[arg(long = "type", value_name = "TYPE", value_parser = session_type(), default_value = "build")]
    kind: SessionType,

    /// The repository that was worked on.
    #[arg(long, value_name = "DIR", requires = "since")]
    repo: Option<PathBuf>,

    /// When the session began: a time with its zone, or how long before the end, like 2h or 90min.
    #[arg(long, value_name = "TIME")]
    since: Option<When>,

    /// When it ended [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<When>,

    /// The name the agent commits under [default: everybody's commits]
    #[arg(long, value_name = "NAME", requires = "repo")]
    author: Option<String>,

    #[command(flatten)]
    contents: Contents,

    #[command(flatten)]
    output: Output,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let now = draft::now();
    let until = args.until.map_or(Ok(now), |until| until.resolve(now))?;
    let draft = Draft {
        id: draft::new_id(),
        kind: args.kind,
        agent: args.agent,
        since: args.since.map(|since| since.resolve(until)).transpose()?,
        until,
        repo: args.repo.as_deref().map(repository::open).transpose()?,
        author: args.author,
        after: None,
        conversations: Vec::new(),
        contents: args.contents,
    };
    let progress = context.console.progress(None, "reading the repository");
    let exit = draft::write(draft, &args.output, context);
    progress.finish_and_clear();
    exit
}
