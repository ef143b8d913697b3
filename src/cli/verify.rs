//! `flywheel verify`: is everything what the log says?

use super::{Context, Exit, Mistake, check_utf8, log};
use crate::{
    files,
    verify::{self, Report, Scene},
};
use std::path::PathBuf;

/// How to report.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Checked are: the log, row by row and as a chain; one record per session; one outcome for every step of every run that ended; the artifact files at every place where they were written, and what else lies there; the read models against a rebuild. Nothing is changed. A session that was accepted and has not ended is a finding too.\n\nExit codes: 0 everything holds, 1 there are findings.\n\nExamples:\n  flywheel verify\n  flywheel verify --out verification.md\n  flywheel verify --json | jq '.findings[].what'"
)]
pub struct Args {
    /// How the report is written; with --json it is JSON.
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    format: Format,
    /// Write the report to this file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Markdown,
    /// For programs.
    Json,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let console = context.console;
    if let Some(out) = &args.out {
        check_utf8(out, "the report")?;
        if out.is_dir() {
            return Err(Mistake::new(format!("--out: {} is a folder", out.display()), "give the path of a file").into());
        }
    }
    let (log, local) = log::open_both(context)?;
    let progress = console.progress(Some(log.head_now()?.position), "facts");
    let scene = Scene { data: &context.settings.data, log: &log, local: &local };
    let report = verify::verify(&scene, |read| progress.set_position(read))?;
    progress.finish_and_clear();
    let text = match args.format {
        Format::Markdown if !console.json => verify::markdown(&report)?,
        _ => serde_json::to_string_pretty(&report)? + "\n",
    };
    match &args.out {
        None => console.text(&text),
        Some(out) => {
            files::write_atomically(out, text.as_bytes())?;
            console.line(format_args!("{}: {}", out.display(), summary(&report)));
        }
    }
    Ok(if report.ok { Exit::Done } else { Exit::Failed })
}

fn summary(report: &Report) -> String {
    match report.findings.len() {
        0 => "everything holds".to_owned(),
        1 => "1 finding".to_owned(),
        many => format!("{many} findings"),
    }
}
