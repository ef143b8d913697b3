//! Where each commit goes in a list of what shipped: one place each, so that nothing is lost or counted twice.

use super::message::{split, without_pull_request};
use flywheel_events::Commit;
use std::collections::BTreeMap;

/// Why a commit is not an entry of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hidden {
    /// A merge: its changes belong to its own commits.
    Merge,
    /// `fixup!` or `amend!`: part of another commit.
    Fixup,
    /// `squash!`: part of another commit.
    Squash,
}

/// Where a commit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Under its type, or under "Other changes" if it has none.
    Entry,
    /// Not listed.
    Hidden(Hidden),
    /// Undone by the commit at this index.
    RevertedBy(usize),
    /// Undoes the commit at this index.
    Reverts(usize),
}

/// Whether a commit is hidden, and why.
pub fn hidden(commit: &Commit) -> Option<Hidden> {
    if commit.merge { Some(Hidden::Merge) } else { marker(split(&commit.message).0) }
}

fn marker(header: &str) -> Option<Hidden> {
    match header.split_once("! ")?.0 {
        "fixup" | "amend" => Some(Hidden::Fixup),
        "squash" => Some(Hidden::Squash),
        _ => None,
    }
}

/// Whether a header alone says that its commit is a merge. For records, whose parents nobody knows.
pub(super) fn is_merge_header(header: &str) -> bool {
    [
        "Merge pull request #",
        "Merge branch ",
        "Merge branches ",
        "Merge remote-tracking branch ",
        "Merge tag ",
        "Merge commit ",
    ]
    .iter()
    .any(|start| header.starts_with(start))
}

pub(super) fn is_hidden_header(header: &str) -> bool {
    is_merge_header(header) || marker(header).is_some()
}

/// The place of every commit, in the order of `commits` (oldest first).
///
/// A revert cancels an earlier commit; a revert that is itself reverted cancels nothing.
pub fn place(commits: &[Commit]) -> Vec<Place> {
    let mut places: Vec<Place> =
        commits.iter().map(|commit| hidden(commit).map_or(Place::Entry, Place::Hidden)).collect();
    for (index, commit) in commits.iter().enumerate().rev() {
        if places[index] != Place::Entry {
            continue;
        }
        let named = commit.reverts.as_deref().and_then(|hash| named(commits, index, hash));
        if let Some(target) = named.filter(|target| places[*target] == Place::Entry) {
            places[target] = Place::RevertedBy(index);
            places[index] = Place::Reverts(target);
        }
    }
    places
}

/// The commit before `index` that has this hash, else the one whose hash it begins, or that begins it.
fn named(commits: &[Commit], index: usize, hash: &str) -> Option<usize> {
    let whole = commits[..index].iter().rposition(|commit| commit.hash.eq_ignore_ascii_case(hash));
    if whole.is_some() {
        return whole;
    }
    let mut matches =
        commits[..index].iter().enumerate().filter(|(_, commit)| same_hash(&commit.hash, hash)).map(|(index, _)| index);
    let first = matches.next()?;
    matches.next().is_none().then_some(first)
}

/// Whether one hash is the other or its beginning; a record may shorten either.
fn same_hash(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    one.len().min(other.len()) >= 4 && (one.starts_with(&other) || other.starts_with(&one))
}

