//! `flywheel log export`.

use super::{Context, Exit, open};
use std::io::{self, BufWriter, Write as _};

/// Where to.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each line is {\"position\",\"key\",\"chain\",\"event\"}. Import into an empty log, and its export has the same bytes.\n\nExamples:\n  flywheel log export > log.ndjson\n  flywheel log export --after 1000 | jq .event.type"
)]
pub struct Args {
    /// Only facts behind this position.
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    after: u64,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let log = open(context)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut broken = false;
    let progress = context.console.progress(None, "exporting");
    let result = log.export(args.after, |line| {
        let written = writeln!(out, "{line}");
        broken = written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        written
    });
    progress.finish_and_clear();
    // A reader that has seen enough is no fault.
    if !broken {
        result?;
        out.flush()?;
    }
    Ok(Exit::Done)
}
