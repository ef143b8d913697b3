//! The build pipeline's texts, from session file to Markdown.

use super::{build_log, social, story};
use crate::{stages::Stop, story::changelog::tests::commit, templates::Templates};
use flywheel_events::{
    ArtifactGenerated, Commit, Fact as _, FiguresFrom, FileChange, RepoScanned, RepoStats, SessionCompleted, SquashItem,
};
use serde_json::{Value, json};

fn session(value: Value) -> SessionCompleted {
    serde_json::from_value(value).unwrap()
}

/// What a scan gives where the repository is out of reach.
fn unreachable(commits: Vec<Commit>) -> RepoScanned {
    RepoScanned {
        repo_name: Some("Agent_Cellphone_V2_Repository".into()),
        project_type: None,
        manifest: None,
        structure: None,
        stats: RepoStats { commits: commits.len() as u64, ..RepoStats::default() },
        commits,
        figures_from: FiguresFrom::Session,
        unreachable: Some("the repository is not on this machine".into()),
        readme: None,
        license_file: None,
        commits_not_found: vec![],
        warnings: vec![],
    }
}

struct Texts {
    log: Result<ArtifactGenerated, Stop>,
    post: Result<ArtifactGenerated, Stop>,
}

fn texts(session: &SessionCompleted, scan: Option<&RepoScanned>) -> Texts {
    let templates = Templates::load(None).unwrap();
    let story = story(session, scan).unwrap();
    Texts {
        log: build_log(session, scan, Some(&story), &templates),
        post: social(session, scan, Some(&story), &templates),
    }
}

/// The text as a snapshot, its template's digest masked: a template may change without its text.
macro_rules! snapshot {
    ($name:literal, $artifact:expr) => {
        let artifact = $artifact.unwrap();
        let template = artifact.template.expect("a template");
        let name = template.split_once('@').expect("a version").0;
        insta::assert_snapshot!($name, artifact.content.replace(&template, &format!("{name}@…")));
    };
}

fn guide() -> (SessionCompleted, RepoScanned) {
    let session = session(json!({
        "session_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
        "session_type": "build",
        "timestamp": "2025-12-02T05:20:00Z",
        "agent_id": "Agent-7",
        "metadata": {
            "duration_minutes": 120, "files_changed": 8, "commits": 3, "lines_added": 450, "lines_removed": 120
        },
        "source_data": {
            "repo_path": "Agent_Cellphone_V2_Repository",
            "git_commits": [
                {
                    "hash": "abc123def456", "message": "feat: Add Phase 3 publication system",
                    "author": "Agent-7", "timestamp": "2025-12-02T05:15:00Z",
                    "files": [
                        "systems/output_flywheel/publication/publish_queue_manager.py",
                        "systems/output_flywheel/publication/github_publisher.py"
                    ]
                },
                {
                    "hash": "def456ghi789", "message": "feat: Add website publisher",
                    "author": "Agent-7", "timestamp": "2025-12-02T05:18:00Z",
                    "files": ["systems/output_flywheel/publication/website_publisher.py"]
                }
            ]
        }
    }));
    let files = |files: &[String]| {
        let file = |path: &String| FileChange { path: path.clone(), renamed_from: None, added: None, removed: None };
        files.iter().map(file).collect()
    };
    let records = session.source_data.git_commits.iter();
    let commits = records.map(|record| Commit {
        files: files(&record.files),
        ..commit(&record.hash, record.message.as_deref().unwrap())
    });
    let scan = unreachable(commits.collect());
    (session, scan)
}

#[test]
fn the_guides_session() {
    let (session, scan) = guide();
    let texts = texts(&session, Some(&scan));
    snapshot!("guide_build_log", texts.log);
    snapshot!("guide_social_post", texts.post);
}

#[test]
fn a_session_that_names_only_deliverables() {
    let session = session(json!({
        "session_id": "12c9458e-892f-49a9-889d-74538fa37234",
        "session_type": "build",
        "timestamp": "2025-12-02T03:00:00Z",
        "agent_id": "Agent-5",
        "metadata": {
            "duration_minutes": 140, "files_changed": 7, "commits": 0, "lines_added": 670, "lines_removed": 0
        },
        "source_data": { "repo_path": "Agent_Cellphone_V2_Repository" },
        "deliverables": [
            "systems/output_flywheel/metrics_monitor.py",
            "systems/output_flywheel/output_flywheel_usage_tracker.py",
            "docs/metrics/OUTPUT_FLYWHEEL_METRICS_GUARDRAILS.md",
            "systems/output_flywheel/END_OF_SESSION_GUIDE.md",
            "agent_workspaces/Agent-5/GUARDRAIL_IMPLEMENTATION_COMPLETE.md",
            "agent_workspaces/Agent-5/OUTPUT_FLYWHEEL_USAGE_SETUP_COMPLETE.md"
        ]
    }));
    let texts = texts(&session, Some(&unreachable(vec![])));
    snapshot!("deliverables_build_log", texts.log);
    snapshot!("deliverables_social_post", texts.post);
}

