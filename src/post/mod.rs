//! Posts: text cut to what a platform takes, counted as the platform counts.

/// Cuts paragraphs into the parts of a thread: at least one part a paragraph, each within X's 280 with its suffix
/// ` (i/n)`, which a thread of one part does not carry.
pub fn thread(paragraphs: &[String]) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for paragraph in paragraphs {
        let mut part = String::new();
        for word in paragraph.split_whitespace() {
            if part.chars().count() + word.chars().count() > 260 {
                parts.push(std::mem::take(&mut part));
            }
            if !part.is_empty() {
                part.push(' ');
            }
            part.push_str(word);
        }
        parts.push(part);
    }
    let n = parts.len();
    if n > 1 {
        parts.iter_mut().enumerate().for_each(|(i, part)| part.push_str(&format!(" ({}/{n})", i + 1)));
    }
    parts
}
