//! People in commits: their names are kept, their e-mail addresses are not.

use regex::{Captures, Regex};
use std::{borrow::Cow, sync::LazyLock};

/// An address in angle brackets with the space before it, or on its own.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    let address = r"[\p{L}\p{N}._%+-]+(?:\[bot\])?@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*";
    // A host ends in letters: `node@1.2` is a version.
    let dotted = r"(?P<user>[\p{L}\p{N}._%+-]+)@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*\.\p{L}{2,}";
    Regex::new(&format!(r"(?P<angled>[ \t]*<{address}>)|{dotted}")).expect("the pattern is a regular expression")
});

/// The name without any e-mail address in it; none where there is nothing else.
pub fn name_only(author: &str) -> Option<String> {
    let words: Vec<&str> = author.split_whitespace().filter(|word| !is_address(word)).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn is_address(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '@');
    word.starts_with('<') || bare.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
}

/// A message without e-mail addresses: `Co-authored-by: A <a@b.c>` keeps the name, one in prose leaves a mark.
pub(super) fn without_addresses(message: &str) -> Cow<'_, str> {
    // Most messages have none, and the pattern takes longer to compile than they take to read.
    if !message.contains('@') {
        return Cow::Borrowed(message);
    }
    ADDRESS.replace_all(message, |found: &Captures<'_>| match (found.name("angled"), found.name("user")) {
        (Some(_), _) => String::new(),
        // `git@github.com:a/b` is where a repository lies, not a person.
        (None, Some(user)) if user.as_str() == "git" => found[0].to_owned(),
        _ => "[redacted:email]".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_no_name() {
        assert_eq!(name_only("A B <a@b.c>").as_deref(), Some("A B"));
        assert_eq!(name_only("A B <[redacted:email]>").as_deref(), Some("A B"));
        assert_eq!(name_only("A @ B").as_deref(), Some("A @ B"));
        assert_eq!(name_only("A (a@b.c) B").as_deref(), Some("A B"));
        assert_eq!(name_only("a@b.c"), None);
        assert_eq!(name_only("<a@b.c>"), None);
    }

    #[test]
    fn a_message_keeps_everything_else() {
        let check = |message: &str, expect: &str| assert_eq!(without_addresses(message), expect);
        check("x\n\nCo-authored-by: A B <a.b+c@d.example.org>\nRefs: #1", "x\n\nCo-authored-by: A B\nRefs: #1");
        check("Signed-off-by: A <root@localhost>", "Signed-off-by: A");
        check("by bot <1+dependabot[bot]@users.noreply.github.com>", "by bot");
        check("ask josé@example.co.uk.", "ask [redacted:email].");
        for kept in [
            "push to git@github.com:a/b.git",
            "thanks @someone",
            "x@2 and @types/node@1.2",
            "Vec<a>",
            "a @ b.c",
            "<@x>",
        ] {
            check(kept, kept);
        }
    }
}
