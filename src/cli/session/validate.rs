//! `flywheel session validate`: every file judged, every error shown.

use super::{
    super::{Context, Exit},
    session_type,
};
use crate::{
    files,
    intake::{self, Accepted, Report, document::SIZE_BYTES_MAX, report::plain},
};
use flywheel_events::SessionType;
use serde_json::{Value, json};
use std::{
    io::{self, ErrorKind, Read as _},
    path::Path,
};

/// Check session files.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flywheel session validate work_session.json
  flywheel session validate sessions/*.json --json
  flywheel session new --agent Agent-7 --out - | flywheel session validate -

Exit codes: 0 all files are valid, 2 one is not.")]
pub struct Args {
    /// The files; `-` is standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,

    /// The type that the sessions must have.
    #[arg(long, value_name = "TYPE", value_parser = session_type())]
    pipeline: Option<SessionType>,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let console = &context.console;
    let mut all_valid = true;
    let mut documents = Vec::new();
    for file in &args.files {
        let result = judge(file, args.pipeline);
        all_valid &= result.is_ok();
        if console.json {
            documents.push(document(file, &result));
            continue;
        }
        match &result {
            Ok(accepted) => {
                let session = &accepted.session;
                let name = plain(file);
                console.line(format_args!("ok  {name} ({}, {})", session.session_type.as_str(), session.session_id));
                if let Some(report) = accepted.report(file) {
                    console.note(report.render(console.interactive));
                }
            }
            Err(report) => console.note(report.render(console.interactive)),
        }
    }
    if console.json {
        console.document(&json!({ "files": documents }));
    }
    Ok(if all_valid { Exit::Done } else { Exit::Wrong })
}

fn judge(file: &str, pipeline: Option<SessionType>) -> Result<Accepted, Box<Report>> {
    let bytes = match file {
        "-" => {
            let mut bytes = Vec::new();
            io::stdin().lock().take(SIZE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
        }
        path => files::read_at_most(Path::new(path), SIZE_BYTES_MAX + 1),
    };
    let bytes = bytes.map_err(|error| Box::new(unreadable(file, &error)))?;
    intake::read(file, &bytes, pipeline)
}

/// The report of a file that does not open.
pub fn unreadable(file: &str, error: &io::Error) -> Report {
    let (code, hint) = match error.kind() {
        ErrorKind::NotFound => ("not_found", "check the path, or make the file with `flywheel session new`"),
        ErrorKind::IsADirectory => ("unreadable", "name the files in the folder, like `folder/*.json`"),
        ErrorKind::PermissionDenied => ("unreadable", "check the file's permissions"),
        _ => ("unreadable", "check the path"),
    };
    let message = match error.kind() {
        ErrorKind::NotFound => "session file not found".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    };
    Report::unreadable(file, code, &message, hint)
}

fn document(file: &str, result: &Result<Accepted, Box<Report>>) -> Value {
    match result {
        Err(report) => report.json(),
        Ok(accepted) => json!({
            "file": file,
            "valid": true,
            "session_id": accepted.session.session_id,
            "session_type": accepted.session.session_type,
            "agent_id": accepted.session.agent_id,
            "errors": [],
            "warnings": accepted.warnings,
        }),
    }
}
