//! The stage against real repositories.

use super::*;
use crate::{git::testing::Sandbox, world::Origin};
use serde_json::{Value, json};
use std::path::Path;

fn session(metadata: Value, source_data: Value) -> SessionCompleted {
    serde_json::from_value(json!({
        "session_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
        "session_type": "build",
        "timestamp": "2025-12-02T12:00:00Z",
        "agent_id": "Agent-7",
        "metadata": metadata,
        "source_data": source_data,
    }))
    .unwrap()
}

/// A world that may read `root`, to which the session came as a file in `root`.
fn world(root: &Path, repo_path: Option<&str>) -> World {
    let origin = Origin { folder: root.to_owned(), repo_path: repo_path.map(str::to_owned), screenshots: vec![] };
    World { origins: Box::new(move |_| Ok(Some(origin.clone()))), roots: vec![root.to_owned()], ..World::nowhere() }
}

fn messages(scanned: &RepoScanned) -> Vec<&str> {
    scanned.commits.iter().map(|commit| commit.message.as_str()).collect()
}

#[test]
fn a_window_of_an_author_is_counted() {
    let sandbox = Sandbox::new();
    sandbox.write("Cargo.toml", "[package]\nname = \"wheel\"\nversion = \"1.2.3\"\nlicense = \"MIT\"\n");
    sandbox.write("src/main.rs", "fn main() {}\n");
    sandbox.write("README.md", "\u{feff}# wheel\r\n");
    sandbox.write(
        "LICENSE",
        "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy … sublicense",
    );
    sandbox.commit("chore: before", "2025-12-02T09:00:00Z");
    sandbox.grow("src/lib.rs", 3, "feat(core): a", "2025-12-02T10:30:00+0000");
    let signed = "fix: b\n\nSigned-off-by: A <a@example.org>";
    sandbox.grow("src/lib.rs", 4, signed, "2025-12-02T06:00:00-0600");
    sandbox.grow("src/other.rs", 4, "c", "2025-12-02T12:00:01Z");
    let scanned = scan(
        &session(json!({ "duration_minutes": 120, "commits": 99, "lines_added": 999 }), json!({})),
        &world(&sandbox.root, Some("repo")),
    )
    .unwrap();
    assert_eq!(messages(&scanned), ["feat(core): a", "fix: b\n\nSigned-off-by: A"]);
    assert_eq!(
        scanned.stats,
        RepoStats { files_changed: Some(1), lines_added: Some(7), lines_removed: Some(0), commits: 2 }
    );
    assert_eq!(scanned.commits[1].timestamp.unwrap().to_rfc3339(), "2025-12-02T06:00:00-06:00");
    assert_eq!(scanned.commits[0].scope.as_deref(), Some("core"));
    assert_eq!((scanned.figures_from, scanned.unreachable.as_deref()), (FiguresFrom::Repository, None));
    assert_eq!(scanned.repo_name.as_deref(), Some("wheel"));
    assert_eq!(scanned.project_type.as_deref(), Some("rust"));
    assert_eq!(scanned.readme.as_ref().unwrap().text, "\u{feff}# wheel\r\n");
    assert_eq!(scanned.license_file.as_ref().unwrap().spdx.as_deref(), Some("MIT"));
    let structure = scanned.structure.as_ref().unwrap();
    assert_eq!((structure.files, structure.directories), (6, 1));
    assert_eq!(structure.top_level, ["Cargo.toml", "LICENSE", "README.md", "src/"]);
    assert_eq!(structure.extensions["rs"], 3);
    let manifest = scanned.manifest.as_ref().unwrap();
    assert_eq!((manifest.version.as_deref(), manifest.license.as_deref()), (Some("1.2.3"), Some("MIT")));
    assert!(scanned.warnings.is_empty(), "{:?}", scanned.warnings);
    let text = serde_json::to_string(&scanned).unwrap();
    assert!(!text.contains("example.org") && !text.contains(sandbox.root.to_str().unwrap()), "{text}");
}

#[test]
fn a_list_is_looked_up_and_what_is_not_found_is_kept_as_told() {
    let sandbox = Sandbox::new();
    let one = sandbox.grow("a", 1, "feat: one", "2025-12-02T11:00:00Z");
    sandbox.grow("a", 1, "not listed", "2025-12-02T11:10:00Z");
    let hash = &one[..7];
    let scanned = scan(
        &session(
            json!({ "duration_minutes": 120 }),
            json!({ "repo_path": "repo", "git_commits": [
                { "hash": hash, "message": "lies", "files": ["x", "y"] },
                { "hash": "def456ghi789", "message": "feat: Add website publisher", "files": ["w.py"], "timestamp": "2025-12-02T11:05:00" },
                { "hash": hash },
            ] }),
        ),
        &world(&sandbox.root, Some("repo")),
    )
    .unwrap();
    assert_eq!(messages(&scanned), ["feat: one", "feat: Add website publisher"]);
    assert_eq!(scanned.commits[0].hash, one);
    assert_eq!(scanned.commits[0].files.len(), 1);
    assert_eq!(scanned.commits[1].files[0].added, None);
    assert_eq!(scanned.commits_not_found, ["def456ghi789"]);
    let counted = RepoStats { files_changed: Some(1), lines_added: Some(1), lines_removed: Some(0), commits: 1 };
    assert_eq!(scanned.stats, counted);
    assert_eq!(scanned.figures_from, FiguresFrom::Repository);
    assert_eq!(scanned.warnings.len(), 3, "{:?}", scanned.warnings);
    assert!(scanned.warnings[0].starts_with("source_data.git_commits[2].hash: "));
    assert!(scanned.warnings[1].starts_with("source_data.git_commits[1].timestamp: "));
    assert!(scanned.warnings[2].starts_with("1 more commit by the same author"));
}

