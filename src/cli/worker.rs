//! `flywheel worker`: stages for the swarm, beside any number of other workers.

use super::{
    Context, Exit, Mistake,
    bus::{self, Reach},
    workshop,
};
use crate::{bus::BusLog, local::Local, log::Scope, runner, safety::Cleaner, stages::pipelines};
use std::{path::PathBuf, sync::Arc};

/// Work on stages for the swarm.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  flywheel worker --nats nats://localhost:4222\n  flywheel worker --stage trade-journal --stage trade-thread\n\nIt ends on SIGTERM or Ctrl-C, and gives back what it has in hand."
)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Only this stage, as `flywheel stages` names it; may be given more than once. Default: all.
    #[arg(long = "stage", value_name = "STAGE")]
    stages: Vec<String>,
    /// A folder with templates that replace the built-in ones of the same name [env: FLYWHEEL_TEMPLATES]
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// A folder under which repositories and screenshots may be read; may be given more than once [env:
    /// FLYWHEEL_REPO_ROOTS]
    #[arg(long = "repo-root", value_name = "DIR")]
    repo_roots: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let known: Vec<_> = runner::consumers().into_iter().map(|consumer| consumer.name).collect();
    if let Some(wrong) = args.stages.iter().find(|stage| known.iter().all(|name| name.as_str() != *stage)) {
        let names = known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(Mistake::new(format!("there is no stage `{wrong}`"), format!("give one of {names}")).into());
    }
    let settings = &context.settings;
    let local = Local::open(&settings.data)?;
    let templates = workshop::templates(args.templates.as_deref(), settings)?;
    let cleaner = Cleaner::new(workshop::own_context());
    let tools = Arc::new(workshop::tools(templates, cleaner, &local, &args.repo_roots, context)?);
    bus::runtime()?.block_on(async {
        let bus = args.reach.connect(settings).await?;
        let log = BusLog::open(bus, bus::topology(settings)).await?;
        context.console.note(format_args!(
            "working on {}",
            if args.stages.is_empty() { "every stage".to_owned() } else { args.stages.join(", ") }
        ));
        let wanted = |step: &flywheel_events::Step| {
            args.stages.is_empty() || args.stages.iter().any(|stage| stage == step.as_str())
        };
        let until = async { bus::asked_to_end().await.map_err(|error| crate::log::Error::File(error.to_string())) };
        runner::work(&log, pipelines(), &tools, Scope::All, wanted, until).await?;
        log.close().await?;
        anyhow::Ok(Exit::Done)
    })
}
