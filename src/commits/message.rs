//! The whole message: header, body, footers.

use super::{header::Header, squash};
use flywheel_events::SquashItem;

/// What a message says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Whether the header is conventional.
    pub conventional: bool,
    /// The type in lower case.
    pub kind: Option<String>,
    /// The scope.
    pub scope: Option<String>,
    /// Whether it breaks something.
    pub breaking: bool,
    /// The description, or the whole header.
    pub description: String,
    /// What the breaking footer says.
    pub breaking_note: Option<String>,
    /// What it reverts, as the message names it.
    pub reverts: Option<String>,
    /// The pull request it came from.
    pub pr: Option<u64>,
    /// The entries of a squash body.
    pub squash_items: Vec<SquashItem>,
}

/// Reads a message. Every message reads.
pub fn parse(message: &str) -> Parsed {
    let (line, body) = split(message);
    let footers = footers(body);
    let breaking_note = breaking_note(body);
    let pr = pull_request(line);
    let mut parsed = Parsed {
        breaking: breaking_note.is_some(),
        description: line.to_owned(),
        breaking_note,
        reverts: reverted(body),
        pr,
        squash_items: squash::items(line, body),
        ..Parsed::default()
    };
    if let Some(header) = Header::parse(line) {
        if header.kind == "revert" && parsed.reverts.is_none() {
            parsed.reverts = footers
                .iter()
                .filter(|(token, _)| token.eq_ignore_ascii_case("refs"))
                .find_map(|(_, value)| value.split([',', ' ', '\n']).find_map(hash_like));
        }
        parsed.conventional = true;
        parsed.breaking |= header.breaking;
        parsed.scope = header.scope.map(str::to_owned);
        parsed.description = header.description.to_owned();
        parsed.kind = Some(header.kind);
    }
    parsed
}

/// The header line and everything after it.
pub(super) fn split(message: &str) -> (&str, &str) {
    let message = message.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    match message.split_once('\n') {
        Some((header, body)) => (header.trim_end(), body),
        None => (message.trim_end(), ""),
    }
}