#[test]
fn without_a_window_or_a_list_there_are_no_commits() {
    let sandbox = Sandbox::new();
    sandbox.grow("a", 1, "feat: one", "2025-12-02T11:00:00Z");
    for metadata in [json!({}), json!({ "duration_minutes": -307 })] {
        let scanned = scan(&session(metadata, json!({})), &world(&sandbox.root, Some("repo"))).unwrap();
        // Nobody counted: unknown is not zero.
        assert_eq!(scanned.stats, RepoStats::default());
        assert_eq!(scanned.warnings.len(), 1);
        assert!(scanned.warnings[0].contains("duration_minutes"), "{:?}", scanned.warnings);
    }
    let other = session(json!({ "duration_minutes": u64::MAX, "git_author": "Somebody" }), json!({}));
    let scanned = scan(&other, &world(&sandbox.root, Some("repo"))).unwrap();
    assert!(scanned.commits.is_empty() && scanned.warnings[0].contains("`Somebody`"), "{:?}", scanned.warnings);
}

#[test]
fn a_repository_that_is_not_reachable_leaves_the_sessions_own_words() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.root.join("plain")).unwrap();
    let told = json!({ "git_commits": [
        { "hash": "def456ghi789", "message": "feat: Add website publisher", "timestamp": "2025-12-02T05:18:00Z", "files": ["w.py", "p.py"] },
        { "hash": "abc123def456", "message": "Add publication", "timestamp": "2025-12-02T05:15:00Z", "files": ["p.py"] },
    ] });
    let check = |repo_path: &str, name: Option<&str>, reason: &str| {
        let claims = json!({ "files_changed": 8, "commits": 3, "lines_added": 450 });
        let scanned = scan(&session(claims, told.clone()), &world(&sandbox.root, Some(repo_path))).unwrap();
        assert_eq!(scanned.repo_name.as_deref(), name);
        assert_eq!(scanned.figures_from, FiguresFrom::Session);
        assert_eq!(messages(&scanned), ["Add publication", "feat: Add website publisher"]);
        let stats = RepoStats { files_changed: Some(2), lines_added: None, lines_removed: None, commits: 2 };
        assert_eq!(scanned.stats, stats);
        assert!(scanned.commits_not_found.is_empty());
        let why = scanned.unreachable.unwrap();
        assert!(
            why.contains(reason) && !why.contains(sandbox.root.to_str().unwrap()) && !why.contains("/etc"),
            "{why}"
        );
    };
    check("D:/Agent_Cellphone_V2_Repository", Some("Agent_Cellphone_V2_Repository"), "Windows path");
    check("C:\\Users\\USER\\tmp3dmu003m", Some("tmp3dmu003m"), "Windows path");
    check("nowhere", Some("nowhere"), "not on this machine");
    check("/etc", Some("etc"), "--repo-root");
    check("../..", None, "--repo-root");
    check("plain", Some("plain"), "is not a git repository");
}

#[test]
fn a_session_without_a_repository_has_its_records_or_nothing() {
    let sandbox = Sandbox::new();
    let nothing = scan(&session(json!({}), json!({})), &world(&sandbox.root, None));
    assert!(
        matches!(nothing, Err(Stop::NothingToDo(reason)) if reason == "the session names no repository and lists no commits")
    );
    let listed = session(json!({}), json!({ "git_commits": [{ "hash": "a" }] }));
    let scanned = scan(&listed, &world(&sandbox.root, None)).unwrap();
    assert_eq!((scanned.repo_name, scanned.stats.commits, scanned.stats.files_changed), (None, 1, None));
    // Without a file on this machine a path leads nowhere, and nothing is looked for.
    let nowhere = World { origins: Box::new(|_| Ok(None)), ..world(&sandbox.root, None) };
    let scanned = scan(&session(json!({}), json!({ "repo_path": "repo" })), &nowhere).unwrap();
    assert_eq!((scanned.repo_name.as_deref(), scanned.figures_from), (Some("repo"), FiguresFrom::Session));
}

