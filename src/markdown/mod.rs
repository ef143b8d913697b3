//! Markdown: writing untrusted text into it, and finding our blocks in somebody else's.

use comrak::{
    Options,
    nodes::{Node, NodeValue},
};
use minijinja::Environment;

pub mod blocks;
#[cfg(test)]
mod blocks_tests;
mod clean;
mod escape;
#[cfg(test)]
mod escape_tests;
pub mod score;

pub use clean::visible;
pub use escape::{code, fence, inline, paragraph};

/// Adds the filters that put text into Markdown.
///
/// - `md`: one line of text inside Markdown (line breaks become spaces).
/// - `md_block(indent)`: several paragraphs, every following line indented so that it stays in its list item.
/// - `code`: an inline code span, safe in a table too.
/// - `fence(language)`: a fenced code block; it begins at the start of a line.
pub fn add_filters(environment: &mut Environment<'static>) {
    environment.add_filter("md", |text: String| inline(&text));
    environment.add_filter("md_block", |text: String, indent: Option<usize>| paragraph(&text, indent.unwrap_or(0)));
    environment.add_filter("code", |text: String| code(&text));
    environment.add_filter("fence", |text: String, language: String| fence(&text, &language));
}

/// GitHub's dialect, as its own parser reads it.
fn github() -> Options<'static> {
    let mut options = Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options
}

/// What a reader sees of a node, without its markup.
fn plain_text(node: Node<'_>) -> String {
    let mut text = String::new();
    for node in node.descendants() {
        match &node.data().value {
            NodeValue::Text(words) => text.push_str(words),
            NodeValue::Code(code) => text.push_str(&code.literal),
            NodeValue::SoftBreak | NodeValue::LineBreak => text.push(' '),
            _ => {}
        }
    }
    text
}
