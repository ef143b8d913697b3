//! What is tracked at a commit: names, and the contents of a few files. The working tree is not asked.

use super::{Error, Repo, run};
use flywheel_events::Structure;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

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
    /// Reads the tree at `HEAD`; none in a repository without commits.
    ///
    /// # Errors
    /// When git does not answer, or the tree is larger than an answer may be.
    pub fn at_head(repo: &Repo) -> Result<Option<Self>, Error> {
        let answer = match run::output(repo, &["ls-tree", "-r", "-z", "--full-tree", "HEAD"], b"") {
            Ok(answer) => answer,
            Err(error @ Error::Failed { .. }) => return repo.head()?.map_or(Ok(None), |_| Err(error)),
            Err(error) => return Err(error),
        };
        let unreadable = Error::Unreadable { command: "ls-tree", what: "mode, type, object, path" };
        let lines = answer.split(|byte| *byte == 0).filter(|line| !line.is_empty());
        let entries: Option<Vec<Entry>> = lines.map(|line| entry(&String::from_utf8_lossy(line))).collect();
        Ok(Some(Self { entries: entries.ok_or(unreadable)? }))
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

/// The contents of files, in their order. A call tells the size of each before its contents, and ends at one that is too
/// large, so that no such file is taken in; the next call goes on behind it.
///
/// # Errors
/// When git does not answer.
pub fn read_files(repo: &Repo, entries: &[&Entry], bytes_max: u64) -> Result<Vec<Blob>, Error> {
    let mut blobs: Vec<Blob> = vec![];
    while let Some(rest) = entries.get(blobs.len()..).filter(|rest| !rest.is_empty()) {
        let input: String = rest.iter().map(|entry| format!("{}\n", entry.object)).collect();
        let mut answer = Answer { bytes_max, ..Answer::default() };
        run::pieces(repo, &["cat-file", "--batch=%(objectsize)"], input.as_bytes(), &mut |piece| answer.take(piece))?;
        if answer.blobs.is_empty() || answer.unreadable {
            return Err(Error::Unreadable { command: "cat-file", what: "size, contents" });
        }
        blobs.extend(answer.blobs);
    }
    Ok(blobs)
}

/// What was read of an answer: a line with the size of each object, its contents, a line end.
#[derive(Default)]
struct Answer {
    bytes_max: u64,
    open: Vec<u8>,
    blobs: Vec<Blob>,
    unreadable: bool,
}

impl Answer {
    fn take(&mut self, piece: &[u8]) -> ControlFlow<()> {
        self.open.extend_from_slice(piece);
        while let Some(line) = self.open.iter().position(|byte| *byte == b'\n') {
            let size = self.open.get(..line).and_then(|size| std::str::from_utf8(size).ok()?.parse::<u64>().ok());
            let (Some(size), start) = (size, line.saturating_add(1)) else {
                self.unreadable = true;
                return ControlFlow::Break(());
            };
            if size > self.bytes_max {
                self.blobs.push(Blob::TooLarge(size));
                return ControlFlow::Break(());
            }
            let end = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(start);
            // With the line end behind them, which may come later.
            if self.open.len() <= end {
                break;
            }
            self.blobs.push(Blob::Whole(self.open.get(start..end).unwrap_or_default().to_vec()));
            self.open.drain(..=end);
        }
        ControlFlow::Continue(())
    }
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
