//! Running a table of rules over a text, and replacing what they find.

use std::{
    borrow::Cow,
    sync::{LazyLock, OnceLock},
};

use regex::{Captures, Regex, RegexSet};

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

/// A compiled table. One pass of the gate over a text says which rules' key words are in it; only those are run.
pub(super) struct Engine {
    gate: RegexSet,
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
        let gates = rules.iter().map(|(rule, _)| match rule.keywords {
            [] => rule.pattern.to_owned(),
            words => {
                let words: Vec<String> = words.iter().map(|word| regex::escape(word)).collect();
                format!("(?i-u:{})", words.join("|"))
            }
        });
        Self { gate: RegexSet::new(gates).expect("the table's key words are literals"), rules }
    }

    /// Everything the rules find, in the order of the rules.
    pub fn find(&self, text: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        for rank in self.gate.matches(text) {
            let (rule, pattern) = &self.rules[rank];
            let pattern = pattern.get_or_init(|| Regex::new(rule.pattern).expect("a test compiles every pattern"));
            find_one(text, rule, pattern, rank + 1, &mut spans);
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
