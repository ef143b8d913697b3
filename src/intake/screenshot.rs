//! The digest by which a screenshot names its file.

use super::{
    document::{Document, join},
    judge::dotted,
    report::Problem,
    words,
};
use serde_json::Value;

/// A screenshot's digest that is none. The schema says of the whole screenshot that it is neither of two things.
pub fn digest(document: &Document, pointer: &str, screenshot: &Value) -> Option<Problem> {
    const EXPECTED: &str = "the SHA-256 of the file, as 64 lower-case hexadecimal digits";
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let wrong = screenshot.get("sha256").filter(|value| !value.is_null() && !value.as_str().is_some_and(is_digest))?;
    let pointer = pointer.starts_with("/source_data/screenshots/").then(|| join(pointer, "sha256"))?;
    let span = document.span(&pointer)?;
    let meant = wrong.as_str().map(|text| text.trim().to_lowercase().trim_start_matches("sha256:").to_owned());
    let message = format!("{}: expected {EXPECTED}; found {}", dotted(&pointer), words::found(wrong));
    let problem = Problem::error(&document.source, "bad_digest", span, message).at(pointer).expected(EXPECTED);
    let problem = problem.hint("`flywheel blob put FILE` uploads the file and prints its digest");
    Some(problem.did_you_mean(meant.filter(|meant| is_digest(meant))))
}
