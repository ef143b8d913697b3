//! Posts: text cut to what a platform takes, counted as the platform counts.
//!
//! Every part is within the limit, its suffix ` (i/n)` included; no text is lost but the blanks at a cut; nothing is
//! cut inside a URL, a grapheme, a mention or a tag, unless it is longer than a part alone.

mod count;
mod links;

pub use count::{BLUESKY, MASTODON, PLATFORMS, Platform, X};
use count::{Unit, composed};

/// Cuts paragraphs into the parts of a thread on X. See [`split`].
pub fn thread(paragraphs: &[String]) -> Vec<String> {
    split(&X, paragraphs)
}

/// Cuts paragraphs into the parts of a thread: one part when all of it fits, with blank lines between; else at least
/// one part a paragraph, each with its suffix ` (i/n)`. Parts are in NFC; empty paragraphs have none.
pub fn split(platform: &Platform, paragraphs: &[String]) -> Vec<String> {
    let paragraphs: Vec<String> = paragraphs
        .iter()
        .map(|paragraph| composed(paragraph.trim()).into_owned())
        .filter(|paragraph| !paragraph.is_empty())
        .collect();
    let all = paragraphs.join("\n\n");
    if paragraphs.is_empty() || platform.fits(&all, 0) {
        return if all.is_empty() { Vec::new() } else { vec![all] };
    }
    for digits in 1_u32.. {
        // ` (` i `/` n `)`
        let suffix = 4 + 2 * digits as usize;
        let parts: Vec<String> = paragraphs.iter().flat_map(|paragraph| cut(platform, paragraph, suffix)).collect();
        let n = parts.len();
        if n < 10_usize.saturating_pow(digits) {
            return parts.into_iter().enumerate().map(|(i, part)| format!("{part} ({}/{n})", i + 1)).collect();
        }
    }
    unreachable!("twenty digits number every part there can be")
}

/// How good a place for a cut is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Sentence,
    Clause,
    Word,
}

/// Cuts one paragraph into pieces that leave room for the suffix.
fn cut(platform: &Platform, paragraph: &str, suffix: usize) -> Vec<String> {
    let units = platform.units(paragraph, suffix);
    let mut pieces = Vec::new();
    let mut from = 0;
    loop {
        while units.get(from).is_some_and(|unit| unit.is_blank(paragraph)) {
            from += 1;
        }
        if from >= units.len() {
            return pieces;
        }
        let mut room = platform.reach(&units[from..], suffix).max(1);
        // What stood together may count for more apart: the piece itself has the last word.
        let (piece, to) = loop {
            let to = if from + room == units.len() { units.len() } else { best(paragraph, &units, from, from + room) };
            let piece = paragraph[units[from].start..units[to - 1].end].trim_end();
            if platform.fits(piece, suffix) || room == 1 {
                break (piece, to);
            }
            room = (to - from - 1).max(1);
        };
        pieces.push(piece.to_owned());
        from = to;
    }
}

/// The best place for a cut after at least one unit and at most those up to `limit`.
fn best(text: &str, units: &[Unit], from: usize, limit: usize) -> usize {
    let room = limit - from;
    let last = |wanted: Place, least: usize| {
        (from + least.max(1)..=limit).rev().find(|at| place(text, units, *at).is_some_and(|place| place == wanted))
    };
    last(Place::Sentence, room / 3)
        .or_else(|| last(Place::Clause, room / 3))
        .or_else(|| (from + 1..=limit).rev().find(|at| place(text, units, *at).is_some()))
        .unwrap_or(limit)
}

/// What kind of place the one before unit `at` is.
fn place(text: &str, units: &[Unit], at: usize) -> Option<Place> {
    let unit = units.get(at)?;
    let before = &text[..unit.start];
    let wide = before.chars().next_back()?;
    match wide {
        '。' | '！' | '？' => return Some(Place::Sentence),
        '、' | '，' | '；' | '：' => return Some(Place::Clause),
        _ => {}
    }
    unit.is_blank(text).then_some(())?;
    if text[unit.start..unit.end].contains('\n') {
        return Some(Place::Sentence);
    }
    let closed = before.trim_end_matches(['"', '\'', ')', ']', '”', '’', '»', '*', '_']);
    Some(match closed.chars().next_back() {
        Some('.' | '!' | '?' | '…' | '\n') => Place::Sentence,
        Some(',' | ';' | ':' | '—' | '–') => Place::Clause,
        _ => Place::Word,
    })
}

#[cfg(test)]
mod tests;
