//! What a repository says of itself: its manifest, README and licence, as tracked at a commit.
//!
//! Invariants: edits that are not committed are not seen (a README with some is a warning); every file read has a limit;
//! a command is stated only where a file proves it. Nothing is guessed from names of folders or from prose.

mod commands;
mod license;
mod manifest;
mod scripts;

use crate::git::{self, Blob, Entry, Repo, Tree, read_files};
use flywheel_events::{LicenseFile, ProjectManifest, TextFile};
use std::path::Path;

/// How large a manifest, README or licence may be.
pub const FILE_BYTES_MAX: u64 = 192 << 10;

/// What a repository says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// `rust`, `node`, `python`, …
    pub kind: Option<String>,
    /// What its manifest says.
    pub manifest: Option<ProjectManifest>,
    /// Its README.
    pub readme: Option<TextFile>,
    /// Its licence file.
    pub license_file: Option<LicenseFile>,
}

/// Reads it. What is odd goes to `warnings`.
///
/// # Errors
/// When git does not answer.
pub fn read(repo: &Repo, tree: &Tree, warnings: &mut Vec<String>) -> Result<Project, git::Error> {
    let manifest = manifest::find(tree);
    let readme = readme(tree, warnings);
    let licenses = license::find(tree);
    let wanted: Vec<&Entry> =
        manifest.map(|(_, entry)| entry).into_iter().chain(readme).chain(licenses.iter().copied()).collect();
    let mut texts = texts(repo, &wanted, warnings)?.into_iter();

    let mut project = Project::default();
    if let Some((kind, entry)) = manifest {
        project.kind = Some(kind.name.to_owned());
        project.manifest =
            texts.next().flatten().and_then(|text| match manifest::read(kind, &entry.path, &text, tree) {
                Ok(manifest) => Some(manifest),
                Err(error) => {
                    warnings.push(format!("{} does not read: {error}", entry.path));
                    None
                }
            });
    }
    if let Some(entry) = readme
        && let Some(text) = texts.next().flatten()
    {
        if has_edits(repo.top(), &entry.path, &text) {
            warnings.push(format!("{} has edits that are not committed: the committed text was read", entry.path));
        }
        project.readme = Some(TextFile { path: entry.path.clone(), text });
    }
    let texts: Vec<Option<String>> = texts.collect();
    project.license_file = licenses
        .first()
        .map(|entry| LicenseFile { path: entry.path.clone(), spdx: license::expression(&licenses, &texts) });
    Ok(project)
}

/// The texts of files, each or why not as a warning.
fn texts(repo: &Repo, wanted: &[&Entry], warnings: &mut Vec<String>) -> Result<Vec<Option<String>>, git::Error> {
    let blobs = read_files(repo, wanted, FILE_BYTES_MAX)?;
    let text = |(blob, entry): (Blob, &&Entry)| match blob {
        Blob::Whole(bytes) => String::from_utf8(bytes)
            .inspect_err(|_| warnings.push(format!("{} is not UTF-8 text and was not read", entry.path)))
            .ok(),
        Blob::TooLarge(size) => {
            warnings.push(format!("{} has {size} bytes, more than {FILE_BYTES_MAX}, and was not read", entry.path));
            None
        }
    };
    Ok(blobs.into_iter().zip(wanted).map(text).collect())
}

/// The README at the top: Markdown, or without a form.
fn readme<'a>(tree: &'a Tree, warnings: &mut Vec<String>) -> Option<&'a Entry> {
    let named = |name: &str| tree.top_files().find(|entry| entry.path.eq_ignore_ascii_case(name));
    let readme = ["README.md", "README.markdown", "README"].into_iter().find_map(named);
    if readme.is_none()
        && let Some(other) = tree.top_files().find(|entry| entry.path.to_ascii_lowercase().starts_with("readme."))
    {
        warnings.push(format!("{} is not Markdown and was not read", other.path));
    }
    readme
}

/// Whether the file in the working tree reads otherwise, line ends aside. Git is not asked: its comparison would run the
/// repository's filters.
#[expect(clippy::disallowed_methods, reason = "this is the one look at the working tree")]
fn has_edits(top: Option<&Path>, path: &str, committed: &str) -> bool {
    let Some(file) = top.map(|top| top.join(path)) else { return false };
    let plain = std::fs::symlink_metadata(&file).is_ok_and(|file| file.is_file() && file.len() <= FILE_BYTES_MAX << 1);
    plain
        && std::fs::read(&file)
            .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).replace("\r\n", "\n") != committed.replace("\r\n", "\n"))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
