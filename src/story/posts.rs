//! A post's text: plain words that are neither a mention nor a tag, and parts that a person can copy.

use serde::Serialize;

/// What the template is given.
#[derive(Debug, Serialize)]
pub struct Post {
    /// The parts of the thread; never empty.
    pub parts: Vec<String>,
    /// A code fence longer than any run of backticks in the parts, so that nothing in them ends it.
    pub fence: String,
}

/// A post of these paragraphs: one part where all of them fit into one, else a thread.
pub fn post(paragraphs: &[String]) -> Post {
    let paragraphs: Vec<String> = paragraphs.iter().map(|text| plain(text)).filter(|text| !text.is_empty()).collect();
    let parts = crate::post::thread(&paragraphs);
    let longest = parts.iter().map(|part| longest_run(part)).max().unwrap_or(0);
    Post { parts, fence: "`".repeat(longest.max(2) + 1) }
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Untrusted words as plain text: a blank keeps `@name` and `#tag` from reaching anybody (`#12` and `C#` stay), and only
/// links by https and mailto stay links.
pub fn plain(text: &str) -> String {
    let text = text.replace("http://", "http: //").replace("HTTP://", "HTTP: //");
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut previous = ' ';
    while let Some(c) = chars.next() {
        out.push(c);
        let next = chars.peek().copied().unwrap_or(' ');
        let opens = !previous.is_alphanumeric() && previous != '_';
        let mention = matches!(c, '@' | '＠') && (next.is_alphanumeric() || next == '_');
        let tag = matches!(c, '#' | '＃') && (next.is_alphabetic() || next == '_');
        if opens && (mention || tag) {
            out.push(' ');
        }
        previous = c;
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_and_nothing_is_tagged() {
        for (text, expected) in [
            ("thanks @everyone and a@b.c", "thanks @ everyone and a@b.c"),
            ("#12 in C# for #fun", "#12 in C# for # fun"),
            ("\"ship it\" & <b>", "\"ship it\" & <b>"),
            ("see http://x.y and https://x.y", "see http: //x.y and https://x.y"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn a_short_post_is_one_part_and_its_fence_holds() {
        let one = post(&["With ```` inside.".into(), String::new()]);
        assert_eq!(one.parts, ["With ```` inside."]);
        assert_eq!(one.fence, "`````");
        let long = post(&["word ".repeat(40), "word ".repeat(40)]);
        assert_eq!((long.parts.len(), long.fence.as_str()), (2, "```"));
    }
}
