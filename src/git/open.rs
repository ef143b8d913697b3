//! Finding a repository's git directory without asking git, and without leaving the folders that may be read.
#![expect(clippy::disallowed_methods, reason = "this is the edge where repositories are found")]

use super::{Error, run};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// A repository that may be read.
#[derive(Debug, Clone)]
pub struct Repo {
    /// The folder with the working tree; none for a bare repository.
    pub(super) top: Option<PathBuf>,
    /// Its git directory.
    pub(super) git_dir: PathBuf,
    /// Where its refs and objects lie: the git directory, or the one of the repository it is a worktree of.
    pub(super) common_dir: PathBuf,
    /// How long one call may take.
    pub(super) timeout: Duration,
    /// Whether the path it was opened by lies inside its working tree.
    pub(super) inside: bool,
}

/// Why a folder is no repository that may be read. The messages name no path of the machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No `.git` there or above it.
    #[error("is not a git repository")]
    NotARepository,
    /// A worktree or submodule whose git directory may not be read.
    #[error(
        "keeps its git directory outside the folders that may be read: add the folder of its main repository with --repo-root"
    )]
    GitDirOutside,
    /// A `.git` file that leads nowhere.
    #[error("has a .git file that leads to no git directory")]
    BrokenGitFile,
}

impl Repo {
    /// Opens the repository that `path` is, or lies in. `path` and `roots` are canonical; nothing outside `roots` is
    /// looked at.
    ///
    /// # Errors
    /// As [`OpenError`] says.
    pub fn open(path: &Path, roots: &[PathBuf], timeout: Duration) -> Result<Self, OpenError> {
        let allowed = |path: &Path| roots.iter().any(|root| path.starts_with(root));
        for folder in path.ancestors().take_while(|folder| allowed(folder)) {
            let dot_git = folder.join(".git");
            let (top, git_dir) = if dot_git.exists() {
                (Some(folder.to_owned()), follow(&dot_git)?)
            } else if is_git_dir(folder) {
                (None, folder.to_owned())
            } else {
                continue;
            };
            let common_dir = common(&git_dir)?;
            if !allowed(&git_dir) || !allowed(&common_dir) || !stores(&common_dir).iter().all(|store| allowed(store)) {
                return Err(OpenError::GitDirOutside);
            }
            return Ok(Self { inside: folder != path, top, git_dir, common_dir, timeout });
        }
        Err(OpenError::NotARepository)
    }

    /// Opens the repository that a path given by the person at the keyboard is, or lies in: anywhere on the machine.
    ///
    /// # Errors
    /// As [`OpenError`] says; a path that does not exist is no repository.
    pub fn open_anywhere(path: &Path, timeout: Duration) -> Result<Self, OpenError> {
        let path = path.canonicalize().map_err(|_| OpenError::NotARepository)?;
        let roots: Vec<PathBuf> = path.ancestors().last().map(Path::to_owned).into_iter().collect();
        Self::open(&path, &roots, timeout)
    }

    /// The name of its folder, without the `.git` of a bare one.
    pub fn folder_name(&self) -> Option<String> {
        let folder = self.top.as_deref().unwrap_or(&self.git_dir);
        let name = folder.file_name()?.to_string_lossy();
        Some(name.strip_suffix(".git").filter(|name| !name.is_empty()).unwrap_or(&name).to_owned())
    }

    /// Whether the path it was opened by lies inside its working tree.
    pub fn opened_inside(&self) -> bool {
        self.inside
    }

    /// The folder with the working tree; none for a bare repository.
    pub fn top(&self) -> Option<&Path> {
        self.top.as_deref()
    }

    /// The name under which its user commits: the repository's `user.name`, else the user's own.
    ///
    /// # Errors
    /// When git does not answer.
    pub fn user_name(&self) -> Result<Option<String>, Error> {
        let name = run::output_or_none(self, &["config", "-z", "--get", "user.name"], 1)?;
        Ok(name
            .map(|name| String::from_utf8_lossy(&name).trim_end_matches('\0').trim().to_owned())
            .filter(|n| !n.is_empty()))
    }

    /// Whether HEAD is a local branch, with or without a commit.
    pub(super) fn is_on_a_branch(&self) -> bool {
        let head = read_short(&self.git_dir.join("HEAD")).unwrap_or_default();
        // Where refs are not files, this one says nothing and leads nowhere.
        head.strip_prefix("ref: refs/heads/").is_some_and(|branch| branch.trim() != ".invalid")
    }

    /// The commits at which a shallow clone ends: their parents exist, but not here.
    pub(super) fn shallow(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.common_dir.join("shallow")).unwrap_or_default();
        text.lines().map(|line| line.trim().to_ascii_lowercase()).collect()
    }
}

/// A `.git` folder, or what a `.git` file (of a worktree or submodule) leads to.
fn follow(dot_git: &Path) -> Result<PathBuf, OpenError> {
    let git_dir = if dot_git.is_dir() {
        dot_git.to_owned()
    } else {
        let text = read_short(dot_git).ok_or(OpenError::BrokenGitFile)?;
        let target = text.strip_prefix("gitdir:").ok_or(OpenError::BrokenGitFile)?.trim().to_owned();
        dot_git.parent().unwrap_or(dot_git).join(target)
    };
    git_dir.canonicalize().ok().filter(|path| path.join("HEAD").exists()).ok_or(OpenError::BrokenGitFile)
}

/// The directory with refs and objects: a worktree's git directory names it in `commondir`.
fn common(git_dir: &Path) -> Result<PathBuf, OpenError> {
    match read_short(&git_dir.join("commondir")) {
        Some(text) => git_dir.join(text.trim()).canonicalize().map_err(|_| OpenError::BrokenGitFile),
        None => Ok(git_dir.to_owned()),
    }
}

/// Where its refs and objects really lie: links and alternates lead elsewhere.
fn stores(common_dir: &Path) -> Vec<PathBuf> {
    let objects = common_dir.join("objects");
    let alternates = read_short(&objects.join("info/alternates")).unwrap_or_default();
    let alternates = alternates.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut stores: Vec<PathBuf> = alternates.map(|line| objects.join(line)).collect();
    stores.extend([objects, common_dir.join("refs")]);
    stores.into_iter().filter_map(|store| store.canonicalize().ok()).collect()
}

/// A file of at most a path's length.
fn read_short(path: &Path) -> Option<String> {
    const LENGTH_MAX: u64 = 8 << 10;
    let short = std::fs::metadata(path).ok().filter(|file| file.is_file() && file.len() <= LENGTH_MAX);
    short.and_then(|_| std::fs::read_to_string(path).ok())
}

fn is_git_dir(folder: &Path) -> bool {
    folder.join("HEAD").is_file() && folder.join("objects").is_dir() && folder.join("refs").is_dir()
}
