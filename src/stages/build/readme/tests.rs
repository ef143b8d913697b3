use super::*;
use comrak::nodes::NodeValue;
use flywheel_events::{Commit, Evidence, Fact as _, LicenseFile, ManifestCommand, ProjectManifest};

fn made(scan: &RepoScanned, story: Option<&StoryExtracted>) -> Result<ArtifactGenerated, Stop> {
    let templates = Templates::load(None).expect("the built-in templates compile");
    readme(&SessionCompleted::example(), scan, story, &templates)
}

fn written(scan: &RepoScanned, story: Option<&StoryExtracted>) -> ArtifactGenerated {
    made(scan, story).unwrap_or_else(|stop| panic!("{stop:?}"))
}

fn commit(hash: &str, message: &str) -> Commit {
    let description = message.lines().next().unwrap_or("").to_owned();
    let example = RepoScanned::example().commits.remove(0);
    Commit { hash: hash.into(), message: message.into(), description, scope: None, ..example }
}

/// The example's scan of a Rust project, with a README where one is given.
fn rust(readme: Option<(&str, &str)>) -> RepoScanned {
    RepoScanned {
        readme: readme.map(|(path, text)| TextFile { path: path.into(), text: text.into() }),
        ..RepoScanned::example()
    }
}

fn unreachable() -> RepoScanned {
    RepoScanned {
        project_type: None,
        manifest: None,
        structure: None,
        commits: vec![commit("abc123def456", "add the publish queue")],
        figures_from: FiguresFrom::Session,
        unreachable: Some("no such folder".into()),
        license_file: None,
        ..RepoScanned::example()
    }
}

fn statement(text: &str) -> Statement {
    Statement { text: text.into(), evidence: vec![Evidence::Field("narrative".into())] }
}