#[test]
fn a_session_that_tells_what_it_achieved() {
    let session = session(json!({
        "session_id": "7670d1d3-bf6e-40c1-b382-43e13f968ff6",
        "session_type": "build",
        "timestamp": "2025-12-02T11:11:35.760573Z",
        "agent_id": "Agent-3",
        "metadata": {
            "duration_minutes": 120, "files_changed": 5, "commits": 0, "lines_added": 850, "lines_removed": 50,
            "session_summary": "WordPress deployment automation hardening, SFTP credential troubleshooting, test suite validation, file locking fix review, infrastructure improvements"
        },
        "source_data": {
            "repo_path": "Agent_Cellphone_V2_Repository",
            "key_achievements": [
                "WordPress SFTP connection hardening with detailed diagnostics and retry logic",
                "WordPress Admin automation improvements (auto-login, dry-run mode)",
                "SFTP credential troubleshooter tool created (350 lines, V2 compliant)",
                "Test suite validation complete (system ready for file deletions)",
                "File locking fix validated (Agent-7's retry logic approved)",
                "WordPress deployment automation hardening reports created"
            ],
            "tools_created": [
                "tools/sftp_credential_troubleshooter.py",
                "tools/deploy_freeride_functions.py",
                "agent_workspaces/Agent-3/SFTP_CREDENTIAL_FIX_GUIDE.md",
                "agent_workspaces/Agent-3/WORDPRESS_SFTP_HARDENING_REPORT.md",
                "agent_workspaces/Agent-3/WORDPRESS_ADMIN_AUTOMATION_STATUS.md"
            ],
            "infrastructure_improvements": [
                "Enhanced ConnectionManager with stage-aware diagnostics",
                "Added retry logic with exponential backoff for SFTP operations",
                "Improved WordPress Admin automation with auto-login support",
                "Added --dry-run/--verify-only mode for safe testing",
                "Enhanced error handling and logging throughout"
            ]
        }
    }));
    let texts = texts(&session, None);
    snapshot!("achievements_build_log", texts.log);
    snapshot!("achievements_social_post", texts.post);
}

/// A repository session with everything in it.
fn whole() -> (SessionCompleted, RepoScanned) {
    let session = session(json!({
        "session_id": "b1b2c3d4-e5f6-7890-abcd-ef1234567890",
        "session_type": "build",
        "timestamp": "2025-12-02T05:20:00-06:00",
        "agent_id": "Agent-7",
        "metadata": { "duration_minutes": 95, "commits": 12, "lines_added": 300, "lines_removed": 20 },
        "source_data": {
            "conversations": [
                { "source": "captain", "content": "Make the queue survive a crash." },
                { "source": "aria", "content": "We tried it on \"real\" data & it held.\nLesson: write first, then acknowledge." }
            ]
        },
        "problems": ["Items were lost when the process died."],
        "solutions": ["Each item is written before it is acknowledged."],
        "deliverables": ["src/queue.rs", "docs/queue.md"],
        "test_results": { "passed": 41, "failed": 0 }
    }));
    let squash =
        SquashItem { kind: Some("feat".into()), scope: Some("cli".into()), description: "print positions".into() };
    let file = FileChange { path: "src/queue.rs".into(), renamed_from: None, added: Some(280), removed: Some(20) };
    let commits = vec![
        Commit {
            files: vec![file],
            ..commit("1111111a", "feat(queue): keep items\n\nThey are written first,\nthen acknowledged.")
        },
        commit("2222222a", "fix(queue): close the file\n\nIt stayed open on error."),
        commit("3333333a", "feat: blink"),
        commit("4444444a", "Revert \"feat: blink\"\n\nThis reverts commit 3333333a.\n\nNobody wanted it."),
        commit("5555555a", "Merge branch 'main'"),
        commit("6666666a", "fixup! feat(queue): keep items"),
        Commit {
            squash_items: vec![squash],
            ..commit("7777777a", "feat: a command line\n\n* feat(cli): print positions")
        },
        Commit { breaking_note: Some("the old file is not read".into()), ..commit("8888888a", "refactor!: one file") },
        commit("9999999a", "\"ship it\" & sail"),
    ];
    let scan = RepoScanned {
        stats: RepoStats { files_changed: Some(4), lines_added: Some(1280), lines_removed: Some(20), commits: 9 },
        commits_not_found: vec!["abcabcabc".into()],
        commits,
        ..RepoScanned::example()
    };
    (session, scan)
}

