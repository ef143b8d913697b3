//! A session's commits as a reader wants them: by type and scope, with what was taken back shown as taken back.
//!
//! Invariants:
//! - Every commit is in exactly one place: [`Changelog::entries`] plus [`Hidden::total`] is the number of commits.
//! - Hidden are merges and `fixup!`, `squash!` and `amend!` commits: their work is in other commits already.
//! - A revert cancels the commit it names where both are in the session; a revert that is itself reverted cancels
//!   nothing. A revert of something older is work of the session like any other.

use flywheel_events::Commit;
use std::collections::{BTreeMap, BTreeSet};

/// A type of commit as readers see it: type on the wire, heading, and its noun for one and many.
pub type Kind = (&'static str, &'static str, &'static str, &'static str);

/// The known types, in the order of the build log.
pub const KINDS: &[Kind] = &[
    ("feat", "Features", "feature", "features"),
    ("fix", "Fixes", "fix", "fixes"),
    ("perf", "Performance", "performance improvement", "performance improvements"),
    ("refactor", "Refactoring", "refactoring", "refactorings"),
    ("docs", "Documentation", "documentation change", "documentation changes"),
    ("test", "Tests", "test change", "test changes"),
    ("build", "Build", "build change", "build changes"),
    ("ci", "Continuous integration", "CI change", "CI changes"),
    ("style", "Style", "style change", "style changes"),
    ("chore", "Chores", "chore", "chores"),
    ("revert", "Reverts", "revert", "reverts"),
];

/// What is not conventional, or of a type nobody knows.
pub const OTHER: Kind = ("", "Other changes", "other change", "other changes");

/// Fewest characters of a short hash.
const SHORT: usize = 7;
/// Fewest characters by which a revert may name a commit whose hash is longer: git's own limit.
const NAME_MIN: usize = 4;

/// A session's commits, sorted out.
#[derive(Debug, Default)]
pub struct Changelog<'a> {
    /// What shipped, by type in the order of [`KINDS`], then by scope (without one first), then in order of time.
    pub groups: Vec<Group<'a>>,
    /// What was taken back within the session, oldest first.
    pub cancelled: Vec<Cancelled<'a>>,
    /// How many of the commits only revert another one of the session.
    pub cancelling: u64,
    /// What is not listed.
    pub hidden: Hidden,
}

/// The commits of one type.
#[derive(Debug)]
pub struct Group<'a> {
    /// The type.
    pub kind: Kind,
    /// Its commits.
    pub entries: Vec<Entry<'a>>,
}

/// One commit.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// The commit.
    pub commit: &'a Commit,
    /// Its hash, cut to seven characters, or as many more as tell it from the session's others.
    pub hash: &'a str,
}

/// A commit that was taken back within the session.
#[derive(Debug)]
pub struct Cancelled<'a> {
    /// The commit.
    pub entry: Entry<'a>,
    /// What took it back; never empty.
    pub by: Vec<Entry<'a>>,
}

/// Commits that are counted but not listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Merges.
    pub merges: u64,
    /// `fixup!`, `squash!` and `amend!` commits.
    pub fixups: u64,
}

impl Hidden {
    /// All of them.
    pub fn total(self) -> u64 {
        self.merges + self.fixups
    }
}

impl<'a> Changelog<'a> {
    /// Sorts commits out; they come oldest first.
    pub fn of(commits: &'a [Commit]) -> Self {
        let hashes = short_hashes(commits);
        let entry = |i: usize| Entry { commit: &commits[i], hash: hashes[i] };
        let taken_back = taken_back(commits);
        let cancelling: BTreeSet<usize> = taken_back.values().flatten().copied().collect();
        let mut log = Self { cancelling: cancelling.len() as u64, ..Self::default() };
        let mut groups: BTreeMap<usize, Vec<Entry<'a>>> = BTreeMap::new();
        for (i, commit) in commits.iter().enumerate() {
            if commit.merge {
                log.hidden.merges += 1;
            } else if is_fixup(commit) {
                log.hidden.fixups += 1;
            } else if let Some(by) = taken_back.get(&i) {
                log.cancelled.push(Cancelled { entry: entry(i), by: by.iter().rev().map(|&i| entry(i)).collect() });
            } else if !cancelling.contains(&i) {
                groups.entry(rank(commit)).or_default().push(entry(i));
            }
        }
        log.groups = groups
            .into_iter()
            .map(|(rank, mut entries)| {
                entries.sort_by_key(|entry| scope(entry.commit).map(str::to_lowercase));
                Group { kind: KINDS.get(rank).copied().unwrap_or(OTHER), entries }
            })
            .collect();
        log
    }

    /// What shipped, in the order of the groups.
    pub fn shipped(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.groups.iter().flat_map(|group| &group.entries)
    }

    /// How many commits are listed: what shipped, what was cancelled, and what cancelled it.
    pub fn entries(&self) -> u64 {
        self.shipped().count() as u64 + self.cancelled.len() as u64 + self.cancelling
    }

    /// The commits of one type that shipped.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Entry<'a>> {
        self.groups.iter().filter(move |group| group.kind.0 == kind).flat_map(|group| &group.entries)
    }
}

