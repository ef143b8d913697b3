//! The table of what is looked for: a row a kind, a file a group.

mod assignments;
mod clouds;
mod code_hosts;
mod keys;
mod messaging;
mod personal;
mod services;

use super::engine::Hit;

/// The kind of a secret that the process itself holds; the secret's name follows after a colon in a finding.
pub(super) const HELD_SECRET: &str = "held-secret";
/// The kind of the value of a field that is named after a secret.
pub(super) const SECRET_FIELD: &str = "secret-field";
/// The kind of characters nobody sees.
pub(super) const INVISIBLE: &str = "invisible-text";
/// The kind of a path under the repository's root.
pub(super) const REPOSITORY_PATH: &str = "repository-path";
/// The kind of a path under a home directory.
pub(super) const HOME_PATH: &str = "home-path";
/// The kind of another absolute path of a machine.
pub(super) const MACHINE_PATH: &str = "machine-path";
/// The kind of a phone number in a field named after one.
pub(super) const PHONE: &str = "phone";
/// The kind of a broker account's id.
pub(super) const ACCOUNT: &str = "account";

/// One thing to look for.
///
/// The group `v` of the pattern (or `w`, or `x`) is what is replaced; without such a group, the whole match.
pub(super) struct Rule {
    pub kind: &'static str,
    pub about: &'static str,
    /// In any case; one of them is in every match. With none, `likely` alone decides.
    pub keywords: &'static [&'static str],
    pub pattern: &'static str,
    /// Whether a text may hold a match, told without the pattern; true where there is one.
    pub likely: fn(&str) -> bool,
    pub accept: fn(&Hit<'_>) -> bool,
    /// How many bytes after the match belong to it as well.
    pub extend: fn(&Hit<'_>) -> usize,
}

impl Rule {
    const fn new(
        kind: &'static str,
        about: &'static str,
        keywords: &'static [&'static str],
        pattern: &'static str,
    ) -> Self {
        Self { kind, about, keywords, pattern, likely: |_| true, accept: |_| true, extend: |_| 0 }
    }

    const fn likely(self, likely: fn(&str) -> bool) -> Self {
        Self { likely, ..self }
    }

    const fn accept(self, accept: fn(&Hit<'_>) -> bool) -> Self {
        Self { accept, ..self }
    }

    const fn extend(self, extend: fn(&Hit<'_>) -> usize) -> Self {
        Self { extend, ..self }
    }
}

/// A kind of finding and what it is, for documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct About {
    /// The kind as findings and markers carry it.
    pub kind: &'static str,
    /// What it is.
    pub about: &'static str,
}

/// Kinds that no pattern stands for.
const OTHERS: &[About] = &[
    About { kind: HELD_SECRET, about: "a secret this process holds; its name follows after a colon" },
    About { kind: SECRET_FIELD, about: "the value of a field named after a secret" },
    About { kind: INVISIBLE, about: "bidi controls, tag characters and zero-width runs; taken out" },
    About { kind: REPOSITORY_PATH, about: "a path under the repository's root; made relative to it" },
    About { kind: HOME_PATH, about: "a path under a home directory; begins with ~ instead" },
    About { kind: MACHINE_PATH, about: "an absolute path of a machine; its last component stays" },
    About { kind: ACCOUNT, about: "a broker account's id; its last characters stay" },
];

/// Every kind of finding, each once.
pub fn rules() -> Vec<About> {
    let mut all: Vec<About> =
        secrets().chain(people()).map(|rule| About { kind: rule.kind, about: rule.about }).collect();
    all.extend(OTHERS);
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|about| seen.insert(about.kind));
    all
}

/// Whether a kind of finding is a secret, rather than what only identifies people and machines.
pub fn is_secret(kind: &str) -> bool {
    [HELD_SECRET, SECRET_FIELD].contains(&kind) || secrets().any(|rule| rule.kind == kind)
}

/// The rules for secrets. Where two find the same text, the first names it.
pub(super) fn secrets() -> impl Iterator<Item = &'static Rule> {
    [code_hosts::RULES, clouds::RULES, messaging::RULES, services::RULES, keys::RULES, assignments::RULES]
        .into_iter()
        .flatten()
}

/// The rules for what identifies people and their machines.
pub(super) fn people() -> impl Iterator<Item = &'static Rule> {
    personal::RULES.iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{
        strategy::{Strategy as _, ValueTree as _},
        string::string_regex,
        test_runner::TestRunner,
    };

    #[test]
    fn every_pattern_compiles_and_every_row_is_documented() {
        for rule in secrets().chain(people()) {
            regex::Regex::new(rule.pattern).unwrap_or_else(|error| panic!("{}: {error}", rule.kind));
            assert!(rule.keywords.iter().all(|word| *word == word.to_lowercase()), "{}", rule.kind);
            assert!(rule.kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", rule.kind);
        }
        for about in rules() {
            assert!(!about.about.is_empty() && !about.about.ends_with('.'), "{}", about.kind);
        }
    }

    /// What a pattern matches must pass the gates before it: texts are made of the patterns, where they can be.
    #[test]
    fn no_gate_hides_a_match() {
        let mut runner = TestRunner::deterministic();
        let mut made = 0;
        for rule in secrets().chain(people()) {
            let pattern = rule.pattern.replace(r"(?-u:\b)", "").replace("(?i-u:", "(?i:").replace("|\\z", "");
            let Ok(texts) = string_regex(&pattern) else { continue };
            made += 1;
            for _ in 0..200 {
                let text = texts.new_tree(&mut runner).expect("any text will do").current();
                // Two letters of other scripts fold to ASCII; no format has them.
                if text.contains(['ſ', '\u{212A}']) {
                    continue;
                }
                let lower = text.to_ascii_lowercase();
                let said = rule.keywords.is_empty() || rule.keywords.iter().any(|word| lower.contains(word));
                assert!(said && (rule.likely)(&text), "{}: {text}", rule.kind);
            }
        }
        assert!(made > secrets().chain(people()).count() * 9 / 10, "texts were made of {made} patterns");
    }
}
