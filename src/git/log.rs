//! Commits: those of a window, those of a list, and what each of them changed.

use super::{Error, Repo, run};
use crate::commits::{Raw, name_only};
use flywheel_events::{Commit, FileChange, stamp, stamp::Stamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    thread,
};

/// How many commits a session may have.
pub const COMMITS_MAX: usize = 2_000;

/// How many commits in a row must be older than a window before the walk stops. Dates are skewed now and then: a commit
/// older than its parents does not hide them, unless that many follow it.
const OLDER_MAX: usize = 512;

/// How many processes count what commits changed, side by side, and the fewest commits that are worth another.
const COUNTERS_MAX: usize = 4;
const COMMITS_A_COUNTER: usize = 8;

/// A span of time on committer dates; both ends are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its beginning.
    pub since: Stamp,
    /// Its end; none for an open one.
    pub until: Option<Stamp>,
}

/// A commit as git has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitCommit {
    /// The full hash.
    pub hash: String,
    /// The hashes of its parents.
    pub parents: Vec<String>,
    /// The author's name, never an e-mail address.
    pub author: Option<String>,
    /// The committer date in the committer's offset.
    pub timestamp: Option<Stamp>,
    /// The whole message.
    pub message: String,
    /// What it changed against its parent; empty for a merge.
    pub files: Vec<FileChange>,
    /// Whether a shallow clone ends here, so that nobody can tell what it changed.
    pub at_shallow_edge: bool,
}

impl GitCommit {
    /// The commit with its message read.
    pub fn read(self) -> Commit {
        let merge = self.parents.len() > 1;
        let Self { hash, author, timestamp, message, files, .. } = self;
        Raw { hash, author, timestamp, message, files, merge }.read()
    }
}

/// The commits of a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Those of the author, oldest first.
    pub commits: Vec<GitCommit>,
    /// How many there are by others.
    pub by_others: usize,
}

/// The commits of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Those the repository has, oldest first.
    pub commits: Vec<GitCommit>,
    /// Places in the list of those it does not have, or that name more than one.
    pub not_found: Vec<usize>,
}

/// The commits of a window on `HEAD` and all local branches, by the author of that name if one is given (compared
/// without case), with what they changed, oldest first.
///
/// # Errors
/// When git does not answer, or there are more than [`COMMITS_MAX`].
pub fn collect(repo: &Repo, window: Window, author: Option<&str>) -> Result<Collected, Error> {
    let (hashes, by_others) = in_window(repo, window, author)?;
    Ok(Collected { commits: details(repo, &hashes)?, by_others })
}

