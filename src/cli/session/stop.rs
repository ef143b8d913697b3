//! `flywheel session stop`: ends the session being tracked and writes its file.

use super::{
    super::{Context, Exit, Mistake},
    draft::{self, Contents, Draft, Output},
    repository,
    tracking::{self, Which},
};
use anyhow::Context as _;

/// End the session being tracked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flywheel session stop
  flywheel session stop --agent Agent-7 --out sessions/ --json

The session's commits are those of its author since it started; the tracking ends only when the file is safe.")]
pub struct Args {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    contents: Contents,

    #[command(flatten)]
    output: Output,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    if args.output.out.as_ref().is_some_and(|out| out.as_os_str() == "-") {
        let message = "`stop` writes a file, because the tracking ends only when the session is safe";
        return Err(Mistake::new(message, "give --out a file or a folder, then print the file").into());
    }
    let (slot, state) = tracking::find(&args.which, context)?;
    let mut contents = args.contents;
    contents.goal = contents.goal.or(state.goal);
    contents.screenshot.splice(0..0, state.screenshots);
    let repo = state.repo_path.as_deref().map(repository::open).transpose();
    let repo = repo.with_context(|| format!("the repository of `{}` is gone", slot.name))?;
    let draft = Draft {
        id: state.session_id,
        kind: state.session_type,
        agent: state.agent_id,
        since: Some(state.started_at),
        until: draft::now(),
        repo,
        author: state.git_author,
        after: state.head,
        conversations: state.conversations,
        contents,
    };
    let progress = context.console.progress(None, "reading the repository");
    let exit = draft::write(draft, &args.output, context);
    progress.finish_and_clear();
    let exit = exit?;
    if exit == Exit::Done {
        slot.remove()?;
    }
    Ok(exit)
}
