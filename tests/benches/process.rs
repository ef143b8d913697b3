//! One session as a whole process, and running processes in general.

use crate::{
    Scale, fresh,
    report::{Limit, figure, median, ms, remark},
};
use anyhow::Context as _;
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How often a process is run for its median.
pub const RUNS: usize = 15;

/// The program, with no settings but those of its arguments.
pub fn flywheel(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flywheel"));
    let kept = std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME");
    command.env_clear().envs(kept).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// From the start of a process to its end. One that fails is an error, for its time would mean nothing.
pub fn time(mut command: Command) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let output = command.output()?;
    let took = start.elapsed();
    anyhow::ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(took)
}

/// The same, and the most memory it had, in bytes; none where the system does not tell.
pub fn time_and_memory(mut command: Command) -> anyhow::Result<(Duration, Option<u64>)> {
    let start = Instant::now();
    let mut child = command.spawn()?;
    let peak = watch_memory(&child);
    let status = child.wait()?;
    let took = start.elapsed();
    anyhow::ensure!(status.success(), "{command:?} ended with {status}");
    Ok((took, peak.join().expect("it only reads a file")))
}

/// Reads the process's high-water mark until the process is gone.
fn watch_memory(child: &Child) -> std::thread::JoinHandle<Option<u64>> {
    let path = format!("/proc/{}/status", child.id());
    std::thread::spawn(move || {
        let mut peak = None;
        while let Some(now) = std::fs::read_to_string(&path).ok().and_then(|status| bytes_of(&status, "VmHWM:")) {
            peak = peak.max(Some(now));
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    })
}

/// The memory that a process has now, in bytes; none where it is gone or the system does not tell.
pub fn memory(process: u32) -> Option<u64> {
    bytes_of(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?, "VmRSS:")
}

fn bytes_of(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

pub fn bench(_: Scale) -> anyhow::Result<()> {
    let nothing = (0..RUNS).map(|_| time(flywheel(&["--version"]))).collect::<anyhow::Result<Vec<_>>>()?;
    figure(format_args!("nothing (--version): median of {RUNS}"), ms(median(nothing)), "ms", Limit::None);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let examples = repository.join("tests/examples");
    for name in ["trade", "life_aria"] {
        let file = examples.join(format!("{name}.json"));
        let file = file.to_str().context("the path is no text")?;
        run(name, &[file], 40)?;
    }
    let folder = fresh()?;
    let Some(session) = session_of(repository, folder.path())? else {
        remark("no build session: this folder is no git repository");
        return Ok(());
    };
    // A worktree has its git directory elsewhere.
    let common = git(repository, &["rev-parse", "--path-format=absolute", "--git-common-dir"])?.unwrap_or_default();
    let root = repository.to_str().context("the path is no text")?;
    run("build, on this repository", &[&session, "--repo-root", root, &common], 60)
}

fn run(what: &str, arguments: &[&str], limit_ms: u128) -> anyhow::Result<()> {
    let once = || {
        let data = fresh()?;
        let data = data.path().to_str().context("the path is no text")?;
        time(flywheel(&[&["run", "--no-update", "--data", data], arguments].concat()))
    };
    let times = (0..RUNS).map(|_| once()).collect::<anyhow::Result<Vec<_>>>()?;
    figure(format_args!("{what}: median of {RUNS}"), ms(median(times)), "ms", Limit::Most(limit_ms * 1000));
    Ok(())
}

/// A build session of the hour before the last commit.
fn session_of(repository: &Path, folder: &Path) -> anyhow::Result<Option<String>> {
    let Some(last) = git(repository, &["log", "-1", "--format=%cI%n%an"])? else { return Ok(None) };
    let (time, author) = last.split_once('\n').context("two lines")?;
    let session = serde_json::json!({
        "session_id": "00000000-0000-4000-8000-000000000001", "session_type": "build",
        "timestamp": time, "agent_id": "bench",
        "metadata": { "duration_minutes": 60, "git_author": author },
        "source_data": { "repo_path": repository },
    });
    let file = folder.join("build.json");
    std::fs::write(&file, session.to_string())?;
    Ok(file.to_str().map(str::to_owned))
}

/// What git says; none where it says no.
fn git(repository: &Path, arguments: &[&str]) -> anyhow::Result<Option<String>> {
    let output = Command::new("git").arg("-C").arg(repository).args(arguments).output()?;
    Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned()))
}
