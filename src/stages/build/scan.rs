//! S1 `scan`: what the session changed in its repository, as git counts it.
//!
//! Invariants: a session's commits are those it lists, else those of its window and author; never the last so many of a
//! branch. Where the repository is not reachable, the session's own records stand in, and the fact says so. Numbers in
//! `metadata` are claims and are never repeated here as figures. Nothing of the fact names a place on this machine.

use crate::{
    commits::{from_record, from_records, in_order, link_reverts, unique},
    git::{self, Repo, Tree, Window},
    project::{self, Project},
    stages::graph::Stop,
    wording::count,
    world::{World, last_component},
};
use chrono::TimeDelta;
use flywheel_events::{Commit, CommitRecord, FiguresFrom, RepoScanned, RepoStats, SessionCompleted, stamp::Stamp};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use std::{collections::BTreeSet, thread};

/// How many files the commits of a fact list in all. Beyond them the totals still count every one.
const FILES_LISTED_MAX: usize = 4_000;

/// Reads the session's repository.
pub fn scan(session: &SessionCompleted, world: &World) -> Result<RepoScanned, Stop> {
    let origin = (world.origins)(session.session_id).map_err(Stop::World)?;
    let from_file = origin.as_ref().and_then(|origin| origin.repo_path.as_deref());
    let repo_path = from_file.or(session.source_data.repo_path.as_deref()).filter(|path| !path.trim().is_empty());
    let Some(repo_path) = repo_path else {
        if session.source_data.git_commits.is_empty() {
            return Err(Stop::nothing("the session names no repository and lists no commits"));
        }
        return Ok(from_session(session, None, "the session names no repository".to_owned()));
    };
    let Some(origin) = &origin else { return scan_by_name(session, world, repo_path) };
    match open(world, &origin.folder, repo_path) {
        Ok(repo) => from_repository(session, &repo),
        Err(reason) => Ok(from_session(session, Some(repo_path), reason)),
    }
}

/// Of a session from elsewhere no path leads anywhere here, but its last component may name a repository that was put here to
/// be read.
fn scan_by_name(session: &SessionCompleted, world: &World, repo_path: &str) -> Result<RepoScanned, Stop> {
    let elsewhere = "the session did not come from a file on this machine";
    if let Some((name, repo)) = last_component(repo_path).and_then(|name| open_by_name(world, name)) {
        let mut scanned = from_repository(session, &repo)?;
        scanned.warnings.insert(0, format!("{elsewhere}: the repository that is here as `{name}` was read"));
        return Ok(scanned);
    }
    let reason = match world.repositories.is_empty() {
        true => format!("{elsewhere}, so its repo_path leads nowhere"),
        false => format!("{elsewhere}, and no folder that may be read has a repository of its name"),
    };
    Ok(from_session(session, Some(repo_path), reason))
}

/// The repository of this name, with a working tree or bare. One that the folder itself lies in is another.
fn open_by_name(world: &World, name: String) -> Option<(String, Repo)> {
    if name.starts_with('.') {
        return None;
    }
    let names = [name.clone(), format!("{name}.git")];
    let places = world.repositories.iter().flat_map(|folder| names.iter().map(move |name| (folder, name)));
    let repo = places.into_iter().find_map(|(folder, name)| {
        let path = world.resolve(folder, name).ok()?;
        Repo::open(&path, &world.roots, world.git_timeout).ok().filter(|repo| !repo.opened_inside())
    });
    Some((name, repo?))
}

fn open(world: &World, folder: &std::path::Path, repo_path: &str) -> Result<Repo, String> {
    let path = world.resolve(folder, repo_path).map_err(|error| error.to_string())?;
    let name = last_component(repo_path).unwrap_or_else(|| "the repository".to_owned());
    Repo::open(&path, &world.roots, world.git_timeout).map_err(|error| format!("`{name}` {error}"))
}

/// What the session says itself, where nobody can count.
fn from_session(session: &SessionCompleted, repo_path: Option<&str>, reason: String) -> RepoScanned {
    let (commits, warnings) = from_records(&session.source_data.git_commits);
    let stats =
        RepoStats { files_changed: distinct_files(&commits), commits: commits.len() as u64, ..RepoStats::default() };
    RepoScanned {
        repo_name: repo_path.and_then(last_component),
        project_type: None,
        manifest: None,
        structure: None,
        commits,
        stats,
        figures_from: FiguresFrom::Session,
        unreachable: Some(reason),
        readme: None,
        license_file: None,
        commits_not_found: vec![],
        warnings,
    }
}