/// The scope, where there is one that says something.
pub fn scope(commit: &Commit) -> Option<&str> {
    commit.scope.as_deref().map(str::trim).filter(|scope| !scope.is_empty())
}

/// What the commit did: its description, or its whole header where the type is not one of [`KINDS`].
pub fn title(commit: &Commit) -> &str {
    let header = commit.message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let description = commit.description.trim();
    let whole = rank(commit) == KINDS.len() || description.is_empty();
    match (whole, header.is_empty()) {
        (true, false) => header,
        (_, true) | (false, _) if !description.is_empty() => description,
        _ => "(no message)",
    }
}

fn rank(commit: &Commit) -> usize {
    let kind = commit.kind.as_deref().filter(|_| commit.conventional);
    kind.and_then(|kind| KINDS.iter().position(|(name, ..)| name.eq_ignore_ascii_case(kind))).unwrap_or(KINDS.len())
}

fn is_fixup(commit: &Commit) -> bool {
    ["fixup! ", "squash! ", "amend! "].iter().any(|mark| commit.message.trim_start().starts_with(mark))
}

fn is_hidden(commit: &Commit) -> bool {
    commit.merge || is_fixup(commit)
}

/// The beginning that every spelling of a hash shares, in lower case.
fn stem(hash: &str) -> String {
    hash.trim().chars().take(NAME_MIN).collect::<String>().to_lowercase()
}

/// Cancelled commits, each with the commits that revert it, newest first.
fn taken_back(commits: &[Commit]) -> BTreeMap<usize, Vec<usize>> {
    let mut by_stem: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, commit) in commits.iter().enumerate().filter(|(_, commit)| !is_hidden(commit)) {
        by_stem.entry(stem(&commit.hash)).or_default().push(i);
    }
    let mut cancelled: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut acted = BTreeSet::new();
    // From the newest on: a revert that was itself reverted does nothing.
    for (i, commit) in commits.iter().enumerate().rev() {
        let Some(target) = commit.reverts.as_deref().map(str::trim).filter(|_| !is_hidden(commit)) else { continue };
        if cancelled.contains_key(&i) {
            continue;
        }
        let alike = by_stem.get(&stem(target)).map(Vec::as_slice).unwrap_or_default();
        for j in named(commits, alike, target) {
            if j != i && !acted.contains(&j) {
                cancelled.entry(j).or_default().push(i);
                acted.insert(i);
            }
        }
    }
    cancelled
}

/// Those of `among` that a hash names: the ones it equals (a record may be listed twice), else the one whose beginning
/// it is, or that is its beginning. A name that fits several commits names none.
fn named(commits: &[Commit], among: &[usize], name: &str) -> Vec<usize> {
    let name = name.to_lowercase();
    let with = |fits: &dyn Fn(&str) -> bool| -> Vec<usize> {
        among.iter().copied().filter(|&i| fits(&commits[i].hash.to_lowercase())).collect()
    };
    let equal = with(&|hash| hash == name);
    if !equal.is_empty() {
        return equal;
    }
    let long = |text: &str| text.chars().count() >= NAME_MIN;
    let begun = with(&|hash| long(hash) && long(&name) && (hash.starts_with(&name) || name.starts_with(hash)));
    let hashes: BTreeSet<&str> = begun.iter().map(|&i| commits[i].hash.as_str()).collect();
    if hashes.len() == 1 { begun } else { vec![] }
}