/// Names the commit of a `Revert "…"` whose body does not, and writes hashes out in full where the session has them.
///
/// `commits` are in order, oldest first. The quoted header must be that of an earlier commit; the newest one counts.
pub fn link_reverts(commits: &mut [Commit]) {
    let mut by_header: BTreeMap<String, String> = BTreeMap::new();
    for index in 0..commits.len() {
        let header = split(&commits[index].message).0.to_owned();
        let quoted = without_pull_request(&header).strip_prefix("Revert \"").and_then(|rest| rest.strip_suffix('"'));
        let linked = match &commits[index].reverts {
            Some(hash) => named(commits, index, hash).map(|target| commits[target].hash.clone()),
            None => quoted.and_then(|quoted| by_header.get(quoted)).cloned(),
        };
        if linked.is_some() {
            commits[index].reverts = linked;
        }
        let hash = commits[index].hash.clone();
        by_header.insert(without_pull_request(&header).to_owned(), hash.clone());
        by_header.insert(header, hash);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Raw;
    use super::*;
    use proptest::prelude::*;

    fn commits(of: &[(&str, &str, bool)]) -> Vec<Commit> {
        let mut commits: Vec<Commit> = of
            .iter()
            .map(|(hash, message, merge)| {
                let (hash, message) = ((*hash).to_owned(), (*message).to_owned());
                Raw { hash, author: None, timestamp: None, message, files: vec![], merge: *merge }.read()
            })
            .collect();
        link_reverts(&mut commits);
        commits
    }

    #[test]
    fn merges_fixups_and_squashes_are_hidden() {
        let commits = commits(&[
            ("aaaaaaa1", "Merge branch 'x'", true),
            ("aaaaaaa2", "fixup! feat: x", false),
            ("aaaaaaa3", "squash! feat: x", false),
            ("aaaaaaa4", "amend! feat: x", false),
            ("aaaaaaa5", "Merge branch 'x' by hand", false),
            ("aaaaaaa6", "anything", false),
        ]);
        assert_eq!(
            place(&commits),
            [
                Place::Hidden(Hidden::Merge),
                Place::Hidden(Hidden::Fixup),
                Place::Hidden(Hidden::Squash),
                Place::Hidden(Hidden::Fixup),
                Place::Entry,
                Place::Entry,
            ]
        );
    }

    #[test]
    fn a_revert_cancels_what_it_names_and_a_revert_of_it_restores_that() {
        let chain = [
            ("aaaaaaa1", "feat: x", false),
            ("bbbbbbb2", "Revert \"feat: x\"\n\nThis reverts commit aaaaaaa1.", false),
            ("ccccccc3", "Reapply \"feat: x\"\n\nThis reverts commit bbbbbbb2.", false),
        ];
        assert_eq!(place(&commits(&chain[..2])), [Place::RevertedBy(1), Place::Reverts(0)]);
        assert_eq!(place(&commits(&chain)), [Place::Entry, Place::RevertedBy(2), Place::Reverts(1)]);
        // What it names is not of this session: it stands for itself.
        assert_eq!(place(&commits(&chain[1..2])), [Place::Entry]);
    }

    #[test]
    fn a_revert_without_a_hash_names_the_commit_by_its_header() {
        let commits = commits(&[
            ("aaaaaaa1", "feat: x (#4)", false),
            ("bbbbbbb2", "Revert \"feat: x\" (#5)\n\nReverts a/b#4", false),
        ]);
        assert_eq!(commits[1].reverts.as_deref(), Some("aaaaaaa1"));
        assert_eq!(place(&commits), [Place::RevertedBy(1), Place::Reverts(0)]);
    }

    #[test]
    fn a_short_hash_is_written_out() {
        let commits = commits(&[
            ("aaaaaaa1bcd", "feat: x", false),
            ("bbbbbbb2", "revert: x\n\nThis reverts commit AAAAAAA1.", false),
        ]);
        assert_eq!(commits[1].reverts.as_deref(), Some("aaaaaaa1bcd"));
    }

    proptest! {
        /// Every commit has one place, and cancelling is mutual.
        #[test]
        fn entries_and_hidden_ones_sum_to_the_commits(
            picks in prop::collection::vec((0_usize..6, 0_usize..12), 0..12)
        ) {
            let of: Vec<(String, String, bool)> = picks.iter().enumerate().map(|(index, (form, target))| {
                let message = match form {
                    0 => "feat: a".to_owned(),
                    1 => "whatever".to_owned(),
                    2 => "fixup! feat: a".to_owned(),
                    3 => "Revert \"feat: a\"".to_owned(),
                    _ => format!("revert: a\n\nThis reverts commit {target:07x}1."),
                };
                (format!("{index:07x}1"), message, *form == 5)
            }).collect();
            let of: Vec<(&str, &str, bool)> = of.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), *c)).collect();
            let commits = commits(&of);
            let places = place(&commits);
            prop_assert_eq!(places.len(), commits.len());
            for (index, place) in places.iter().enumerate() {
                match place {
                    Place::RevertedBy(by) => prop_assert_eq!(places[*by], Place::Reverts(index)),
                    Place::Reverts(of) => prop_assert_eq!(places[*of], Place::RevertedBy(index)),
                    Place::Entry | Place::Hidden(_) => {}
                }
            }
        }
    }
}