#[test]
fn a_session_with_a_repository() {
    let (session, scan) = whole();
    let texts = texts(&session, Some(&scan));
    let notes = texts.log.as_ref().unwrap().notes.clone();
    assert_eq!(
        Value::from(notes),
        json!({ "claims": [
            { "what": "Commits", "claimed": 12, "found": 9 },
            { "what": "Lines added", "claimed": 300, "found": 1280 },
        ]})
    );
    snapshot!("whole_build_log", texts.log);
    let post = texts.post.unwrap().content;
    assert!(post.contains("New in flywheel: a command line; print positions; and 1 more."), "{post}");
    assert!(post.contains("Counted by git: 9 commits, 4 files changed, 1,280 lines added and 20 removed."), "{post}");
}

#[test]
fn what_the_repository_does_not_have_did_not_ship() {
    let (session, mut scan) = whole();
    scan.commits.push(commit("def456ghi789", "feat: a website"));
    scan.commits_not_found = vec!["def456ghi789".into()];
    let texts = texts(&session, Some(&scan));
    let log = texts.log.unwrap().content;
    let (shipped, claimed) = log.split_once("## Claimed but not found").unwrap();
    assert!(!shipped.contains("website") && claimed.contains("  - `def456ghi789` feat: a website\n"), "{log}");
    assert!(shipped.contains("; 1 listed commit is not in the repository"), "{log}");
    assert!(!texts.post.unwrap().content.contains("website"));
    scan.commits.clear();
    scan.commits_not_found.clear();
    scan.stats = RepoStats::default();
    let unknown = self::texts(&session, Some(&scan)).log.unwrap().content;
    assert!(unknown.contains("**Outcome:** which commits are its own, the session does not say; "), "{unknown}");
    assert!(!unknown.contains("Commits:") && !unknown.contains("Lines:"), "{unknown}");
}

#[test]
fn without_a_scan_the_listed_commits_are_read_all_the_same() {
    let (session, _) = guide();
    let log = texts(&session, None).log.unwrap().content;
    assert!(log.contains("shipped 2 features, as the session lists them"), "{log}");
    assert!(log.contains("- Add website publisher (`def456ghi789`)"), "{log}");
}

#[test]
fn a_lesson_and_a_scope_are_told_once_and_a_tools_line_never() {
    let (session, mut scan) = whole();
    scan.commits = vec![
        commit("1111111", "fix: one\n\nIt broke.\n\nLesson: look twice."),
        commit("3333333", "wip(api): half"),
        commit("2222222", "Two (#2)\n\nWhy.\n\n---------\n\nCo-authored-by: A"),
    ];
    let log = texts(&session, Some(&scan)).log.unwrap().content;
    assert_eq!(log.matches("look twice").count(), 1, "{log}");
    assert!(log.contains("\n- wip(api): half (`3333333`)\n"), "{log}");
    assert!(log.contains("It broke.") && log.contains("Why.") && !log.contains("---"), "{log}");
}

#[test]
fn a_session_without_evidence_is_told_in_short_and_not_posted() {
    let session = session(json!({
        "session_id": "00630e76-7543-4def-a35b-5a8489f0a05c",
        "session_type": "build",
        "timestamp": "2025-12-02T12:52:26.357065Z",
        "agent_id": "Agent-1",
        "metadata": {
            "agent_name": "Test Agent", "current_mission": "Test Mission", "completed_tasks": [], "achievements": [],
            "duration_minutes": -307
        },
        "source_data": { "repo_path": "tmp3dmu003m", "files_changed": [] }
    }));
    let texts = texts(&session, None);
    assert!(matches!(texts.post, Err(Stop::NothingToDo(_))));
    snapshot!("test_mission_build_log", texts.log);
}

