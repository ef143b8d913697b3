//! Reading commit messages: Conventional Commits 1.0, reverts, pull requests, squash bodies.
//!
//! Invariants: pure; every message yields a commit, whatever its bytes; nothing is dropped ([`place`] gives every commit
//! exactly one place, so the entries and the hidden ones always sum to the commits).
//!
//! What is deliberately absent: a list of allowed types. The specification lets a project use its own, so a header of
//! the right form is conventional whatever its type; [`KNOWN_TYPES`] only tells a list of changes from plain bullets.

mod header;
mod message;
mod people;
mod place;
mod record;
mod squash;

pub use header::{Header, KNOWN_TYPES};
pub use message::{Parsed, parse};
pub use people::name_only;
pub use place::{Hidden, Place, hidden, link_reverts, place};
pub use record::{from_record, from_records, in_order, unique};

use flywheel_events::{Commit, FileChange, stamp::Stamp};

/// A commit before its message is read.
#[derive(Debug, Clone)]
pub struct Raw {
    /// The hash.
    pub hash: String,
    /// The author's name.
    pub author: Option<String>,
    /// When it was committed.
    pub timestamp: Option<Stamp>,
    /// The whole message.
    pub message: String,
    /// What it changed.
    pub files: Vec<FileChange>,
    /// Whether it is a merge.
    pub merge: bool,
}

impl Raw {
    /// The commit with its message read, and without e-mail addresses in it.
    pub fn read(self) -> Commit {
        let message = people::without_addresses(&self.message).into_owned();
        let parsed = parse(&message);
        Commit {
            hash: self.hash,
            author: self.author,
            timestamp: self.timestamp,
            message,
            files: self.files,
            merge: self.merge,
            conventional: parsed.conventional,
            kind: parsed.kind,
            scope: parsed.scope,
            breaking: parsed.breaking,
            description: parsed.description,
            breaking_note: parsed.breaking_note,
            reverts: parsed.reverts,
            pr: parsed.pr,
            squash_items: parsed.squash_items,
        }
    }
}
