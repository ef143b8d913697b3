//! How artifacts word dates, lengths of time, numbers and lists. English, plain, the same everywhere.
//!
//! Nothing here escapes: the words are made of digits and fixed text, and [`list`] joins what it is given.

use flywheel_events::stamp::Stamp;
use rust_decimal::Decimal;

/// A point in time in its own offset: `2 December 2025, 05:20 UTC-06:00`, or `… UTC` at offset zero.
pub fn date_time(stamp: &Stamp) -> String {
    let zone = if stamp.offset().local_minus_utc() == 0 { String::new() } else { stamp.format("%:z").to_string() };
    format!("{} UTC{zone}", stamp.format("%-d %B %Y, %H:%M"))
}

/// The day of a point in time, in its own offset: `2 December 2025`.
pub fn date(stamp: &Stamp) -> String {
    stamp.format("%-d %B %Y").to_string()
}

/// A length of time in minutes: `2 h 20 min`, `45 min`, `30 s`. Seconds stand only where the minutes are not whole,
/// and what is below a second is dropped. Null for a length that is negative.
pub fn duration(minutes: Decimal) -> Option<String> {
    if minutes.is_sign_negative() && !minutes.is_zero() {
        return None;
    }
    let sixty = Decimal::from(60);
    let whole = minutes.trunc();
    let seconds = (minutes.fract() * sixty).trunc();
    let hours = whole.checked_div(sixty)?.trunc();
    let rest = whole.checked_rem(sixty)?;
    let parts: Vec<String> = [(hours, "h"), (rest, "min"), (seconds, "s")]
        .into_iter()
        .filter(|(amount, _)| !amount.is_zero())
        .map(|(amount, unit)| format!("{} {unit}", grouped(&amount.normalize().to_string())))
        .collect();
    Some(if parts.is_empty() { "0 min".to_owned() } else { parts.join(" ") })
}

