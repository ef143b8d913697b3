//! What a session file takes from a repository: its head, its user and the commits of a window.

use super::super::Mistake;
use crate::git::{self, GitCommit, Repo, Window};
use chrono::{SecondsFormat, SubsecRound as _};
use flywheel_events::{CommitRecord, stamp::Stamp};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long one call of git may take. The person at the terminal waits for it.
const GIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Figures of some commits, as git counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Different paths.
    pub files_changed: u64,
    /// Lines added.
    pub lines_added: u64,
    /// Lines removed.
    pub lines_removed: u64,
}

/// The top folder of the repository that holds a folder, canonical; a bare repository's own folder.
///
/// # Errors
/// A [`Mistake`] where there is none.
pub fn open(folder: &Path) -> anyhow::Result<PathBuf> {
    let hint = "give the folder of a git repository, or leave --repo out";
    let mistake = |error: &dyn std::fmt::Display| {
        Mistake::new(format!("cannot open the repository {}: {error}", folder.display()), hint)
    };
    let folder = folder.canonicalize().map_err(|error| mistake(&error))?;
    let repo = repo(&folder).map_err(|error| mistake(&error))?;
    Ok(repo.top().map_or(folder, Path::to_owned))
}

/// The commit that is checked out; none before the first.
pub fn head(path: &Path) -> Option<String> {
    repo(path).ok()?.head().ok()?
}

/// The name under which commits are made here.
pub fn user_name(path: &Path) -> Option<String> {
    repo(path).ok()?.user_name().ok()?
}

/// The commits of a window on committer dates, both ends in it, oldest first; of one author where one is given. A
/// session that was tracked from the commit `after` on begins with the second that commit may share with its start.
///
/// # Errors
/// When git does not answer.
pub fn commits(
    path: &Path,
    since: Stamp,
    until: Stamp,
    author: Option<&str>,
    after: Option<&str>,
) -> anyhow::Result<(Vec<CommitRecord>, Figures)> {
    let since = if after.is_some() { since.trunc_subsecs(0) } else { since };
    let collected = git::collect(&repo(path)?, Window { since, until: Some(until) }, author)?;
    let commits: Vec<GitCommit> =
        collected.commits.into_iter().filter(|commit| Some(commit.hash.as_str()) != after).collect();
    let files = || commits.iter().flat_map(|commit| &commit.files);
    let figures = Figures {
        files_changed: files().map(|file| file.path.as_str()).collect::<BTreeSet<_>>().len() as u64,
        lines_added: files().filter_map(|file| file.added).fold(0, u64::saturating_add),
        lines_removed: files().filter_map(|file| file.removed).fold(0, u64::saturating_add),
    };
    Ok((commits.into_iter().map(record).collect(), figures))
}

fn record(commit: GitCommit) -> CommitRecord {
    let commit = commit.read();
    CommitRecord {
        hash: commit.hash,
        message: Some(commit.message),
        author: commit.author,
        timestamp: commit.timestamp.map(|date| Value::from(date.to_rfc3339_opts(SecondsFormat::Secs, true))),
        files: commit.files.into_iter().map(|file| file.path).collect(),
        extra: Default::default(),
    }
}

fn repo(path: &Path) -> anyhow::Result<Repo> {
    Repo::open_anywhere(path, GIT_TIMEOUT).map_err(|error| anyhow::anyhow!("it {error}"))
}