#[test]
fn a_repository_without_commits_is_read() {
    let sandbox = Sandbox::new();
    let scanned =
        scan(&session(json!({ "duration_minutes": 5 }), json!({})), &world(&sandbox.root, Some("repo"))).unwrap();
    assert_eq!(scanned.stats.commits, 0);
    assert_eq!(scanned.repo_name.as_deref(), Some("repo"));
    assert_eq!(scanned.structure.unwrap().files, 0);
    assert_eq!(scanned.warnings, ["the repository has no commit at HEAD yet"]);
}

#[test]
fn a_merges_lines_are_counted_once_and_groups_sum_to_the_commits() {
    let sandbox = Sandbox::new();
    sandbox.grow("a", 1, "feat: root", "2025-12-02T11:00:00Z");
    sandbox.git(&["checkout", "-q", "-b", "side"]);
    sandbox.grow("b", 5, "fixup! feat: root", "2025-12-02T11:01:00Z");
    sandbox.git(&["checkout", "-q", "main"]);
    sandbox.grow("c", 7, "Other", "2025-12-02T11:02:00Z");
    sandbox.git_at(&["merge", "-q", "--no-ff", "-m", "Merge branch 'side'", "side"], "2025-12-02T11:03:00Z", "Agent-7");
    sandbox.git_at(&["revert", "--no-edit", "HEAD^1"], "2025-12-02T11:04:00Z", "Agent-7");
    let scanned =
        scan(&session(json!({ "duration_minutes": 60 }), json!({})), &world(&sandbox.root, Some("repo"))).unwrap();
    let stats = RepoStats { files_changed: Some(3), lines_added: Some(13), lines_removed: Some(7), commits: 5 };
    assert_eq!(scanned.stats, stats);
    assert_eq!(scanned.commits[4].reverts.as_deref(), Some(scanned.commits[2].hash.as_str()));
    use crate::commits::{Hidden, Place, place};
    assert_eq!(
        place(&scanned.commits),
        [
            Place::Entry,
            Place::Hidden(Hidden::Fixup),
            Place::RevertedBy(4),
            Place::Hidden(Hidden::Merge),
            Place::Reverts(2)
        ]
    );
}

#[test]
fn a_folder_inside_and_a_link_out_are_told_apart() {
    let sandbox = Sandbox::new();
    sandbox.grow("sub/a", 1, "feat: a", "2025-12-02T11:00:00Z");
    let inside = session(json!({ "duration_minutes": 60 }), json!({}));
    let scanned = scan(&inside, &world(&sandbox.root, Some("repo/sub"))).unwrap();
    assert_eq!((scanned.repo_name.as_deref(), scanned.stats.commits), (Some("repo"), 1));
    assert!(scanned.warnings[0].contains("inside a repository"), "{:?}", scanned.warnings);
    // A root inside the repository does not open what lies above it.
    let scanned = scan(&inside, &world(&sandbox.repo.join("sub"), Some("."))).unwrap();
    assert_eq!(scanned.figures_from, FiguresFrom::Session);
}

#[test]
fn a_session_from_elsewhere_finds_its_repository_by_name_where_somebody_put_it() {
    let sandbox = Sandbox::new();
    sandbox.grow("a", 2, "feat: a", "2025-12-02T11:00:00Z");
    sandbox.git_in(
        &sandbox.root,
        &["clone", "-q", "--mirror", "repo", "mirror.git"],
        "2025-12-02T11:00:00Z",
        "Agent-7",
    );
    std::fs::create_dir(sandbox.root.join("empty")).unwrap();
    let root = || vec![sandbox.root.clone()];
    let named = World { roots: root(), repositories: root(), ..World::nowhere() };
    let of = |path: &str, world: &World| {
        let session = session(json!({ "duration_minutes": 120 }), json!({ "repo_path": path }));
        scan(&session, world).unwrap()
    };
    for path in ["repo", "../repo/", "https://example.org/org/repo", "mirror"] {
        let scanned = of(path, &named);
        assert_eq!((scanned.figures_from, scanned.stats.commits), (FiguresFrom::Repository, 1), "{path}");
        assert!(scanned.warnings[0].contains("the repository that is here as"), "{:?}", scanned.warnings);
    }
    // Nothing of that name; no repository of its own; hidden; a folder that may be read and that nobody named.
    let inside = World { roots: root(), repositories: vec![sandbox.repo.clone()], ..World::nowhere() };
    std::fs::create_dir(sandbox.repo.join("sub")).unwrap();
    let unnamed = World { roots: root(), ..World::nowhere() };
    for (path, world) in [("other", &named), ("empty", &named), (".git", &inside), ("sub", &inside), ("repo", &unnamed)]
    {
        let scanned = of(path, world);
        assert_eq!(scanned.figures_from, FiguresFrom::Session, "{path}");
        assert!(scanned.unreachable.is_some_and(|why| why.contains("did not come from a file")), "{path}");
    }
}
