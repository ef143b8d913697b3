//! What a session file takes from a repository: its head, its user and the commits of a window.
//!
//! Invariants: git runs nothing of the repository's own (hooks, monitors, external diffs, signature programs); fields
//! are separated by NUL, which no message and no path can hold; e-mail addresses are not taken.
#![expect(clippy::disallowed_methods, reason = "asks git about a repository")]

use super::super::Mistake;
use anyhow::Context as _;
use chrono::DateTime;
use flywheel_events::{CommitRecord, stamp::Stamp};
use regex::Regex;
use serde_json::Value;
use std::{
    collections::{BTreeSet, HashMap},
    io::{Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

/// An address as it stands behind a name: `Ann <ann@example.org>`.
static ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[ \t]*<[^<>\s]*@[^<>\s]*>").expect("the pattern is a pattern"));

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

/// The top folder of the repository that holds a folder, canonical.
///
/// # Errors
/// A [`Mistake`] where there is none.
pub fn open(folder: &Path) -> anyhow::Result<PathBuf> {
    let hint = "give the folder of a git repository, or leave --repo out";
    let folder = folder
        .canonicalize()
        .map_err(|error| Mistake::new(format!("cannot open the repository {}: {error}", folder.display()), hint))?;
    let top = git(&folder, &["rev-parse", "--show-toplevel"], None)
        .map_err(|error| Mistake::new(format!("{} is no git repository: {error:#}", folder.display()), hint))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&top).trim_end_matches('\n')))
}

/// The commit that is checked out; none before the first.
pub fn head(repo: &Path) -> Option<String> {
    let head = git(repo, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], None).ok()?;
    let head = String::from_utf8_lossy(&head).trim().to_owned();
    is_hash(&head).then_some(head)
}

/// The name under which commits are made here.
pub fn user_name(repo: &Path) -> Option<String> {
    let name = git(repo, &["config", "user.name"], None).ok()?;
    let name = name_only(String::from_utf8_lossy(&name).trim());
    (!name.is_empty()).then_some(name)
}

/// The commits of a window on committer dates, both ends in it, oldest first; of one author where one is given; none
/// that `after` could already reach.
///
/// # Errors
/// git does not answer.
pub fn commits(
    repo: &Path,
    since: Stamp,
    until: Stamp,
    author: Option<&str>,
    after: Option<&str>,
) -> anyhow::Result<(Vec<CommitRecord>, Figures)> {
    if head(repo).is_none() {
        return Ok(Default::default());
    }
    // git stops at the first old commit; a day of grace lets it pass clocks that disagree.
    let from = since.checked_sub_signed(chrono::TimeDelta::days(1)).unwrap_or(since).to_utc();
    let from = format!("--since={}", from.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    let format = "--format=%H%x00%P%x00%an%x00%cI%x00%B";
    let mut arguments = vec!["log", "-z", "--no-show-signature", "--no-notes", "--no-decorate", "--no-color"];
    arguments.extend(["--no-mailmap", "--no-ext-diff", "--no-textconv", &from, format, "--branches", "HEAD"]);
    // A commit that is gone since, by an amend and a clean-up, excludes nothing.
    let exists = |hash: &&str| is_hash(hash) && git(repo, &["cat-file", "-e", hash], None).is_ok();
    let after = after.filter(exists).map(|hash| format!("^{hash}"));
    arguments.extend(after.as_deref());
    arguments.push("--");
    let log = git(repo, &arguments, None)?;
    let log = String::from_utf8_lossy(&log);
    let fields: Vec<&str> = log.split('\0').collect();
    let author = author.map(|author| name_only(author).to_lowercase());
    let mut records = Vec::new();
    for fields in fields.as_chunks::<5>().0 {
        let [hash, parents, name, date, message] = *fields;
        let inside = DateTime::parse_from_rfc3339(date).is_ok_and(|date| since <= date && date <= until);
        let name = name_only(name);
        if !inside || author.as_ref().is_some_and(|author| *author != name.to_lowercase()) {
            continue;
        }
        let record = CommitRecord {
            hash: hash.to_owned(),
            message: Some(ADDRESS.replace_all(message.trim(), "").into_owned()),
            author: Some(name),
            timestamp: Some(Value::from(date)),
            files: Vec::new(),
            extra: Default::default(),
        };
        records.push((record, parents.contains(' ')));
    }
    records.reverse();
    counted(repo, records)
}

/// Adds the files of each commit and sums the figures. A merge's lines belong to its own commits.
fn counted(repo: &Path, records: Vec<(CommitRecord, bool)>) -> anyhow::Result<(Vec<CommitRecord>, Figures)> {
    let hashes: String =
        records.iter().filter(|(_, merge)| !merge).map(|(record, _)| format!("{}\n", record.hash)).collect();
    let arguments = ["diff-tree", "--stdin", "-r", "--root", "-z", "-M", "--numstat", "--no-ext-diff", "--no-textconv"];
    let stats = git(repo, &arguments, Some(&hashes))?;
    let stats = String::from_utf8_lossy(&stats);
    let mut changes: HashMap<&str, Vec<String>> = HashMap::new();
    let mut figures = Figures::default();
    let mut paths = BTreeSet::new();
    let mut commit = "";
    let mut tokens = stats.split('\0').filter(|token| !token.is_empty());
    while let Some(token) = tokens.next() {
        let mut parts = token.splitn(3, '\t');
        let (Some(added), Some(removed), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            commit = token;
            continue;
        };
        // A renamed file has an empty path here, then its old and its new one.
        let path = if path.is_empty() { tokens.nth(1).unwrap_or_default() } else { path };
        // `-` stands for the lines of a binary file.
        figures.lines_added = figures.lines_added.saturating_add(added.parse().unwrap_or(0));
        figures.lines_removed = figures.lines_removed.saturating_add(removed.parse().unwrap_or(0));
        paths.insert(path.to_owned());
        changes.entry(commit).or_default().push(path.to_owned());
    }
    figures.files_changed = paths.len() as u64;
    let with_files = |(mut record, _): (CommitRecord, bool)| {
        record.files = changes.remove(record.hash.as_str()).unwrap_or_default();
        record
    };
    Ok((records.into_iter().map(with_files).collect(), figures))
}

/// A name without an address in or behind it.
fn name_only(name: &str) -> String {
    let name = ADDRESS.replace_all(name, "");
    let name = name.trim();
    name.split_once('@').map_or(name, |(before, _)| before).to_owned()
}

fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What git answers.
fn git(repo: &Path, arguments: &[&str], stdin: Option<&str>) -> anyhow::Result<Vec<u8>> {
    let mut command = Command::new("git");
    command.arg("-C").arg(repo).args([
        "--no-pager",
        "--no-optional-locks",
        "--no-replace-objects",
        "--literal-pathspecs",
    ]);
    command.args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "log.showSignature=false"]);
    command.args(arguments).env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
    // A hook that calls us has set these for its own repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    command.stdin(match stdin {
        None => Stdio::null(),
        Some(text) => {
            // A file, so that neither side waits for the other.
            let mut file = tempfile::tempfile().context("cannot make a temporary file")?;
            file.write_all(text.as_bytes())
                .and_then(|()| file.seek(SeekFrom::Start(0)))
                .context("cannot write a temporary file")?;
            Stdio::from(file)
        }
    });
    let output = command.output().context("cannot run git: is it installed")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::bail!("git says: {}", said.trim().lines().last().unwrap_or("nothing"));
    }
    Ok(output.stdout)
}
