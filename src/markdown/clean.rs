//! Characters that may not pass: what a reader cannot see, and what makes him see something else.
//!
//! Invariant: [`visible`] is idempotent, and what is left holds no control character, bidi control, tag character or
//! run of zero-width characters. Only `\n` is left of the line breaks.

use std::borrow::Cow;

/// The text without control, bidi, tag and filler characters, and with `\n` for every kind of line break.
///
/// A lone joiner between two characters beyond ASCII stays (Persian, Indic scripts and emoji need it), and so does a
/// lone variation selector behind a visible character (`❤️`). A second one in a row goes: runs of them carry hidden text.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().filter(|c| !is_hidden(*c)).peekable();
    while let Some(c) = characters.next() {
        match c {
            '\r' => {
                characters.next_if_eq(&'\n');
                out.push('\n');
            }
            '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\t' | '\u{b}' | '\u{c}' => out.push(' '),
            '\u{200c}' | '\u{200d}' => {
                let joins = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && !is_joiner(c) && !c.is_whitespace());
                let selected = out.ends_with(is_selector);
                if (selected || joins(out.chars().next_back())) && joins(characters.peek().copied()) {
                    out.push(c);
                }
            }
            c if is_selector(c) => {
                if out.chars().next_back().is_some_and(|last| !is_joiner(last) && !last.is_whitespace()) {
                    out.push(c);
                }
            }
            c => out.push(c),
        }
    }
    out.into()
}

fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}')
}

fn is_joiner(c: char) -> bool {
    is_selector(c) || matches!(c, '\u{200c}' | '\u{200d}')
}

/// Characters that are dropped wherever they stand.
fn is_hidden(c: char) -> bool {
    matches!(c,
        // Controls, without the white space that `visible` turns into spaces and line breaks.
        '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}'
        // Bidi controls.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        // Zero width or blank: soft hyphen, grapheme joiner, fillers, zero-width space, word joiner, invisible
        // operators, byte-order mark, interlinear annotation.
        | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        // Tag characters and the supplementary variation selectors.
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_cannot_be_seen_does_not_pass() {
        for (text, expect) in [
            ("a\u{202e}b", "ab"),
            ("a\u{e0061}\u{e007f}b", "ab"),
            ("a\u{200b}b\u{feff}\u{2060}", "ab"),
            ("a\u{200d}b", "ab"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("می\u{200c}\u{200c}خواهم", "می\u{200c}خواهم"),
            ("❤\u{fe0f}\u{200d}🔥", "❤\u{fe0f}\u{200d}🔥"),
            ("x\u{fe0f}\u{fe01}\u{fe02}y", "x\u{fe0f}y"),
            ("a\r\nb\rc\u{2028}d\te\0", "a\nb\nc\nd e"),
            ("\u{200d}", ""),
        ] {
            assert_eq!(visible(text), expect, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn cleaning_twice_is_cleaning_once(text in "\\PC{0,20}|(a|\u{fe0f}|\u{200d}|❤|\r|\n|\u{200c}|م){0,12}") {
            let once = visible(&text);
            prop_assert_eq!(visible(&once), &*once);
        }
    }
}
