//! What was counted, what was claimed, and where the two differ.
//!
//! Only git's count of a repository is a count. What a session says of itself is a claim, printed as one; where it
//! also lists what it claims, claim and list are compared.

use super::evidence::{Found, Role};
use crate::wording::{count, number};
use flywheel_events::{Commit, FiguresFrom, RepoScanned, SessionCompleted};
use serde::Serialize;
use std::collections::BTreeSet;

/// The figures of a build session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Whether git counted them.
    pub counted: bool,
    /// Commits counted, or listed by the session; null where it neither lists nor claims any, or nobody knows them.
    pub commits: Option<u64>,
    /// Files changed.
    pub files: Option<u64>,
    /// Lines added.
    pub added: Option<u64>,
    /// Lines removed.
    pub removed: Option<u64>,
    /// Claims that do not hold.
    pub mismatches: Vec<Mismatch>,
    /// Hashes the session lists that the repository does not have.
    pub not_found: Vec<String>,
    /// Deliverables that no commit of the session touches, where git counted.
    pub untouched: Vec<String>,
}

/// A claim that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// What was claimed, as a label.
    pub what: &'static str,
    /// The claim.
    pub claimed: u64,
    /// What was counted, or what the session itself lists.
    pub found: u64,
}

impl Figures {
    /// Works them out.
    pub fn of(session: &SessionCompleted, scan: Option<&RepoScanned>, commits: &[Commit], found: &[Found]) -> Self {
        match scan.filter(|scan| scan.figures_from == FiguresFrom::Repository) {
            Some(scan) => Self::counted(session, scan, found),
            None => Self::claimed(session, scan, commits),
        }
    }

    fn counted(session: &SessionCompleted, scan: &RepoScanned, found: &[Found]) -> Self {
        let (claims, stats) = (&session.metadata, &scan.stats);
        // Without a count of files there is none of commits either, unless there are some.
        let commits = (stats.commits > 0 || stats.files_changed.is_some()).then_some(stats.commits);
        Self {
            counted: true,
            commits,
            files: stats.files_changed,
            added: stats.lines_added,
            removed: stats.lines_removed,
            mismatches: mismatches([
                ("Commits", claims.commits, commits),
                ("Files changed", claims.files_changed, stats.files_changed),
                ("Lines added", claims.lines_added, stats.lines_added),
                ("Lines removed", claims.lines_removed, stats.lines_removed),
            ]),
            not_found: scan.commits_not_found.clone(),
            untouched: untouched(scan, found),
        }
    }

    fn claimed(session: &SessionCompleted, scan: Option<&RepoScanned>, commits: &[Commit]) -> Self {
        let (claims, listed) = (&session.metadata, commits.len() as u64);
        let stats = scan.map(|scan| scan.stats).unwrap_or_default();
        let paths: BTreeSet<&str> = commits.iter().flat_map(|c| &c.files).map(|file| file.path.as_str()).collect();
        let all_list_files = listed > 0 && commits.iter().all(|commit| !commit.files.is_empty());
        Self {
            counted: false,
            commits: (listed > 0).then_some(listed).or(claims.commits),
            files: claims.files_changed.or(stats.files_changed).or(all_list_files.then_some(paths.len() as u64)),
            added: claims.lines_added.or(stats.lines_added),
            removed: claims.lines_removed.or(stats.lines_removed),
            mismatches: mismatches([
                ("Commits", claims.commits, Some(listed)),
                ("Files changed", claims.files_changed, all_list_files.then_some(paths.len() as u64)),
                ("", None, None),
                ("", None, None),
            ]),
            not_found: scan.map(|scan| scan.commits_not_found.clone()).unwrap_or_default(),
            untouched: vec![],
        }
    }

