//! Broker account ids: masked to their last characters, and never two of one document to the same mask.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use regex::Regex;
use serde_json::Value;

use super::{decode, engine::Span, invisible, rules};

/// How many of an id's last characters stay.
const TAIL: usize = 3;

/// The fewest digits of an account's id.
const DIGITS_MIN: usize = 6;

/// Ids as Interactive Brokers writes them.
static INTERACTIVE_BROKERS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?-u:\b)(?:U|DU|F|DF)[0-9]{6,9}(?-u:\b)").expect("a test runs it"));

/// Ids that follow their name.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?-u:\b)(?i-u:account|acct)(?P<which>[ _-]?(?i-u:id|number|num|no|nr))?\.?[ ]?(?P<sign>[:#=]*)[ ]*(?P<v>[A-Z]{0,4}-?[0-9]{6,})",
    )
    .expect("a test runs it")
});

/// Masks that an earlier cleaning left.
static MASKS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"…[A-Za-z0-9]{3}(?:-[0-9]+)?").expect("a test runs it"));

/// The account ids of one document and their masks.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    ids: BTreeSet<String>,
    taken: BTreeSet<String>,
    masks: BTreeMap<String, String>,
}

impl Accounts {
    /// Takes up what stands in a text, as itself or percent-encoded or between escaped line ends.
    pub fn collect_text(&mut self, text: &str) {
        if super::is_name(text) {
            return;
        }
        let text = &*invisible::strip(text).0;
        self.collect_plain(text);
        for view in [decode::percent(text), decode::line_escapes(text)].into_iter().flatten() {
            self.collect_plain(&view.text);
        }
    }

    fn collect_plain(&mut self, text: &str) {
        if text.contains('…') {
            self.taken.extend(MASKS.find_iter(text).map(|mask| mask.as_str().to_owned()));
        }
        if text.bytes().filter(u8::is_ascii_digit).count() < DIGITS_MIN {
            return;
        }
        let bytes = text.as_bytes();
        if bytes.windows(2).any(|pair| matches!(pair[0], b'U' | b'F') && pair[1].is_ascii_digit()) {
            self.ids.extend(INTERACTIVE_BROKERS.find_iter(text).map(|id| id.as_str().to_owned()));
        }
        if !bytes.windows(3).any(|start| start.eq_ignore_ascii_case(b"acc")) {
            return;
        }
        for captures in NAMED.captures_iter(text) {
            let Some(id) = captures.name("v") else { continue };
            let after = &text[id.end()..];
            let amount = after.starts_with(|c: char| c.is_alphanumeric() || "-_%$€".contains(c))
                || after.strip_prefix(['.', ',']).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
                || [" USD", " EUR", " GBP", " USDT"].iter().any(|unit| after.starts_with(unit));
            let said =
                captures.name("which").is_some() || captures.name("sign").is_some_and(|s| s.as_str().contains('#'));
            if !amount && (said || id.len() > DIGITS_MIN) {
                self.ids.insert(id.as_str().to_owned());
            }
        }
    }

