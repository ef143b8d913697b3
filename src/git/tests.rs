//! Against `git log --numstat` itself.
#![allow(clippy::disallowed_methods)]

use super::{testing::Sandbox, *};
use flywheel_events::{FileChange, stamp};
use std::{collections::BTreeMap, path::Path, time::Duration};

const LIMIT: Duration = Duration::from_secs(30);

fn open(sandbox: &Sandbox) -> Repo {
    Repo::open(&sandbox.repo, std::slice::from_ref(&sandbox.root), LIMIT).unwrap()
}

fn window(since: &str, until: &str) -> Window {
    Window { since: stamp::parse(since).unwrap(), until: Some(stamp::parse(until).unwrap()) }
}

const ALL: (&str, &str) = ("2025-12-01T00:00:00Z", "2025-12-31T00:00:00Z");

/// What `git log --numstat` says, by hash, its lines sorted.
fn numstat(sandbox: &Sandbox) -> BTreeMap<String, Vec<String>> {
    let answer =
        sandbox.git(&["-c", "core.quotePath=false", "log", "--branches", "HEAD", "-M", "--numstat", "--format=#%H"]);
    let mut by_hash: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut hash = String::new();
    for line in answer.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix('#') {
            Some(new) => {
                by_hash.insert(new.to_owned(), vec![]);
                new.clone_into(&mut hash);
            }
            None => by_hash.get_mut(&hash).unwrap().push(line.to_owned()),
        }
    }
    by_hash.values_mut().for_each(|lines| lines.sort());
    by_hash
}

/// One file as `git log --numstat` writes it.
fn line(file: &FileChange) -> String {
    let count = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
    let path = file.renamed_from.as_ref().map_or(file.path.clone(), |old| format!("{old} => {}", file.path));
    format!("{}\t{}\t{path}", count(file.added), count(file.removed))
}

#[test]
fn every_commit_is_counted_as_git_log_counts_it() {
    let sandbox = Sandbox::new();
    sandbox.write("old.txt", "a\nb\nc\nd\ne\n");
    sandbox.write("gone.txt", "x\ny\n");
    sandbox.write("data.bin", b"\0\x01\x02");
    sandbox.commit("feat: root", "2025-12-02T05:00:00-0600");
    std::fs::rename(sandbox.repo.join("old.txt"), sandbox.repo.join("new.txt")).unwrap();
    sandbox.write("new.txt", "a\nb\nc\nd\ne\nf\n");
    std::fs::remove_file(sandbox.repo.join("gone.txt")).unwrap();
    sandbox.write("data.bin", b"\0\x03");
    sandbox.write("with space,\u{e4}.txt", "1\n");
    sandbox.commit("fix: rename, delete, binary\n\nbody\n\nRefs: #1", "2025-12-02T05:01:00-0600");
    sandbox.git(&["checkout", "-q", "-b", "side"]);
    sandbox.grow("side.txt", 3, "side", "2025-12-02T05:02:00+0530");
    sandbox.git(&["checkout", "-q", "main"]);
    sandbox.grow("main.txt", 2, "main", "2025-12-02T05:03:00-0600");
    sandbox.git_at(
        &["merge", "-q", "--no-ff", "-m", "Merge branch 'side'", "side"],
        "2025-12-02T05:04:00-0600",
        "Agent-7",
    );
    sandbox.commit("empty", "2025-12-02T05:05:00-0600");

    let collected = collect(&open(&sandbox), window(ALL.0, ALL.1), None).unwrap();
    let expected = numstat(&sandbox);
    assert_eq!(collected.commits.len(), 6);
    assert_eq!(expected.len(), 6);
    for commit in &collected.commits {
        let mut lines: Vec<String> = commit.files.iter().map(line).collect();
        lines.sort();
        assert_eq!(lines, expected[&commit.hash], "{}", commit.message);
    }
    let renamed = &collected.commits[1];
    assert_eq!(renamed.message, "fix: rename, delete, binary\n\nbody\n\nRefs: #1");
    assert_eq!(
        renamed.files.iter().find(|file| file.renamed_from.is_some()).unwrap(),
        &FileChange { path: "new.txt".into(), renamed_from: Some("old.txt".into()), added: Some(1), removed: Some(0) }
    );
    // Oldest first, but no commit before its parent: at +05:30, `side` is earlier than the one it stands on.
    let order: Vec<(&str, String)> = collected
        .commits
        .iter()
        .map(|commit| (commit.message.lines().next().unwrap(), commit.timestamp.unwrap().to_rfc3339()))
        .collect();
    let expected = [
        ("feat: root", "2025-12-02T05:00:00-06:00"),
        ("fix: rename, delete, binary", "2025-12-02T05:01:00-06:00"),
        ("side", "2025-12-02T05:02:00+05:30"),
        ("main", "2025-12-02T05:03:00-06:00"),
        ("Merge branch 'side'", "2025-12-02T05:04:00-06:00"),
        ("empty", "2025-12-02T05:05:00-06:00"),
    ];
    assert_eq!(order, expected.map(|(message, stamp)| (message, stamp.to_owned())));
    let merge = collected.commits.iter().find(|commit| commit.parents.len() == 2).unwrap();
    assert!(merge.files.is_empty() && merge.clone().read().merge);
}

