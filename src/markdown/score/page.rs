//! A README as the rules read it: its headings, code, links and images, taken from the parsed Markdown once.

use crate::markdown::{github, plain_text};
use comrak::{
    Anchorizer, Arena,
    nodes::{Node, NodeValue},
    parse_document,
};
use regex::Regex;
use std::{collections::BTreeSet, sync::LazyLock};

static ATTRIBUTE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(id|name|src|href|alt)\s*=\s*(?:"([^"]*)"|'([^']*)')"#).expect("the pattern is fixed")
});
static TAG: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?is)<(img|a)\b[^>]*>").expect("the pattern is fixed"));

/// One heading.
#[derive(Debug)]
pub struct Heading {
    /// 1 to 6.
    pub level: u8,
    /// Its words.
    pub text: String,
}

/// One block of code.
#[derive(Debug)]
pub struct Code {
    /// The heading it stands under, by its place among the headings.
    pub under: Option<usize>,
    /// The language it names.
    pub language: String,
    /// Whether it stands between fences.
    pub fenced: bool,
    /// Whether its fence is closed.
    pub closed: bool,
    /// What is in it.
    pub text: String,
}

/// One image.
#[derive(Debug)]
pub struct Image {
    /// Where it lies.
    pub source: String,
    /// What it shows, for people who do not see it.
    pub alt: String,
}

/// What the rules look at.
#[derive(Debug, Default)]
pub struct Page {
    /// The headings, in order.
    pub headings: Vec<Heading>,
    /// Whether the first thing a reader sees, images aside, is a heading of the first level.
    pub title_first: bool,
    /// The first paragraph under the first heading, if no other heading comes before it.
    pub description: Option<String>,
    /// Blocks of code.
    pub code: Vec<Code>,
    /// Code within a line.
    pub spans: Vec<String>,
    /// Targets of links.
    pub links: Vec<String>,
    /// Images.
    pub images: Vec<Image>,
    /// The anchors of headings and HTML elements.
    pub anchors: BTreeSet<String>,
    /// The words outside code, by the heading they stand under.
    pub prose: Vec<(Option<usize>, String)>,
    /// Lines of the file.
    pub lines: usize,
}

impl Page {
    /// Reads a README.
    pub fn read(text: &str) -> Self {
        let arena = Arena::new();
        let root = parse_document(&arena, text, &github());
        let mut page = Self { lines: text.lines().count(), ..Self::default() };
        let mut anchors = Anchorizer::new();
        for block in root.children() {
            page.opening(block);
            for node in block.descendants() {
                page.node(node, &mut anchors);
            }
        }
        page
    }

    /// Takes the title and the description, which are among the first blocks.
    fn opening(&mut self, block: Node<'_>) {
        match &block.data().value {
            NodeValue::Heading(heading) if self.headings.is_empty() => {
                self.title_first = heading.level == 1 && self.prose.is_empty() && self.code.is_empty();
            }
            NodeValue::Paragraph if self.headings.len() == 1 && self.description.is_none() => {
                let text = words_without_images(block);
                self.description = (!text.is_empty()).then_some(text);
            }
            _ => {}
        }
    }

    fn node(&mut self, node: Node<'_>, anchors: &mut Anchorizer) {
        let under = self.headings.len().checked_sub(1);
        match &node.data().value {
            NodeValue::Heading(heading) => {
                let text = plain_text(node);
                self.anchors.insert(anchors.anchorize(&text));
                self.headings.push(Heading { level: heading.level, text });
            }
            NodeValue::CodeBlock(code) => self.code.push(Code {
                under,
                language: code.info.split_whitespace().next().unwrap_or("").to_owned(),
                fenced: code.fenced,
                closed: code.closed,
                text: code.literal.clone(),
            }),
            NodeValue::Code(code) => self.spans.push(code.literal.clone()),
            NodeValue::Link(link) => self.links.push(link.url.clone()),
            NodeValue::Image(link) => self.images.push(Image { source: link.url.clone(), alt: plain_text(node) }),
            NodeValue::HtmlBlock(html) => self.html(&html.literal),
            NodeValue::HtmlInline(html) => self.html(html),
            NodeValue::Paragraph | NodeValue::TableCell => {
                let text = words_without_images(node);
                if !text.is_empty() {
                    self.prose.push((under, text));
                }
            }
            _ => {}
        }
    }

    fn html(&mut self, html: &str) {
        let attributes = |html: &str| -> Vec<(String, String)> {
            let value =
                |found: &regex::Captures<'_>| found.get(2).or(found.get(3)).map_or("", |v| v.as_str()).to_owned();
            ATTRIBUTE.captures_iter(html).map(|found| (found[1].to_lowercase(), value(&found))).collect()
        };
        self.anchors
            .extend(attributes(html).into_iter().filter(|(name, _)| name == "id" || name == "name").map(|a| a.1));
        for tag in TAG.captures_iter(html) {
            let found = attributes(&tag[0]);
            let get = |wanted: &str| found.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
            if tag[1].eq_ignore_ascii_case("img") {
                self.images.push(Image { source: get("src").unwrap_or_default(), alt: get("alt").unwrap_or_default() });
            } else {
                self.links.extend(get("href"));
            }
        }
    }

    /// The headings whose words match, by place.
    pub fn sections(&self, wanted: &Regex) -> Vec<usize> {
        let matches = |(at, heading): (usize, &Heading)| wanted.is_match(&heading.text).then_some(at);
        self.headings.iter().enumerate().filter_map(matches).collect()
    }

    /// Whether something under the heading `under` is in `section`: under it or one of its subheadings.
    pub fn is_within(&self, under: Option<usize>, section: usize) -> bool {
        under.is_some_and(|under| {
            let level = self.headings[section].level;
            under >= section && self.headings[section + 1..=under].iter().all(|heading| heading.level > level)
        })
    }
}

/// A node's words, images' alternative texts left out.
fn words_without_images(node: Node<'_>) -> String {
    let mut text = String::new();
    for child in node.children() {
        match &child.data().value {
            NodeValue::Image(_) => {}
            NodeValue::Text(words) => text.push_str(words),
            NodeValue::Code(_) => text.push_str(&plain_text(child)),
            NodeValue::SoftBreak | NodeValue::LineBreak => text.push(' '),
            _ => text.push_str(&words_without_images(child)),
        }
    }
    text.trim().to_owned()
}
