use super::*;
use flywheel_events::{Fact as _, LicenseFile};
use proptest::prelude::*;

const GOOD: &str = "# Flywheel\n\nTurns sessions into artifacts.\n\n## Install\n\n```sh\ncargo install --path .\n```\n\n\
    ## Usage\n\n```sh\nflywheel run\n```\n\nSee [the source](src/main.rs) and [above](#install).\n\n\
    ## Contributing\n\nOpen a pull request.\n\n## Licence\n\nMIT, see the file.\n";

fn failed(text: &str, scan: &RepoScanned) -> Vec<String> {
    let score = score(text, scan);
    assert_eq!(score.score, 100 - score.rules.iter().filter(|rule| !rule.passed).map(|rule| rule.points).sum::<u32>());
    score.rules.into_iter().filter(|rule| !rule.passed).map(|rule| format!("{}: {}", rule.rule, rule.note)).collect()
}

#[test]
fn the_rules_are_worth_a_hundred() {
    assert_eq!(RULES.map(|rule| rule.1), [10, 15, 15, 10, 10, 15, 5, 5, 5, 5, 5]);
    assert_eq!(RULES.iter().map(|rule| rule.1).sum::<u32>(), 100);
}

#[test]
fn a_good_readme_has_all_points() {
    let score = score(GOOD, &RepoScanned::example());
    assert_eq!((score.clean, score.score, score.blockers.len()), (true, 100, 0), "{:?}", score.rules);
}

#[test]
fn each_rule_fails_by_its_own_fault() {
    let long = format!("{GOOD}{}", "\nA line.\n".repeat(60));
    for (text, expect) in [
        (
            GOOD.replace("Turns sessions into artifacts.\n\n", ""),
            "title and description: no description under the title",
        ),
        (GOOD.replace("## Usage", "# Usage"), "title and description: 2 headings of the first level"),
        (format!("Hello.\n\n{GOOD}"), "title and description: the title does not come first"),
        (
            GOOD.replace("cargo install --path .", "pip install x"),
            "install: no command of the install section matches the manifest",
        ),
        (GOOD.replace("## Install", "## Other").replace("#install", "#other"), "install: no install section"),
        (
            GOOD.replace("```sh\nflywheel", "```\nflywheel"),
            "usage: no fenced block with a language in the usage section",
        ),
        (GOOD.replace("MIT,", "Apache 2.0,"), "licence: the licence section does not name MIT"),
        (GOOD.replace("Open a", "TODO: open a"), "no placeholders, secrets or absolute paths: the placeholder `TODO`"),
        (GOOD.replace("src/main.rs", "lib/main.rs"), "links resolve: `lib/main.rs` leads nowhere"),
        (GOOD.replace("#install", "#setup"), "links resolve: `#setup` leads nowhere"),
        (format!("{GOOD}\n![](src/a.png)\n"), "images have alt text: the image `src/a.png` has none"),
        (format!("{GOOD}\n<img src=\"src/a.png\">\n"), "images have alt text: the image `src/a.png` has none"),
        (format!("{GOOD}\n#### Deep\n"), "headings and fences: `Deep` skips a level"),
        (format!("{GOOD}\n## Usage\n"), "headings and fences: `Usage` stands twice side by side"),
        (format!("{GOOD}\n```\n"), "headings and fences: a code fence is not closed"),
        (
            GOOD.replace("## Contributing", "## More"),
            "contributing or support: no heading or link to contributing, support or issues",
        ),
        (GOOD.replace("Open a", "`lib/x.rs`: open a"), "commands and files exist: `lib/x.rs` is not in the repository"),
        (long.replace("[above](#install)", "above"), "table of contents: none, with 145 lines"),
    ] {
        assert_eq!(failed(&text, &RepoScanned::example()), [expect], "{text}");
    }
}

#[test]
fn a_secret_or_a_home_directory_blocks_whatever_the_score() {
    for (text, expect) in [
        ("/home/ann/work", "a path of somebody's machine in line 17"),
        ("[redacted:private-key]", "a secret stood in line 17 (private-key)"),
        ("[redacted:held-secret:GITHUB_TOKEN]", "a secret stood in line 17 (held-secret)"),
    ] {
        let score = score(&GOOD.replace("See [the", &format!("{text} See [the")), &RepoScanned::example());
        assert_eq!((score.clean, score.score, score.blockers), (false, 90, vec![expect.to_owned()]));
    }
    assert!(score(&GOOD.replace("See [the", "[redacted:email] [redacted:phone] [the"), &RepoScanned::example()).clean);
    assert!(score(&GOOD.replace("See [the", "https://example.org/home/ann [the"), &RepoScanned::example()).clean);
}

#[test]
fn what_the_scan_does_not_know_is_not_held_against_it() {
    let unread = RepoScanned {
        structure: None,
        manifest: None,
        license_file: Some(LicenseFile { path: "COPYING".into(), spdx: None }),
        ..RepoScanned::example()
    };
    assert_eq!(
        failed(&GOOD.replace("src/main.rs", "lib/a.rs").replace("the file", "COPYING"), &unread),
        Vec::<String>::new()
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), markup in "([#<>`\\[\\]()!%a /.\n-]|%zz|%C3|# a\n|```){0,40}") {
        for text in [text, markup] {
            prop_assert!(score(&text, &RepoScanned::example()).score <= 100);
        }
    }
}