/// What git says.
fn from_repository(session: &SessionCompleted, repo: &Repo) -> Result<RepoScanned, Stop> {
    // Side by side: most of both is waiting for git.
    let ((found, odd), (tree, project)) = thread::scope(|scope| {
        let at_head = scope.spawn(|| at_head(repo));
        let found = of_session(session, repo);
        let at_head = at_head.join().expect("what git says makes nothing panic");
        found.and_then(|found| Ok((found, at_head.map_err(stop)?)))
    })?;
    let mut warnings = vec![];
    if repo.opened_inside() {
        warnings.push("repo_path is a folder inside a repository: the whole repository was read".to_owned());
    }
    if tree.is_none() {
        warnings.push("the repository has no commit at HEAD yet".to_owned());
    }
    warnings.extend(odd);
    let edges = found.commits.iter().filter(|commit| commit.at_shallow_edge);
    warnings.extend(edges.map(|commit| {
        let short = commit.hash.get(..12).unwrap_or(&commit.hash);
        format!(
            "commit {short} is where this shallow clone ends, so its lines cannot be counted: run git fetch --unshallow"
        )
    }));

    let uncounted = found.commits.iter().any(|commit| commit.at_shallow_edge);
    let mut commits: Vec<Commit> = found.commits.into_iter().map(git::GitCommit::read).collect();
    let stats = counted(&commits, uncounted || found.unknown);
    limit_files(&mut commits, &mut warnings);
    if !found.records.is_empty() {
        commits.extend(found.records);
        in_order(&mut commits);
    }
    link_reverts(&mut commits);

    let (project, odd) = project;
    warnings.extend(odd);
    let named = project.manifest.as_ref().and_then(|manifest| manifest.name.clone());
    Ok(RepoScanned {
        repo_name: named.or_else(|| repo.folder_name()),
        project_type: project.kind,
        manifest: project.manifest,
        structure: Some(tree.unwrap_or_default().structure()),
        commits,
        stats,
        figures_from: FiguresFrom::Repository,
        unreachable: None,
        readme: project.readme,
        license_file: project.license_file,
        commits_not_found: found.not_found,
        warnings,
    })
}

/// What is tracked at `HEAD`, if there is a commit, and what the project says of itself, with what is odd in that.
type AtHead = (Option<Tree>, (Project, Vec<String>));

fn at_head(repo: &Repo) -> Result<AtHead, git::Error> {
    let Some(tree) = Tree::at_head(repo)? else { return Ok(AtHead::default()) };
    let mut odd = vec![];
    let project = project::read(repo, &tree, &mut odd)?;
    Ok((Some(tree), (project, odd)))
}

/// The session's commits, and what is odd in them.
fn of_session(session: &SessionCompleted, repo: &Repo) -> Result<(Found, Vec<String>), Stop> {
    let mut odd = vec![];
    let found = if session.source_data.git_commits.is_empty() {
        of_window(session, repo, &mut odd)?
    } else {
        of_list(session, repo, &mut odd)?
    };
    Ok((found, odd))
}

/// Git's trouble is the world's; a session with too many commits is the session's.
fn stop(error: git::Error) -> Stop {
    match error {
        git::Error::TooManyCommits { .. } => {
            Stop::refused(error.to_string(), "correct the session's duration_minutes, timestamp or git_commits")
        }
        _ => Stop::World(error.into()),
    }
}

/// The session's commits: as git has them, and as only the session has them.
#[derive(Default)]
struct Found {
    commits: Vec<git::GitCommit>,
    records: Vec<Commit>,
    not_found: Vec<String>,
    /// Nobody says which commits are the session's, so that none is not the same as zero.
    unknown: bool,
}

