//! Untrusted text as Markdown: it reads as it was written and is never markup, a mention or a link.
//!
//! Invariants:
//! - Rendered as CommonMark or GitHub's dialect, the visible text is the input's, white space aside, after
//!   [`clean::visible`](super::clean::visible) took away what nobody can see.
//! - The only nodes it makes are text, code spans, hard line breaks, and links to `https:` and `mailto:` whose text is
//!   their target.
//! - A person reads the raw text too: a character is escaped only where it could be markup.
//!
//! What a renderer would link by itself (`@mention`, `#123`, `GH-12`, `owner/repo#1`, `http://…`, `www.…`) becomes a
//! code span. GitHub looks for mentions and references in the *rendered* text, so `\@` and `&#64;` still notify
//! somebody; it leaves code alone, as GitLab, Gitea and Bitbucket do. A zero-width character would also work, but would
//! be invisible in the raw text and is what we strip; an HTML comment would need raw HTML to pass.
//!
//! Not neutralised: GitHub's `:emoji:` names and `$math$`, which are neither links nor markup of CommonMark.

use super::clean::visible;
use regex::Regex;
use std::{ops::Range, sync::LazyLock};

/// What a renderer would turn into a link by itself.
static LINKED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
          (?P<address> [0-9A-Za-z_]@ )                                            # no mention: an e-mail address
        | [0-9A-Za-z._+-]+ (?i: mailto | xmpp ):                                  # a scheme glued to a word
        | (?P<url> (?i: https?:// | ftp:// | xmpp: | www\. ) [^\s<>`|]* )
        | [0-9A-Za-z_] [0-9A-Za-z_./-]* \# [0-9]+ (?-u:\b) | \# [0-9]+ (?-u:\b)   # owner/repo#1, #1
        | \b (?i: GH- ) [0-9]+ (?-u:\b)
        | @ [0-9A-Za-z] (?: [./@]? [0-9A-Za-z_-] )*                               # @name, @org/team, @name@host
        ",
    )
    .expect("the pattern is fixed")
});

/// One line of text inside Markdown. Line breaks become spaces; white space around the text goes.
pub fn inline(text: &str) -> String {
    if is_bare(text) {
        return text.to_owned();
    }
    line(visible(text).replace('\n', " ").trim())
}

/// Whether a text is one figure or plain words, as most cells of a table are, so that no rule here touches it.
pub(super) fn is_bare(text: &str) -> bool {
    let bytes = text.as_bytes();
    let [first, .., last] = bytes else { return false };
    let inside = |at: usize| match bytes[at] {
        b'.' | b',' => bytes[at - 1].is_ascii_digit() && bytes[at + 1].is_ascii_digit(),
        byte => byte.is_ascii_alphanumeric() || byte == b' ',
    };
    let signed = matches!(first, b'-' | b'+') && bytes[1].is_ascii_digit();
    (first.is_ascii_alphanumeric() || signed)
        && (last.is_ascii_alphanumeric() || *last == b'%')
        && (1..bytes.len() - 1).all(inside)
}

/// Several lines of text; every line after the first is indented by `indent` spaces, blank lines stay blank.
///
/// Paragraphs stay paragraphs. A line break is a hard one where the next line begins like a list item, a quotation or
/// an indented line; elsewhere it is a soft one, because commit messages are wrapped at a column.
pub fn paragraph(text: &str, indent: usize) -> String {
    let text = visible(text);
    let margin = " ".repeat(indent);
    let mut out = String::with_capacity(text.len());
    let mut lines = text.trim().lines().peekable();
    while let Some(current) = lines.next() {
        if !out.is_empty() && !current.trim().is_empty() {
            out.push_str(&margin);
        }
        out.push_str(&line(current.trim()));
        if let Some(next) = lines.peek() {
            if !current.trim().is_empty() && begins_anew(next) {
                out.push('\\');
            }
            out.push('\n');
        }
    }
    out
}

/// Whether a line is meant to stand on its own line.
fn begins_anew(line: &str) -> bool {
    let text = line.trim();
    !text.is_empty()
        && (line.starts_with(' ') || text.starts_with(['-', '*', '+', '>', '#', '•', '|']) || ordered(text).is_some())
}

/// An inline code span that holds the text as it is, spaces included; line breaks become spaces.
///
/// Its fence is longer than any run of backticks inside. A `|` stands escaped between two spans (`` `a`\|`b` ``),
/// because a raw one ends a table's cell even within code, and `\|` within code shows its backslash outside tables: this
/// way the span reads the same everywhere. Empty text is an empty string: there is no empty code span.
pub fn code(text: &str) -> String {
    let text = visible(text).replace('\n', " ");
    text.split('|').map(span).collect::<Vec<_>>().join("\\|")
}

fn span(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let stripped = text.starts_with(' ') && text.ends_with(' ') && !text.trim_matches(' ').is_empty();
    let padding = if stripped || text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{padding}{text}{padding}{fence}")
}

/// A fenced code block that holds the text as it is, in a language; its fence is longer than any run of backticks inside.
pub fn fence(text: &str, language: &str) -> String {
    let text = visible(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}", text.trim_matches('\n'))
}

