//! `flywheel retry`: the failed steps of a session again.

use super::{
    Context, Exit, Mistake,
    again::{self, Options},
};
use crate::{
    runner::{downstream, looks_behind, step_of},
    stages::pipeline,
};
use flywheel_events::{FailureClass, SessionType, Step, StepFailed};

/// Which session, and which steps.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What has ended well is kept, unless it follows from a step that is repeated. Where a step was refused, the repository it was refused for is read again first, so correct that, then retry. `flywheel rerun` repeats everything.\n\nExit codes: 0 ready, or nothing had failed; 1 partial or failed again; 2 there is no such session or step.\n\nExamples:\n  flywheel retry a1b2c3d4-e5f6-7890-abcd-ef1234567890\n  flywheel retry a1b2c3d4-e5f6-7890-abcd-ef1234567890 --step scan --repo-root ~/code"
)]
pub struct Args {
    #[command(flatten)]
    options: Options,
    /// Repeat this step and what follows from it, whether it failed or not; several may be given [default: every step
    /// that failed]
    #[arg(long, value_name = "STEP")]
    step: Vec<String>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let choice = |session_type, view: &flywheel_projections::SessionView| {
        let steps = match args.step.as_slice() {
            [] => view.failures().flat_map(|failed| repeated(session_type, failed)).collect(),
            named => named.iter().map(|name| named_step(session_type, name)).collect::<Result<Vec<Step>, _>>()?,
        };
        let steps = downstream(pipeline(session_type), &steps);
        Ok((!steps.is_empty()).then_some(steps))
    };
    again::run("retry", &args.options, &choice, context)
}

/// A failed step, and where its input was refused also the steps that look at the world for it: on what was seen
/// before it would only be refused again.
fn repeated(session_type: SessionType, failed: &StepFailed) -> Vec<Step> {
    let Ok(step) = failed.step.parse() else { return vec![] };
    let mut steps = match failed.class {
        FailureClass::Refused => looks_behind(pipeline(session_type), &step),
        _ => vec![],
    };
    steps.push(step);
    steps
}

/// A step by its stage's name or its own: `scan` or `build-scan`.
fn named_step(session_type: SessionType, name: &str) -> Result<Step, Mistake> {
    let pipeline = pipeline(session_type);
    let row = pipeline.stages.iter().find(|row| row.name == name || step_of(pipeline, row).as_str() == name);
    row.map(|row| step_of(pipeline, row)).ok_or_else(|| {
        let names: Vec<&str> = pipeline.stages.iter().map(|row| row.name).collect();
        let hint = format!("its steps are {}; `flywheel stages` shows them", names.join(", "));
        Mistake::new(format!("the pipeline {} has no step `{name}`", session_type.as_str()), hint)
    })
}
