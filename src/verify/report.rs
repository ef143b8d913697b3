//! What a verification found, for people and for programs.

use crate::templates::Templates;
use flywheel_events::{Digest, SessionId};
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

/// Most findings that the Markdown lists; the JSON has them all.
const LISTED_MAX: usize = 1000;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The log is not what was recorded.
    Log,
    /// A session has not exactly one record.
    Record,
    /// A step of an ended run has not exactly one outcome.
    Outcome,
    /// A session was accepted and has not ended.
    Unfinished,
    /// An artifact's text is not the one its fact names, or lies outside its folder.
    Artifact,
    /// A queued item is not of an artifact in the log.
    Queue,
    /// A file is not where it was written.
    Missing,
    /// A file has other content than the log.
    Changed,
    /// A file or folder that no session has, where artifacts are written.
    Orphan,
    /// A read model is not what the log gives.
    View,
}

impl Kind {
    /// Every kind with its heading.
    const ALL: [(Self, &'static str); 10] = [
        (Self::Log, "The log"),
        (Self::Record, "One record per session"),
        (Self::Outcome, "One outcome per step"),
        (Self::Unfinished, "Every session has ended"),
        (Self::Artifact, "Artifacts in the log"),
        (Self::Queue, "Queued content"),
        (Self::Missing, "Files that are missing"),
        (Self::Changed, "Files that were changed"),
        (Self::Orphan, "Files that belong to no session"),
        (Self::View, "Read models"),
    ];
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub kind: Kind,
    /// The session.
    pub session_id: Option<SessionId>,
    /// The artifact's type.
    pub artifact: Option<String>,
    /// The file or folder.
    pub path: Option<PathBuf>,
    /// The read model.
    pub view: Option<&'static str>,
    /// The position in the log.
    pub position: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// What to do, in the program's own words.
    pub hint: &'static str,
}

impl Finding {
    /// A finding that names no place yet.
    pub fn new(kind: Kind, what: impl Into<String>, hint: &'static str) -> Self {
        let what = what.into();
        Self { kind, session_id: None, artifact: None, path: None, view: None, position: None, what, hint }
    }
}

/// A read model beside its rebuild.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedView {
    /// Its name.
    pub view: &'static str,
    /// The digest of the live one; none where it cannot be read.
    pub live: Option<Digest>,
    /// The digest of the rebuilt one; none where the log cannot be folded.
    pub rebuilt: Option<Digest>,
}

/// What was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Facts in the log.
    pub facts: u64,
    /// The last position.
    pub position: u64,
    /// The chain there.
    pub chain: Digest,
    /// Sessions that were accepted.
    pub sessions: u64,
    /// Of these, how many have ended.
    pub ended: u64,
    /// Artifacts, superseded versions aside.
    pub artifacts: u64,
    /// Contents that several sessions made, which is no fault.
    pub duplicates: u64,
    /// Folders under which artifacts were written.
    pub places: u64,
    /// Files that must be there.
    pub files: u64,
    /// The read models.
    pub views: Vec<CheckedView>,
}

/// The whole report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether nothing was found.
    pub ok: bool,
    /// What was looked at.
    pub checked: Checked,
    /// What was found, by kind, then in a stable order.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(checked: Checked, mut findings: Vec<Finding>) -> Self {
        let order = |finding: &Finding| {
            let Finding { kind, position, session_id, path, artifact, what, .. } = finding.clone();
            (kind, position, session_id, path, artifact, what)
        };
        findings.sort_by_cached_key(order);
        Self { ok: findings.is_empty(), checked, findings }
    }
}

/// The report as Markdown.
///
/// # Errors
/// When the template cannot be rendered.
pub fn markdown(report: &Report) -> anyhow::Result<String> {
    let listed = &report.findings[..report.findings.len().min(LISTED_MAX)];
    let sections = Kind::ALL.map(|(kind, heading)| {
        let of_kind = |findings: &[Finding]| findings.iter().filter(|it| it.kind == kind).cloned().collect::<Vec<_>>();
        json!({ "heading": heading, "count": of_kind(&report.findings).len(), "findings": of_kind(listed) })
    });
    let context = json!({
        "checked": report.checked,
        "count": report.findings.len(),
        "unlisted": report.findings.len() - listed.len(),
        "sections": sections,
    });
    Ok(Templates::load(None)?.render("verification.md", context).map_err(|stop| anyhow::anyhow!("{stop:?}"))?.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_heading() {
        let kinds: Vec<Kind> = Kind::ALL.iter().map(|row| row.0).collect();
        assert!(kinds.is_sorted(), "in the order of the report");
        for kind in kinds {
            assert_eq!(Kind::ALL.iter().filter(|row| row.0 == kind).count(), 1);
        }
    }
}
