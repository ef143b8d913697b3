//! Running a table of rules over a text, and replacing what they find.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{LazyLock, OnceLock},
};

use aho_corasick::AhoCorasick;
use regex::{Captures, Regex};

use super::{
    rules::{self, Rule},
    shape,
};

/// A piece of a text that is to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    pub kind: Cow<'static, str>,
    pub replacement: String,
    /// Where spans overlap, the smallest rank names what it was.
    pub rank: usize,
}

/// What stands in the place of a found value.
pub(super) fn marker(kind: &str) -> String {
    format!("[redacted:{kind}]")
}

/// A match of a rule's pattern, before it is judged.
pub(super) struct Hit<'h> {
    pub text: &'h str,
    /// The piece that would be replaced.
    pub start: usize,
    pub end: usize,
    pub captures: &'h Captures<'h>,
}

impl<'h> Hit<'h> {
    pub fn value(&self) -> &'h str {
        &self.text[self.start..self.end]
    }

    pub fn before(&self) -> &'h str {
        &self.text[..self.start]
    }

    pub fn after(&self) -> &'h str {
        &self.text[self.end..]
    }

    pub fn name(&self, name: &str) -> Option<&'h str> {
        self.captures.name(name).map(|found| &self.text[found.range()])
    }
}

/// A table of rules. One pass over a text says which rules' key words are in it; only those are tried, and no pattern is
/// compiled before it is: most texts hold no secret, and compiling takes longer than a session does.
pub(super) struct Engine {
    words: AhoCorasick,
    /// The rules of each key word, a bit a rule.
    of_word: Vec<u128>,
    /// The rules without key words.
    of_no_word: u128,
    rules: Vec<(&'static Rule, OnceLock<Regex>)>,
}

/// The rules for secrets.
pub(super) fn secrets() -> &'static Engine {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(rules::secrets()));
    &ENGINE
}

/// The rules for people.
pub(super) fn people() -> &'static Engine {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(rules::people()));
    &ENGINE
}

impl Engine {
    fn new(rules: impl Iterator<Item = &'static Rule>) -> Self {
        let rules: Vec<_> = rules.map(|rule| (rule, OnceLock::new())).collect();
        let mut of_word: BTreeMap<&str, u128> = BTreeMap::new();
        let mut of_no_word = 0;
        for (rank, (rule, _)) in rules.iter().enumerate() {
            let bit = 1_u128.checked_shl(rank as u32).expect("a test builds the engines: a rule has its bit");
            rule.keywords.iter().for_each(|word| *of_word.entry(word).or_default() |= bit);
            of_no_word |= if rule.keywords.is_empty() { bit } else { 0 };
        }
        let words = AhoCorasick::builder().ascii_case_insensitive(true).build(of_word.keys());
        let words = words.expect("a few hundred short words");
        Self { words, of_word: of_word.into_values().collect(), of_no_word, rules }
    }

    /// Everything the rules find, in the order of the rules.
    pub fn find(&self, text: &str) -> Vec<Span> {
        let found = self.words.find_overlapping_iter(text);
        let mut due = found.fold(self.of_no_word, |due, word| due | self.of_word[word.pattern().as_usize()]);
        let mut spans = Vec::new();
        while due != 0 {
            let rank = due.trailing_zeros() as usize;
            due &= due - 1;
            let (rule, pattern) = &self.rules[rank];
            if (rule.likely)(text) {
                let pattern = pattern.get_or_init(|| Regex::new(rule.pattern).expect("a test compiles every pattern"));
                find_one(text, rule, pattern, rank + 1, &mut spans);
            }
        }
        spans
    }
}

/// The matches of one rule. When a value beside a key word is refused, the search goes on inside of the value.
fn find_one(text: &str, rule: &Rule, pattern: &Regex, rank: usize, spans: &mut Vec<Span>) {
    let mut at = 0;
    while let Some(captures) = pattern.captures_at(text, at) {
        let whole = captures.get(0).expect("group 0 always takes part").range();
        let found = ["v", "w", "x"].iter().find_map(|name| captures.name(name)).map_or(whole.clone(), |v| v.range());
        let hit = Hit { text, start: found.start, end: found.end, captures: &captures };
        let next = if !shape::is_mask(hit.value()) && (rule.accept)(&hit) {
            let end = found.end + (rule.extend)(&hit);
            spans.push(Span {
                start: found.start,
                end,
                kind: Cow::Borrowed(rule.kind),
                replacement: marker(rule.kind),
                rank,
            });
            end
        } else if found.start > whole.start {
            found.start
        } else {
            whole.end
        };
        at = next.max(whole.start + text[whole.start..].chars().next().map_or(1, char::len_utf8));
        if at > text.len() {
            break;
        }
    }
}

/// Drops spans inside of markers that an earlier pass left.
pub(super) fn outside_markers(text: &str, mut spans: Vec<Span>) -> Vec<Span> {
    static MARKER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\[redacted:[a-z0-9-]+\]").expect("a test compiles every pattern"));
    if !spans.is_empty() && text.contains("[redacted:") {
        let markers: Vec<_> = MARKER.find_iter(text).map(|found| found.range()).collect();
        spans.retain(|span| !markers.iter().any(|marker| marker.start <= span.start && span.end <= marker.end));
    }
    spans
}

/// Replaces spans, joining those that overlap, and reports each with its line.
pub(super) fn replace(text: &str, mut spans: Vec<Span>, report: &mut dyn FnMut(usize, &str)) -> String {
    spans.sort_by_key(|span| (span.start, span.rank));
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.start < last.end => {
                last.end = last.end.max(span.end);
                if span.rank < last.rank {
                    (last.rank, last.kind, last.replacement) = (span.rank, span.kind, span.replacement);
                }
            }
            _ => joined.push(span),
        }
    }
    let mut out = String::with_capacity(text.len());
    let (mut at, mut line) = (0, 1);
    for span in joined {
        let between = &text[at..span.start];
        line += between.bytes().filter(|byte| *byte == b'\n').count();
        report(line, &span.kind);
        line += text[span.start..span.end].bytes().filter(|byte| *byte == b'\n').count();
        out.push_str(between);
        out.push_str(&span.replacement);
        at = span.end;
    }
    out.push_str(&text[at..]);
    out
}