/// One line, cleaned and trimmed.
pub(super) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let marker = marker(text);
    let mut from = 0;
    for (stretch, is_link) in linked(text) {
        plain(&mut out, text, from..stretch.start, marker);
        from = stretch.end;
        match is_link {
            true => out.extend(["<", &text[stretch], ">"]),
            false => out.push_str(&code(&text[stretch])),
        }
    }
    plain(&mut out, text, from..text.len(), marker);
    out
}

/// The stretches that a renderer would link, and whether it may. Neighbours that may not are one stretch, because two
/// code spans cannot touch.
fn linked(text: &str) -> Vec<(Range<usize>, bool)> {
    let mut stretches: Vec<(Range<usize>, bool)> = vec![];
    for found in LINKED.captures_iter(text).filter(|found| found.name("address").is_none()) {
        let whole = found.get(0).expect("group 0 is the match");
        let is_url = found.name("url").is_some();
        let shown = if is_url { without_trailing_punctuation(whole.as_str()) } else { whole.as_str() };
        let (stretch, is_link) = (whole.start()..whole.start() + shown.len(), is_url && is_https(shown));
        match stretches.last_mut() {
            Some((last, false)) if !is_link && last.end == stretch.start => last.end = stretch.end,
            _ => stretches.push((stretch, is_link)),
        }
    }
    stretches
}

/// Whether this is a link that may pass: https, to a host, without a user name that could pass for one.
fn is_https(url: &str) -> bool {
    let Some(rest) = url.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://")).map(|_| &url[8..]) else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    // In `<…>` entities are read and backslashes are not escapes.
    rest.starts_with(|c: char| c.is_alphanumeric() || c == '[')
        && !authority.contains(['@', '\\'])
        && !url.char_indices().any(|(at, c)| c == '&' && is_entity(&url[at..]))
}

/// A URL ends before the punctuation of the sentence around it, a closing parenthesis without its opening one included.
fn without_trailing_punctuation(url: &str) -> &str {
    let count = |wanted| url.matches(wanted).count();
    let (opened, mut closed) = (count('('), count(')'));
    let mut end = url.len();
    while let Some(last) = url[..end].chars().next_back() {
        match last {
            ')' if closed > opened => closed -= 1,
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '"' | '*' | '_' | '~' | '\\' | ']' | '}' => {}
            _ => break,
        }
        end -= last.len_utf8();
    }
    &url[..end]
}

/// Where in a line the character stands that would begin a block, if it would.
fn marker(text: &str) -> Option<usize> {
    let only = |set: &[char]| text.chars().all(|c| set.contains(&c));
    let spaced = |at: usize| text[at..].chars().nth(1).is_none_or(char::is_whitespace);
    match text.chars().next()? {
        '>' => Some(0),
        '-' | '+' if spaced(0) => Some(0),
        // A thematic break, the underline of a heading or of a table's head.
        '-' | ':' if only(&['-', ':', ' ', '|']) => Some(0),
        '=' if only(&['=', ' ']) => Some(0),
        _ => ordered(text),
    }
}

/// Where the `.` or `)` of an ordered list's number stands.
fn ordered(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let after = text.get(digits..)?;
    let ends = after.starts_with(['.', ')']) && after[1..].chars().next().is_none_or(char::is_whitespace);
    ((1..=9).contains(&digits) && ends).then_some(digits)
}

/// Escapes a stretch without anything that a renderer links.
fn plain(out: &mut String, text: &str, stretch: Range<usize>, marker: Option<usize>) {
    for (offset, c) in text[stretch.clone()].char_indices() {
        if c.is_ascii_alphanumeric() || c == ' ' {
            out.push(c);
            continue;
        }
        let at = stretch.start + offset;
        let after = at + c.len_utf8();
        // What stands beside the stretch is a code span or a link, so punctuation; nothing stands beyond the text's
        // ends that we know of.
        let before = if at == stretch.start && at > 0 { Some('`') } else { text[..at].chars().next_back() };
        let next = if after == stretch.end && after < text.len() { Some('`') } else { text[after..].chars().next() };
        if marker == Some(at) || is_markup(c, before, next, text, at) {
            out.push('\\');
        }
        out.push(c);
    }
}

fn is_markup(c: char, before: Option<char>, next: Option<char>, text: &str, at: usize) -> bool {
    let space = |c: Option<char>| c.is_some_and(char::is_whitespace);
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    match c {
        '`' | '[' | ']' | '|' => true,
        '\\' => next.is_none_or(|next| next.is_ascii_punctuation()),
        '*' => !(space(before) && space(next)),
        '_' => !(word(before) && word(next) || space(before) && space(next)),
        // It can only close what is open if no space stands before it: `~5` and `~/x` stay.
        '~' => !(space(before) || before.is_none() && word(next)),
        // A heading, or the closing sequence of one.
        '#' => !word(before) && next.is_none_or(|next| next.is_whitespace() || next == '#'),
        '<' => next.is_none_or(|next| next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?' | '`')),
        '&' => is_entity(&text[at..]),
        _ => false,
    }
}

/// Whether the text begins with what reads as an entity, known or not.
fn is_entity(text: &str) -> bool {
    let Some(name) = text.strip_prefix('&') else { return false };
    let end = name.bytes().take(40).position(|b| !(b.is_ascii_alphanumeric() || b == b'#'));
    end.is_some_and(|end| end > 0 && name.as_bytes()[end] == b';')
}