fn of_list(session: &SessionCompleted, repo: &Repo, warnings: &mut Vec<String>) -> Result<Found, Stop> {
    let records = unique(&session.source_data.git_commits, warnings);
    let hashes: Vec<&str> = records.iter().map(|(_, record)| record.hash.as_str()).collect();
    let window = window(session);
    let (listed, in_window) = thread::scope(|scope| {
        let in_window = window.map(|window| scope.spawn(move || git::in_window(repo, window, Some(author(session)))));
        let listed = git::listed(repo, &hashes);
        (listed, in_window.map(|walk| walk.join().expect("what git says makes nothing panic")))
    });
    let listed = listed.map_err(stop)?;
    let mut found = Found { commits: listed.commits, ..Found::default() };
    for (index, record) in listed.not_found.iter().filter_map(|at| records.get(*at)) {
        found.not_found.push(record.hash.clone());
        found.records.push(recorded(record, *index, warnings));
    }
    if let Some(in_window) = in_window {
        match in_window {
            Ok((hashes, _)) => {
                let listed = |hash: &String| found.commits.iter().any(|commit| commit.hash == *hash);
                let more = hashes.iter().filter(|hash| !listed(hash)).count();
                if more > 0 {
                    warnings.push(format!(
                        "{} by the same author in the session's window: only the listed ones count",
                        count(more as u64, "more commit", "more commits")
                    ));
                }
            }
            // The list is what counts; a window too wide to compare it with is no fault of it.
            Err(git::Error::TooManyCommits { .. }) => {
                warnings.push("the session's window holds many more commits: only the listed ones count".to_owned());
            }
            Err(error) => return Err(stop(error)),
        }
    }
    Ok(found)
}

fn of_window(session: &SessionCompleted, repo: &Repo, warnings: &mut Vec<String>) -> Result<Found, Stop> {
    let Some(window) = window(session) else {
        warnings.push(
            "no commits: the session lists none, and has no metadata.duration_minutes of 0 or more to tell its window"
                .to_owned(),
        );
        return Ok(Found { unknown: true, ..Found::default() });
    };
    let author = author(session);
    let collected = git::collect(repo, window, Some(author)).map_err(stop)?;
    if collected.commits.is_empty() && collected.by_others > 0 {
        warnings.push(format!(
            "no commits by `{author}` in the session's window, {} by others: set metadata.git_author to the name the agent commits under",
            collected.by_others
        ));
    }
    Ok(Found { commits: collected.commits, ..Found::default() })
}

/// The name the session's agent commits under.
fn author(session: &SessionCompleted) -> &str {
    let named = session.metadata.git_author.as_deref().filter(|name| !name.trim().is_empty());
    named.unwrap_or(session.agent_id.as_str())
}

/// `[end − duration, end]`; none without a duration, or with a negative one.
fn window(session: &SessionCompleted) -> Option<Window> {
    let minutes = session.metadata.duration_minutes.filter(|minutes| *minutes >= Decimal::ZERO)?;
    let milliseconds = minutes.checked_mul(Decimal::from(60_000)).and_then(|ms| ms.to_i64()).unwrap_or(i64::MAX);
    let length = TimeDelta::try_milliseconds(milliseconds);
    let since = length.and_then(|length| session.timestamp.checked_sub_signed(length));
    // Longer than time itself: everything before the end.
    let since = since.unwrap_or_else(|| Stamp::from(chrono::DateTime::<chrono::Utc>::MIN_UTC));
    Some(Window { since, until: Some(session.timestamp) })
}

fn recorded(record: &CommitRecord, index: usize, warnings: &mut Vec<String>) -> Commit {
    let (commit, warning) = from_record(record, index);
    warnings.extend(warning);
    commit
}

fn distinct_files(commits: &[Commit]) -> Option<u64> {
    let files: BTreeSet<&str> =
        commits.iter().flat_map(|commit| &commit.files).map(|file| file.path.as_str()).collect();
    (!files.is_empty()).then_some(files.len() as u64)
}

/// Totals as git counts them; no files and lines where a commit could not be counted, or nobody knows the commits.
fn counted(commits: &[Commit], uncounted: bool) -> RepoStats {
    let files = || commits.iter().flat_map(|commit| &commit.files);
    let sum = |lines: &mut dyn Iterator<Item = Option<u64>>| lines.flatten().fold(0, u64::saturating_add);
    let known = |figure: u64| (!uncounted).then_some(figure);
    RepoStats {
        files_changed: known(distinct_files(commits).unwrap_or(0)),
        lines_added: known(sum(&mut files().map(|file| file.added))),
        lines_removed: known(sum(&mut files().map(|file| file.removed))),
        commits: commits.len() as u64,
    }
}

fn limit_files(commits: &mut [Commit], warnings: &mut Vec<String>) {
    let all: usize = commits.iter().map(|commit| commit.files.len()).sum();
    let mut left = FILES_LISTED_MAX;
    for commit in commits {
        commit.files.truncate(left);
        left = left.saturating_sub(commit.files.len());
    }
    if all > FILES_LISTED_MAX {
        warnings.push(format!("the first {FILES_LISTED_MAX} of {all} changed files are listed; the totals count all"));
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
