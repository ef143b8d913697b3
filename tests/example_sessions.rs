//! What a newcomer meets first works: the sessions of `tests/examples`, which `tests/try` runs, and the README's own.
#![expect(clippy::disallowed_methods, reason = "tests look at files")]

use assert_cmd::{Command, cargo::cargo_bin_cmd};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

fn flywheel(folder: &Path) -> Command {
    let mut command = cargo_bin_cmd!("flywheel");
    let path = std::env::var_os("PATH").expect("there is a PATH");
    command.current_dir(folder).env_clear().env("PATH", path);
    command
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("makes the folder");
    for entry in fs::read_dir(from).expect("reads") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy(&path, &target),
            false => assert!(fs::copy(&path, &target).expect("copies") > 0, "{} is empty", path.display()),
        }
    }
}

fn run(folder: &Path, file: &str) -> PathBuf {
    let output = flywheel(folder).args(["run", file, "--json"]).output().expect("runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one document");
    let session = &report["sessions"][0];
    assert_eq!((output.status.code(), session["status"].as_str()), (Some(0), Some("ready")), "{file}: {report:#}");
    folder.join(".flywheel/artifacts").join(session["session_id"].as_str().expect("an id"))
}

#[test]
fn every_example_is_ready_and_shows_what_it_is_for() {
    let work = TempDir::new().expect("a folder");
    copy(&repository().join("tests/examples"), work.path());
    // Figures worked out by hand from the fills: 89.50 - 48.00 - 22.00 + 54.00 - 14.00 = 59.50; 28.00 is 84.00 / 3.
    let expected: [(&str, &str, &[&str]); 3] = [
        ("build.json", "build-log.md", &["reverted by `e94c6f17b083`", "Commits: 7 claimed, 6 listed"]),
        (
            "trade.json",
            "trade_journal.md",
            &[
                "+$59.50 net over 5 closed round trips",
                "| Win rate | 40 % (n = 5) |",
                "| Average loss | -$28.00 |",
                "| Largest drawdown | $70.00 (0.28 % of the peak) |",
                "| 4 | GLBX | short | 60 | 120.80 | 119.85 | 2026-11-18 11:26 | 1 h 13 min | $57.00 | $3.00 | +$54.00 | 1.50 |",
                "1 of 5 trades that had one",
                "| Total profit or loss | 73.50 |",
            ],
        ),
        ("life_aria.json", "screenshot_notes.md", &["2 screenshots listed, all found", "480 × 270 pixels, PNG"]),
    ];
    for (file, artifact, texts) in expected {
        let made = fs::read_to_string(run(work.path(), file).join(artifact)).expect("it was made");
        for text in texts {
            assert!(made.contains(text), "{artifact} of {file} does not say `{text}`:\n{made}");
        }
    }
}

#[test]
fn the_session_of_the_readme_is_a_whole_one() {
    let readme = fs::read_to_string(repository().join("README.md")).expect("reads");
    let blocks = readme.split("```json\n").skip(1).filter_map(|rest| rest.split_once("\n```"));
    let session =
        blocks.map(|(block, _)| block).find(|block| block.starts_with("{\n  \"session_id\"")).expect("a session");
    let work = TempDir::new().expect("a folder");
    fs::write(work.path().join("session.json"), session).expect("writes");
    assert!(run(work.path(), "session.json").join("build-log.md").exists());
}
