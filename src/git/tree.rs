//! What is tracked at a commit: names, and the contents of a few files. The working tree is not asked.

use super::{Error, Repo, run};
use flywheel_events::Structure;
use std::collections::{BTreeMap, BTreeSet};

/// How many top-level names a structure lists.
const TOP_LEVEL_MAX: usize = 100;
/// How many extensions a structure lists: the most frequent ones.
const EXTENSIONS_MAX: usize = 100;

/// A tracked file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path.
    pub path: String,
    /// Its blob.
    object: String,
    /// Whether it is a file, rather than a link or a submodule.
    pub is_file: bool,
}

/// Everything tracked at a commit, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// The files, sorted as git sorts them.
    pub entries: Vec<Entry>,
}

/// The contents of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blob {
    /// All of it.
    Whole(Vec<u8>),
    /// It has this many bytes, which is more than was allowed.
    TooLarge(u64),
}

impl Tree {
    /// Reads the tree of a commit by its full hash.
    ///
    /// # Errors
    /// When git does not answer, or the tree is larger than an answer may be.
    pub fn read(repo: &Repo, commit: &str) -> Result<Self, Error> {
        let answer = run::output(repo, &["ls-tree", "-r", "-z", "--full-tree", commit], b"")?;
        let unreadable = Error::Unreadable { command: "ls-tree", what: "mode, type, object, path" };
        let lines = answer.split(|byte| *byte == 0).filter(|line| !line.is_empty());
        let entries: Option<Vec<Entry>> = lines.map(|line| entry(&String::from_utf8_lossy(line))).collect();
        Ok(Self { entries: entries.ok_or(unreadable)? })
    }

    /// The entry at a path, if it is a file.
    pub fn file(&self, path: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.path == path && entry.is_file)
    }

    /// The files at the top.
    pub fn top_files(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.is_file && !entry.path.contains('/'))
    }

    /// What lies where, in numbers.
    pub fn structure(&self) -> Structure {
        let mut directories = BTreeSet::new();
        let mut top = BTreeSet::new();
        let mut extensions: BTreeMap<String, u64> = BTreeMap::new();
        for Entry { path, .. } in &self.entries {
            directories.extend(path.match_indices('/').filter_map(|(at, _)| path.get(..at)));
            top.insert(path.split_once('/').map_or(path.clone(), |(folder, _)| format!("{folder}/")));
            if let Some(extension) = extension(path) {
                let count = extensions.entry(extension).or_default();
                *count = count.saturating_add(1);
            }
        }
        let mut frequent: Vec<(String, u64)> = extensions.into_iter().collect();
        frequent.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        Structure {
            files: self.entries.len() as u64,
            directories: directories.len() as u64,
            top_level: top.into_iter().take(TOP_LEVEL_MAX).collect(),
            extensions: frequent.into_iter().take(EXTENSIONS_MAX).collect(),
        }
    }
}

/// The contents of files, in their order, in two calls: sizes first, so that no large one is read.
///
/// # Errors
/// When git does not answer.
pub fn read_files(repo: &Repo, entries: &[&Entry], bytes_max: u64) -> Result<Vec<Blob>, Error> {
    if entries.is_empty() {
        return Ok(vec![]);
    }
    let unreadable = || Error::Unreadable { command: "cat-file", what: "object, type, size, contents" };
    let input: String = entries.iter().map(|entry| format!("{}\n", entry.object)).collect();
    let sizes = run::output(repo, &["cat-file", "--batch-check=%(objectsize)"], input.as_bytes())?;
    let sizes: Option<Vec<u64>> = String::from_utf8_lossy(&sizes).lines().map(|line| line.parse().ok()).collect();
    let sizes = sizes.filter(|sizes| sizes.len() == entries.len()).ok_or_else(unreadable)?;

    let small = entries.iter().zip(&sizes).filter(|(_, size)| **size <= bytes_max);
    let input: String = small.map(|(entry, _)| format!("{}\n", entry.object)).collect();
    let answer = run::output(repo, &["cat-file", "--batch=%(objectsize)"], input.as_bytes())?;
    let mut rest = answer.as_slice();
    let mut blobs = vec![];
    for size in sizes {
        if size > bytes_max {
            blobs.push(Blob::TooLarge(size));
            continue;
        }
        let size = usize::try_from(size).map_err(|_| unreadable())?;
        let start = rest.iter().position(|byte| *byte == b'\n').ok_or_else(unreadable)?.saturating_add(1);
        let end = start.saturating_add(size);
        blobs.push(Blob::Whole(rest.get(start..end).ok_or_else(unreadable)?.to_vec()));
        rest = rest.get(end.saturating_add(1)..).unwrap_or_default();
    }
    Ok(blobs)
}

/// `mode SP type SP object TAB path`.
fn entry(line: &str) -> Option<Entry> {
    let (what, path) = line.split_once('\t')?;
    let mut words = what.split(' ');
    let (mode, _, object) = (words.next()?, words.next()?, words.next()?);
    Some(Entry { path: path.to_owned(), object: object.to_owned(), is_file: mode.starts_with("100") })
}

fn extension(path: &str) -> Option<String> {
    let (stem, extension) = path.rsplit('/').next()?.rsplit_once('.')?;
    let plain = (1..=16).contains(&extension.len()) && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (!stem.is_empty() && plain).then(|| extension.to_ascii_lowercase())
}