/// A whole number with thousands separators: `12,345`.
pub fn number(number: u64) -> String {
    grouped(&number.to_string())
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with its noun: `1 commit`, `2 commits`, `no commits`.
pub fn count(n: u64, one: &str, many: &str) -> String {
    match n {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        _ => format!("{} {many}", number(n)),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// The text with its first letter in upper case, where its first word is plain lower case: `camelCase`, `snake_case`
/// and `main.rs` are names and stay.
pub fn capitalised(text: &str) -> String {
    let first_word = text.split_whitespace().next().unwrap_or_default();
    let plain = first_word.trim_end_matches([',', ':', ';', '.']).chars().all(|c| c.is_lowercase() || c == '-');
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if plain => first.to_uppercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

/// The text with a full stop, unless it ends as a sentence does.
pub fn sentence(text: &str) -> String {
    let text = text.trim_end();
    let ended = text.ends_with(['.', '!', '?', '…', ':']) || text.ends_with(".\"") || text.ends_with(".)");
    if ended || text.is_empty() { text.to_owned() } else { format!("{}.", text.trim_end_matches([',', ';'])) }
}

/// The text up to `limit` characters, shortened at its last clause that fits, else at a word, with `…` for the latter.
pub fn shortened(text: &str, limit: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= limit {
        return text.trim_end_matches(['.', ',', ';', ':']).to_owned();
    }
    // The clause may end right at the limit; its mark is not part of it.
    let end = text.char_indices().nth(limit).map_or(text.len(), |(i, c)| i + c.len_utf8());
    let window = &text[..end];
    let clause = [". ", "; ", ", ", ": ", " - ", " – ", " — ", " ("]
        .iter()
        .filter_map(|mark| window.rfind(mark))
        .filter(|&at| text[..at].chars().count() * 3 >= limit)
        .filter(|&at| text[..at].matches('(').count() == text[..at].matches(')').count())
        .max();
    if let Some(at) = clause {
        return text[..at].trim_end_matches(['.', ',', ';', ':', ' ']).to_owned();
    }
    let cut = text.char_indices().nth(limit.saturating_sub(1)).map_or(text.len(), |(i, _)| i);
    let at = text[..cut].rfind(' ').unwrap_or(cut);
    format!("{}…", text[..at].trim_end_matches([',', ';', ':', ' ']))
}

/// The text up to `limit` characters, cut after its last whole paragraph that fits, else sentence, else word, with `[…]`
/// for the rest. Its lines stay.
pub fn cut(text: &str, limit: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(limit) else { return text.to_owned() };
    let window = &text[..end];
    let at = window.rfind("\n\n").or_else(|| window.rfind(". ").map(|at| at + 1));
    let at = at.or_else(|| window.rfind(char::is_whitespace)).unwrap_or(end);
    format!("{} […]", window[..at].trim_end()).trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_keeps_its_offset() {
        for (stamp, expected) in [
            ("2025-12-02T05:20:00-06:00", "2 December 2025, 05:20 UTC-06:00"),
            ("2025-12-02T05:20:00.357065Z", "2 December 2025, 05:20 UTC"),
            ("2024-02-29T23:59:59+05:30", "29 February 2024, 23:59 UTC+05:30"),
            ("2025-01-31T00:00:00+00:00", "31 January 2025, 00:00 UTC"),
        ] {
            assert_eq!(date_time(&stamp.parse().expect("a stamp")), expected);
        }
    }

    #[test]
    fn a_duration_is_hours_and_minutes() {
        for (minutes, expected) in [
            ("140", Some("2 h 20 min")),
            ("120", Some("2 h")),
            ("45", Some("45 min")),
            ("0", Some("0 min")),
            ("-0", Some("0 min")),
            ("0.5", Some("30 s")),
            ("90.25", Some("1 h 30 min 15 s")),
            ("13973", Some("232 h 53 min")),
            ("600000", Some("10,000 h")),
            ("-307", None),
        ] {
            assert_eq!(duration(minutes.parse().expect("a number")).as_deref(), expected, "{minutes}");
        }
        assert!(duration(Decimal::MAX).is_some());
    }

    #[test]
    fn numbers_and_lists_read_well() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(count(0, "commit", "commits"), "no commits");
        assert_eq!(count(1, "commit", "commits"), "1 commit");
        assert_eq!(count(1000, "commit", "commits"), "1,000 commits");
        assert_eq!(list::<&str>(&[]), "");
        assert_eq!(list(&["a", "b"]), "a and b");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(sentence("done"), "done.");
        assert_eq!(sentence("done!"), "done!");
        assert_eq!(capitalised("keep items"), "Keep items");
        assert_eq!(capitalised("useEffect runs twice"), "useEffect runs twice");
        assert_eq!(capitalised("main.rs is gone"), "main.rs is gone");
    }

    #[test]
    fn a_title_ends_at_a_clause() {
        let summary =
            "WordPress deployment automation hardening, SFTP credential troubleshooting, test suite validation";
        assert_eq!(
            shortened(summary, 80),
            "WordPress deployment automation hardening, SFTP credential troubleshooting"
        );
        assert_eq!(shortened("short.", 80), "short");
        assert_eq!(shortened("one two three four five", 12), "one two…");
        assert_eq!(shortened("ééééé ééééé", 8), "ééééé…");
        assert_eq!(shortened("ééééééééééé", 4), "ééé…");
        assert_eq!(shortened("", 4), "");
    }
    #[test]
    fn a_long_text_ends_at_something_whole() {
        for (text, limit, expected) in [
            ("short", 5, "short"),
            ("One.\n\nTwo. Three.", 12, "One. […]"),
            ("One. Two. Three.", 12, "One. Two. […]"),
            ("one two three", 9, "one two […]"),
            ("ééééé", 3, "ééé […]"),
            ("text", 0, "[…]"),
        ] {
            assert_eq!(cut(text, limit), expected, "{text}");
        }
    }
}
