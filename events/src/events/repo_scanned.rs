//! `repo.scanned`: what the session changed in its repository, as git counts it.

use crate::{Fact, stamp::Stamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a scan saw of a session's repository, or what the session carries where the repository is not reachable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepoScanned {
    /// The repository's name: its manifest's, else its folder's. Null where the session names no repository.
    pub repo_name: Option<String>,
    /// `rust`, `node`, `python`, …; null where nothing says so.
    pub project_type: Option<String>,
    /// What the manifest says of the project; null without one.
    pub manifest: Option<ProjectManifest>,
    /// Files and folders at the session's end; null where the repository is not reachable.
    pub structure: Option<Structure>,
    /// The session's commits, oldest first.
    pub commits: Vec<Commit>,
    /// Totals over `commits` as git counts them, or over what the session lists where git was not asked.
    pub stats: RepoStats,
    /// Where the figures come from.
    pub figures_from: FiguresFrom,
    /// Why the repository was not read, where it was not.
    pub unreachable: Option<String>,
    /// The README as it stands; null without one.
    pub readme: Option<TextFile>,
    /// The licence file; null without one.
    pub license_file: Option<LicenseFile>,
    /// Commits the session lists that the repository does not have, by hash. They stand in `commits` as the session
    /// tells them, with null lines, and count in no total.
    pub commits_not_found: Vec<String>,
    /// What was odd but no fault.
    pub warnings: Vec<String>,
}

/// Where the figures of a scan come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum FiguresFrom {
    /// Counted by git in the repository.
    Repository,
    /// Taken from the session's own words: not counted by us.
    Session,
}

/// One commit of the session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Commit {
    /// The full hash, or what the session calls it.
    pub hash: String,
    /// The author's name, never an e-mail address.
    pub author: Option<String>,
    /// When it was committed, in the committer's offset.
    pub timestamp: Option<Stamp>,
    /// The whole message, without e-mail addresses.
    pub message: String,
    /// The files it changed against its first parent. Empty for a merge: its lines belong to its own commits.
    pub files: Vec<FileChange>,
    /// Whether it is a merge.
    pub merge: bool,
    /// Whether the header is a Conventional Commit.
    pub conventional: bool,
    /// The type in lower case; null if not conventional.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The scope; null without one.
    pub scope: Option<String>,
    /// Whether it breaks something, by `!` or footer.
    pub breaking: bool,
    /// The header's description; the whole header if not conventional.
    pub description: String,
    /// What a `BREAKING CHANGE:` footer says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaking_note: Option<String>,
    /// The hash of the commit it reverts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<String>,
    /// The pull request it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pr: Option<u64>,
    /// The entries of a squash body's bullet list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub squash_items: Vec<SquashItem>,
}

/// One bullet of a squashed commit's body, parsed like a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SquashItem {
    /// The type in lower case; null if not conventional.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The scope; null without one.
    pub scope: Option<String>,
    /// The description.
    pub description: String,
}

/// One file of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileChange {
    /// The path in the repository, after the change.
    pub path: String,
    /// The path before a rename.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// Lines added; null for a binary file or where the session does not say.
    pub added: Option<u64>,
    /// Lines removed; null for a binary file or where the session does not say.
    pub removed: Option<u64>,
}

/// Totals over a session's commits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepoStats {
    /// Distinct paths changed; null where nobody counted.
    pub files_changed: Option<u64>,
    /// Lines added, merges not counted again; null where nobody counted.
    pub lines_added: Option<u64>,
    /// Lines removed, merges not counted again; null where nobody counted.
    pub lines_removed: Option<u64>,
    /// Commits, merges among them. Where git counted, those it does not have (`commits_not_found`) are not in it.
    pub commits: u64,
}

/// What lies in the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Structure {
    /// Tracked files.
    pub files: u64,
    /// Folders that hold tracked files.
    pub directories: u64,
    /// Top-level names, folders with a `/` at the end, sorted; the first 100.
    pub top_level: Vec<String>,
    /// Tracked files by extension, in lower case.
    pub extensions: BTreeMap<String, u64>,
}

/// What the project's own manifest says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectManifest {
    /// The manifest's path in the repository.
    pub path: String,
    /// The project's name.
    pub name: Option<String>,
    /// The project's version.
    pub version: Option<String>,
    /// The project's description.
    pub description: Option<String>,
    /// The licence expression.
    pub license: Option<String>,
    /// Commands that follow from the manifest.
    pub commands: Vec<ManifestCommand>,
}

/// One command a reader can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestCommand {
    /// `install`, `build`, `test`, `run`, or a script's name.
    pub purpose: String,
    /// The command line.
    pub command: String,
}

/// A text file of the repository, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TextFile {
    /// The path in the repository.
    pub path: String,
    /// Its text, byte for byte (a byte-order mark and CRLF included).
    pub text: String,
}

/// The licence file, recognised by its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LicenseFile {
    /// The path in the repository.
    pub path: String,
    /// The SPDX expression its words amount to; null where they are not known.
    pub spdx: Option<String>,
}

impl Fact for RepoScanned {
    const TYPE: &'static str = "dev.dreamos.repo.scanned.v1";

    fn example() -> Self {
        Self {
            repo_name: Some("flywheel".into()),
            project_type: Some("rust".into()),
            manifest: Some(ProjectManifest {
                path: "Cargo.toml".into(),
                name: Some("flywheel".into()),
                version: Some("0.1.0".into()),
                description: Some("Turns finished sessions into public artifacts".into()),
                license: Some("MIT OR Apache-2.0".into()),
                commands: vec![ManifestCommand { purpose: "test".into(), command: "cargo test".into() }],
            }),
            structure: Some(Structure {
                files: 12,
                directories: 3,
                top_level: vec!["Cargo.toml".into(), "src/".into()],
                extensions: [("rs".to_owned(), 10), ("toml".to_owned(), 2)].into(),
            }),
            commits: vec![Commit {
                hash: "9fceb02d0ae598e95dc970b74767f19372d61af8".into(),
                author: Some("Agent-7".into()),
                timestamp: Some("2025-12-02T05:15:00-06:00".parse().expect("a stamp")),
                message: "feat(queue): keep items across a crash".into(),
                files: vec![FileChange {
                    path: "src/queue.rs".into(),
                    renamed_from: None,
                    added: Some(42),
                    removed: Some(3),
                }],
                merge: false,
                conventional: true,
                kind: Some("feat".into()),
                scope: Some("queue".into()),
                breaking: false,
                description: "keep items across a crash".into(),
                breaking_note: None,
                reverts: None,
                pr: None,
                squash_items: vec![],
            }],
            stats: RepoStats { files_changed: Some(1), lines_added: Some(42), lines_removed: Some(3), commits: 1 },
            figures_from: FiguresFrom::Repository,
            unreachable: None,
            readme: None,
            license_file: Some(LicenseFile { path: "LICENSE-MIT".into(), spdx: Some("MIT".into()) }),
            commits_not_found: vec![],
            warnings: vec![],
        }
    }
}