#[test]
fn a_window_has_both_its_ends_and_one_author() {
    let sandbox = Sandbox::new();
    for (name, date, author) in [
        ("before", "2025-12-02T09:59:59Z", "Agent-7"),
        ("first", "2025-12-02T04:00:00-0600", "Agent-7"),
        ("other", "2025-12-02T10:30:00Z", "Agent-77"),
        ("case", "2025-12-02T10:40:00Z", "AGENT-7"),
        ("last", "2025-12-02T12:00:00Z", "Agent-7"),
        ("after", "2025-12-02T12:00:01Z", "Agent-7"),
    ] {
        sandbox.write(name, name);
        sandbox.commit_as(name, date, author);
    }
    let repo = open(&sandbox);
    let names = |since: &str, until: &str, author: Option<&str>| {
        let collected = collect(&repo, window(since, until), author).unwrap();
        (collected.commits.iter().map(|c| c.message.clone()).collect::<Vec<_>>(), collected.by_others)
    };
    let names_of = |list: &[&str], others| (list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), others);
    let exact = ("2025-12-02T10:00:00Z", "2025-12-02T12:00:00Z");
    assert_eq!(names(exact.0, exact.1, Some("agent-7")), names_of(&["first", "case", "last"], 1));
    assert_eq!(names(exact.0, exact.1, Some("Agent-7 <a@b.c>")), names_of(&["first", "case", "last"], 1));
    assert_eq!(names(exact.0, exact.1, None), names_of(&["first", "other", "case", "last"], 0));
    assert_eq!(names(exact.0, exact.1, Some("gent-7")), names_of(&[], 4));
    assert_eq!(names(exact.0, exact.1, Some("a@b.c")), names_of(&[], 4));
    let fractions = ("2025-12-02T10:00:00.5Z", "2025-12-02T12:00:00.9Z");
    assert_eq!(names(fractions.0, fractions.1, Some("Agent-7")), names_of(&["case", "last"], 1));
}

#[test]
fn a_skewed_date_hides_nothing_before_it() {
    let sandbox = Sandbox::new();
    sandbox.grow("a", 1, "in the window", "2025-12-02T10:00:00Z");
    sandbox.grow("a", 1, "skewed", "1999-01-01T00:00:00Z");
    sandbox.grow("a", 1, "in it too", "2025-12-02T10:01:00Z");
    let collected = collect(&open(&sandbox), window("2025-12-02T09:00:00Z", "2025-12-02T11:00:00Z"), None).unwrap();
    let messages: Vec<&str> = collected.commits.iter().map(|commit| commit.message.as_str()).collect();
    assert_eq!(messages, ["in the window", "in it too"]);
}

#[test]
fn a_list_is_looked_up_by_hash_alone() {
    let sandbox = Sandbox::new();
    let one = sandbox.grow("a", 1, "one", "2025-12-02T10:00:00Z");
    let two = sandbox.grow("a", 1, "two", "2025-12-02T10:00:00Z");
    let three = sandbox.grow("a", 1, "three", "2025-12-02T10:00:00Z");
    sandbox.git(&["branch", "deadbeef"]);
    sandbox.git(&["reset", "-q", "--hard", &two]);
    let blob = sandbox.git(&["rev-parse", "HEAD:a"]);
    let upper = one[..10].to_uppercase();
    let hashes = [
        three.as_str(),
        &upper,
        "def456ghi789",
        &two,
        &one,
        "deadbeef",
        "HEAD",
        "--all",
        &blob,
        "abc",
        "0000000000000000000000000000000000000000",
        "",
        "HEAD^{/x}",
    ];
    let listed = listed(&open(&sandbox), &hashes).unwrap();
    let found: Vec<&str> = listed.commits.iter().map(|commit| commit.message.as_str()).collect();
    // Parents first, although the dates are equal and the list was the other way round.
    assert_eq!(found, ["one", "two", "three"]);
    assert_eq!(listed.not_found, [2, 5, 6, 7, 8, 9, 10, 11, 12]);
}

