//! Managed blocks: the parts of somebody else's Markdown file that are ours.
//!
//! ```text
//! <!-- flywheel:begin id=recent-work sha256=0f3a… -->
//! …
//! <!-- flywheel:end id=recent-work -->
//! ```
//!
//! Invariants:
//! - A marker is a line of an HTML block at the top level of the *parsed* Markdown, and nothing else on that line. The
//!   same words in a code fence, in indented or inline code, or in a longer comment are text. A comment that begins
//!   like a marker and is none, or stands within a list, a quotation or a sentence, is refused, never passed over.
//! - The bytes outside the blocks stay as they are. A block is the bytes from its begin marker's `<` to its end
//!   marker's `>`; a block that is not there yet is an insertion and nothing more.
//! - `sha256` covers the UTF-8 of the inner text: what stands between the begin marker's line and the end marker's line,
//!   every CRLF and lone CR as LF (git may have converted the file), without blank lines at its ends (formatters put
//!   them there), and with one LF after its last line. A hash without that LF is accepted too.
//! - What [`replace`] returns has been parsed again: all blocks are found in it and the new ones hash as they say.
//! - A block whose inner text is blank may be filled whatever its hash, and a begin marker may come without one: so a
//!   person says where a block shall stand, or gives an edited one back.

use super::{code, github};
use comrak::{
    Arena,
    nodes::{Node, NodeValue},
    parse_document,
};
use flywheel_events::Digest;
use regex::Regex;
use std::{ops::Range, sync::LazyLock};

static MARKER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^<!-- flywheel:(?:begin id=(?P<begin>[a-z0-9][a-z0-9-]*)(?: sha256=(?P<sha256>[0-9a-f]{64}))?|end id=(?P<end>[a-z0-9][a-z0-9-]*)) -->$",
    )
    .expect("the pattern is fixed")
});

/// A managed block of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its id.
    pub id: String,
    /// The line of its begin marker, from 1.
    pub line: usize,
    /// The bytes of the begin marker, `<` to `>`.
    pub begin: Range<usize>,
    /// The bytes between the markers' lines.
    pub inner: Range<usize>,
    /// The bytes of the end marker.
    pub end: Range<usize>,
    /// The hash the begin marker names.
    pub sha256: Option<Digest>,
}

impl Block {
    /// Whether the text between the markers is no longer what was generated.
    pub fn is_edited(&self, text: &str) -> bool {
        let inner = settled(&text[self.inner.clone()]);
        let generated = [inner.as_str(), inner.trim_end_matches('\n')].map(|text| Some(Digest::of(text.as_bytes())));
        !inner.trim().is_empty() && !generated.contains(&self.sha256)
    }
}

/// Why a text's blocks cannot be read or replaced. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A comment that begins like a marker.
    #[error("line {line}: {} is not a marker", code(.text))]
    Malformed { line: usize, text: String },
    /// A marker in a list, a quotation or a sentence.
    #[error("line {line}: the marker stands inside other text")]
    Inside { line: usize },
    /// An end without its begin.
    #[error("line {line}: the block `{id}` ends here but does not begin before")]
    Unopened { line: usize, id: String },
    /// A begin without its end.
    #[error("line {line}: the block `{id}` begins here but never ends")]
    Unclosed { line: usize, id: String },
    /// A block in a block.
    #[error("line {line}: the block `{id}` begins inside the block `{outer}` of line {outer_line}")]
    Nested { line: usize, id: String, outer: String, outer_line: usize },
    /// An id twice.
    #[error("line {line}: the block `{id}` stands already in line {first_line}")]
    Duplicate { line: usize, id: String, first_line: usize },
    /// Somebody edited the block.
    #[error("line {line}: the block `{id}` was edited since it was generated")]
    Edited { line: usize, id: String },
    /// The block would not be found again where it was to stand.
    #[error("the block `{id}` has no place: a code fence, comment or HTML block is not closed before it, or within it")]
    NoPlace { id: String },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => {
                "write `<!-- flywheel:begin id=NAME -->` and `<!-- flywheel:end id=NAME -->` on lines of their own, or remove it"
            }
            Self::Inside { .. } => "give the marker a line of its own, outside lists and quotations",
            Self::Unopened { .. } => "remove this marker, or put its begin marker back",
            Self::Unclosed { .. } => "put the end marker back, or remove this one",
            Self::Nested { .. } => "move the inner block out of the outer one",
            Self::Duplicate { .. } => "keep one of the two blocks",
            Self::Edited { .. } => {
                "keep theirs: remove the two markers; take ours: empty the lines between them; \
                 or both: move the edited text outside the markers and leave them empty"
            }
            Self::NoPlace { .. } => "close what is open, or put the block's two markers where it shall stand",
        }
    }
}

