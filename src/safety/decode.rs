//! Reading a text under one level of percent-encoding, JSON escapes or base64.

use base64::{Engine as _, alphabet, engine};

use super::engine::Span;

/// The shortest run that is read as base64: shorter ones hold no token.
const BASE64_RUN_MIN: usize = 20;
/// How many printable characters in a row make bytes worth reading.
const PRINTABLE_RUN_MIN: usize = 12;

/// A decoded text that knows where each of its bytes came from.
pub(super) struct View {
    pub text: String,
    /// The origin of each byte of `text`, and of its end.
    origins: Vec<usize>,
}

impl View {
    /// A span of the decoded text as one of the original.
    pub fn back(&self, span: Span) -> Span {
        Span { start: self.origins[span.start], end: self.origins[span.end], ..span }
    }

    fn decode(text: &str, escape: u8, read: impl Fn(&[u8]) -> Option<(char, usize)>) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut view = Self { text: String::with_capacity(text.len()), origins: Vec::with_capacity(text.len() + 1) };
        let mut decoded = false;
        let mut at = 0;
        for (start, c) in text.char_indices() {
            if start < at {
                continue;
            }
            let escaped = if bytes[start] == escape { read(&bytes[start..]) } else { None };
            decoded |= escaped.is_some();
            let (c, length) = escaped.unwrap_or((c, c.len_utf8()));
            view.origins.extend(std::iter::repeat_n(start, c.len_utf8()));
            view.text.push(c);
            at = start + length;
        }
        view.origins.push(text.len());
        decoded.then_some(view)
    }
}

/// The text with `%XX` decoded; nothing when there is none. Bytes beyond ASCII are not put together: no secret's
/// format has any.
pub(super) fn percent(text: &str) -> Option<View> {
    text.contains('%').then_some(())?;
    View::decode(text, b'%', |bytes| {
        let byte = u8::try_from(hex(bytes.get(1..3)?)?).ok()?;
        Some((if byte.is_ascii() { char::from(byte) } else { '\u{FFFD}' }, 3))
    })
}

/// The text with JSON's escapes decoded; nothing when there is none.
pub(super) fn json_escapes(text: &str) -> Option<View> {
    text.contains('\\').then_some(())?;
    View::decode(text, b'\\', |bytes| {
        Some(match bytes.get(1)? {
            b'n' => ('\n', 2),
            b't' => ('\t', 2),
            b'r' => ('\r', 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{C}', 2),
            c @ (b'"' | b'\\' | b'/') => (char::from(*c), 2),
            b'u' => (char::from_u32(hex(bytes.get(2..6)?)?).unwrap_or('\u{FFFD}'), 6),
            _ => return None,
        })
    })
}

/// The text with escaped line ends and tabs decoded; nothing when there is none.
pub(super) fn line_escapes(text: &str) -> Option<View> {
    text.contains('\\').then_some(())?;
    View::decode(text, b'\\', |bytes| match bytes.get(1)? {
        b'n' => Some(('\n', 2)),
        b't' => Some(('\t', 2)),
        b'r' => Some(('\r', 2)),
        _ => None,
    })
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}

/// A run of base64 and what it may say.
pub(super) struct Run {
    pub start: usize,
    pub end: usize,
    /// One text for each offset at which something readable came out: the run may begin with other letters.
    pub readings: Vec<String>,
}

/// Runs of base64 that decode to something readable.
pub(super) fn base64_runs(text: &str) -> impl Iterator<Item = Run> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            while at < bytes.len() && is_base64(bytes[at]) {
                at += 1;
            }
            let body = at;
            if at == start {
                at += 1;
                continue;
            }
            if body - start < BASE64_RUN_MIN {
                continue;
            }
            let padding = bytes[body..].iter().take(2).take_while(|byte| **byte == b'=').count();
            at = body + padding;
            let readings: Vec<String> = (0..4).filter_map(|offset| reading(bytes.get(start + offset..body)?)).collect();
            if !readings.is_empty() {
                return Some(Run { start, end: at, readings });
            }
        }
        None
    })
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// The bytes as text, if there is a readable stretch in them.
fn reading(run: &[u8]) -> Option<String> {
    const LENIENT: engine::GeneralPurposeConfig = engine::GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(engine::DecodePaddingMode::Indifferent);
    const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    // One letter too many says nothing by itself.
    let run = &run[..run.len() - usize::from(run.len() % 4 == 1)];
    let standard: Vec<u8> = run
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => *byte,
        })
        .collect();
    let decoded = BASE64.decode(standard).ok()?;
    let printable = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t');
    decoded.split(|byte| !printable(byte)).any(|stretch| stretch.len() >= PRINTABLE_RUN_MIN).then_some(())?;
    Some(decoded.iter().map(|byte| if printable(byte) { char::from(*byte) } else { '\u{FFFD}' }).collect())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn views_know_their_origin() {
        let view = percent("é a%3Db%zz%C3").unwrap();
        assert_eq!(view.text, "é a=b%zz\u{FFFD}");
        let at = view.text.find('=').unwrap();
        let span = Span { start: at, end: at + 2, kind: Cow::Borrowed("x"), replacement: String::new(), rank: 0 };
        let back = view.back(span);
        assert_eq!((back.start, back.end), (4, 8));
        assert_eq!(json_escapes(r#"\"a\u0062\/\q\u12"#).unwrap().text, r#""ab/\q\u12"#);
        assert!(percent("100% sure").is_none());
        assert!(json_escapes(r"C:\Windows").is_none());
    }

    #[test]
    fn base64_is_read_at_any_offset() {
        // "password=hunter22 and more"
        let text = "xyz:abcGFzc3dvcmQ9aHVudGVyMjIgYW5kIG1vcmU= end";
        let runs: Vec<Run> = base64_runs(text).collect();
        assert_eq!(runs.len(), 1);
        assert!(text[runs[0].start..runs[0].end].ends_with("1vcmU="));
        let plain: Vec<Run> = base64_runs("cGFzc3dvcmQ9aHVudGVyMjIgYW5kIG1vcmU").collect();
        assert_eq!(plain[0].readings[0], "password=hunter22 and more");
        assert_eq!(base64_runs("short YWJj and 9b74c9897bac770ffc029102a200c5de9b74c989").count(), 0);
    }
}
