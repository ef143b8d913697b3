//! serde_json's syntax errors in plain words.

use super::{report::Problem, source::Source};

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
const BEGINNINGS: [(&str, &str); 9] = [
    ("'", "text stands in double quotes"),
    ("True", "write `true`"),
    ("False", "write `false`"),
    ("None", "write `null`"),
    ("NaN", "JSON has no NaN: write `null`, or leave the field out"),
    ("Infinity", "JSON has no Infinity: write `null`, or leave the field out"),
    ("-Infinity", "JSON has no Infinity: write `null`, or leave the field out"),
    ("//", "JSON has no comments"),
    ("#", "JSON has no comments"),
];

/// The error where serde_json met it.
pub fn problem(source: &Source, error: &serde_json::Error) -> Problem {
    let text = source.text();
    let offset = source.offset(source.start(), error.line(), error.column());
    if text[source.start()..].trim().is_empty() {
        return Problem::error(source, "syntax", source.start()..source.start(), "the file is empty")
            .expected("one JSON object")
            .hint("`flywheel session new` makes a session file");
    }
    let said = error.to_string();
    let word = WORDS.iter().find(|(theirs, ..)| said.starts_with(theirs));
    let (message, hint) = word.map_or(
        (
            "this is no JSON value",
            "expected text in double quotes, a number, `{`, `[`, \
        `true`, `false` or `null`",
        ),
        |(_, ours, hint)| (*ours, *hint),
    );
    let rest = &text[offset..];
    let begins = word_start(text, offset);
    let hint = BEGINNINGS
        .iter()
        .find(|(beginning, _)| rest.starts_with(beginning) || text[begins..].starts_with(beginning))
        .map_or(hint, |(_, hint)| *hint);
    let width = rest.chars().next().filter(|char| *char != '\n').map_or(0, char::len_utf8);
    Problem::error(source, "syntax", offset..offset + width, message).hint(hint)
}

/// The start of the bare word that holds `offset`: serde_json stops somewhere in `True`.
fn word_start(text: &str, offset: usize) -> usize {
    let before = &text[..offset];
    before.len() - before.bytes().rev().take_while(|byte| byte.is_ascii_alphabetic() || *byte == b'-').count()
}