#[test]
fn an_assignment_and_records_of_what_came_of_it() {
    let session = session(json!({
        "session_id": "a2b2c3d4-e5f6-7890-abcd-ef1234567890",
        "session_type": "build",
        "timestamp": "2025-12-02T05:16:00Z",
        "agent_id": "Agent-2",
        "metadata": { "duration_minutes": 45, "files_changed": 3, "commits": 0, "lines_added": 1200 },
        "source_data": { "conversations": [{
            "source": "captain",
            "content": "Phase 2 Architecture Blueprint assignment - design pipeline architecture, interface contracts, implementation guidance",
            "timestamp": "2025-12-02T03:17:00Z"
        }]},
        "deliverables": [
            { "type": "monitor", "file": "systems/output_flywheel/metrics_monitor.py", "lines": 340, "status": "complete" },
            { "type": "configuration", "file": "systems/output_flywheel/metrics_system.yaml", "status": "updated" }
        ]
    }));
    let texts = texts(&session, None);
    snapshot!("assignment_build_log", texts.log);
    snapshot!("assignment_social_post", texts.post);
}

/// What a reader sees of a Markdown text, and whether anything in it is markup that we did not write.
pub(crate) fn rendered(markdown: &str) -> (String, bool) {
    use comrak::nodes::NodeValue;
    let arena = comrak::Arena::new();
    let mut options = comrak::Options::default();
    options.extension.autolink = true;
    options.extension.table = true;
    let root = comrak::parse_document(&arena, markdown, &options);
    let (mut text, mut foreign) = (String::new(), false);
    for node in root.descendants() {
        match &node.data.borrow().value {
            NodeValue::Text(words) => text.push_str(words),
            NodeValue::Code(code) => text.push_str(&code.literal),
            NodeValue::CodeBlock(block) => text.push_str(&block.literal),
            NodeValue::SoftBreak | NodeValue::LineBreak => text.push('\n'),
            NodeValue::Paragraph | NodeValue::Item(_) => text.push('\n'),
            NodeValue::HtmlInline(_) | NodeValue::HtmlBlock(_) | NodeValue::Link(_) | NodeValue::Image(_) => {
                foreign = true;
            }
            _ => {}
        }
    }
    (text, foreign)
}

#[test]
fn how_it_went_opens_a_post_only_where_nothing_else_is_told() {
    let (mut session, scan) = whole();
    session.extra.insert("narrative".into(), json!("We looked at the log. Then we slept. Then we woke."));
    let with = texts(&session, Some(&scan)).post.unwrap().content;
    assert!(!with.contains("looked") && with.contains("New in flywheel: "), "{with}");
    let without = texts(&session, Some(&unreachable(vec![]))).post.unwrap().content;
    assert!(without.contains("Agent_Cellphone_V2_Repository: We looked at the log. Then we slept."), "{without}");
    session.extra.insert("session_summary".into(), json!("The queue holds"));
    let summed = texts(&session, Some(&scan)).post.unwrap().content;
    assert!(summed.contains("flywheel: The queue holds.") && summed.contains("A command line"), "{summed}");
}

#[test]
fn words_read_as_they_were_written() {
    let (mut session, mut scan) = whole();
    let words = "\"ship it\" & <b> [x](javascript:alert(1)) `code` **bold** {{ 7 * 7 }}";
    session.extra.insert("key_achievements".into(), json!([words]));
    session.extra.insert("narrative".into(), json!(words));
    session.extra.insert("lessons".into(), json!([words]));
    session.extra.insert("session_summary".into(), json!(words));
    scan.commits.push(commit("aaaaaaaa", &format!("feat: {words}\n\n{words}\n\n{words}")));
    let texts = texts(&session, Some(&scan));
    // In the log: title, feature, both paragraphs of its body, achievement and lesson; the narrative only repeats the title.
    for (content, times) in [(texts.log.unwrap().content, 6), (texts.post.unwrap().content, 1)] {
        let (text, foreign) = rendered(&content);
        assert_eq!(text.matches(words).count(), times, "{text}");
        assert!(!foreign, "{content}");
    }
}