#[test]
fn an_ambiguous_hash_names_nothing() {
    let sandbox = Sandbox::new();
    // Of 17 commits, two share their first digit; of 4 digits a clash takes some hundreds, made in one go here.
    let mut stream = String::new();
    for index in 0..700 {
        let message = format!("commit {index}");
        stream += &format!(
            "commit refs/heads/many\ncommitter A <a@b> {} +0000\ndata {}\n{message}\n\n",
            1_764_583_200 + index,
            message.len()
        );
    }
    fast_import(&sandbox, &stream);
    let hashes = sandbox.git(&["log", "--format=%H", "many"]);
    let mut by_start: BTreeMap<&str, usize> = BTreeMap::new();
    hashes.lines().for_each(|hash| *by_start.entry(&hash[..4]).or_default() += 1);
    let (clash, _) = by_start.iter().find(|(_, count)| **count > 1).expect("700 of 65,536 clash");
    assert_eq!(listed(&open(&sandbox), &[clash]).unwrap().not_found, [0]);
}

fn fast_import(sandbox: &Sandbox, stream: &str) {
    use std::io::Write;
    let mut child = std::process::Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(&sandbox.repo)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_long_history_outside_the_window_is_not_walked() {
    let sandbox = Sandbox::new();
    let mut stream = String::new();
    for index in 0..5_000_u32 {
        stream += &format!(
            "commit refs/heads/main\ncommitter A <a@b> {} +0000\ndata 1\nx\nM 644 inline f{}\ndata 2\n{}\n\n",
            1_700_000_000 + index,
            index % 50,
            index % 10,
        );
    }
    fast_import(&sandbox, &stream);
    let repo = open(&sandbox);
    let (since, until) = ("2023-11-14T23:36:20Z", "2023-11-14T23:36:39Z");
    let seconds = stamp::parse(since).unwrap().timestamp();
    assert_eq!(seconds, 1_700_004_980);
    let started = std::time::Instant::now();
    let collected = collect(&repo, window(since, until), Some("a")).unwrap();
    assert_eq!(collected.commits.len(), 20);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    // More than a session makes is refused, not cut.
    let error = collect(&repo, window("2023-11-14T00:00:00Z", "2023-11-15T00:00:00Z"), None).unwrap_err();
    assert!(matches!(error, Error::TooManyCommits { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn nothing_of_the_repository_is_executed() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    sandbox.write("README.md", "# x\n");
    sandbox.write("a.txt", "one\n");
    let first = sandbox.commit("feat: one", "2025-12-02T10:00:00Z");
    sandbox.write("a.txt", "two\n");
    sandbox.write(".gitattributes", "* diff=evil filter=evil\n");
    sandbox.commit("feat: two", "2025-12-02T10:01:00Z");

    let trap = sandbox.beside("trap.sh");
    let sprung = sandbox.beside("sprung");
    std::fs::write(&trap, format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", sprung.display())).unwrap();
    std::fs::set_permissions(&trap, std::fs::Permissions::from_mode(0o755)).unwrap();
    let trap = trap.to_str().unwrap();
    let hooks = sandbox.repo.join(".git/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in ["post-index-change", "reference-transaction", "post-checkout", "fsmonitor-watchman"] {
        std::fs::copy(trap, hooks.join(hook)).unwrap();
    }
    for key in [
        "core.fsmonitor",
        "core.pager",
        "core.editor",
        "core.askPass",
        "core.sshCommand",
        "core.alternateRefsCommand",
        "pager.log",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "gpg.program",
        "credential.helper",
    ] {
        sandbox.git(&["config", key, trap]);
    }
    sandbox.git(&["config", "core.hooksPath", hooks.to_str().unwrap()]);
    for (key, value) in
        [("log.showSignature", "true"), ("alias.log", "!false"), ("log.showRoot", "false"), ("diff.renames", "false")]
    {
        sandbox.git(&["config", key, value]);
    }
    // An edit that a comparison by git would put through the filter.
    sandbox.write("README.md", "# edited\n");

    let repo = open(&sandbox);
    let collected = collect(&repo, window(ALL.0, ALL.1), Some("Agent-7")).unwrap();
    assert_eq!(collected.commits.len(), 2);
    assert_eq!(collected.commits[0].files.len(), 2, "the root commit counts, whatever log.showRoot says");
    assert_eq!(listed(&repo, &[&first[..8]]).unwrap().commits.len(), 1);
    let tree = Tree::at_head(&repo).unwrap().unwrap();
    let mut warnings = vec![];
    let project = crate::project::read(&repo, &tree, &mut warnings).unwrap();
    assert_eq!(project.readme.unwrap().text, "# x\n");
    assert_eq!(warnings, ["README.md has edits that are not committed: the committed text was read"]);
    repo.user_name().unwrap();
    assert!(!sprung.exists(), "{}", std::fs::read_to_string(&sprung).unwrap());
    // The trap works: git's own diff springs it.
    sandbox.git(&["diff"]);
    assert!(sprung.exists());
}

#[test]
fn files_are_read_in_their_order_and_too_large_ones_are_left() {
    let sandbox = Sandbox::new();
    let contents = [("a", 200_000), ("b", 3), ("c", 200_001), ("d", 0), ("e", 65_536), ("f", 5_000_000), ("g", 1)];
    for (name, length) in contents {
        sandbox.write(name, "\n".repeat(length));
    }
    sandbox.commit("all", "2025-12-02T10:00:00+0000");
    let repo = open(&sandbox);
    let tree = Tree::at_head(&repo).unwrap().unwrap();
    let blobs = read_files(&repo, &tree.entries.iter().collect::<Vec<_>>(), 200_000).unwrap();
    let expect = contents.map(|(_, length)| match length {
        200_001.. => Blob::TooLarge(length as u64),
        _ => Blob::Whole("\n".repeat(length).into_bytes()),
    });
    assert!(blobs == expect);
}

#[test]
fn commits_of_a_head_without_a_branch_are_found_too() {
    let sandbox = Sandbox::new();
    sandbox.grow("a", 1, "on main", "2025-12-02T10:00:00Z");
    sandbox.git(&["checkout", "-q", "--detach"]);
    sandbox.grow("a", 1, "on nothing", "2025-12-02T10:01:00Z");
    let collected = collect(&open(&sandbox), window(ALL.0, ALL.1), None).unwrap();
    assert_eq!(
        collected.commits.iter().map(|commit| commit.message.as_str()).collect::<Vec<_>>(),
        ["on main", "on nothing"]
    );
}

#[test]
fn a_git_that_takes_too_long_is_a_timeout() {
    let sandbox = Sandbox::new();
    let repo = Repo { timeout: Duration::ZERO, ..open(&sandbox) };
    assert!(matches!(repo.head(), Err(Error::Timeout { .. })));
}

#[test]
fn odd_bytes_are_read_with_losses_and_no_address_is_kept() {
    let sandbox = Sandbox::new();
    sandbox.git(&["config", "i18n.commitEncoding", "UTF-8"]);
    use std::io::Write;
    let mut commit = format!("tree {}\n", sandbox.git(&["mktree", "--missing"])).into_bytes();
    commit.extend(b"author Ag\xe9nt x@y.zz <mail@example.org> 1764669600 -0600\n");
    commit.extend(b"committer C <mail@example.org> 1764669600 -0600\n\nfeat: caf\xe9 \xff\n\nbody\n");
    std::fs::File::create(sandbox.beside("raw")).unwrap().write_all(&commit).unwrap();
    let raw = sandbox.beside("raw");
    let hash = sandbox.git(&["hash-object", "-t", "commit", "-w", raw.to_str().unwrap()]);
    let commits = listed(&open(&sandbox), &[&hash]).unwrap().commits;
    assert_eq!(commits[0].author.as_deref(), Some("Ag\u{fffd}nt"));
    assert_eq!(commits[0].message, "feat: caf\u{fffd} \u{fffd}\n\nbody");
    assert_eq!(commits[0].timestamp.unwrap().to_rfc3339(), "2025-12-02T04:00:00-06:00");
}

#[test]
fn every_kind_of_repository_opens() {
    let sandbox = Sandbox::new();
    sandbox.grow("sub/a", 2, "one", "2025-12-02T10:00:00Z");
    let last = sandbox.grow("sub/a", 3, "two", "2025-12-02T10:01:00Z");
    let messages = |path: &Path| {
        let repo = Repo::open(path, std::slice::from_ref(&sandbox.root), LIMIT).unwrap();
        let collected = collect(&repo, window(ALL.0, ALL.1), None).unwrap();
        collected.commits.into_iter().map(|commit| (commit.message, commit.files.len())).collect::<Vec<_>>()
    };
    let both = vec![("one".to_owned(), 1), ("two".to_owned(), 1)];
    assert_eq!(messages(&sandbox.repo), both);
    assert_eq!(messages(&sandbox.repo.join("sub")), both);
    assert!(Repo::open(&sandbox.repo.join("sub"), std::slice::from_ref(&sandbox.root), LIMIT).unwrap().opened_inside());

    let bare = sandbox.root.join("bare.git");
    sandbox.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    assert_eq!(messages(&bare), both);
    let opened = Repo::open(&bare, std::slice::from_ref(&sandbox.root), LIMIT).unwrap();
    assert_eq!((opened.folder_name().as_deref(), opened.top()), (Some("bare"), None));

    let worktree = sandbox.root.join("worktree");
    sandbox.git(&["worktree", "add", "-q", "--detach", worktree.to_str().unwrap()]);
    assert_eq!(messages(&worktree), both);
    // Its commits lie elsewhere: from outside the roots it is not read.
    let only = [worktree.clone()];
    assert_eq!(Repo::open(&worktree, &only, LIMIT).unwrap_err(), OpenError::GitDirOutside);

    let shallow = sandbox.root.join("shallow");
    let url = format!("file://{}", sandbox.repo.display());
    sandbox.git(&["clone", "-q", "--depth", "1", &url, shallow.to_str().unwrap()]);
    assert_eq!(messages(&shallow), vec![("two".to_owned(), 0)]);
    let repo = Repo::open(&shallow, std::slice::from_ref(&sandbox.root), LIMIT).unwrap();
    assert!(listed(&repo, &[&last]).unwrap().commits[0].at_shallow_edge);

    sandbox.git(&["checkout", "-q", "--detach", "HEAD~1"]);
    assert_eq!(messages(&sandbox.repo), both, "the branch is still there");

    let module = sandbox.root.join("super");
    std::fs::create_dir(&module).unwrap();
    let run = |arguments: &[&str]| sandbox.git_in(&module, arguments, "2025-12-02T11:00:00Z", "A");
    run(&["init", "-q", "-b", "main"]);
    run(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "inner"]);
    run(&["commit", "-q", "-m", "super"]);
    assert_eq!(messages(&module), vec![("super".to_owned(), 2)]);
    assert_eq!(messages(&module.join("inner")).len(), 1);
}

#[cfg(unix)]
#[test]
fn no_link_leads_out_of_the_roots() {
    let sandbox = Sandbox::new();
    sandbox.grow("a", 1, "secret", "2025-12-02T10:00:00Z");
    let folder = |name: &str| {
        let folder = sandbox.root.join("open").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    };
    let roots = [sandbox.root.join("open")];
    let git_dir = sandbox.repo.join(".git");
    let check = |folder: &Path, expect: OpenError| assert_eq!(Repo::open(folder, &roots, LIMIT).unwrap_err(), expect);

    let linked = folder("linked");
    std::os::unix::fs::symlink(&git_dir, linked.join(".git")).unwrap();
    check(&linked, OpenError::GitDirOutside);
    let filed = folder("filed");
    std::fs::write(filed.join(".git"), format!("gitdir: {}\n", git_dir.display())).unwrap();
    check(&filed, OpenError::GitDirOutside);
    let broken = folder("broken");
    std::fs::write(broken.join(".git"), "gitdir: nowhere\n").unwrap();
    check(&broken, OpenError::BrokenGitFile);
    check(&folder("plain"), OpenError::NotARepository);

    let shared = sandbox.root.join("open/shared");
    sandbox.git(&["clone", "-q", "--shared", ".", shared.to_str().unwrap()]);
    check(&shared, OpenError::GitDirOutside);
    let objects = folder("objects");
    sandbox.git_in(&objects, &["init", "-q"], "2025-12-02T10:00:00Z", "A");
    std::fs::remove_dir_all(objects.join(".git/objects")).unwrap();
    std::os::unix::fs::symlink(git_dir.join("objects"), objects.join(".git/objects")).unwrap();
    check(&objects, OpenError::GitDirOutside);
}

#[test]
fn the_user_is_the_repositorys() {
    let sandbox = Sandbox::new();
    sandbox.git(&["config", "user.name", "Agent-7"]);
    assert_eq!(open(&sandbox).user_name().unwrap().as_deref(), Some("Agent-7"));
    assert!(Repo::open_anywhere(&sandbox.repo, LIMIT).is_ok());
    assert!(open(&sandbox).head().unwrap().is_none());
    let empty = collect(&open(&sandbox), window(ALL.0, ALL.1), None).unwrap();
    assert_eq!(empty, Collected::default());
}