/// The header's own pull request: `… (#12)`, or a merge of one.
pub(super) fn pull_request(header: &str) -> Option<u64> {
    let digits = match header.strip_prefix("Merge pull request #") {
        Some(rest) => rest.split(|c: char| !c.is_ascii_digit()).next()?,
        None => header.strip_suffix(')')?.rsplit_once("(#")?.1,
    };
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// The header without the pull request at its end.
pub(super) fn without_pull_request(header: &str) -> &str {
    match header.rsplit_once("(#") {
        Some((title, _)) if pull_request(header).is_some() && !header.starts_with("Merge pull request") => {
            title.trim_end()
        }
        _ => header,
    }
}

/// A footer line's token and the beginning of its value.
pub(super) fn footer(line: &str) -> Option<(&str, &str)> {
    for token in BREAKING {
        if let Some(value) = line.strip_prefix(token).and_then(|rest| rest.strip_prefix(": ")) {
            return Some((token, value.trim()));
        }
    }
    let (token, value) = match (line.split_once(": "), line.split_once(" #")) {
        (Some(colon), Some(sign)) if sign.0.len() < colon.0.len() => sign,
        (Some(colon), _) => colon,
        (None, sign) => sign?,
    };
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_token.then_some((token, value.trim()))
}

/// The tokens of a breaking change, upper case only.
const BREAKING: [&str; 2] = ["BREAKING CHANGE", "BREAKING-CHANGE"];

/// The footers of the last paragraph, each with all its lines.
fn footers(body: &str) -> Vec<(&str, String)> {
    let Some(last) = paragraphs(body).pop() else { return vec![] };
    let mut footers: Vec<(&str, String)> = vec![];
    for line in last {
        match (footer(line), footers.last_mut()) {
            (Some((token, value)), _) => footers.push((token, value.to_owned())),
            (None, Some((_, value))) => {
                value.push('\n');
                value.push_str(line.trim());
            }
            (None, None) => return vec![],
        }
    }
    footers
}

fn paragraphs(body: &str) -> Vec<Vec<&str>> {
    let mut paragraphs = vec![];
    let mut open: Vec<&str> = vec![];
    for line in body.lines().map(str::trim_end) {
        if line.is_empty() {
            paragraphs.extend((!open.is_empty()).then(|| std::mem::take(&mut open)));
        } else {
            open.push(line);
        }
    }
    paragraphs.extend((!open.is_empty()).then_some(open));
    paragraphs
}

/// What a breaking footer says: from its token to the next footer or blank line.
///
/// Any line that begins with the upper-case token counts, blank line before it or not: a breaking change that is
/// overlooked costs a reader more than one that is announced where the author meant a quotation.
fn breaking_note(body: &str) -> Option<String> {
    let mut lines = body.lines().map(str::trim_end);
    let first = lines.by_ref().find_map(|line| footer(line).filter(|(token, _)| BREAKING.contains(token)))?.1;
    let rest = lines.take_while(|line| !line.trim().is_empty() && footer(line).is_none()).map(str::trim);
    let note = std::iter::once(first).chain(rest).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    (!note.is_empty()).then_some(note)
}

/// The commit that `This reverts commit <hash>` names.
fn reverted(body: &str) -> Option<String> {
    const PHRASE: &str = "This reverts commit";
    body.match_indices(PHRASE).find_map(|(at, _)| {
        let rest = body.get(at + PHRASE.len()..)?;
        let word = rest.strip_prefix(char::is_whitespace)?.split_whitespace().next()?;
        hash_like(word)
    })
}

/// A word that can be a commit's hash: hexadecimal, or what an agent calls one (it has a digit).
fn hash_like(word: &str) -> Option<String> {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let alphanumeric = word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let named = word.bytes().all(|byte| byte.is_ascii_hexdigit()) || word.bytes().any(|byte| byte.is_ascii_digit());
    ((7..=64).contains(&word.len()) && alphanumeric && named).then(|| word.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_breaking_change_is_a_bang_or_an_upper_case_footer() {
        let note = |message: &str| {
            let parsed = parse(message);
            (parsed.breaking, parsed.breaking_note)
        };
        assert_eq!(note("feat!: x"), (true, None));
        assert_eq!(note("feat: x\n\nBREAKING CHANGE: y"), (true, Some("y".into())));
        assert_eq!(note("feat: x\n\nBREAKING-CHANGE: y"), (true, Some("y".into())));
        assert_eq!(note("feat: x\n\nbody\n\nBREAKING CHANGE: y\n  more\nRefs: #1"), (true, Some("y\nmore".into())));
        assert_eq!(note("feat: x\r\n\r\nBREAKING CHANGE: y\r\n"), (true, Some("y".into())));
        assert_eq!(note("Update x\n\nBREAKING CHANGE: y"), (true, Some("y".into())));
        for message in [
            "feat: x\n\nbreaking change: y",
            "feat: x\n\nBreaking Change: y",
            "feat: x\n\nBREAKING CHANGE:y",
            "feat: x\n\nBREAKING CHANGES: y",
            "feat: x\n\nthis is no BREAKING CHANGE: at all",
            "BREAKING CHANGE: y",
        ] {
            assert_eq!(note(message), (false, None), "{message}");
        }
    }

    #[test]
    fn a_header_that_is_not_conventional_is_the_description() {
        let parsed = parse("\n\u{feff}Fixed stuff  \n\nfix: not a header");
        assert!(!parsed.conventional);
        assert_eq!((parsed.kind, parsed.description.as_str()), (None, "Fixed stuff"));
        assert_eq!(parse(""), Parsed::default());
    }

    #[test]
    fn a_revert_names_its_commit() {
        let hash = "676104e0123456789012345678901234567890ab";
        let check = |message: &str, expect: Option<&str>| {
            assert_eq!(parse(message).reverts.as_deref(), expect, "{message}");
        };
        check(&format!("Revert \"feat: x\"\n\nThis reverts commit {hash}."), Some(hash));
        check(&format!("Revert \"x\"\n\nThis reverts commit\n{hash}, reversing\nchanges made to abc."), Some(hash));
        check("revert: x\n\nThis reverts commit DEF456ghi789.", Some("def456ghi789"));
        check("revert: let us never speak of it\n\nRefs: 676104e, a215868", Some("676104e"));
        check("revert: x\n\nRefs: #12", None);
        check("feat: x\n\nRefs: 676104e", None);
        check("fix: x\n\nThis reverts commit messages to the old form", None);
        check("Revert \"feat: x\"", None);
    }

    #[test]
    fn a_pull_request_is_named_at_the_end_or_merged() {
        let check = |header: &str, expect: Option<u64>| assert_eq!(parse(header).pr, expect, "{header}");
        check("feat: x (#12)", Some(12));
        check("Add x (#12)\n\nbody (#13)", Some(12));
        check("Merge pull request #7 from a/b\n\nTitle (#8)", Some(7));
        check("Revert \"x (#1)\" (#2)", Some(2));
        check("feat: x (#12) more", None);
        check("feat: x (#)", None);
        check("feat: x (#+1)", None);
        check("feat: x #12", None);
        check("feat: x (#99999999999999999999999)", None);
        assert_eq!(parse("feat: x (#12)").description, "x (#12)");
    }

    proptest! {
        #[test]
        fn no_message_makes_the_parser_panic(message in any::<String>()) {
            parse(&message);
        }

        #[test]
        fn nor_one_made_of_the_parsers_own_words(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "feat", "(", ")", "!", ": ", ":", "\n", "\n\n", "* ", "- ", "(#", "1", "BREAKING CHANGE: ", "ä", "\r\n",
                    "This reverts commit ", "abcdef1", "Refs: ", " #", "Merge pull request #", "Revert \"", "\"", "\u{feff}",
                ]),
                0..24,
            )
        ) {
            let message = words.concat();
            let parsed = parse(&message);
            prop_assert_eq!(parsed.conventional, parsed.kind.is_some());
        }

        /// Where ours calls a header conventional, so does the reference crate, and they read the same.
        #[test]
        fn the_reference_crate_agrees(
            kind in "[a-zA-Z]{1,8}", scope in prop::option::of("[a-z/-]{1,8}"), bang in any::<bool>(), text in "[a-z][a-z :()#0-9]{0,20}"
        ) {
            let scope_text = scope.as_ref().map(|scope| format!("({scope})")).unwrap_or_default();
            let header = format!("{kind}{scope_text}{}: {text}", if bang { "!" } else { "" });
            let ours = parse(&header);
            let theirs = git_conventional::Commit::parse(&header).expect("it is conventional");
            prop_assert_eq!(ours.kind, Some(theirs.type_().as_str().to_lowercase()));
            prop_assert_eq!(ours.scope.as_deref(), theirs.scope().map(|scope| scope.as_str()));
            prop_assert_eq!(ours.breaking, theirs.breaking());
            prop_assert_eq!(ours.description.as_str(), theirs.description().trim());
        }
    }
}