    /// The lines in words: `450 added, 120 removed`; null where neither is known.
    pub fn lines(&self) -> Option<String> {
        let parts: Vec<String> = [(self.added, "added"), (self.removed, "removed")]
            .into_iter()
            .filter_map(|(lines, word)| lines.map(|lines| format!("{} {word}", number(lines))))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The counted figures as one sentence for a post; null where nothing was counted or changed.
    pub fn counted_sentence(&self) -> Option<String> {
        let commits = self.commits.filter(|commits| self.counted && *commits > 0)?;
        let mut parts = vec![count(commits, "commit", "commits")];
        parts.extend(self.files.map(|files| count(files, "file changed", "files changed")));
        parts.extend(match (self.added, self.removed) {
            (Some(added), Some(removed)) => {
                Some(format!("{} added and {} removed", count(added, "line", "lines"), number(removed)))
            }
            (Some(added), None) => Some(format!("{} added", count(added, "line", "lines"))),
            (None, Some(removed)) => Some(format!("{} removed", count(removed, "line", "lines"))),
            (None, None) => None,
        });
        Some(format!("Counted by git: {}.", parts.join(", ")))
    }
}

fn mismatches(rows: [(&'static str, Option<u64>, Option<u64>); 4]) -> Vec<Mismatch> {
    rows.into_iter()
        .filter_map(|(what, claimed, found)| Some(Mismatch { what, claimed: claimed?, found: found? }))
        .filter(|row| row.claimed != row.found)
        .collect()
}

/// Deliverables that name a file, with no commit of the session that changes it.
fn untouched(scan: &RepoScanned, found: &[Found]) -> Vec<String> {
    let changed: Vec<&str> =
        scan.commits.iter().flat_map(|commit| &commit.files).map(|file| file.path.as_str()).collect();
    let touched = |deliverable: &str| {
        let path = deliverable.replace('\\', "/");
        let path = path.trim_start_matches("./").trim_end_matches('/');
        // A deliverable may be named from above the repository, or be a folder, or stand by its bare name.
        let ends = |longer: &str, shorter: &str| {
            longer.strip_suffix(shorter).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        };
        let inside = |file: &str| file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        changed.iter().any(|file| ends(path, file) || ends(file, path) || inside(file))
    };
    found
        .iter()
        .filter(|one| one.role == Role::Deliverable && is_path(&one.text) && !touched(&one.text))
        .map(|one| one.text.clone())
        .collect()
}

/// Whether a text is a file's name: no blank, and a folder or an extension in it.
pub fn is_path(text: &str) -> bool {
    let named = text.contains(['/', '\\'])
        || text.rsplit_once('.').is_some_and(|(stem, end)| !stem.is_empty() && !end.is_empty());
    named && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{changelog::tests::commit, evidence::gather};
    use flywheel_events::{Fact as _, FileChange, RepoStats};
    use serde_json::{Value, json};

    fn session(metadata: Value, deliverables: Value) -> SessionCompleted {
        serde_json::from_value(json!({
            "session_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "session_type": "build",
            "timestamp": "2025-12-02T05:20:00Z", "agent_id": "Agent-7",
            "metadata": metadata, "deliverables": deliverables,
        }))
        .unwrap()
    }

    #[test]
    fn claims_are_compared_with_what_git_counted() {
        let stats = RepoStats { files_changed: Some(7), lines_added: Some(450), lines_removed: None, commits: 2 };
        let scan = RepoScanned { stats, commits_not_found: vec!["abc".into()], ..RepoScanned::example() };
        let claims = json!({ "commits": 3, "files_changed": 7, "lines_added": 451, "lines_removed": 9 });
        let session = session(
            claims,
            json!(["src/queue.rs", "flywheel/src/queue.rs", "queue.rs", "src", "src/gone.rs", "a talk"]),
        );
        let figures = Figures::of(&session, Some(&scan), &scan.commits, &gather(&session));
        assert_eq!((figures.counted, figures.commits, figures.removed), (true, Some(2), None));
        let shown: Vec<_> = figures.mismatches.iter().map(|m| (m.what, m.claimed, m.found)).collect();
        assert_eq!(shown, [("Commits", 3, 2), ("Lines added", 451, 450)]);
        assert_eq!(figures.not_found, ["abc"]);
        assert_eq!(figures.untouched, ["src/gone.rs"]);
        assert_eq!(
            figures.counted_sentence().as_deref(),
            Some("Counted by git: 2 commits, 7 files changed, 450 lines added.")
        );
    }

    #[test]
    fn a_sessions_own_figures_stay_claims() {
        let file = |path: &str| FileChange { path: path.into(), renamed_from: None, added: None, removed: None };
        let commits = [
            Commit { files: vec![file("a"), file("b")], ..commit("1111111", "feat: a") },
            Commit { files: vec![file("b")], ..commit("2222222", "feat: b") },
        ];
        let session = session(json!({ "commits": 3, "files_changed": 8, "lines_added": 450 }), json!([]));
        let figures = Figures::of(&session, None, &commits, &[]);
        assert_eq!((figures.counted, figures.commits, figures.files), (false, Some(2), Some(8)));
        let shown: Vec<_> = figures.mismatches.iter().map(|m| (m.what, m.claimed, m.found)).collect();
        assert_eq!(shown, [("Commits", 3, 2), ("Files changed", 8, 2)]);
        assert_eq!(figures.counted_sentence(), None);
        assert_eq!(figures.lines().as_deref(), Some("450 added"));
    }
}
