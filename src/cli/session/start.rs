//! `flywheel session start`: begins to track a session.

use super::{
    super::{Context, Exit, Mistake},
    draft, repository, session_type,
    tracking::{self, State},
};
use flywheel_events::{AgentId, SessionType};
use serde_json::json;
use std::path::PathBuf;

/// Start to track a session.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flywheel session start --agent Agent-7 --repo . --goal 'Ship the publish queue'
  FLYWHEEL_AGENT=Agent-7 flywheel session start --type life_aria")]
pub struct Args {
    /// The agent that works.
    #[arg(long, value_name = "ID", env = "FLYWHEEL_AGENT")]
    agent: AgentId,

    /// The name to track it under [default: the agent's id]
    #[arg(long, value_name = "NAME")]
    name: Option<AgentId>,

    /// What kind of session it is.
    #[arg(long = "type", value_name = "TYPE", value_parser = session_type(), default_value = "build")]
    kind: SessionType,

    /// The repository that is worked on.
    #[arg(long, value_name = "DIR")]
    repo: Option<PathBuf>,

    /// The name the agent commits under [default: git's user.name there]
    #[arg(long, value_name = "NAME", requires = "repo")]
    author: Option<String>,

    /// What the session is to achieve.
    #[arg(long, value_name = "TEXT")]
    goal: Option<String>,

    /// Forget a session that is being tracked under this name.
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let repo = args.repo.as_deref().map(repository::open).transpose()?;
    let slot = tracking::slot(args.name.unwrap_or_else(|| args.agent.clone()), context)?;
    if slot.path.symlink_metadata().is_ok() && !args.force {
        let since = slot.read().ok().flatten().map_or(String::new(), |state| format!(" since {}", state.started_at));
        let message = format!("a session of `{}` is being tracked{since}: {}", slot.name, slot.path.display());
        let hint = "end it with `flywheel session stop`, track this one under another --name, or --force to forget it";
        return Err(Mistake::new(message, hint).into());
    }
    let state = State {
        session_id: draft::new_id(),
        session_type: args.kind,
        agent_id: args.agent,
        started_at: draft::now(),
        head: repo.as_deref().and_then(repository::head),
        git_author: args.author.or_else(|| repo.as_deref().and_then(repository::user_name)),
        repo_path: repo,
        goal: args.goal,
        conversations: Vec::new(),
        screenshots: Vec::new(),
    };
    slot.write(&state)?;
    let console = &context.console;
    if console.json {
        console.document(&json!({
            "path": slot.path, "name": slot.name, "session_id": state.session_id,
            "session_type": state.session_type, "started_at": state.started_at, "repo_path": state.repo_path,
            "head": state.head, "git_author": state.git_author,
        }));
    } else {
        console.line(slot.path.display());
        console.note(format_args!("tracking `{}` since {}", slot.name, state.started_at));
    }
    Ok(Exit::Done)
}
