//! `flywheel rerun`: a session again from its beginning.

use super::{
    Context, Exit,
    again::{self, Options},
};

/// Which session.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Everything is made again from the recorded session and the world as it is now; what was made before stays in the log, superseded.\n\nExamples:\n  flywheel rerun a1b2c3d4-e5f6-7890-abcd-ef1234567890\n  flywheel rerun a1b2c3d4-e5f6-7890-abcd-ef1234567890 --repo-root ~/code --json"
)]
pub struct Args {
    #[command(flatten)]
    options: Options,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    again::run("rerun", &args.options, &|_, _| Ok(Some(vec![])), context)
}
