//! Lengths as platforms count them. To add a platform, add a row.
//!
//! X: twitter-text, configuration v3. Bluesky: `app.bsky.feed.post`. Mastodon: its `StatusLengthValidator`.

use super::links::{has_protocol, links};
use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use unicode_segmentation::UnicodeSegmentation;

/// A platform and the length of what it takes.
#[derive(Debug)]
pub struct Platform {
    /// Its name in configuration and in reports.
    pub name: &'static str,
    /// The most that one post may count.
    pub limit: usize,
    /// The most bytes of UTF-8 in one post, where there is such a limit too.
    pub bytes_max: Option<usize>,
    weigh: fn(Kind, &str) -> usize,
}

/// X, by twitter-text's weights.
pub const X: Platform = Platform { name: "x", limit: 280, bytes_max: None, weigh: weigh_x };

/// Bluesky: graphemes and bytes; a URL counts in full.
pub const BLUESKY: Platform =
    Platform { name: "bluesky", limit: 300, bytes_max: Some(3000), weigh: |_, text| graphemes(text).count() };

/// Mastodon as it comes; an instance may allow more.
pub const MASTODON: Platform = Platform { name: "mastodon", limit: 500, bytes_max: None, weigh: weigh_mastodon };

/// Every platform.
pub const PLATFORMS: &[Platform] = &[X, BLUESKY, MASTODON];

/// What a URL counts on X and Mastodon, however long it is.
const URL_WEIGHT: usize = 23;

/// What a piece of text is to a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A URL with a protocol, or a domain with a valid top level.
    Url,
    /// Something with a protocol whose host no platform links, such as `http://localhost`.
    Address,
    Mention,
    Tag,
    Grapheme,
}

/// A piece of text that is not cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    pub start: usize,
    pub end: usize,
    weight: usize,
}

impl Unit {
    pub fn is_blank(&self, text: &str) -> bool {
        text[self.start..self.end].chars().all(char::is_whitespace)
    }
}

impl Platform {
    /// How much of the limit a text takes.
    pub fn count(&self, text: &str) -> usize {
        let text = composed(text);
        entities(&text).map(|(kind, start, end)| self.weight(kind, &text[start..end])).sum()
    }

    /// What a piece counts. A character of ASCII by itself is one everywhere, and most pieces are that.
    fn weight(&self, kind: Kind, text: &str) -> usize {
        if kind == Kind::Grapheme && text.len() == 1 { 1 } else { (self.weigh)(kind, text) }
    }

    /// Whether a text fits into one post that has `reserved` ASCII characters more.
    pub(super) fn fits(&self, text: &str, reserved: usize) -> bool {
        self.count(text) + reserved <= self.limit && self.bytes_max.is_none_or(|max| text.len() + reserved <= max)
    }

    /// The pieces of a text, none of them longer than a post.
    pub(super) fn units(&self, text: &str, reserved: usize) -> Vec<Unit> {
        let unit = |kind, start: usize, end: usize| Unit { start, end, weight: self.weight(kind, &text[start..end]) };
        let too_long = |unit: &Unit| self.reach(std::slice::from_ref(unit), reserved) == 0;
        let mut units = Vec::new();
        for (kind, start, end) in entities(text) {
            let whole = unit(kind, start, end);
            if !too_long(&whole) {
                units.push(whole);
                continue;
            }
            let mut at = start;
            for grapheme in graphemes(&text[start..end]) {
                let piece = unit(Kind::Grapheme, at, at + grapheme.len());
                at = piece.end;
                if !too_long(&piece) {
                    units.push(piece);
                    continue;
                }
                let chars = grapheme.char_indices().map(|(within, c)| (piece.start + within, c.len_utf8()));
                units.extend(chars.map(|(at, length)| unit(Kind::Grapheme, at, at + length)));
            }
        }
        units
    }

    /// How many of the units fit into one post.
    pub(super) fn reach(&self, units: &[Unit], reserved: usize) -> usize {
        let (mut weight, mut bytes) = (reserved, reserved);
        units
            .iter()
            .take_while(|unit| {
                weight += unit.weight;
                bytes += unit.end - unit.start;
                weight <= self.limit && self.bytes_max.is_none_or(|max| bytes <= max)
            })
            .count()
    }
}

fn weigh_x(kind: Kind, text: &str) -> usize {
    match kind {
        Kind::Url => URL_WEIGHT,
        _ => graphemes(text).map(weigh_x_grapheme).sum(),
    }
}

fn weigh_x_grapheme(grapheme: &str) -> usize {
    if is_emoji(grapheme) {
        return 2;
    }
    grapheme
        .chars()
        .map(|c| match u32::from(c) {
            0..=0x10FF | 0x2000..=0x200D | 0x2010..=0x201F | 0x2032..=0x2037 => 1,
            _ => 2,
        })
        .sum()
}

fn weigh_mastodon(kind: Kind, text: &str) -> usize {
    match kind {
        Kind::Url | Kind::Address if has_protocol(text) => URL_WEIGHT,
        // The domain of a remote account is free.
        Kind::Mention => text.split('@').nth(1).map_or(0, |user| graphemes(user).count() + 1),
        _ => graphemes(text).count(),
    }
}

/// Whether a grapheme is an emoji: joined, coloured, a flag, a keycap, or alone.
fn is_emoji(grapheme: &str) -> bool {
    let mut chars = grapheme.chars();
    let Some(first) = chars.next() else { return false };
    match u32::from(first) {
        0x1F000..=0x1FAFF | 0x2600..=0x27BF | 0x2300..=0x23FF | 0x2B00..=0x2BFF | 0x2190..=0x21FF | 0x25A0..=0x25FF => {
            true
        }
        0x203C | 0x2049 | 0x2122 | 0x2139 | 0x2934 | 0x2935 | 0x3030 | 0x303D | 0x3297 | 0x3299 => true,
        0xA9 | 0xAE => chars.next() == Some('\u{FE0F}'),
        0x23 | 0x2A | 0x30..=0x39 => grapheme.ends_with('\u{20E3}'),
        _ => false,
    }
}

/// The pieces of a text in their order, without gaps: what is linked, and the graphemes between.
fn entities(text: &str) -> impl Iterator<Item = (Kind, usize, usize)> {
    let mut linked = links(text).into_iter().peekable();
    let mut at = 0;
    std::iter::from_fn(move || {
        if let Some((kind, start, end)) = linked.next_if(|(_, start, _)| *start == at) {
            at = end;
            return Some((kind, start, end));
        }
        let until = linked.peek().map_or(text.len(), |(_, start, _)| *start);
        let grapheme = graphemes(&text[at..until]).next()?;
        at += grapheme.len();
        Some((Kind::Grapheme, at - grapheme.len(), at))
    })
}

/// A text in NFC.
pub(super) fn composed(text: &str) -> Cow<'_, str> {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text.into(),
        IsNormalized::No | IsNormalized::Maybe => text.nfc().collect::<String>().into(),
    }
}

/// The graphemes of a text. Two characters of ASCII in a row are two, unless they end a line together: the rules need not
/// be asked.
pub(super) fn graphemes(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let grapheme = match rest.as_bytes() {
            [first] | [first, 0..=0x7F, ..] if first.is_ascii() && *first != b'\r' => &rest[..1],
            _ => rest.graphemes(true).next()?,
        };
        rest = &rest[grapheme.len()..];
        Some(grapheme)
    })
}
