//! Cleaning text and JSON of secrets and of personal data, before anything is written that cannot be taken back.
//!
//! A pure function of the text, the secrets this process holds and its home directory: the same input always gives
//! the same output. What is found is replaced, by `[redacted:<kind>]`, by a relative path or by a short mask, and
//! reported as `{kind, count, location}`: a finding never holds the value.
//!
//! Invariants, each with a property test:
//! - cleaning twice is cleaning once;
//! - a value that was found is not in the output, whether it stood there as itself or under one level of base64,
//!   percent-encoding or JSON escapes;
//! - no input panics, and no number is changed, but for one that its field's name makes a secret, a phone number or an
//!   account: that becomes text.
//!
//! Too much is as wrong as too little: digests, UUIDs, integrity strings, variables, masks, public keys and
//! placeholders stay. Chance-like text alone is never a secret; it is one beside a key word (`rules::assignments`).
//!
//! To add a kind of secret, add a row to the group's file in `rules/`. Deliberately absent: names of people, postal
//! addresses and anything else that only a person can judge.

mod accounts;
mod decode;
mod engine;
mod invisible;
mod json;
mod paths;
mod people;
mod rules;
mod shape;

use std::{borrow::Cow, collections::BTreeMap};

use accounts::Accounts;
use engine::Span;

pub use rules::{About, is_secret, rules};

/// How often a text is cleaned again at most, because a replacement may bring something to light.
const PASSES_MAX: usize = 6;

/// The shortest held secret that is looked for; anything shorter would redact ordinary words.
const HELD_SECRET_LENGTH_MIN: usize = 8;

/// Anything shorter holds neither a key word with its value nor a token.
const SECRET_LENGTH_MIN: usize = 8;

/// The longest name that no rule finds anything in: the shortest secret of nothing but letters is longer.
const NAME_LENGTH_MAX: usize = 15;

/// Whether a text is but a short name, as most fields' names and many of their values are: `trades_executed`, `buy`.
fn is_name(text: &str) -> bool {
    text.len() <= NAME_LENGTH_MAX && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Something that was found and replaced. Never its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Finding {
    /// What it was: a kind of `rules()`; a held secret carries its name, as in `held-secret:GITHUB_TOKEN`.
    pub kind: String,
    /// How often it stood there.
    pub count: usize,
    /// Where: a JSON pointer into the cleaned document, or `text:<line>` counted from 1.
    pub location: String,
}

/// What the process knows of itself, once for all texts.
#[derive(Clone, Default)]
pub struct Context {
    /// The home directory of who runs this.
    pub home: Option<String>,
    /// Secrets the process holds, as (name, value): found wherever they stand. Values under eight bytes are ignored.
    pub held_secrets: Vec<(String, String)>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.held_secrets.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Context").field("held_secrets", &names).finish_non_exhaustive()
    }
}

/// What is known of one text's origin.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The repository's root on the machine the text comes from; paths under it become relative.
    pub repo_root: Option<String>,
}

impl Scope {
    /// The scope of a session: its `source_data.repo_path`, before cleaning.
    pub fn of_session(session: &serde_json::Value) -> Self {
        let root = session.pointer("/source_data/repo_path").and_then(serde_json::Value::as_str);
        Self { repo_root: root.map(str::to_owned) }
    }
}

/// Cleans texts and documents. Cheap to use, built once.
#[derive(Clone)]
pub struct Cleaner {
    held: Vec<Held>,
    home: Option<paths::Root>,
}

#[derive(Clone)]
struct Held {
    kind: String,
    value: String,
}

impl std::fmt::Debug for Cleaner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cleaner").field("held", &self.held.len()).finish_non_exhaustive()
    }
}

/// What one string is cleaned with.
struct Setting<'a> {
    root: Option<&'a paths::Root>,
    accounts: &'a Accounts,
    /// The name of the JSON field it is the value of.
    key: Option<&'a str>,
}

impl Cleaner {
    /// A cleaner that also knows what `context` says.
    pub fn new(context: Context) -> Self {
        let mut held: Vec<Held> = context
            .held_secrets
            .into_iter()
            .map(|(name, value)| Held {
                kind: format!("{}:{name}", rules::HELD_SECRET),
                value: invisible::strip(value.trim()).0.into_owned(),
            })
            .filter(|held| held.value.len() >= HELD_SECRET_LENGTH_MIN)
            .collect();
        held.sort_by(|a, b| b.value.len().cmp(&a.value.len()).then_with(|| a.kind.cmp(&b.kind)));
        Self { held, home: context.home.as_deref().and_then(paths::Root::parse) }
    }

