//! What a run reports, for people and for programs.

use crate::{
    cli::{Console, Exit},
    intake::report::{Problem, Report, plain},
    output::{self, Written},
    stages::IN_A_NEW_SESSION,
};
use flywheel_events::{ArtifactGenerated, ArtifactType, Digest, Outcome, SessionId, SessionType, StepFailed};
use flywheel_projections::SessionView;
use serde::Serialize;
use serde_json::json;
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

/// How a file came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Status {
    Ready,
    Partial,
    Failed,
    Duplicate,
    Conflict,
    Rejected,
}

impl Status {
    pub(in crate::cli) fn exit(self) -> Exit {
        match self {
            Self::Ready | Self::Duplicate => Exit::Done,
            Self::Partial | Self::Failed | Self::Conflict => Exit::Failed,
            Self::Rejected => Exit::Wrong,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
        }
    }
}

#[derive(Debug, Serialize)]
struct WrittenArtifact {
    #[serde(rename = "type")]
    artifact_type: ArtifactType,
    path: PathBuf,
    sha256: Digest,
}

#[derive(Debug, Serialize)]
struct Failure {
    step: String,
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// Whether another run may come out otherwise.
    #[serde(skip)]
    again: bool,
}

/// How one file came out.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct SessionReport {
    /// As it was given, a name that is not UTF-8 as well as JSON can show it; null where nobody knows it.
    file: Option<String>,
    session_id: Option<String>,
    session_type: Option<SessionType>,
    /// The run, where more than the first was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) run: Option<u32>,
    pub(in crate::cli) status: Status,
    artifacts: Vec<WrittenArtifact>,
    failures: Vec<Failure>,
    skipped: Vec<Skip>,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<serde_json::Value>,
    #[serde(skip)]
    rendered: Option<Box<Report>>,
}

#[derive(Debug, Serialize)]
struct Skip {
    step: String,
    reason: String,
}

impl SessionReport {
    pub(in crate::cli) fn of(
        file: Option<&Path>,
        id: SessionId,
        session_type: SessionType,
        warnings: Vec<String>,
    ) -> Self {
        Self {
            file: file.map(|file| file.to_string_lossy().into_owned()),
            session_id: Some(id.to_string()),
            session_type: Some(session_type),
            run: None,
            status: Status::Ready,
            artifacts: vec![],
            failures: vec![],
            skipped: vec![],
            warnings,
            report: None,
            rendered: None,
        }
    }

    pub(in crate::cli) fn rejected(file: &Path, claimed_id: Option<String>, report: &Report) -> Self {
        Self {
            file: Some(file.to_string_lossy().into_owned()),
            session_id: claimed_id,
            session_type: None,
            run: None,
            status: Status::Rejected,
            artifacts: vec![],
            failures: report.errors.iter().map(refusal).collect(),
            skipped: vec![],
            warnings: vec![],
            report: Some(report.json()),
            rendered: Some(Box::new(report.clone())),
        }
    }

    pub(in crate::cli) fn conflict(&mut self, position: u64) {
        self.status = Status::Conflict;
        self.failures.push(Failure {
            step: "session-completed".into(),
            error: format!(
                "a session with this id and other content is in the log, at position {position}; nothing was changed"
            ),
            hint: Some(format!("see it with `flywheel log show {position}`; a new session needs an id of its own")),
            again: false,
        });
    }

    pub(in crate::cli) fn fill(&mut self, view: &SessionView, ended_before: bool, remarks: Vec<String>) {
        self.warnings.extend(remarks);
        self.status = match view.ready().map(|ready| ready.outcome) {
            _ if ended_before => Status::Duplicate,
            Some(Outcome::Ready) => Status::Ready,
            Some(Outcome::Partial) => Status::Partial,
            Some(Outcome::Failed) | None => Status::Failed,
        };
        if ended_before && let Some(ready) = view.ready().filter(|ready| ready.outcome != Outcome::Ready) {
            let id = ready.session_id;
            self.warnings.push(format!("its last run did not end well: `flywheel retry {id}` repeats what failed"));
        }
        self.failures.extend(view.failures().map(|failed| Failure {
            step: failed.step.clone(),
            error: failed.message.clone(),
            hint: failed.hint.clone(),
            again: may_end_otherwise(failed),
        }));
        self.skipped.extend(view.skipped().map(|skip| Skip { step: skip.step.clone(), reason: skip.reason.clone() }));
    }

    /// Writes what was made under a folder, and says what could not be written.
    pub(in crate::cli) fn write(&mut self, view: &SessionView, out: &Path, keep: bool) -> HashSet<ArtifactType> {
        let mut unwritten = HashSet::new();
        for artifact in view.artifacts() {
            match output::write(artifact, out, keep) {
                Ok(written) => self.written(artifact, &written),
                Err(error) => {
                    unwritten.insert(artifact.artifact_type);
                    self.not_written(artifact, &error);
                }
            }
        }
        unwritten
    }

