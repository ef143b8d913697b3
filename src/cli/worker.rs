//! `flywheel worker`: stages for the swarm, beside any number of other workers.

use super::{
    Context, Exit, Mistake,
    bus::{self, Reach},
    figures::Figures,
    staying, workshop,
};
use crate::{bus::LOG, local::Local, runner, runner::Tools, safety::Cleaner};
use flywheel_events::Step;
use std::{path::PathBuf, sync::Arc};

/// Work on stages for the swarm.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  flywheel worker --nats nats://localhost:4222\n  flywheel worker --stage trade-journal --stage trade-thread\n\nIt ends on SIGTERM or Ctrl-C, and gives back what it has in hand. While the bus is away it waits."
)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Only this stage, as `flywheel stages` names it; may be given more than once. Default: all.
    #[arg(long = "stage", value_name = "STAGE")]
    stages: Vec<String>,
    #[command(flatten)]
    tools: ToolArgs,
    #[command(flatten)]
    figures: Figures,
}

/// What stages are given.
#[derive(Debug, clap::Args)]
pub struct ToolArgs {
    /// A folder with templates that replace the built-in ones of the same name [env: FLYWHEEL_TEMPLATES]
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// A folder with repositories: a session finds its own there by the last name of its `repo_path`, also as NAME.git. May be
    /// given more than once. Without it the sessions' own records stand in for git [env: FLYWHEEL_REPO_ROOTS]
    #[arg(long = "repo-root", value_name = "DIR")]
    repo_roots: Vec<PathBuf>,
}

impl ToolArgs {
    /// The tools, for as long as the process lives.
    ///
    /// # Errors
    /// When the templates or the data folder cannot be used.
    pub fn open(&self, reach: &Reach, context: &Context) -> anyhow::Result<Arc<Tools>> {
        let settings = &context.settings;
        let local = Local::open(&settings.data)?;
        let templates = workshop::templates(self.templates.as_deref(), settings)?;
        let cleaner = Cleaner::new(workshop::own_context());
        let blobs = workshop::blobs(reach, settings)?;
        Ok(Arc::new(workshop::tools(templates, cleaner, &local, blobs, &self.repo_roots, context)?))
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let stages = known(&args.stages)?;
    let tools = args.tools.open(&args.reach, context)?;
    let address = args.reach.address(&context.settings)?;
    staying::run(async |parts| {
        args.figures.begin(parts, &address, &[LOG], context).await?;
        let Some(_) = staying::reach(&address, parts.stop(), context).await? else { return Ok(()) };
        let shown = if args.stages.is_empty() { "every stage".to_owned() } else { args.stages.join(", ") };
        context.console.note(format_args!("working on {shown}"));
        parts.spawn(staying::worker(address, bus::topology(&context.settings), tools, stages, parts.stop().clone()));
        Ok(())
    })
}

/// The stages of these names; none means all.
fn known(names: &[String]) -> Result<Vec<Step>, Mistake> {
    let known: Vec<Step> = runner::consumers().into_iter().map(|consumer| consumer.name).collect();
    if let Some(wrong) = names.iter().find(|name| known.iter().all(|step| step.as_str() != *name)) {
        let known = known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(Mistake::new(format!("there is no stage `{wrong}`"), format!("give one of {known}")));
    }
    Ok(known.into_iter().filter(|step| names.iter().any(|name| step.as_str() == name)).collect())
}
