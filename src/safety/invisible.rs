//! Characters that nobody sees and that change what a text says: bidi controls, tag characters, zero-width runs.
//!
//! A byte order mark at the very beginning stays: it is how a file begins, and a README is given back as it was. A single joiner between two characters that are not ASCII stays: emoji sequences and several scripts need it.

use std::borrow::Cow;

/// The byte order mark.
const MARK: char = '\u{FEFF}';

/// The text without invisible characters, and the line of each run that was taken out.
pub(super) fn strip(text: &str) -> (Cow<'_, str>, Vec<usize>) {
    if text.is_ascii() || !text.chars().any(is_suspect) {
        return (Cow::Borrowed(text), Vec::new());
    }
    let mut out = String::with_capacity(text.len());
    let mut removed = Vec::new();
    let mut line = 1;
    let mut rest = text;
    if let Some(after) = text.strip_prefix(MARK) {
        out.push(MARK);
        rest = after;
    }
    while let Some(c) = rest.chars().next() {
        let run = rest.find(|c| !is_suspect(c)).unwrap_or(rest.len());
        if run == 0 {
            line += usize::from(c == '\n');
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (hidden, after) = rest.split_at(run);
        let joins = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && !c.is_whitespace());
        let single = hidden.chars().count() == 1;
        if single && is_joiner(c) && joins(out.chars().next_back()) && joins(after.chars().next()) {
            out.push(c);
        } else {
            removed.push(line);
        }
        rest = after;
    }
    if removed.is_empty() { (Cow::Borrowed(text), removed) } else { (Cow::Owned(out), removed) }
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

fn is_suspect(c: char) -> bool {
    is_joiner(c)
        || matches!(c,
            // bidi marks, embeddings, overrides and isolates
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{206F}'
            // zero width
            | '\u{200B}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{180E}'
            // tags, and the selectors that can carry bytes
            | '\u{E0000}'..='\u{E007F}' | '\u{E0100}'..='\u{E01EF}')
}

#[cfg(test)]
mod tests {
    use super::strip;

    fn check(text: &str, expect: &str, runs: usize) {
        let (stripped, removed) = strip(text);
        assert_eq!((stripped.as_ref(), removed.len()), (expect, runs), "{text:?}");
        assert_eq!(strip(&stripped).0, stripped, "twice is once");
    }

    #[test]
    fn what_nobody_sees_goes() {
        check("if (a\u{202E}b\u{2066}) c", "if (ab) c", 2);
        check("hi\u{E0041}\u{E0042}\u{E007F}!", "hi!", 1);
        check("a\u{200B}\u{200C}\u{200D}b", "ab", 1);
        check("gh\u{200D}p", "ghp", 1);
        check("a\u{FEFF}b", "ab", 1);
        check("\u{FEFF}\u{FEFF}start", "\u{FEFF}start", 1);
        check("é\u{200D}\u{200D}é", "éé", 1);
    }

    #[test]
    fn what_scripts_need_stays() {
        check("👩\u{200D}💻 and ❤\u{FE0F}", "👩\u{200D}💻 and ❤\u{FE0F}", 0);
        check("می\u{200C}خواهم", "می\u{200C}خواهم", 0);
        check("naïve café", "naïve café", 0);
        check("\u{FEFF}start", "\u{FEFF}start", 0);
    }

    #[test]
    fn lines_are_counted() {
        assert_eq!(strip("a\n\nb\u{200B}c").1, [3]);
    }
}