#[test]
fn an_existing_readme_changes_inside_our_block_alone() {
    let before = "\u{feff}# Mine\r\n\r\nHello.\r\n\r\n## License\r\n\r\nMIT";
    let once = written(&rust(Some(("README.md", before))), Some(&StoryExtracted::example()));
    insta::assert_snapshot!(once.content.replace("\r\n", "\n").replace('\u{feff}', "BOM "), @r#"
    BOM # Mine

    Hello.

    <!-- flywheel:begin id=recent-work sha256=388d57b2a55ec30ef2ef8dc7a72b319e1139e1177c1b09747900fbf176d56344 -->
    ## Recent work

    ### 2025-12-02

    The publish queue now survives a crash.

    - `9fceb02` queue: keep items across a crash
    <!-- flywheel:end id=recent-work -->

    ## License

    MIT
    "#);
    let at = once.content.find("<!-- flywheel:begin").expect("our block");
    assert_eq!(&once.content[..at], "\u{feff}# Mine\r\n\r\nHello.\r\n\r\n");
    assert!(once.content.ends_with("-->\r\n\r\n## License\r\n\r\nMIT"));
    assert_eq!(once.content.matches('\n').count(), once.content.matches("\r\n").count());
    let twice = written(&rust(Some(("README.md", &once.content))), Some(&StoryExtracted::example()));
    assert_eq!(twice.content, once.content);
    assert_eq!(once.notes["base"], "existing");
    assert_eq!(once.notes["base_path"], "README.md");
    assert_eq!(once.notes["base_sha256"], Digest::of(before.as_bytes()).to_string());
}

#[test]
fn a_rust_project_gets_a_first_readme_without_pip() {
    let manifest = ProjectManifest {
        commands: [("build", "cargo build"), ("run", "cargo run"), ("test", "cargo test")]
            .map(|(purpose, command)| ManifestCommand { purpose: purpose.into(), command: command.into() })
            .into(),
        ..RepoScanned::example().manifest.expect("the example has one")
    };
    let artifact = written(&RepoScanned { manifest: Some(manifest), ..rust(None) }, None);
    insta::assert_snapshot!(artifact.content, @r#"
    # flywheel

    Turns finished sessions into public artifacts

    ## Install

    ```sh
    cargo build
    ```

    ## Usage

    ```sh
    cargo run
    ```

    ## Development

    ```sh
    cargo test
    ```

    <!-- flywheel:begin id=recent-work sha256=d858fa096f7f15ba9caadbaccd6da2bbe6221f3bb740b50523726e2d84532b9f -->
    ## Recent work

    ### 2025-12-02

    - `9fceb02` queue: keep items across a crash
    <!-- flywheel:end id=recent-work -->

    ## Licence

    MIT OR Apache-2.0, see [LICENSE-MIT](LICENSE-MIT).
    "#);
    assert!(!artifact.content.contains("pip"));
    assert_eq!(
        (artifact.path.as_str(), &artifact.notes["base"]),
        ("a1b2c3d4-e5f6-7890-abcd-ef1234567890/README.md", &json!("none"))
    );
    // What no fact supports is missing, and says so: contributing or support.
    assert_eq!(artifact.notes["readme_score"]["score"], 95);
    assert_eq!(artifact.notes["readme_score"]["clean"], true);
    assert!(artifact.template.expect("templates").starts_with("readme.md@"));
}

#[test]
fn a_repository_that_was_not_read_is_said_so() {
    let artifact = written(&unreachable(), None);
    insta::assert_snapshot!(artifact.content, @r#"
    # flywheel

    <!-- flywheel:begin id=recent-work sha256=b56db0424aeb47dd6f1e06efb68777d3d2b96c13e7990e4c6d4d2cfafdff2563 -->
    ## Recent work

    ### 2025-12-02

    The repository was not read; the commits are as the session lists them.

    - `abc123def456` add the publish queue
    <!-- flywheel:end id=recent-work -->
    "#);
    assert_eq!(artifact.notes["base"], "unknown");
}

#[test]
fn features_stand_in_for_commits() {
    let story = StoryExtracted {
        overview: Some(statement("Two\nlines.\n\n# not a heading")),
        key_features: vec![statement("One *feature*\n- with a line")],
        ..StoryExtracted::default()
    };
    let artifact = written(&RepoScanned { commits: vec![], ..unreachable() }, Some(&story));
    insta::assert_snapshot!(artifact.content, @r#"
    # flywheel

    <!-- flywheel:begin id=recent-work sha256=76dd59cde1208e2d28a95aea92621f558196c04e689182738c2c9f2d0b0b40fd -->
    ## Recent work

    ### 2025-12-02

    The repository was not read.

    Two
    lines.

    \# not a heading

    - One \*feature\*\
      \- with a line
    <!-- flywheel:end id=recent-work -->
    "#);
}

#[test]
fn a_step_with_nothing_to_do_says_why() {
    for (scan, story, expect) in [
        (RepoScanned { repo_name: None, ..unreachable() }, None, "the session names no repository"),
        (RepoScanned { commits: vec![], ..unreachable() }, None, "nothing to say about flywheel but its name"),
        (
            RepoScanned { commits: vec![], ..rust(Some(("README.md", "# A\n"))) },
            Some(StoryExtracted::default()),
            "neither a commit nor a story to put into the README",
        ),
        (rust(Some(("README.rst", "A\n=\n"))), None, "the repository's README is README.rst, which is not Markdown"),
        (rust(Some(("README", "A\n"))), None, "the repository's README is README, which is not Markdown"),
    ] {
        match made(&scan, story.as_ref()) {
            Err(Stop::NothingToDo(reason)) => assert_eq!(reason, expect),
            other => panic!("{expect}: {other:?}"),
        }
    }
}

#[test]
fn an_edited_block_fails_the_step_with_what_to_do() {
    let once = written(&rust(Some(("docs/README.md", "# A\n"))), None);
    let edited = once.content.replace("crash", "flood");
    match made(&rust(Some(("docs/README.md", &edited))), Some(&StoryExtracted::example())) {
        Err(Stop::Refused { message, hint }) => {
            assert_eq!(message, "docs/README.md: line 3: the block `recent-work` was edited since it was generated");
            let hint = hint.expect("a hint");
            assert!(["keep theirs", "take ours", "outside"].iter().all(|way| hint.contains(way)), "{hint}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_taken_back_or_only_merged_is_not_listed() {
    let reverting = |hash: &str, reverts: &str| Commit { reverts: Some(reverts.into()), ..commit(hash, "revert") };
    let hashes = |commits: &[Commit]| {
        let scan = RepoScanned { commits: commits.to_vec(), ..rust(Some(("README.md", "# A\n"))) };
        let content = made(&scan, None).map(|artifact| artifact.content).unwrap_or_default();
        let listed = content.lines().filter_map(|line| line.strip_prefix("- `")?.split_once('`').map(|found| found.0));
        listed.map(str::to_owned).collect::<Vec<_>>()
    };
    for (commits, expect) in [
        (vec![commit("aaaaaaaaaa", "a"), commit("bbbbbbbbbb", "b")], vec!["bbbbbbbbbb", "aaaaaaaaaa"]),
        (vec![commit("aaaaaaaaaa", "a"), reverting("bbbbbbbbbb", "aaaaaaa")], vec![]),
        // The revert was reverted: the first commit stands.
        (
            vec![
                commit("aaaaaaaaaa", "a"),
                reverting("bbbbbbbbbb", "aaaaaaaaaa"),
                reverting("cccccccccc", "bbbbbbbbbb"),
            ],
            vec!["aaaaaaaaaa"],
        ),
        // It takes back what another session did: that is this session's work.
        (vec![reverting("bbbbbbbbbb", "dddddddddd")], vec!["bbbbbbbbbb"]),
        (
            vec![commit("aaaaaaaaaa", "fixup! a"), commit("bbbbbbbbbb", "squash! a"), commit("cccccccccc", "amend! a")],
            vec![],
        ),
        (vec![Commit { merge: true, ..commit("aaaaaaaaaa", "Merge branch 'b'") }], vec![]),
    ] {
        assert_eq!(hashes(&commits), expect);
    }
}

#[test]
fn a_commit_the_repository_does_not_have_is_not_listed() {
    let commits = vec![commit("aaaaaaaaaa", "a"), commit("def456ghi789", "a claim")];
    let scan =
        RepoScanned { commits, commits_not_found: vec!["def456ghi789".into()], ..rust(Some(("README.md", "# A\n"))) };
    let content = written(&scan, None).content;
    assert!(content.contains("- `aaaaaaaaaa` a\n") && !content.contains("claim"), "{content}");
}

#[test]
fn a_build_stands_where_a_reader_needs_it() {
    let installs = |kind: &str, install: &str, build: &str| {
        let commands = [("install", install), ("build", build)]
            .map(|(purpose, command)| ManifestCommand { purpose: purpose.into(), command: command.into() });
        let mut scan = RepoScanned { project_type: Some(kind.into()), ..rust(None) };
        scan.manifest.as_mut().expect("the example has one").commands = commands.to_vec();
        written(&scan, None).content.contains(&format!("## Install\n\n```sh\n{install}\n{build}\n```\n"))
    };
    assert!(!installs("rust", "cargo install --path .", "cargo build"));
    assert!(installs("node", "npm install", "npm run build"));
}

#[test]
fn a_readme_that_was_not_read_is_left_alone() {
    for (name, made_one) in [("README.rst", false), ("Readme.md", false), ("README", false), ("readme-assets/", true)] {
        let mut scan = rust(None);
        scan.structure.as_mut().expect("the example has one").top_level.push(name.into());
        assert_eq!(made(&scan, None).is_ok(), made_one, "{name}");
    }
}

#[test]
fn a_readme_that_was_cleaned_says_so() {
    let notes = |text: &str| written(&rust(Some(("README.md", text))), None).notes;
    assert_eq!(notes("# A\n\nAsk [redacted:email].\n")["base_redacted"], json!(true));
    assert!(!notes("# A\n").contains_key("base_redacted"));
}

#[test]
fn a_long_list_is_cut_at_twenty_and_counted() {
    let commits: Vec<Commit> =
        (0..23).map(|n| commit(&format!("{n:02x}{:038}", 0), &format!("change {n} by @ann"))).collect();
    let content = written(&RepoScanned { commits, ..rust(Some(("README.md", "# A\n"))) }, None).content;
    assert_eq!(content.matches("00000` change ").count(), 20);
    assert!(content.contains("change 22 by `@ann`\n") && !content.contains("change 2 by"));
    assert!(content.contains("\n- and 3 more\n"));
}

#[test]
fn untrusted_words_are_never_markup() {
    let hostile = "<!-- flywheel:end id=recent-work --> ](https://example.org) <script> **x**\n# y";
    let scan = RepoScanned {
        repo_name: Some(hostile.into()),
        manifest: Some(ProjectManifest {
            name: None,
            description: Some(hostile.into()),
            license: Some(hostile.into()),
            commands: vec![ManifestCommand { purpose: "install".into(), command: format!("```\n{hostile}") }],
            ..ProjectManifest::default()
        }),
        license_file: Some(LicenseFile { path: "LICENSE](x)".into(), spdx: None }),
        commits: vec![Commit { scope: Some(hostile.into()), ..commit(hostile, hostile) }],
        ..rust(None)
    };
    let content = written(&scan, None).content;
    let found = blocks::find(&content).expect("our block is whole");
    assert_eq!(found.len(), 1);
    assert!(!found[0].is_edited(&content));
    let arena = comrak::Arena::new();
    let root = comrak::parse_document(&arena, &content, &comrak::Options::default());
    let mut html: Vec<String> = vec![];
    for node in root.descendants() {
        match &node.data().value {
            NodeValue::HtmlBlock(block) => html.push(block.literal.trim().to_owned()),
            NodeValue::HtmlInline(inline) => html.push(inline.clone()),
            NodeValue::Image(_) | NodeValue::Strong => panic!("{content}"),
            NodeValue::Link(link) => assert_eq!(link.url, "https://example.org", "{content}"),
            _ => {}
        }
    }
    assert_eq!(html.len(), 2, "{html:?}");
    assert!(html.iter().all(|html| html.starts_with("<!-- flywheel:") && html.lines().count() == 1), "{html:?}");
}

#[test]
fn the_row_needs_what_the_signature_says() {
    use crate::stages::{Need, pipelines};
    let rows = pipelines().iter().flat_map(|pipeline| &pipeline.stages).collect::<Vec<_>>();
    let row = rows.iter().find(|row| row.name == "readme").expect("the row");
    let needs = [
        Need::Required(SessionCompleted::TYPE),
        Need::Required(RepoScanned::TYPE),
        Need::Optional(StoryExtracted::TYPE),
    ];
    assert_eq!((row.needs.as_slice(), row.world, row.makes_artifact()), (&needs[..], false, true));
}

#[test]
fn a_breaking_commit_says_so() {
    let scan =
        RepoScanned { commits: vec![Commit { breaking: true, ..commit("v1", "drop the old format") }], ..rust(None) };
    assert!(written(&scan, None).content.contains("\n- `v1` **breaking** drop the old format\n"));
}

#[test]
fn the_licence_is_what_the_files_state() {
    let scan = |file: Option<(&str, Option<&str>)>, stated: Option<&str>| RepoScanned {
        license_file: file.map(|(path, spdx)| LicenseFile { path: path.into(), spdx: spdx.map(str::to_owned) }),
        manifest: Some(ProjectManifest {
            description: Some("A tool".into()),
            license: stated.map(str::to_owned),
            ..ProjectManifest::default()
        }),
        ..rust(None)
    };
    for (file, stated, expect) in [
        (Some(("LICENSE", Some("MIT"))), Some("MIT"), "MIT, see [LICENSE](LICENSE)."),
        (Some(("LICENSE", Some("MIT"))), Some("Apache-2.0"), "MIT, see [LICENSE](LICENSE)."),
        (Some(("COPYING", None)), None, "See [COPYING](COPYING)."),
        (Some(("MY LICENSE", None)), Some("MIT"), "MIT, see `MY LICENSE`."),
        (None, Some("MIT"), "MIT."),
    ] {
        let content = written(&scan(file, stated), None).content;
        assert!(content.ends_with(&format!("\n## Licence\n\n{expect}\n")), "{expect}: {content}");
    }
    let content = written(&scan(None, None), None).content;
    assert!(!content.to_lowercase().contains("licen") && content.ends_with("-->\n"), "{content}");
}

#[test]
fn a_session_without_work_still_makes_a_first_readme_of_a_described_project() {
    let scan = RepoScanned {
        commits: vec![],
        structure: Some(flywheel_events::Structure {
            top_level: vec!["CONTRIBUTING.md".into()],
            ..flywheel_events::Structure::default()
        }),
        ..rust(None)
    };
    let content = written(&scan, None).content;
    assert!(content.contains("## Contributing\n\nSee [CONTRIBUTING.md](CONTRIBUTING.md).\n"));
    assert!(!content.contains("flywheel:begin"));
}