/// Each commit's hash, cut so that it still tells the commits apart.
fn short_hashes(commits: &[Commit]) -> Vec<&str> {
    let sorted: BTreeSet<&str> = commits.iter().map(|commit| commit.hash.as_str()).collect();
    let sorted: Vec<&str> = sorted.into_iter().collect();
    let mut lengths: BTreeMap<&str, usize> = BTreeMap::new();
    for pair in sorted.windows(2) {
        let shared = pair[0].chars().zip(pair[1].chars()).take_while(|(a, b)| a == b).count();
        for hash in pair {
            let length = lengths.entry(*hash).or_insert(SHORT);
            *length = (*length).max(shared + 1);
        }
    }
    let cut = |hash: &'_ str, length: usize| hash.char_indices().nth(length).map_or(hash.len(), |(i, _)| i);
    commits
        .iter()
        .map(|commit| {
            let length = lengths.get(commit.hash.as_str()).copied().unwrap_or(SHORT);
            &commit.hash[..cut(&commit.hash, length)]
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A commit as a scan would give it: enough of a parser for these tests.
    pub(crate) fn commit(hash: &str, message: &str) -> Commit {
        let header = message.lines().next().unwrap_or_default();
        let conventional = header.split_once(": ").filter(|(prefix, _)| !prefix.contains(' '));
        let prefix = conventional.map(|(prefix, _)| prefix.trim_end_matches('!')).unwrap_or_default();
        let (kind, scope) = prefix.split_once('(').map_or((prefix, None), |(k, s)| (k, Some(s.trim_end_matches(')'))));
        let reverts = message.split_once("This reverts commit ").map(|(_, rest)| rest);
        Commit {
            hash: hash.into(),
            author: None,
            timestamp: None,
            message: message.into(),
            files: vec![],
            merge: header.starts_with("Merge "),
            conventional: conventional.is_some(),
            kind: conventional.map(|_| kind.to_lowercase()),
            scope: scope.map(str::to_owned),
            breaking: conventional.is_some_and(|(prefix, _)| prefix.ends_with('!')),
            description: conventional.map_or(header, |(_, description)| description).into(),
            breaking_note: None,
            reverts: reverts.map(|rest| rest.chars().take_while(char::is_ascii_alphanumeric).collect()),
            pr: None,
            squash_items: vec![],
        }
    }

    /// The log in short: `heading: titles | … ; cancelled a<b ; hidden n`.
    fn check(commits: &[(&str, &str)], expected: &str) {
        let commits: Vec<Commit> = commits.iter().map(|(hash, message)| commit(hash, message)).collect();
        let log = Changelog::of(&commits);
        let groups: Vec<String> = log
            .groups
            .iter()
            .map(|group| {
                let titles: Vec<&str> = group.entries.iter().map(|entry| title(entry.commit)).collect();
                format!("{}: {}", group.kind.1, titles.join(", "))
            })
            .collect();
        let cancelled: Vec<String> = log
            .cancelled
            .iter()
            .map(|one| format!("{}<{}", one.entry.hash, one.by.iter().map(|by| by.hash).collect::<Vec<_>>().join("+")))
            .collect();
        let shown = format!("{}; {}; {}", groups.join(" | "), cancelled.join(" "), log.hidden.total());
        assert_eq!(shown, expected);
        assert_eq!(log.entries() + log.hidden.total(), commits.len() as u64);
    }

    #[test]
    fn commits_are_grouped_by_type_and_scope_and_none_is_dropped() {
        check(&[], "; ; 0");
        check(
            &[
                ("aaaaaaa1", "fix: b"),
                ("aaaaaaa2", "feat(ui): two"),
                ("aaaaaaa3", "FEAT(Api): one"),
                ("aaaaaaa4", "feat: zero"),
                ("aaaaaaa5", "wip: half"),
                ("aaaaaaa6", "Update stuff"),
                ("aaaaaaa7", "Merge branch 'x'"),
                ("aaaaaaa8", "fixup! fix: b"),
                ("aaaaaaa9", "squash! fix: b"),
            ],
            "Features: zero, one, two | Fixes: b | Other changes: wip: half, Update stuff; ; 3",
        );
        check(&[("aaaaaaa1", "")], "Other changes: (no message); ; 0");
    }

    #[test]
    fn a_revert_cancels_the_commit_it_names() {
        let revert = |what: &str, hash: &str| format!("Revert \"{what}\"\n\nThis reverts commit {hash}.");
        let (one, two) = (revert("feat: x", "1111111"), revert("Revert", "22222222222222"));
        let old = revert("feat: old", "9999999");
        check(&[("11111110", "feat: x"), ("2222222", &one)], "; 1111111<2222222; 0");
        check(&[("1111111", "feat: x"), ("2222222222", &one), ("3333333", &two)], "Features: x; 2222222<3333333; 0");
        check(&[("1111111", "feat: x"), ("2222222", &one), ("4444444", &one)], "; 1111111<2222222+4444444; 0");
        check(&[("a1", "feat: x"), ("a2", &revert("feat: x", "a1"))], "; a1<a2; 0");
        let ambiguous = revert("feat: x", "1111");
        check(
            &[("11112222", "feat: x"), ("11113333", "feat: y"), ("2222222", &ambiguous)],
            "Features: x, y | Other changes: Revert \"feat: x\"; ; 0",
        );
        check(&[("2222222", &old)], "Other changes: Revert \"feat: old\"; ; 0");
        check(&[("2222222", &revert("itself", "2222222"))], "Other changes: Revert \"itself\"; ; 0");
    }

    #[test]
    fn a_short_hash_is_as_long_as_it_must_be() {
        let commits =
            [commit("abcdef1234", "a"), commit("abcdef1299", "b"), commit("1234567890", "c"), commit("x", "d")];
        assert_eq!(short_hashes(&commits), ["abcdef123", "abcdef129", "1234567", "x"]);
        let accents = [commit("ééééééééé", "a")];
        assert_eq!(short_hashes(&accents), ["ééééééé"]);
    }

    proptest! {
        #[test]
        fn entries_and_hidden_always_sum_to_the_commits(
            rows in prop::collection::vec(
                ("[ab]{1,7}", "(feat|fix|FIX|wip|Merge x|fixup! |)(\\(s\\))?(: )?[a-z ]{0,8}", any::<bool>(),
                 prop::option::of("[ab]{0,8}")),
                0..40,
            )
        ) {
            let commits: Vec<Commit> = rows
                .into_iter()
                .map(|(hash, message, merge, reverts)| Commit { merge, reverts, ..commit(&hash, &message) })
                .collect();
            let log = Changelog::of(&commits);
            prop_assert_eq!(log.entries() + log.hidden.total(), commits.len() as u64);
            prop_assert!(log.cancelled.iter().all(|one| !one.by.is_empty()));
        }
    }
}