    /// Takes up what stands in a document. `key` is the name of the field that holds `value`.
    pub fn collect_json(&mut self, value: &Value, key: Option<&str>) {
        match value {
            Value::String(text) => self.collect_value(text, key),
            Value::Array(values) => values.iter().for_each(|value| self.collect_json(value, key)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.collect_value(name, key);
                    self.collect_json(value, Some(name));
                }
            }
            Value::Number(number) => {
                if let Some(digits) = digits(&number.to_string())
                    && key.is_some_and(names_account)
                {
                    self.ids.insert(digits.to_owned());
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// The mask of an id that was taken up.
    pub fn mask(&self, id: &str) -> Option<&str> {
        self.masks.get(id).map(String::as_str)
    }

    fn collect_value(&mut self, text: &str, key: Option<&str>) {
        self.collect_text(text);
        let text = invisible::strip(text).0;
        if is_id(text.trim()) && key.is_some_and(names_account) {
            self.ids.insert(text.trim().to_owned());
        }
    }

    /// Gives every id its mask; to be called once all are taken up. In the order of the ids, so that the order of
    /// a document's fields does not matter.
    pub fn settle(&mut self) {
        let mut next: BTreeMap<String, u32> = BTreeMap::new();
        for id in &self.ids {
            let tail: Vec<char> = id.chars().rev().take(TAIL).collect();
            let mask: String = std::iter::once('…').chain(tail.into_iter().rev()).collect();
            let number = next.entry(mask.clone()).or_insert(1);
            let unique = loop {
                let candidate = if *number == 1 { mask.clone() } else { format!("{mask}-{number}") };
                *number += 1;
                if self.taken.insert(candidate.clone()) {
                    break candidate;
                }
            };
            self.masks.insert(id.clone(), unique);
        }
    }

    /// Where accounts stand in a text, as whole words. A number that is all of a field that no account is in stays.
    pub fn find(&self, text: &str, key: Option<&str>) -> Vec<Span> {
        let mut spans = Vec::new();
        if self.masks.is_empty() {
            return spans;
        }
        let whole = text.trim();
        if let Some(mask) = self.masks.get(whole) {
            let number = whole.bytes().all(|byte| byte.is_ascii_digit());
            if !number || key.is_none_or(names_account) {
                let start = text.len() - text.trim_start().len();
                spans.push(span(start, whole.len(), mask));
            }
            return spans;
        }
        for (start, run) in words(text, 0, |c| c.is_alphanumeric() || c == '-' || c == '_') {
            match self.masks.get(run) {
                Some(mask) => spans.push(span(start, run.len(), mask)),
                None => spans.extend(
                    words(run, start, char::is_alphanumeric)
                        .filter_map(|(start, word)| Some(span(start, word.len(), self.masks.get(word)?))),
                ),
            }
        }
        spans.retain(|span| {
            !text[..span.start].ends_with('…') && !is_amount(text, span.start, &text[span.start..span.end])
        });
        spans
    }
}

fn span(start: usize, length: usize, mask: &str) -> Span {
    let kind = Cow::Borrowed(rules::ACCOUNT);
    Span { start, end: start + length, kind, replacement: mask.to_owned(), rank: usize::MAX }
}

/// The runs of characters that belong to a word, with where they start.
fn words(text: &str, offset: usize, belongs: fn(char) -> bool) -> impl Iterator<Item = (usize, &str)> {
    let mut at = offset;
    text.split_inclusive(move |c| !belongs(c)).filter_map(move |piece| {
        let start = at;
        at += piece.len();
        let word = piece.trim_end_matches(|c| !belongs(c));
        (word.len() >= DIGITS_MIN).then_some((start, word))
    })
}

/// Whether a number is a part of a larger one.
fn is_amount(text: &str, start: usize, word: &str) -> bool {
    let point = |c: char| c == '.' || c == ',';
    let after = text[start + word.len()..].strip_prefix(point);
    word.bytes().all(|byte| byte.is_ascii_digit())
        && (text[..start].ends_with(point) || after.is_some_and(|after| after.starts_with(char::is_alphanumeric)))
}

/// The digits of a whole number that is long enough for an id: `12345678`, and `12345678.0` as some programs write it.
pub(super) fn digits(number: &str) -> Option<&str> {
    let digits = number.strip_suffix(".0").unwrap_or(number);
    (digits.len() >= DIGITS_MIN && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// Whether a field of this name holds broker accounts.
pub(super) fn names_account(key: &str) -> bool {
    const ENDINGS: [&str; 10] = [
        "account",
        "accounts",
        "acct",
        "accountid",
        "accountids",
        "accountnumber",
        "accountno",
        "acctid",
        "acctno",
        "acctnumber",
    ];
    // From its end, without separators and capitals.
    let key = || key.bytes().rev().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
    ENDINGS.iter().any(|ending| ending.bytes().rev().eq(key().take(ending.len())))
}

/// Six digits or more, after a few letters or none; groups may be joined by hyphens.
fn is_id(value: &str) -> bool {
    let digits = value.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let letters = value.len() - digits.len();
    let digits = digits.strip_prefix(['-', '_', ' ']).unwrap_or(digits);
    letters <= 4
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '-')
        && digits.bytes().filter(u8::is_ascii_digit).count() >= DIGITS_MIN
}

#[cfg(test)]
mod tests {
    use super::{is_id, names_account};

    #[test]
    fn ids_and_names() {
        for id in ["U1234567", "DU7654321", "123456", "AB-1234567", "1234-5678", "PA1234567"] {
            assert!(is_id(id), "{id}");
        }
        for name in ["default", "main", "paper-1", "A1", "ira", "roth-2024", "12345", "", "…567", "2024 taxes 123456"]
        {
            assert!(!is_id(name), "{name}");
        }
        for key in ["account", "Account ID", "broker_acct_no", "Kontoaccountnumber", "account-nümber-accounts", "acct."]
        {
            assert!(names_account(key), "{key}");
        }
        for key in ["", "t", "accoun", "accounting", "idaccount2", "account_name", "äcct2"] {
            assert!(!names_account(key), "{key}");
        }
    }
}
