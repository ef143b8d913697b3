//! The bullet list of a squashed commit's body, recovered as items.
//!
//! Two forms are lists of commits, everything else is prose with bullets:
//! - GitHub's: the header ends in `(#12)` and the body has two or more `* ` lines, each a paragraph of its own. Every
//!   such line is an item.
//! - Anybody's: a `* ` or `- ` line whose text is a conventional header of a known type is an item.

use super::{
    header::Header,
    message::{footer, pull_request},
    place::is_hidden_header,
};
use flywheel_events::SquashItem;

/// The items of a body.
pub(super) fn items(header: &str, body: &str) -> Vec<SquashItem> {
    let lines: Vec<&str> = body.lines().map(str::trim_end).collect();
    let github = is_github_list(header, &lines);
    lines
        .iter()
        .filter_map(|line| if github { line.strip_prefix("* ") } else { bullet(line) })
        .map(str::trim)
        .filter(|text| !text.is_empty() && !is_hidden_header(text) && !is_trailer(text))
        .filter_map(|text| item(text, github))
        .collect()
}

fn bullet(line: &str) -> Option<&str> {
    line.strip_prefix("* ").or_else(|| line.strip_prefix("- "))
}

fn item(text: &str, github: bool) -> Option<SquashItem> {
    match Header::parse(text) {
        Some(header) if github || header.is_known() => Some(SquashItem {
            kind: Some(header.kind),
            scope: header.scope.map(str::to_owned),
            description: header.description.to_owned(),
        }),
        None if github => Some(SquashItem { kind: None, scope: None, description: text.to_owned() }),
        _ => None,
    }
}

fn is_github_list(header: &str, lines: &[&str]) -> bool {
    let blank = |index: Option<usize>| index.and_then(|index| lines.get(index)).is_none_or(|line| line.is_empty());
    let mut bullets = lines.iter().enumerate().filter(|(_, line)| line.starts_with("* ")).peekable();
    pull_request(header).is_some()
        && bullets.clone().count() >= 2
        && bullets.all(|(index, _)| blank(index.checked_sub(1)) && blank(index.checked_add(1)))
}

/// Footers are never entries, not even as bullets.
fn is_trailer(text: &str) -> bool {
    footer(text).is_some_and(|(token, _)| {
        let token = token.to_ascii_lowercase();
        token.ends_with("-by")
            || matches!(token.as_str(), "refs" | "closes" | "fixes" | "breaking change" | "breaking-change")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expect: &[(Option<&str>, Option<&str>, &str)]) {
        let (header, body) = super::super::message::split(message);
        let items = items(header, body);
        let read: Vec<_> =
            items.iter().map(|item| (item.kind.as_deref(), item.scope.as_deref(), item.description.as_str())).collect();
        assert_eq!(read, expect, "{message}");
    }

    #[test]
    fn githubs_list_is_recovered_whole() {
        check(
            "Add the queue (#12)\n\n* feat(queue): add it\n\n* cleaned up\n\nwhy it was dirty\n\n* Merge branch 'main'\n\n\
             * fixup! feat(queue): add it\n\n---------\n\nCo-authored-by: A <a@example.org>\n",
            &[(Some("feat"), Some("queue"), "add it"), (None, None, "cleaned up")],
        );
    }

    #[test]
    fn conventional_bullets_are_items_anywhere() {
        check(
            "Add the queue\n\n- FEAT: add it\n- fix(queue): drop nothing\n- Note: prose\n- README: more prose\n- plain\n",
            &[(Some("feat"), None, "add it"), (Some("fix"), Some("queue"), "drop nothing")],
        );
    }

    #[test]
    fn prose_with_bullets_is_no_list() {
        check("feat: x (#12)\n\nWhy:\n* it was slow\n* it was wrong\n", &[]);
        check("feat: x (#12)\n\n* one bullet only\n", &[]);
        check("feat: x\n\n* one\n\n* two\n", &[]);
        check("feat: x\n\n  - fix: nested in something\n", &[]);
        check("* feat: the header is no bullet", &[]);
    }

    #[test]
    fn footers_are_never_entries() {
        check(
            "Add x (#1)\n\n* feat: a\n\n* Signed-off-by: A\n\n* Refs: #3\n\n* BREAKING CHANGE: b\n\nReviewed-by: B",
            &[(Some("feat"), None, "a")],
        );
    }
}
