//! A text and where its lines begin, so that a byte can be named as people name it.

use std::ops::Range;

/// The text of a file. Offsets are bytes of it; lines and columns are counted from 1, columns in characters.
#[derive(Debug, Clone, Default)]
pub struct Source {
    text: String,
    line_starts: Vec<usize>,
}

/// What a byte-order mark is in UTF-8.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

impl Source {
    /// Counts the lines of a text.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let line_starts =
            std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1));
        Self { line_starts: line_starts.collect(), text }
    }

    /// The whole text, a byte-order mark included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first byte after a byte-order mark.
    pub fn start(&self) -> usize {
        if self.text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 }
    }

    /// The line and column of a byte. A byte-order mark has no column.
    pub fn locate(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let start = if line == 1 { self.start().min(offset) } else { start };
        (line, self.text[start..offset].chars().count() + 1)
    }

    /// The byte that a line and a one-based column in bytes name, as serde_json counts, in a text that begins at `from`.
    pub fn offset(&self, from: usize, line: usize, byte_column: usize) -> usize {
        let start = match line {
            0 | 1 => from,
            line => self.line_starts.get(line - 1).copied().unwrap_or(self.text.len()),
        };
        self.text.floor_char_boundary(start.saturating_add(byte_column.saturating_sub(1)))
    }

    /// The bytes of the line that holds `offset`, without its end or a byte-order mark.
    pub fn line_at(&self, offset: usize) -> Range<usize> {
        let offset = offset.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0).max(self.start());
        let end = self.line_starts.get(line).map_or(self.text.len(), |next| next - 1);
        let end = if self.text[..end].ends_with('\r') { end - 1 } else { end };
        start..end.max(start)
    }

    /// The text of a span, cut to what there is.
    pub fn slice(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_characters_and_a_byte_order_mark_has_none() {
        let source = Source::new("\u{feff}{\"é\": 1,\r\n  \"b\": 2}");
        assert_eq!(source.locate(3), (1, 1));
        let one = source.text().find('1').expect("a one");
        assert_eq!(source.locate(one), (1, 7));
        let two = source.text().find('2').expect("a two");
        assert_eq!(source.locate(two), (2, 8));
        assert_eq!(source.slice(&source.line_at(one)), "{\"é\": 1,");
        assert_eq!(source.slice(&source.line_at(two)), "  \"b\": 2}");
        assert_eq!(source.locate(usize::MAX), (2, 10));
    }
}
