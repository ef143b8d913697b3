//! Git repositories, read by the `git` program: git's own count is the one a reader can check.
//!
//! Invariants:
//! - Read only, and nothing of the repository is executed: no hook, external diff, text conversion, clean filter,
//!   file-system monitor, signature program or lazy fetch, whatever its configuration and attributes say. Commands that
//!   look at the working tree (`status`, `diff`) are absent for that reason.
//! - Every call has a time limit, a limit on its output, and no terminal to ask. A call that runs over ends with its
//!   children.
//! - Only hashes that were read as hexadecimal reach git, on standard input; paths never do.
//! - The git directory is found by us, under the folders that may be read, so that neither a `.git` file nor a link
//!   leads git out of them.
//! - E-mail addresses are not read.

mod log;
mod open;
mod run;
mod tree;

pub use log::{COMMITS_MAX, Collected, GitCommit, Listed, Window, collect, in_window, listed};
pub use open::{OpenError, Repo};
pub use tree::{Blob, Entry, Tree, read_files};

use std::time::Duration;

/// Why a call of git gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such program.
    #[error("the git program was not found: install git, or put it on the PATH")]
    Missing,
    /// It took too long, and was ended.
    #[error("git {command} was ended after {} ms: try again, or allow it more time", limit.as_millis())]
    Timeout {
        /// The git command.
        command: String,
        /// The limit.
        limit: Duration,
    },
    /// It said more than anybody needs.
    #[error("git {command} answered with more than {limit} bytes")]
    TooMuch {
        /// The git command.
        command: String,
        /// The limit.
        limit: usize,
    },
    /// It said no.
    #[error("git {command} failed: {message}")]
    Failed {
        /// The git command.
        command: String,
        /// The first line of what it said, without the repository's place on this machine.
        message: String,
    },
    /// More commits than a session makes.
    #[error("more than {limit} commits: check the session's duration_minutes and timestamp")]
    TooManyCommits {
        /// The limit.
        limit: usize,
    },
    /// It answered in a form we do not know.
    #[error("git {command} answered in a form that is not known ({what}): git 2.25 or newer is needed")]
    Unreadable {
        /// The git command.
        command: &'static str,
        /// What was expected.
        what: &'static str,
    },
    /// The machine was in the way.
    #[error("git could not be run: {0}")]
    Io(#[from] std::io::Error),
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
