//! What a commit's body says, without what git and tools write there.
//!
//! Left out: trailers (`Signed-off-by: …`, `BREAKING CHANGE: …`), the sentence `This reverts commit …`, and the
//! bullets that were recovered as squash items.

use super::evidence::{self, Role};
use flywheel_events::Commit;

/// The body's paragraphs in the author's own lines, or nothing.
pub fn prose(commit: &Commit) -> Option<String> {
    let message = commit.message.replace("\r\n", "\n");
    let body = message.trim_start().split_once('\n').map(|(_, body)| body).unwrap_or_default();
    let mut paragraphs: Vec<Vec<&str>> = vec![vec![]];
    for line in body.lines() {
        if line.trim().is_empty() {
            paragraphs.push(vec![]);
        } else {
            paragraphs.last_mut().expect("one from the start").push(line.trim_end());
        }
    }
    let kept: Vec<String> = paragraphs
        .iter()
        .filter(|paragraph| !is_trailers(paragraph))
        .map(|paragraph| {
            let lines = paragraph.iter().filter(|line| !is_noise(line, commit)).copied();
            lines.collect::<Vec<_>>().join("\n")
        })
        .filter(|paragraph| !paragraph.trim().is_empty())
        .collect();
    (!kept.is_empty()).then(|| kept.join("\n\n"))
}

/// The body without its lessons, which are told in their own place; nothing where it says nothing else.
pub fn without_lessons(commit: &Commit) -> Option<String> {
    let whole = prose(commit)?;
    let (rest, labelled) = evidence::read(&whole);
    let only_lessons = labelled.iter().all(|(role, _)| *role == Role::Lesson);
    let said = if only_lessons { rest } else { whole };
    (!said.is_empty()).then_some(said)
}

/// Whether a paragraph is a block of footers: it begins with one, and every line is one or continues one.
fn is_trailers(paragraph: &[&str]) -> bool {
    let begins = |line: &&str| is_trailer(line);
    let breaking = |line: &&str| line.starts_with("BREAKING");
    match paragraph.split_first() {
        None => false,
        // A breaking change's text may run over several lines; it is told in its own place.
        Some((first, _)) if begins(first) && breaking(first) => true,
        Some((first, rest)) => begins(first) && rest.iter().all(|line| begins(line) || line.starts_with([' ', '\t'])),
    }
}

fn is_trailer(line: &str) -> bool {
    if line.starts_with("BREAKING CHANGE: ") || line.starts_with("BREAKING-CHANGE: ") {
        return true;
    }
    let token = |token: &str| {
        token.starts_with(|c: char| c.is_ascii_uppercase())
            && token.contains('-')
            && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let issue = |token: &str| ["Refs", "Closes", "Fixes", "Resolves", "Reviewed", "Cc"].contains(&token);
    line.split_once(": ").is_some_and(|(name, _)| token(name) || issue(name))
        || line.split_once(" #").is_some_and(|(name, _)| token(name) || issue(name))
}

fn is_noise(line: &str, commit: &Commit) -> bool {
    let line = line.trim();
    let bullet = line.strip_prefix(['*', '-', '•']).map(str::trim);
    let recovered = |text: &str| {
        let mut items = commit.squash_items.iter();
        items.any(|item| !item.description.is_empty() && text.contains(&item.description))
    };
    // GitHub draws a line under the list of a squashed branch.
    let rule = line.len() >= 3 && line.bytes().all(|byte| byte == b'-');
    rule || line.starts_with("This reverts commit ") || bullet.is_some_and(recovered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::changelog::tests::commit;
    use flywheel_events::SquashItem;

    fn check(message: &str, expected: Option<&str>) {
        assert_eq!(prose(&commit("1111111", message)).as_deref(), expected, "{message}");
    }

    #[test]
    fn only_the_authors_prose_is_left() {
        check("", None);
        check("feat: x", None);
        check("feat: x\n\nWhy it is so.\nSecond line.\n\nMore.\n", Some("Why it is so.\nSecond line.\n\nMore."));
        check("feat: x\r\n\r\nWhy.\r\n\r\nSigned-off-by: A <a@b.c>\r\n", Some("Why."));
        check("feat!: x\n\nBREAKING CHANGE: the old\nfile is not read\n\nRefs #12", None);
        check("Revert \"x\"\n\nThis reverts commit 1111111.\n\nIt broke the build.", Some("It broke the build."));
        check("fix: x\n\nNote: this is prose, not a footer.", Some("Note: this is prose, not a footer."));
    }

    #[test]
    fn recovered_bullets_are_not_told_twice() {
        let item = SquashItem { kind: Some("feat".into()), scope: None, description: "add a".into() };
        let squashed = commit("1111111", "feat: all (#1)\n\n* feat: add a\n* something else\n\nTogether.");
        let squashed = Commit { squash_items: vec![item], ..squashed };
        assert_eq!(prose(&squashed).as_deref(), Some("* something else\n\nTogether."));
    }
}
