//! Real repositories for tests, made by the real git.
#![allow(clippy::disallowed_methods)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A repository in a temporary folder, whose commits have the dates they are given.
pub(crate) struct Sandbox {
    temp: tempfile::TempDir,
    /// The folder, canonical: a root.
    pub root: PathBuf,
    /// The repository, `root/repo`.
    pub repo: PathBuf,
}

impl Sandbox {
    /// An empty repository on branch `main`.
    pub fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        let repo = root.join("repo");
        std::fs::create_dir(&repo).unwrap();
        let sandbox = Self { temp, root, repo };
        sandbox.git(&["init", "-q", "-b", "main"]);
        sandbox
    }

    /// Runs git in the repository and gives its answer.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.git_at(arguments, "2025-01-01T00:00:00+0000", "Agent-7")
    }

    /// Runs git as an author at a time.
    pub fn git_at(&self, arguments: &[&str], date: &str, author: &str) -> String {
        self.git_in(&self.repo, arguments, date, author)
    }

    /// Runs git in a folder.
    pub fn git_in(&self, folder: &Path, arguments: &[&str], date: &str, author: &str) -> String {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(folder)
            .env_remove("GIT_DIR")
            .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
            .envs([("GIT_AUTHOR_NAME", author), ("GIT_AUTHOR_EMAIL", "someone@example.org")])
            .envs([("GIT_COMMITTER_NAME", "Committer"), ("GIT_COMMITTER_EMAIL", "someone@example.org")])
            .envs([("GIT_AUTHOR_DATE", date), ("GIT_COMMITTER_DATE", date)])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Writes a file of the repository.
    pub fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
        let path = self.repo.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }

    /// Commits everything, and gives the hash.
    pub fn commit(&self, message: &str, date: &str) -> String {
        self.commit_as(message, date, "Agent-7")
    }

    /// Commits everything as an author.
    pub fn commit_as(&self, message: &str, date: &str, author: &str) -> String {
        self.git(&["add", "-A"]);
        self.git_at(&["commit", "-q", "--allow-empty", "-m", message], date, author);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Appends `lines` to a file and commits it.
    pub fn grow(&self, path: &str, lines: usize, message: &str, date: &str) -> String {
        let old = std::fs::read_to_string(self.repo.join(path)).unwrap_or_default();
        self.write(path, old + &"line\n".repeat(lines));
        self.commit(message, date)
    }

    /// A path beside the repository.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }
}
