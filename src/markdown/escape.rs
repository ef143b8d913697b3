//! Untrusted text as Markdown: it reads as it was written and is never markup, a mention or a link.

/// One line of text inside Markdown. Line breaks become spaces.
pub fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Several lines of text; every line after the first is indented by `indent` spaces.
pub fn paragraph(text: &str, indent: usize) -> String {
    let separator = format!("\n{}", " ".repeat(indent));
    text.lines().map(inline).collect::<Vec<_>>().join(&separator)
}

/// An inline code span that holds the text as it is.
pub fn code(text: &str) -> String {
    format!("`{}`", text.replace(['\n', '\r', '`'], " "))
}
