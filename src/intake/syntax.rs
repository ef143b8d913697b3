//! serde_json's syntax errors in plain words.

use super::{report::Problem, source::Source};
use std::ops::Range;

/// What serde_json says (how its message begins), what we say, and what to do.
const WORDS: [(&str, &str, &str); 16] = [
    (
        "EOF while parsing a string",
        "the file ends inside a text",
        "close the text with `\"`, or restore the file's end",
    ),
    ("EOF while parsing", "the file ends too early", "close every `{` and `[`, or restore the file's end"),
    ("trailing comma", "there is a comma too many", "remove the comma before the closing bracket"),
    (
        "trailing characters",
        "there is more after the end of the document",
        "a file holds one JSON document: remove the rest",
    ),
    ("key must be a string", "a key must stand in double quotes", "write `\"key\": value`"),
    ("expected `:`", "there is no `:` after the key", "write `\"key\": value`"),
    ("expected `,` or `}`", "there is no `,` or `}` after the value", "put a comma between members"),
    ("expected `,` or `]`", "there is no `,` or `]` after the item", "put a comma between items"),
    ("control character", "a text holds a bare control character", "write a line end as `\\n`, a tab as `\\t`"),
    ("invalid escape", "this escape is not one of JSON's", "write a backslash as `\\\\`"),
    (
        "lone leading surrogate",
        "half of a surrogate pair stands alone",
        "write the whole pair, or the character itself",
    ),
    (
        "unexpected end of hex escape",
        "half of a surrogate pair stands alone",
        "write the whole pair, or the character itself",
    ),
    ("invalid unicode code point", "this escape names no character", "write the character itself"),
    ("invalid number", "this is no JSON number", "write it like `12`, `-3` or `0.5`"),
    ("number out of range", "this number is out of range", "write a number of a usual size"),
    ("expected ident", "this is no JSON value", "write `true`, `false` or `null`"),
];

/// What stands where a value should, and what to do about it.
const BEGINNINGS: [(&str, &str); 10] = [
    ("'", "text stands in double quotes"),
    ("True", "write `true`"),
    ("False", "write `false`"),
    ("None", "write `null`"),
    ("undefined", "write `null`, or leave the field out"),
    ("NaN", "JSON has no NaN: write `null`, or leave the field out"),
    ("Infinity", "JSON has no Infinity: write `null`, or leave the field out"),
    ("-Infinity", "JSON has no Infinity: write `null`, or leave the field out"),
    ("//", "JSON has no comments"),
    ("#", "JSON has no comments"),
];

/// The error where serde_json met it.
pub fn problem(source: &Source, error: &serde_json::Error) -> Problem {
    let text = source.text();
    if text[source.start()..].trim().is_empty() {
        return Problem::error(source, "syntax", source.start()..source.start(), "the file is empty")
            .expected("one JSON object")
            .hint("`flywheel session new` makes a session file");
    }
    let said = error.to_string();
    let (message, hint) = WORDS.iter().find(|(theirs, ..)| said.starts_with(theirs)).map_or(
        ("this is no JSON value", "expected text in double quotes, a number, `{`, `[`, `true`, `false` or `null`"),
        |(_, ours, hint)| (*ours, *hint),
    );
    if error.is_eof() {
        let end = text.trim_end().len();
        return Problem::error(source, "syntax", end..end, message).hint(hint);
    }
    let mut offset = source.offset(source.start(), error.line(), error.column());
    let char_at = |offset: usize| text[offset..].chars().next();
    if said.starts_with("control character") && !char_at(offset).is_some_and(|char| char.is_ascii_control()) {
        // serde_json names the last character it took.
        offset += char_at(offset).map_or(0, char::len_utf8);
    }
    let word = word_at(text, offset);
    let bare = BEGINNINGS.iter().find(|(beginning, _)| text[word.start..].starts_with(beginning));
    let span = match bare {
        Some(_) if word.end > word.start => word,
        _ => offset..offset + char_at(offset).filter(|char| *char != '\n').map_or(0, char::len_utf8),
    };
    Problem::error(source, "syntax", span, message).hint(bare.map_or(hint, |(_, hint)| *hint))
}

/// The bare word that holds `offset`: serde_json may stop somewhere in `True`.
fn word_at(text: &str, offset: usize) -> Range<usize> {
    let in_word = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'-';
    let before = text.as_bytes()[..offset].iter().rev().take_while(|byte| in_word(byte)).count();
    let after = text.as_bytes()[offset..].iter().take_while(|byte| in_word(byte)).count();
    offset - before..offset + after
}
