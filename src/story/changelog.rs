//! A session's commits as a reader wants them: by type and scope, with what was taken back shown as taken back.
//!
//! Invariants:
//! - Every commit is in exactly one place: [`Changelog::entries`] plus [`Hidden::total`] is the number of commits.
//! - Hidden are merges and `fixup!`, `squash!` and `amend!` commits: their work is in other commits already.
//! - A revert cancels the commit it names where both are in the session; a revert that is itself reverted cancels
//!   nothing. A revert of something older is work of the session like any other.

use crate::commits::{self, Place, place};
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
/// Digits of a whole SHA-1 hash. What is shorter, or no number, is what the session calls its commit, and stays.
const WHOLE: usize = 40;

/// A session's commits, sorted out.
#[derive(Debug, Default)]
pub struct Changelog<'a> {
    /// What shipped, by type in the order of [`KINDS`], then by scope (without one first), then in order of time.
    pub groups: Vec<Group<'a>>,
    /// What was taken back within the session, oldest first.
    pub cancelled: Vec<Cancelled<'a>>,
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
    /// Its hash, cut to seven digits, or as many more as tell it from the session's others.
    pub hash: &'a str,
    /// Its place among the session's commits, oldest first.
    pub at: usize,
}

/// A commit that was taken back within the session.
#[derive(Debug)]
pub struct Cancelled<'a> {
    /// The commit.
    pub entry: Entry<'a>,
    /// What took it back.
    pub by: Entry<'a>,
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
        let entry = |at: usize| Entry { commit: &commits[at], hash: hashes[at], at };
        let mut log = Self::default();
        let mut groups: BTreeMap<usize, Vec<Entry<'a>>> = BTreeMap::new();
        for (at, place) in place(commits).into_iter().enumerate() {
            match place {
                Place::Hidden(commits::Hidden::Merge) => log.hidden.merges += 1,
                Place::Hidden(commits::Hidden::Fixup | commits::Hidden::Squash) => log.hidden.fixups += 1,
                Place::RevertedBy(by) => log.cancelled.push(Cancelled { entry: entry(at), by: entry(by) }),
                // Told beside what it took back.
                Place::Reverts(_) => {}
                Place::Entry => groups.entry(rank(&commits[at])).or_default().push(entry(at)),
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
        self.shipped().count() as u64 + 2 * self.cancelled.len() as u64
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

/// The first line of the message.
pub fn header(commit: &Commit) -> &str {
    commit.message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

/// What the commit did: its description, or its whole header where the type is not one of [`KINDS`].
pub fn title(commit: &Commit) -> &str {
    let header = header(commit);
    let description = commit.description.trim();
    let whole = !is_known(commit) || description.is_empty();
    match (whole, header.is_empty()) {
        (true, false) => header,
        (_, true) | (false, _) if !description.is_empty() => description,
        _ => "(no message)",
    }
}

/// Whether its type is one of [`KINDS`], so that [`title`] leaves type and scope out.
pub fn is_known(commit: &Commit) -> bool {
    rank(commit) < KINDS.len()
}

fn rank(commit: &Commit) -> usize {
    let kind = commit.kind.as_deref().filter(|_| commit.conventional);
    kind.and_then(|kind| KINDS.iter().position(|(name, ..)| name.eq_ignore_ascii_case(kind))).unwrap_or(KINDS.len())
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
    let length = |commit: &Commit| lengths.get(commit.hash.as_str()).copied().unwrap_or(SHORT);
    commits.iter().map(|commit| short_hash(&commit.hash, length(commit))).collect()
}

/// The hash as a reader sees it: a whole one of git's by its first digits, anything else as it is.
fn short_hash(hash: &str, length: usize) -> &str {
    let whole = hash.len() >= WHOLE && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    hash.get(..length).filter(|_| whole).unwrap_or(hash)
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
        let cancelled: Vec<String> =
            log.cancelled.iter().map(|one| format!("{}<{}", one.entry.hash, one.by.hash)).collect();
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
        check(&[("11111110", "feat: x"), ("2222222", &one)], "; 11111110<2222222; 0");
        check(&[("1111111", "feat: x"), ("2222222222", &one), ("3333333", &two)], "Features: x; 2222222222<3333333; 0");
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
        let whole = |start: &str| commit(&format!("{start:0<40}"), "a");
        let short = |commits: &[Commit]| short_hashes(commits).join(" ");
        assert_eq!(
            short(&[whole("abcdef1234"), whole("abcdef1299"), whole("1234567890")]),
            "abcdef123 abcdef129 1234567"
        );
        // What the session calls its commits stays whole, whatever it is.
        let named = "abc123def456 def456ghi789 x ééééééééé";
        assert_eq!(short(&named.split(' ').map(|hash| commit(hash, "a")).collect::<Vec<_>>()), named);
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
        }
    }
}
