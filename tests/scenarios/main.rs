//! Scenarios: a folder each, from a session file to its artifacts, through the real program.
//!
//! A folder holds `session.json`, what the session refers to (screenshots, …), and `expected/`: the artifacts byte for
//! byte and `report.json`. `repository.fast-import` becomes the git repository `repo` beside the session file: git makes
//! the same hashes from it everywhere. `forbidden.txt` lists texts that must stand neither in the log nor in an artifact.
//!
//! `UPDATE_GOLDENS=1 cargo test --test scenarios` writes `expected/` anew: read the difference before you keep it.
#![allow(clippy::disallowed_methods, reason = "tests work with files and programs")]

use assert_cmd::cargo::CommandCargoExt as _;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// The log backends every scenario runs on, as arguments of the program. A new backend is one row.
const BACKENDS: &[(&str, &[&str])] = &[("embedded", &[])];

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .expect("the folder is there")
        .map(|entry| entry.expect("reads").path())
        .filter(|path| path.join("session.json").exists())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "there are scenarios");
    folders
}

#[test]
fn every_scenario_comes_out_as_expected() {
    let mut wrong = vec![];
    for folder in folders() {
        for (backend, arguments) in BACKENDS {
            let name = format!("{} on {backend}", folder.file_name().expect("a name").to_string_lossy());
            if let Err(difference) = Scenario::start(&folder, arguments).check(&folder) {
                wrong.push(format!("{name}: {difference}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

/// A scenario in a folder of its own.
struct Scenario {
    work: TempDir,
    arguments: Vec<String>,
}

type Files = BTreeMap<String, Vec<u8>>;

impl Scenario {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let work = TempDir::new().expect("a folder");
        copy(folder, work.path());
        let stream = folder.join("repository.fast-import");
        if stream.exists() {
            make_repository(&work.path().join("repo"), &stream);
        }
        Self { work, arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect() }
    }

    fn flywheel(&self, arguments: &[&str]) -> Output {
        Command::cargo_bin("flywheel")
            .expect("the program is built")
            .current_dir(self.work.path())
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| name == "PATH"))
            .args(&self.arguments)
            .args(arguments)
            .output()
            .expect("the program starts")
    }

    fn run(&self) -> Value {
        let output = self.flywheel(&["run", "session.json", "--out", "out", "--json"]);
        let said = String::from_utf8_lossy(&output.stderr);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
        let status = report["sessions"][0]["status"].as_str().expect("a status");
        let exit = if ["ready", "duplicate"].contains(&status) { 0 } else { 1 };
        assert_eq!(output.status.code(), Some(exit), "{status}: {said}");
        report["sessions"][0].clone()
    }

    fn check(&self, folder: &Path) -> Result<(), String> {
        let report = self.run();
        let id = report["session_id"].as_str().expect("an id").to_owned();
        let made = files(&self.work.path().join("out").join(&id));
        let mut actual = made.clone();
        actual.insert("report.json".into(), self.without_paths(&report));
        let expected = folder.join("expected");
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            let _ = fs::remove_dir_all(&expected);
            fs::create_dir_all(&expected).expect("makes the folder");
            for (name, bytes) in &actual {
                fs::write(expected.join(name), bytes).expect("writes");
            }
        }
        compare(&files(&expected), &actual)?;
        self.check_nothing_forbidden(folder, &made)?;
        self.check_again(&id, &made)
    }

    /// The same session again is a duplicate; a missing file is written again, to the same bytes.
    fn check_again(&self, id: &str, made: &Files) -> Result<(), String> {
        let session = fs::read(self.work.path().join("session.json")).expect("reads");
        let log = self.flywheel(&["log", "export"]).stdout;
        if let Some(name) = made.keys().next() {
            fs::remove_file(self.work.path().join("out").join(id).join(name)).expect("removes");
        }
        let again = self.run();
        if again["status"] != "duplicate" {
            return Err(format!("the same session again is {}", again["status"]));
        }
        compare(made, &files(&self.work.path().join("out").join(id)))?;
        if self.flywheel(&["log", "export"]).stdout != log {
            return Err("the same session again changed the log".into());
        }
        if fs::read(self.work.path().join("session.json")).expect("reads") != session {
            return Err("the same session again changed the session file".into());
        }
        Ok(())
    }

    fn check_nothing_forbidden(&self, folder: &Path, made: &Files) -> Result<(), String> {
        let log = self.flywheel(&["log", "export"]).stdout;
        let here = self.work.path().to_string_lossy().into_owned();
        let listed = fs::read_to_string(folder.join("forbidden.txt")).unwrap_or_default();
        let everything = made.values().chain([&log]).map(|bytes| String::from_utf8_lossy(bytes)).collect::<Vec<_>>();
        for forbidden in listed.lines().filter(|line| !line.is_empty()).chain([here.as_str()]) {
            if let Some(text) = everything.iter().find(|text| text.contains(forbidden)) {
                let at = text.find(forbidden).expect("found above");
                let around: String = text[..at].chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect();
                return Err(format!("`{forbidden}` was stored, behind: …{around}"));
            }
        }
        Ok(())
    }

    /// The report with the folder of this run taken out of its paths.
    fn without_paths(&self, report: &Value) -> Vec<u8> {
        let text = serde_json::to_string_pretty(report).expect("plain JSON") + "\n";
        let here = self.work.path().canonicalize().expect("is there");
        let text = text.replace(&*here.to_string_lossy(), "<here>");
        text.replace(&*self.work.path().to_string_lossy(), "<here>").into_bytes()
    }
}

fn compare(expected: &Files, actual: &Files) -> Result<(), String> {
    for (name, bytes) in actual {
        match expected.get(name) {
            None => return Err(format!("{name} is made, and not expected")),
            Some(kept) if kept != bytes => {
                let (kept, bytes) = (String::from_utf8_lossy(kept), String::from_utf8_lossy(bytes));
                let line = kept.lines().zip(bytes.lines()).position(|(kept, made)| kept != made).unwrap_or(0);
                let show = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_owned();
                return Err(format!("{name}:{}: expected `{}`, made `{}`", line + 1, show(&kept), show(&bytes)));
            }
            Some(_) => {}
        }
    }
    match expected.keys().find(|name| !actual.contains_key(*name)) {
        Some(name) => Err(format!("{name} is expected, and not made")),
        None => Ok(()),
    }
}

fn files(folder: &Path) -> Files {
    let Ok(entries) = fs::read_dir(folder) else { return Files::new() };
    entries
        .map(|entry| entry.expect("reads").path())
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(&path).expect("reads")))
        .collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("makes the folder");
    for entry in fs::read_dir(from).expect("reads") {
        let path = entry.expect("reads").path();
        let target = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true if path.ends_with("expected") => {}
            true => copy(&path, &target),
            false => drop(fs::copy(&path, &target).expect("copies")),
        }
    }
}

fn make_repository(path: &Path, stream: &Path) {
    let git = |arguments: &[&str], input: Stdio| {
        let status = Command::new("git").arg("-C").arg(path).args(arguments).stdin(input).status().expect("git runs");
        assert!(status.success(), "git {arguments:?}");
    };
    fs::create_dir_all(path).expect("makes the folder");
    git(&["init", "-q", "-b", "main"], Stdio::null());
    git(&["fast-import", "--quiet"], fs::File::open(stream).expect("opens").into());
    git(&["reset", "-q", "--hard", "main"], Stdio::null());
}