#[test]
fn a_body_stays_in_its_item() {
    use comrak::nodes::NodeValue;
    let (session, mut scan) = whole();
    scan.commits = vec![
        commit("1111111", "feat: one\n\nFirst.\n\n# Second\n- third\n\n    fourth"),
        commit("2222222", "feat: two"),
    ];
    let log = texts(&session, Some(&scan)).log.unwrap().content;
    let arena = comrak::Arena::new();
    let root = comrak::parse_document(&arena, &log, &comrak::Options::default());
    let items = root.descendants().filter(|node| matches!(node.data.borrow().value, NodeValue::Item(_)));
    let words = |node: comrak::nodes::Node<'_>| {
        let texts = node.descendants().filter_map(|node| match &node.data.borrow().value {
            NodeValue::Text(text) => Some(text.to_string()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join(" ")
    };
    let items: Vec<String> = items.map(words).collect();
    let one = items.iter().find(|item| item.starts_with("one")).unwrap();
    assert!(["First.", "# Second", "third", "fourth"].iter().all(|part| one.contains(part)), "{one}");
    assert!(!one.contains("two"), "{one}");
    assert!(root.descendants().all(|node| !matches!(node.data.borrow().value, NodeValue::CodeBlock(_))));
}

#[test]
fn every_commit_of_a_long_session_is_in_its_log() {
    let (session, mut scan) = whole();
    let body = "Why it is so. ".repeat(60);
    scan.commits = (0..1_000).map(|i| commit(&format!("{i:07}"), &format!("feat: change {i}\n\n{body}"))).collect();
    let log = texts(&session, Some(&scan)).log.unwrap();
    assert!(log.size < 256 * 1024, "{}", log.size);
    assert!((0..1_000).all(|i| log.content.contains(&format!("(`{i:07}`)"))));
}

#[test]
fn one_field_cannot_make_an_artifact_too_large() {
    let long = "A <sentence> of it. ".repeat(40_000);
    let (mut session, mut scan) = whole();
    session.extra.insert("goal".into(), json!(long));
    session.extra.insert("lessons".into(), json!([long, long]));
    session.source_data.conversations[0].content.clone_from(&long);
    scan.commits[0].message = format!("feat: {long}\n\n{long}");
    scan.commits[0].description.clone_from(&long);
    let texts = texts(&session, Some(&scan));
    assert!(texts.log.unwrap().size < 256 * 1024);
    assert!(texts.post.unwrap().size < 4 * 1024);
    let (templates, creation) = (Templates::load(None).unwrap(), crate::stages::life_aria::extract(&session).unwrap());
    assert!(crate::stages::life_aria::devlog(&session, &creation, &templates).unwrap().size < 256 * 1024);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn no_input_makes_a_stage_panic(
        fields in proptest::collection::vec((0..crate::story::evidence::KNOWN.len(), "(?s).{0,60}", 0..4_u8), 0..8),
        messages in proptest::collection::vec(("[!-~]{1,12}", "(?s)(feat|fix: |Revert )?.{0,60}", "[a-f0-9]{0,9}"), 0..8),
        said in proptest::collection::vec("(?s)(Lessons?:|Problem: )?.{0,80}", 0..4),
        minutes in proptest::num::i64::ANY,
    ) {
        let mut all = json!({
            "session_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "session_type": "build",
            "timestamp": "2025-12-02T05:20:00Z", "agent_id": "Agent-7",
            "metadata": { "duration_minutes": minutes },
            "source_data": {
                "conversations": said.iter().map(|text| json!({ "content": text, "source": text })).collect::<Vec<_>>()
            },
        });
        for (row, text, shape) in fields {
            let value = match shape {
                0 => json!(text),
                1 => json!([text, { "file": text, "problem": [text] }, [text], 1.5]),
                2 => json!({ text.clone(): text }),
                _ => json!(u64::MAX),
            };
            all[crate::story::evidence::KNOWN[row].0] = value;
        }
        let session = session(all);
        let commits = messages.into_iter().map(|(hash, message, reverts)| Commit {
            reverts: Some(reverts),
            ..commit(&hash, &message)
        });
        let scan = unreachable(commits.collect());
        let texts = texts(&session, Some(&scan));
        proptest::prop_assert!(texts.log.is_ok());
        proptest::prop_assert!(texts.post.is_ok() || matches!(texts.post, Err(Stop::NothingToDo(_))));
        let creation = crate::stages::life_aria::extract(&session).unwrap();
        let templates = Templates::load(None).unwrap();
        for artifact in [
            crate::stages::life_aria::devlog(&session, &creation, &templates),
            crate::stages::life_aria::social(&session, &creation, &templates),
        ] {
            proptest::prop_assert!(artifact.is_ok() || matches!(artifact, Err(Stop::NothingToDo(_))));
        }
    }
}
