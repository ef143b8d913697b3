//! The command line as its users meet it: real processes, their exit codes, their streams and their files.
//!
//! Invariants every test may rely on: a process runs in a folder of its own, with no environment but `PATH`.
#![allow(clippy::disallowed_methods, reason = "tests work with files and programs")]

mod again;
mod documentation;
mod flow;
mod log;
mod manifest;
mod processes;
mod queue;
mod run;
mod session_file;
mod settings;
mod verify;
mod watch;

use serde_json::Value;
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

pub const TRADE: &str = include_str!("../sessions/guide-trade.json");
pub const LIFE: &str = include_str!("../sessions/guide-life.json");
pub const BUILD: &str = include_str!("../sessions/guide-minimal.json");

/// The id of the trade session.
pub const TRADE_ID: &str = "b2c3d4e5-f6a7-8901-bcde-f23456789012";

/// A folder in which the program runs.
#[derive(Debug)]
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    /// With the trade session in `t.json`.
    pub fn with_trade() -> Self {
        let place = Self::new();
        place.put("t.json", TRADE);
        place
    }

    /// A path in the folder, without symbolic links.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().expect("is there").join(name)
    }

    pub fn put(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("makes the folder");
        fs::write(&path, text).expect("writes");
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// What stands in the folder, by name.
    pub fn names(&self) -> Vec<String> {
        names(&self.path("."))
    }

    /// The program, ready to start: no environment but `PATH`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flywheel"));
        let path = std::env::vars().filter(|(name, _)| name == "PATH");
        command.current_dir(self.folder.path()).env_clear().envs(path).args(arguments).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("it starts"))
    }

    pub fn run_in(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).envs(environment.iter().copied()).output().expect("it starts"))
    }

    pub fn run_on(&self, input: &[u8], arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        // A program that refuses early does not read to the end.
        let _ = child.stdin.take().expect("piped").write_all(input);
        Ran::of(child.wait_with_output().expect("it ends"))
    }

    /// `run … --json`: its sessions and its exit code; stdout must be exactly one document.
    pub fn sessions(&self, arguments: &[&str]) -> (Vec<Value>, i32) {
        let ran = self.run(&[&["run", "--json"], arguments].concat());
        let document = ran.json();
        let keys: Vec<&String> = document.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["sessions"]);
        (document["sessions"].as_array().expect("a list").clone(), ran.code)
    }

    /// The same with one file.
    pub fn session(&self, arguments: &[&str]) -> (Value, i32) {
        let (sessions, code) = self.sessions(arguments);
        assert_eq!(sessions.len(), 1);
        (sessions[0].clone(), code)
    }

    /// The log's export.
    pub fn log(&self) -> String {
        let ran = self.run(&["log", "export"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out
    }
}

/// A process that ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ended by itself"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// Its stdout, which is one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It refused: exit 2, nothing on stdout, and these words on stderr.
    #[track_caller]
    pub fn refused(&self, words: &[&str]) {
        self.failed_with(2, words);
    }

    #[track_caller]
    pub fn failed_with(&self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "`{word}` is missing in: {}", self.err);
        }
    }
}

pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("reads").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A session with another id.
pub fn with_id(session: &str, id: &str) -> String {
    let document: Value = serde_json::from_str(session).expect("JSON");
    let old = document["session_id"].as_str().expect("an id");
    session.replacen(old, id, 1)
}

/// The n-th id of a test.
pub fn id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

pub fn git(repository: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository).args(["-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]);
    command.args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Agent 7").env(format!("GIT_{role}_EMAIL"), "agent7@example.org");
    }
    let output = command.output().expect("git runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}