    /// Something to look at that is no fault.
    pub(in crate::cli) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    fn written(&mut self, artifact: &ArtifactGenerated, written: &Written) {
        if written.differs {
            self.warnings.push(format!("{} is not what the log has, and was left as it is", written.path.display()));
        }
        self.artifacts.push(WrittenArtifact {
            artifact_type: artifact.artifact_type,
            path: written.path.clone(),
            sha256: artifact.sha256,
        });
    }

    fn not_written(&mut self, artifact: &ArtifactGenerated, error: &anyhow::Error) {
        self.failures.push(Failure {
            step: format!("write-{}", artifact.artifact_type.as_str()),
            error: format!("{error:#}"),
            hint: Some("it is in the log: make room, or give another --out, then run the same file again".into()),
            again: false,
        });
    }

    pub(in crate::cli) fn not_updated(&mut self, error: &anyhow::Error) {
        self.failures.push(Failure {
            step: "update-session_file".into(),
            error: format!("{error:#}"),
            hint: Some("run the same file again, or with --no-update".into()),
            again: false,
        });
    }

    /// What could not be written counts, although the log has it.
    pub(in crate::cli) fn settle(&mut self) {
        let unwritten = self
            .failures
            .iter()
            .any(|failure| failure.step.starts_with("write-") || failure.step.starts_with("update-"));
        if unwritten && matches!(self.status, Status::Ready | Status::Duplicate) {
            self.status = if self.artifacts.is_empty() { Status::Failed } else { Status::Partial };
        }
    }
}

/// Whether a step that failed may end otherwise in another run: not where the recorded session itself is at fault.
fn may_end_otherwise(failed: &StepFailed) -> bool {
    !failed.hint.as_ref().is_some_and(|hint| hint.ends_with(IN_A_NEW_SESSION))
}

/// What is wrong with a file, where, and what to do.
fn refusal(problem: &Problem) -> Failure {
    let place = match problem.pointer.trim_start_matches('/') {
        // Of a file that could not be read there is no place.
        "" if problem.length == 0 => String::new(),
        "" => format!("line {}, column {}: ", problem.line, problem.column),
        // Most messages name their place themselves.
        _ if problem.message.contains("metadata.") || problem.message.contains("source_data.") => String::new(),
        pointer => format!("{}: ", plain(&pointer.replace('/', "."))),
    };
    let meant = problem.did_you_mean.as_ref().map(|meant| format!("did you mean `{meant}`?"));
    let expected = problem.expected.as_ref().map(|expected| format!("expected {expected}"));
    Failure {
        step: "intake".into(),
        error: format!("{place}{}", problem.message),
        hint: problem.hint.clone().or(meant).or(expected),
        again: false,
    }
}

/// A warning of the intake as one line.
pub(in crate::cli) fn warning(problem: &Problem) -> String {
    format!("line {}: {}", problem.line, problem.message)
}

/// Prints the reports: results on stdout, what is wrong on stderr.
pub(in crate::cli) fn print(reports: &[SessionReport], console: Console) {
    if console.json {
        console.document(&json!({ "sessions": reports }));
        return;
    }
    for report in reports {
        print_one(report, console);
    }
}

/// Names, ids and what a session says are not ours: they reach a terminal without its control codes.
fn print_one(report: &SessionReport, console: Console) {
    if let Some(rejected) = &report.rendered {
        console.note(rejected.render(console.interactive));
    }
    let id = plain(report.session_id.as_deref().unwrap_or("-"));
    let file = plain(report.file.as_deref().unwrap_or(&id));
    console.line(format_args!("{:<10} {id}  {file}", report.status.word()));
    for artifact in &report.artifacts {
        console.line(format_args!("  {:<14} {}", artifact.artifact_type.as_str(), artifact.path.display()));
    }
    for skip in &report.skipped {
        console.line(format_args!("  {:<14} nothing to do: {}", short(&skip.step), plain(&skip.reason)));
    }
    for warning in &report.warnings {
        console.note(format_args!("warning: {file}: {}", plain(warning)));
    }
    if report.rendered.is_none() {
        for failure in &report.failures {
            console.note(format_args!("failed: {file}: {}: {}", failure.step, plain(&failure.error)));
            if let Some(hint) = &failure.hint {
                console.note(format_args!("  hint: {}", plain(hint)));
            }
        }
        if matches!(report.status, Status::Partial | Status::Failed) && report.failures.iter().any(|one| one.again) {
            console.note(format_args!("  then: flywheel retry {id}"));
        }
    }
}

fn short(step: &str) -> &str {
    step.split_once('-').map_or(step, |(_, name)| name)
}
