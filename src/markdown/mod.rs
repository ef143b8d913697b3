//! Markdown: writing untrusted text into it, and finding our blocks in somebody else's.

use minijinja::Environment;

mod clean;
mod escape;
#[cfg(test)]
mod escape_tests;

pub use clean::visible;
pub use escape::{code, inline, paragraph};

/// Adds the filters that put text into Markdown.
///
/// - `md`: one line of text inside Markdown (line breaks become spaces).
/// - `md_block(indent)`: several paragraphs, every following line indented so that it stays in its list item.
/// - `code`: an inline code span, safe in a table too.
pub fn add_filters(environment: &mut Environment<'static>) {
    environment.add_filter("md", |text: String| inline(&text));
    environment.add_filter("md_block", |text: String, indent: Option<usize>| paragraph(&text, indent.unwrap_or(0)));
    environment.add_filter("code", |text: String| code(&text));
}