/// The blocks of a text, in order.
///
/// # Errors
/// When its markers do not pair up, naming the line.
pub fn find(text: &str) -> Result<Vec<Block>, Error> {
    // A file without the word needs no parsing; most files are.
    if !text.contains("flywheel:") {
        return Ok(vec![]);
    }
    let arena = Arena::new();
    pair(text, parse_document(&arena, text, &github()))
}

/// The text with these blocks' inner texts replaced; a block that is not there yet is inserted at the end, before a
/// licence section if that is the last one. The inner texts come with `\n` and are written with the file's own line ending.
///
/// # Errors
/// As [`find`]; when a block to be replaced was edited; when a new block would not be found again.
pub fn replace(text: &str, blocks: &[(&str, String)]) -> Result<String, Error> {
    let ending = line_ending(text);
    let mut text = text.to_owned();
    for (id, inner) in blocks {
        let inner = settled(inner);
        let digest = Digest::of(inner.as_bytes());
        let begin = format!("<!-- flywheel:begin id={id} sha256={digest} -->");
        let native = inner.replace('\n', ending);
        text = match find(&text)?.into_iter().find(|block| block.id == *id) {
            Some(block) if block.is_edited(&text) && settled(&text[block.inner.clone()]) != inner => {
                return Err(Error::Edited { line: block.line, id: block.id });
            }
            Some(block) => {
                let between = [&text[..block.begin.start], &begin, &text[block.begin.end..block.inner.start], &native];
                between.concat() + &text[block.inner.end..]
            }
            None => insert(&text, ending, &format!("{begin}{ending}{native}<!-- flywheel:end id={id} -->")),
        };
        let written = find(&text).ok().and_then(|found| found.into_iter().find(|block| block.id == *id));
        if !written.is_some_and(|block| block.sha256 == Some(digest) && !block.is_edited(&text)) {
            return Err(Error::NoPlace { id: (*id).to_owned() });
        }
    }
    Ok(text)
}

/// Puts a block at the end, or before the last section if that is the licence.
fn insert(text: &str, ending: &str, block: &str) -> String {
    let at = licence_section(text).unwrap_or(text.len());
    let (before, after) = text.split_at(at);
    let written = before.trim_start_matches('\u{feff}');
    let above = match trailing_line_endings(written) {
        _ if written.is_empty() => String::new(),
        0 => ending.repeat(2),
        1 => ending.to_owned(),
        _ => String::new(),
    };
    let below = match (after.is_empty(), trailing_line_endings(written)) {
        (false, _) => ending.repeat(2),
        // The file goes on to end as it ended: with a line ending or without.
        (true, 0) if !written.is_empty() => String::new(),
        (true, _) => ending.to_owned(),
    };
    [before, &above, block, &below, after].concat()
}

fn trailing_line_endings(text: &str) -> usize {
    unix(text).bytes().rev().take_while(|byte| *byte == b'\n').count()
}

/// Where the licence section begins, if it is the last one.
fn licence_section(text: &str) -> Option<usize> {
    let arena = Arena::new();
    let root = parse_document(&arena, text, &github());
    let last =
        root.children().filter(|node| matches!(&node.data().value, NodeValue::Heading(h) if h.level <= 2)).last()?;
    let title = super::plain_text(last).to_lowercase();
    let is_licence = ["license", "licence", "licensing", "copyright"].iter().any(|word| title.contains(word));
    let is_section = matches!(&last.data().value, NodeValue::Heading(heading) if heading.level == 2);
    let line = last.data().sourcepos.start.line;
    (is_licence && is_section).then(|| lines(text).get(line.checked_sub(1)?).map(|line| line.start)).flatten()
}

/// A marker, and the line it is.
struct Marker {
    line: usize,
    bytes: Range<usize>,
    id: String,
    /// `Some` for a begin marker: the hash it names.
    begin: Option<Option<Digest>>,
}