    /// The cleaned text and what was found, located as `text:<line>`.
    pub fn clean_text<'t>(&self, text: &'t str, scope: &Scope) -> (Cow<'t, str>, Vec<Finding>) {
        let root = scope.repo_root.as_deref().and_then(paths::Root::parse);
        let mut accounts = Accounts::default();
        accounts.collect_text(text);
        accounts.settle();
        let setting = Setting { root: root.as_ref(), accounts: &accounts, key: None };
        let mut found = Found::default();
        let cleaned = self.clean_string(text, &setting, &mut |line, kind| found.add(kind, format!("text:{line}")));
        (cleaned, found.list())
    }

    /// Cleans a document in place, keys too, and says what was found, located by JSON pointers.
    pub fn clean_json(&self, document: &mut serde_json::Value, scope: &Scope) -> Vec<Finding> {
        let root = scope.repo_root.as_deref().and_then(paths::Root::parse);
        let mut accounts = Accounts::default();
        accounts.collect_json(document, None);
        accounts.settle();
        let mut walk = json::Walk { cleaner: self, root: root.as_ref(), accounts: &accounts, found: Found::default() };
        walk.value(document, None, &mut String::new());
        walk.found.list()
    }

    /// Cleans one string until nothing changes any more. `report` is given the line and the kind of each finding.
    fn clean_string<'t>(
        &self,
        text: &'t str,
        setting: &Setting<'_>,
        report: &mut dyn FnMut(usize, &str),
    ) -> Cow<'t, str> {
        let mut cleaned = Cow::Borrowed(text);
        if is_name(text) && !self.held.iter().any(|held| text.contains(&held.value)) {
            return cleaned;
        }
        for _ in 0..PASSES_MAX {
            match self.pass(&cleaned, setting, report) {
                Some(next) if next != *cleaned => cleaned = Cow::Owned(next),
                _ => break,
            }
        }
        cleaned
    }

    /// One pass over a string; nothing when there is nothing to replace.
    fn pass(&self, text: &str, setting: &Setting<'_>, report: &mut dyn FnMut(usize, &str)) -> Option<String> {
        let (stripped, removed) = invisible::strip(text);
        for line in &removed {
            report(*line, rules::INVISIBLE);
        }
        let mut current: Option<String> = match stripped {
            Cow::Borrowed(_) => None,
            Cow::Owned(stripped) => Some(stripped),
        };
        let mut step = |find: &dyn Fn(&str) -> Vec<Span>| {
            let text = current.as_deref().unwrap_or(text);
            let spans = find(text);
            if !spans.is_empty() {
                current = Some(engine::replace(text, spans, report));
            }
        };
        step(&|text| self.secrets(text));
        step(&|text| seen_through(text, &|text| paths::find(text, setting.root, self.home.as_ref())));
        step(&|text| seen_through(text, &|text| people::find(text, setting.accounts, setting.key)));
        current
    }

    /// Secrets in a text: as it stands, and under one level of each encoding.
    fn secrets(&self, text: &str) -> Vec<Span> {
        let mut spans = self.plain_secrets(text);
        for view in [decode::percent(text), decode::json_escapes(text)].into_iter().flatten() {
            spans.extend(self.plain_secrets(&view.text).into_iter().map(|span| view.back(span)));
        }
        for run in decode::base64_runs(text) {
            let kind = run.readings.iter().find_map(|reading| self.plain_secrets(reading).into_iter().next());
            if let Some(found) = kind {
                spans.push(Span { start: run.start, end: run.end, ..found });
            }
        }
        engine::outside_markers(text, spans)
    }

    fn plain_secrets(&self, text: &str) -> Vec<Span> {
        if text.len() < SECRET_LENGTH_MIN {
            return Vec::new();
        }
        let mut spans = engine::secrets().find(text);
        for held in &self.held {
            spans.extend(text.match_indices(held.value.as_str()).map(|(start, value)| Span {
                start,
                end: start + value.len(),
                kind: Cow::Owned(held.kind.clone()),
                replacement: engine::marker(rules::HELD_SECRET),
                rank: 0,
            }));
        }
        spans
    }
}

/// What is found in a text as it stands, percent-decoded, and with its escaped line ends as such. Other escapes stay:
/// they are what regular expressions and Windows paths are made of.
fn seen_through(text: &str, find: &dyn Fn(&str) -> Vec<Span>) -> Vec<Span> {
    let mut spans = find(text);
    for view in [decode::percent(text), decode::line_escapes(text)].into_iter().flatten() {
        spans.extend(find(&view.text).into_iter().map(|span| view.back(span)));
    }
    engine::outside_markers(text, spans)
}

/// Findings, counted by kind and place.
#[derive(Default)]
struct Found(BTreeMap<(String, String), usize>);

impl Found {
    fn add(&mut self, kind: &str, location: String) {
        *self.0.entry((location, kind.to_owned())).or_default() += 1;
    }

    fn list(self) -> Vec<Finding> {
        self.0.into_iter().map(|((location, kind), count)| Finding { kind, count, location }).collect()
    }
}

#[cfg(test)]
mod tests;
