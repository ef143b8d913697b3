//! The header: `type(scope)!: description`.

/// The types of the Conventional Commits specification and of the convention it grew from.
pub const KNOWN_TYPES: [&str; 11] =
    ["feat", "fix", "docs", "style", "refactor", "perf", "test", "build", "ci", "chore", "revert"];

/// A conventional header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header<'a> {
    /// The type in lower case.
    pub kind: String,
    /// The scope as written.
    pub scope: Option<&'a str>,
    /// Whether `!` stands before the colon.
    pub breaking: bool,
    /// What follows the colon and the space.
    pub description: &'a str,
}

impl<'a> Header<'a> {
    /// Reads one line; `None` where it is not conventional.
    ///
    /// `git_conventional` is not used here: it takes `feat:no space`, and refuses a whole message for its body.
    pub fn parse(line: &'a str) -> Option<Self> {
        let (prefix, description) = line.split_once(':')?;
        let (prefix, description) = match prefix.split_once('(') {
            // A scope may hold a colon (`fix(std::fmt): …`), so look for its end in the whole line.
            Some((kind, _)) => {
                let (scope, rest) = line.get(kind.len()..)?.split_once(')')?;
                let (bang, description) = rest.split_once(':')?;
                ((kind, Some(scope.strip_prefix('(')?.trim()), bang), description)
            }
            None => match prefix.strip_suffix('!') {
                Some(kind) => ((kind, None, "!"), description),
                None => ((prefix, None, ""), description),
            },
        };
        let (kind, scope, bang) = prefix;
        let breaking = match bang {
            "" => false,
            "!" => true,
            _ => return None,
        };
        let scope_is_fine = scope.is_none_or(|scope| !scope.is_empty() && !scope.contains('('));
        let described = description.strip_prefix([' ', '\t']).map(str::trim).filter(|text| !text.is_empty())?;
        (is_noun(kind) && scope_is_fine).then(|| Self {
            kind: kind.to_lowercase(),
            scope,
            breaking,
            description: described,
        })
    }

    /// Whether the type is one that everybody knows.
    pub fn is_known(&self) -> bool {
        KNOWN_TYPES.contains(&self.kind.as_str())
    }
}

/// A type is a noun: one word that begins with a letter.
fn is_noun(word: &str) -> bool {
    word.starts_with(char::is_alphabetic) && word.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: Option<(&str, Option<&str>, bool, &str)>) {
        let read = Header::parse(line);
        let read =
            read.as_ref().map(|header| (header.kind.as_str(), header.scope, header.breaking, header.description));
        assert_eq!(read, expect, "{line:?}");
    }

    #[test]
    fn a_header_has_a_type_a_colon_and_a_space() {
        check("feat: add x", Some(("feat", None, false, "add x")));
        check("FEAT: add x", Some(("feat", None, false, "add x")));
        check("Fix(Queue)!: keep: all", Some(("fix", Some("Queue"), true, "keep: all")));
        check("feat!: gone", Some(("feat", None, true, "gone")));
        check("fix(std::fmt): pad", Some(("fix", Some("std::fmt"), false, "pad")));
        check("fix(a, b): two  ", Some(("fix", Some("a, b"), false, "two")));
        check("feat:   wide", Some(("feat", None, false, "wide")));
        check("security: rotate (again): now", Some(("security", None, false, "rotate (again): now")));
        check("wip-2: x", Some(("wip-2", None, false, "x")));
    }

    #[test]
    fn anything_else_is_not_conventional() {
        for line in [
            "",
            ":",
            ": x",
            "feat",
            "feat:",
            "feat: ",
            "feat:x",
            "feat : x",
            "feat (scope): x",
            "feat(): x",
            "feat( ): x",
            "feat(a)(b): x",
            "feat((a)): x",
            "feat(a: x",
            "feat)a(: x",
            "feat!!: x",
            "feat!(a): x",
            "feat(a)! : x",
            "fix typo: x",
            "https://example.org",
            "✨ feat: x",
            "- feat: x",
            "Revert \"feat: x\"",
            "Merge branch 'fix: x'",
            "12: x",
            "feat：x",
        ] {
            check(line, None);
        }
    }
}