fn pair(text: &str, root: Node<'_>) -> Result<Vec<Block>, Error> {
    let lines = lines(text);
    let mut blocks: Vec<Block> = vec![];
    let mut open: Option<Marker> = None;
    for marker in markers(text, &lines, root)? {
        let Marker { line, id, .. } = &marker;
        match (marker.begin, open.take()) {
            (Some(_), Some(outer)) => {
                return Err(Error::Nested { line: *line, id: id.clone(), outer: outer.id, outer_line: outer.line });
            }
            (Some(_), None) => {
                if let Some(first) = blocks.iter().find(|block| block.id == *id) {
                    return Err(Error::Duplicate { line: *line, id: id.clone(), first_line: first.line });
                }
                open = Some(marker);
            }
            (None, Some(begin)) if begin.id == *id => blocks.push(Block {
                id: begin.id,
                line: begin.line,
                inner: lines[begin.line].start..lines[line - 1].start,
                begin: begin.bytes,
                end: marker.bytes,
                sha256: begin.begin.flatten(),
            }),
            (None, _) => return Err(Error::Unopened { line: *line, id: marker.id }),
        }
    }
    match open {
        Some(begin) => Err(Error::Unclosed { line: begin.line, id: begin.id }),
        None => Ok(blocks),
    }
}

fn markers(text: &str, lines: &[Range<usize>], root: Node<'_>) -> Result<Vec<Marker>, Error> {
    let mut markers = vec![];
    for node in root.descendants() {
        let data = node.data();
        let line = data.sourcepos.start.line;
        match &data.value {
            NodeValue::HtmlInline(html) if begins_like_a_marker(html) => return Err(Error::Inside { line }),
            // Types 6 and 7 (`<div>`, any tag) hold whole comments; 1 to 5 (`<pre>`, a comment) hold text.
            NodeValue::HtmlBlock(html) => {
                let count = if matches!(html.block_type, 6 | 7) { self::lines(&html.literal).len() } else { 1 };
                for line in line..line + count {
                    let Some(bytes) = line.checked_sub(1).and_then(|at| lines.get(at)) else { continue };
                    let at_top = node.parent().is_some_and(|parent| matches!(parent.data().value, NodeValue::Document));
                    let source = &text[bytes.clone()];
                    let source = if line == 1 { source.trim_start_matches('\u{feff}') } else { source };
                    match source.find("<!--").filter(|at| begins_like_a_marker(&source[*at..])) {
                        Some(_) if !at_top => return Err(Error::Inside { line }),
                        Some(_) => markers.push(marker(line, bytes, source)?),
                        None => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(markers)
}

fn begins_like_a_marker(html: &str) -> bool {
    let words = html.strip_prefix("<!--").map(str::trim_start);
    words.is_some_and(|words| words.starts_with("flywheel:begin") || words.starts_with("flywheel:end"))
}

/// Reads a marker's line; `source` is the end of the line's bytes.
fn marker(line: usize, bytes: &Range<usize>, source: &str) -> Result<Marker, Error> {
    let trimmed = source.trim();
    let Some(found) = MARKER.captures(trimmed) else {
        return Err(Error::Malformed { line, text: trimmed.chars().take(80).collect() });
    };
    let start = bytes.end - source.trim_start().len();
    let id = found.name("begin").or(found.name("end")).expect("a marker begins or ends").as_str().to_owned();
    let digest = found.name("sha256").map(|digest| digest.as_str().parse().expect("64 hexadecimal digits"));
    let begin = found.name("begin").map(|_| digest);
    Ok(Marker { line, bytes: start..start + trimmed.len(), id, begin })
}

/// The bytes of every line, its ending included, and an empty line at the end.
fn lines(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut lines = vec![];
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' || *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n') {
            lines.push(start..at + 1);
            start = at + 1;
        }
    }
    lines.push(start..text.len());
    lines
}

/// An inner text as it is hashed and written.
fn settled(inner: &str) -> String {
    match unix(inner).trim_matches('\n') {
        "" => String::new(),
        bare => format!("{bare}\n"),
    }
}

fn unix(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// The file's own line ending: that of its first line.
fn line_ending(text: &str) -> &'static str {
    match text.find(['\r', '\n']).map(|at| &text[at..]) {
        Some(rest) if rest.starts_with("\r\n") => "\r\n",
        Some(rest) if rest.starts_with('\r') => "\r",
        _ => "\n",
    }
}
