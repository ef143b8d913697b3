//! A session of 20 commits, scanned in a large repository and in a small one.

use crate::{
    Scale, fresh, kept,
    process::RUNS,
    report::{Limit, figure, median, ms, remark, timed},
};
use anyhow::Context as _;
use chrono::{DateTime, FixedOffset, TimeDelta};
use flywheel::{
    stages::build,
    world::{Origin, World},
};
use flywheel_events::SessionCompleted;
use std::{
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Commits of the session.
const SESSION_COMMITS: u64 = 20;

/// Minutes between two commits.
const MINUTES: u64 = 10;

pub fn bench(scale: Scale) -> anyhow::Result<()> {
    let files = scale.of(5_000, 100);
    for (commits, limit) in [(scale.of(10_000, 100), Limit::Most(300_000)), (scale.of(1_000, 50), Limit::None)] {
        let repository = repository(commits, files)?;
        let hashes = git(&repository, &["log", "-20", "--format=%H"])?;
        let listed: Vec<_> = hashes.lines().map(|hash| serde_json::json!({ "hash": hash })).collect();
        for (how, list) in [("by its window", vec![]), ("by its list", listed)] {
            let session = session(commits, &list)?;
            let world = world(&repository)?;
            let scan = || {
                let (scanned, took) =
                    timed(|| build::scan(&session, &world).map_err(|stop| anyhow::anyhow!("{stop:?}")))?;
                Ok((took, scanned.commits.len()))
            };
            let scans = (0..RUNS).map(|_| scan()).collect::<anyhow::Result<Vec<_>>>()?;
            let (took, found) = median(scans);
            let what = format!("{commits} commits, {files} files, {how}: median of {RUNS}");
            figure(what, ms(took), "ms", limit);
            if found as u64 != SESSION_COMMITS {
                remark(format_args!("it found {found} commits, not {SESSION_COMMITS}: the figure means nothing"));
            }
        }
    }
    Ok(())
}

fn world(repository: &Path) -> anyhow::Result<World> {
    let root = repository.canonicalize()?;
    let folder = root.clone();
    let origin =
        move |_| Ok(Some(Origin { folder: folder.clone(), repo_path: Some(".".to_owned()), screenshots: vec![] }));
    Ok(World { origins: Box::new(origin), roots: vec![root], ..World::nowhere() })
}

fn session(commits: u64, list: &[serde_json::Value]) -> anyhow::Result<SessionCompleted> {
    // Half a step before the first of its commits.
    let minutes = (SESSION_COMMITS - 1) * MINUTES + MINUTES / 2;
    Ok(serde_json::from_value(serde_json::json!({
        "session_id": "00000000-0000-4000-8000-000000000001", "session_type": "build", "agent_id": "Agent-7",
        "timestamp": time_of(commits - 1)?.to_rfc3339(),
        "metadata": { "duration_minutes": minutes },
        "source_data": { "repo_path": ".", "git_commits": list },
    }))?)
}

fn time_of(commit: u64) -> anyhow::Result<DateTime<FixedOffset>> {
    let first = DateTime::parse_from_rfc3339("2025-01-06T09:00:00+00:00")?;
    Ok(first + TimeDelta::minutes(i64::try_from(commit * MINUTES)?))
}

/// A repository of so many commits on so many files, checked out; made where there is none.
fn repository(commits: u64, files: u64) -> anyhow::Result<PathBuf> {
    let target = kept()?.join(format!("repository-{commits}-{files}"));
    if !target.exists() {
        let folder = fresh()?;
        let made = folder.path().join("made");
        std::fs::create_dir(&made)?;
        git(&made, &["init", "--quiet", "--initial-branch=main"])?;
        let mut import = command(&made, &["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn()?;
        let stream = import.stdin.take().context("piped")?;
        write_history(&mut BufWriter::new(stream), commits, files)?;
        anyhow::ensure!(import.wait()?.success(), "git fast-import failed");
        git(&made, &["reset", "--quiet", "--hard", "main"])?;
        std::fs::rename(&made, &target)?;
    }
    Ok(target)
}

/// The first commit makes every file, each other one changes three.
fn write_history(out: &mut impl Write, commits: u64, files: u64) -> anyhow::Result<()> {
    for commit in 0..commits {
        let message = format!("feat(part{}): change number {commit}\n\nWhat it does, and why.\n", commit % 50);
        let time = time_of(commit)?.timestamp();
        writeln!(out, "commit refs/heads/main\ncommitter Agent-7 <agent7@example.org> {time} +0000")?;
        writeln!(out, "data {}\n{message}", message.len())?;
        let changed: Vec<u64> =
            if commit == 0 { (0..files).collect() } else { (0..3).map(|n| (commit * 3 + n) % files).collect() };
        for file in changed {
            let text: String = (0..20)
                .map(|line| format!("line {line} of file {file}, of commit {}\n", commit - commit % (line + 1)))
                .collect();
            writeln!(out, "M 100644 inline src/part{}/file{file}.rs\ndata {}\n{text}", file % 50, text.len())?;
        }
        if commit == 0 {
            for (name, text) in
                [("README.md", "# A large repository\n"), ("Cargo.toml", "[package]\nname = \"large\"\n")]
            {
                writeln!(out, "M 100644 inline {name}\ndata {}\n{text}", text.len())?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

fn command(repository: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository).args(arguments);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    command
}

fn git(repository: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = command(repository, arguments).output()?;
    anyhow::ensure!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