/// The hashes of a window's commits, newest first, and how many there are by others.
///
/// # Errors
/// As [`collect`].
pub fn in_window(repo: &Repo, window: Window, author: Option<&str>) -> Result<(Vec<String>, usize), Error> {
    // Dates of commits are whole seconds: one in the first, begun second of the window lies before it.
    let first = window.since.timestamp().saturating_add(i64::from(window.since.timestamp_subsec_nanos() > 0));
    let last = window.until.map_or(i64::MAX, |until| until.timestamp());
    let author = author.map(|author| name_only(author).unwrap_or_else(|| author.trim().to_owned()).to_lowercase());
    // A branch at HEAD is among the branches.
    let head = if repo.is_on_a_branch() { None } else { repo.head()? };
    let mut arguments = vec![
        "log",
        "-s",
        "--no-show-signature",
        "--no-notes",
        "--no-decorate",
        "--no-color",
        "--no-mailmap",
        "--no-ext-diff",
        "--no-textconv",
        "--format=%H%x00%ct%x00%an%x00",
        "--branches",
    ];
    arguments.extend(head.as_deref());
    arguments.push("--");

    let (mut hashes, mut by_others, mut older) = (vec![], 0_usize, 0_usize);
    let mut record: Vec<String> = vec![];
    run::fields(repo, &arguments, &mut |field| {
        record.push(String::from_utf8_lossy(field).into_owned());
        let [hash, date, name] = record.as_slice() else { return ControlFlow::Continue(()) };
        let date: i64 = date.parse().unwrap_or(i64::MIN);
        older = if date < first { older.saturating_add(1) } else { 0 };
        if (first..=last).contains(&date) {
            // An agent whose name is nothing but an address is still found by it.
            let same = |author: &String| {
                [Some(name.trim().to_owned()), name_only(name)]
                    .iter()
                    .flatten()
                    .any(|name| name.to_lowercase() == *author)
            };
            if author.as_ref().is_none_or(same) {
                hashes.push(hash.trim_start_matches('\n').to_owned());
            } else {
                by_others = by_others.saturating_add(1);
            }
        }
        record.clear();
        if older > OLDER_MAX || hashes.len() > COMMITS_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if hashes.len() > COMMITS_MAX {
        return Err(Error::TooManyCommits { limit: COMMITS_MAX });
    }
    Ok((hashes, by_others))
}

/// The commits that `hashes` name, full or shortened, reachable from a branch or not.
///
/// # Errors
/// As [`collect`].
pub fn listed(repo: &Repo, hashes: &[&str]) -> Result<Listed, Error> {
    if hashes.len() > COMMITS_MAX {
        return Err(Error::TooManyCommits { limit: COMMITS_MAX });
    }
    let asked: Vec<String> = hashes.iter().filter_map(|hash| valid_hash(hash)).collect();
    let answers: BTreeMap<String, Option<String>> = asked.iter().cloned().zip(resolve(repo, &asked)?).collect();
    let (mut found, mut not_found) = (vec![], vec![]);
    for (index, hash) in hashes.iter().enumerate() {
        let hash = valid_hash(hash);
        // A branch may be called like a shortened hash; only what begins with the hash is meant.
        let full = hash.and_then(|hash| answers.get(&hash)?.clone().filter(|full| full.starts_with(&hash)));
        match full {
            Some(full) if !found.contains(&full) => found.push(full),
            Some(_) => {}
            None => not_found.push(index),
        }
    }
    // Newest first, as a walk would have them, if the list is oldest first.
    found.reverse();
    Ok(Listed { commits: details(repo, &found)?, not_found })
}

impl Repo {
    /// The commit at `HEAD`; none in a repository without commits.
    ///
    /// # Errors
    /// When git does not answer.
    pub fn head(&self) -> Result<Option<String>, Error> {
        Ok(resolve(self, &["HEAD".to_owned()])?.pop().flatten())
    }
}

/// 4 to 64 hexadecimal digits, in lower case.
fn valid_hash(hash: &str) -> Option<String> {
    let valid = (4..=64).contains(&hash.len()) && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then(|| hash.to_ascii_lowercase())
}

/// The full hash of the commit each name stands for, in one call; none where there is none, or more than one.
fn resolve(repo: &Repo, names: &[String]) -> Result<Vec<Option<String>>, Error> {
    if names.is_empty() {
        return Ok(vec![]);
    }
    let input: String = names.iter().map(|name| format!("{name}^{{commit}}\n")).collect();
    let answer = run::output(repo, &["cat-file", "--batch-check=%(objectname)"], input.as_bytes())?;
    let answer = String::from_utf8_lossy(&answer);
    let full = |line: &str| valid_hash(line).filter(|hash| hash.len() >= 40);
    let found: Vec<Option<String>> = answer.lines().map(full).collect();
    if found.len() == names.len() {
        Ok(found)
    } else {
        Err(Error::Unreadable { command: "cat-file", what: "a line for each object" })
    }
}

/// What the commits changed, oldest first. `hashes` are full ones, newest first.
fn details(repo: &Repo, hashes: &[String]) -> Result<Vec<GitCommit>, Error> {
    let shallow = repo.shallow();
    let (edge, whole): (Vec<&String>, Vec<&String>) = hashes.iter().partition(|hash| shallow.contains(hash));
    let mut commits = counted(repo, &whole)?;
    // Against nothing such a commit would seem to add every file there is.
    commits
        .extend(diff_tree(repo, &edge, "-s")?.into_iter().map(|commit| GitCommit { at_shallow_edge: true, ..commit }));
    let place: BTreeMap<&str, usize> = hashes.iter().rev().enumerate().map(|(at, hash)| (hash.as_str(), at)).collect();
    commits.sort_by_key(|commit| place.get(commit.hash.as_str()).copied());
    if commits.len() == hashes.len() {
        Ok(oldest_first(commits))
    } else {
        Err(Error::Unreadable { command: "diff-tree", what: "a record for each commit" })
    }
}

/// What commits changed, a share of them a process: counting is all work and no waiting.
fn counted(repo: &Repo, hashes: &[&String]) -> Result<Vec<GitCommit>, Error> {
    let cores = thread::available_parallelism().map_or(1, usize::from).min(COUNTERS_MAX);
    let share = hashes.len().div_ceil(cores).max(COMMITS_A_COUNTER);
    thread::scope(|scope| {
        let mut shares = hashes.chunks(share);
        let own = shares.next().unwrap_or_default();
        let others: Vec<_> = shares.map(|share| scope.spawn(|| diff_tree(repo, share, "--numstat"))).collect();
        let mut commits = diff_tree(repo, own, "--numstat")?;
        for other in others {
            commits.extend(other.join().expect("reading an answer does not panic")?);
        }
        Ok(commits)
    })
}

fn diff_tree(repo: &Repo, hashes: &[&String], form: &str) -> Result<Vec<GitCommit>, Error> {
    if hashes.is_empty() {
        return Ok(vec![]);
    }
    let input: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
    let arguments = [
        "diff-tree",
        "--stdin",
        "--always",
        "--root",
        "-r",
        "-M",
        form,
        "-z",
        "--no-ext-diff",
        "--no-textconv",
        "--no-notes",
        "--no-show-signature",
        "--format=%H%x00%P%x00%an%x00%cI%x00%ct%x00%B",
    ];
    let answer = run::output(repo, &arguments, input.as_bytes())?;
    parse(&answer)
        .ok_or(Error::Unreadable { command: "diff-tree", what: "hash, parents, author, dates, message, files" })
}

/// Reads `diff-tree`'s answer: six fields a commit, then its files, all ended by NUL.
fn parse(answer: &[u8]) -> Option<Vec<GitCommit>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut tokens = answer.split(|byte| *byte == 0).peekable();
    let mut commits = vec![];
    while let Some(token) = tokens.next() {
        if token.is_empty() {
            continue;
        }
        let hash = valid_hash(text(token).trim_start_matches('\n'))?;
        let parents = text(tokens.next()?).split_whitespace().map(str::to_owned).collect();
        let author = name_only(&text(tokens.next()?));
        let (stamp, seconds) = (text(tokens.next()?), text(tokens.next()?));
        let message = text(tokens.next()?).trim_end().to_owned();
        let mut files = vec![];
        while let Some((added, removed, path)) = tokens.peek().and_then(|token| numstat(token)) {
            tokens.next();
            let (path, renamed_from) = if path.is_empty() {
                let old = text(tokens.next()?);
                (text(tokens.next()?), Some(old))
            } else {
                (text(path), None)
            };
            files.push(FileChange { path, renamed_from, added, removed });
        }
        let timestamp = read_stamp(&stamp, &seconds);
        commits.push(GitCommit { hash, parents, author, timestamp, message, files, at_shallow_edge: false });
    }
    Some(commits)
}

/// The committer's own form, else the instant: an offset beyond a day is not one.
fn read_stamp(stamp: &str, seconds: &str) -> Option<Stamp> {
    let instant = || chrono::DateTime::from_timestamp(seconds.parse().ok()?, 0).map(|instant| instant.fixed_offset());
    stamp::parse(stamp).ok().or_else(instant)
}

/// `added TAB removed TAB path`; dashes for a binary file; no path before a rename's two.
fn numstat(token: &[u8]) -> Option<(Option<u64>, Option<u64>, &[u8])> {
    let mut parts = token.strip_prefix(b"\n").unwrap_or(token).splitn(3, |byte| *byte == b'\t');
    let mut count = || match parts.next()? {
        b"-" => Some(None),
        digits => std::str::from_utf8(digits).ok()?.parse().ok().map(Some),
    };
    Some((count()?, count()?, parts.next()?))
}

/// Sorted by date, but no commit before its parent; the given order decides between equals.
fn oldest_first(commits: Vec<GitCommit>) -> Vec<GitCommit> {
    let index: BTreeMap<String, usize> = commits.iter().enumerate().map(|(at, c)| (c.hash.clone(), at)).collect();
    let parents = |commit: &GitCommit| commit.parents.iter().filter_map(|parent| index.get(parent)).copied().collect();
    let mut waits_for: Vec<BTreeSet<usize>> = commits.iter().map(parents).collect();
    let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (child, parents) in waits_for.iter().enumerate() {
        for parent in parents {
            children.entry(*parent).or_default().push(child);
        }
    }
    let date = |at: usize| commits[at].timestamp;
    let mut free: BTreeSet<(Option<Stamp>, usize)> =
        (0..commits.len()).filter(|at| waits_for[*at].is_empty()).map(|at| (date(at), at)).collect();
    let mut order = Vec::with_capacity(commits.len());
    while let Some((_, at)) = free.pop_first() {
        order.push(at);
        for child in children.remove(&at).unwrap_or_default() {
            waits_for[child].remove(&at);
            if waits_for[child].is_empty() {
                free.insert((date(child), child));
            }
        }
    }
    let mut slots: Vec<Option<GitCommit>> = commits.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| slots[at].take()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn commit(at: usize, parents: &[usize], seconds: i64) -> GitCommit {
        GitCommit {
            hash: format!("{at:040x}"),
            parents: parents.iter().map(|at| format!("{at:040x}")).collect(),
            author: None,
            timestamp: read_stamp("", &seconds.to_string()),
            message: String::new(),
            files: vec![],
            at_shallow_edge: false,
        }
    }

    #[test]
    fn an_impossible_offset_leaves_the_instant() {
        assert_eq!(read_stamp("2025-12-02T04:00:00-06:00", "0").unwrap().to_rfc3339(), "2025-12-02T04:00:00-06:00");
        assert_eq!(
            read_stamp("2025-12-02T04:00:00+99:00", "1764669600").unwrap().to_rfc3339(),
            "2025-12-02T10:00:00+00:00"
        );
        assert_eq!(read_stamp("", ""), None);
    }

    proptest! {
        /// Whatever the dates, none is lost and none comes before its parent.
        #[test]
        fn order_keeps_every_commit_after_its_parents(
            shape in prop::collection::vec((0_i64..5, prop::collection::vec(0_usize..20, 0..3)), 0..20)
        ) {
            let commits: Vec<GitCommit> = shape
                .iter()
                .enumerate()
                .map(|(at, (seconds, parents))| {
                    let parents: Vec<usize> = parents.iter().copied().filter(|parent| *parent < at).collect();
                    commit(at, &parents, *seconds)
                })
                .collect();
            let ordered = oldest_first(commits.iter().rev().cloned().collect());
            prop_assert_eq!(ordered.len(), commits.len());
            for (place, commit) in ordered.iter().enumerate() {
                let earlier: Vec<&String> = ordered[..place].iter().map(|commit| &commit.hash).collect();
                prop_assert!(commit.parents.iter().all(|parent| earlier.contains(&parent)));
            }
        }

        #[test]
        fn no_answer_makes_the_reader_panic(bytes in prop::collection::vec(prop::sample::select(b"\0\n\t-0a1\xff".to_vec()), 0..200)) {
            parse(&bytes);
        }
    }
}
