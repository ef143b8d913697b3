//! A server with its streams, and folders in which the program runs.

use crate::nats::Server;
use flywheel::{
    bus::{Address, Bus, BusLog, Topology, connect, setup},
    log::{Log as _, NewFact},
};
use flywheel_events::{Fact as _, Key, Step, StepSkipped};
use serde_json::Value;
use std::{
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A process that ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ended by itself"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// It ended well with one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It ended so, and said these words.
    #[track_caller]
    pub fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.err.contains(word) || self.out.contains(word), "`{word}` is missing in: {self:?}");
        }
    }
}

/// A folder in which the program runs, with the bus in its environment where there is one.
pub struct Place {
    folder: TempDir,
    url: Option<String>,
}

impl Place {
    /// Without a bus.
    pub fn alone() -> Self {
        Self { folder: TempDir::new().expect("a folder"), url: None }
    }

    /// With the server as its bus.
    pub fn on(server: &Server) -> Self {
        Self { url: Some(server.url.clone()), ..Self::alone() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flywheel"));
        let path = std::env::vars().filter(|(name, _)| name == "PATH");
        command.current_dir(self.folder.path()).env_clear().envs(path).args(arguments).stdin(Stdio::null());
        if let Some(url) = &self.url {
            command.env("FLYWHEEL_NATS_URL", url);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("it starts"))
    }

    /// A process that stays until it is asked to end.
    pub fn stay(&self, arguments: &[&str]) -> Staying {
        let child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Staying(Some(child.expect("it starts")))
    }

    /// The last position of the log here.
    pub fn head(&self) -> u64 {
        let file = self.path(".flywheel/log.db");
        let Ok(connection) = rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
        else {
            return 0;
        };
        let sql = "SELECT coalesce(max(position), 0) FROM facts";
        connection.query_row(sql, [], |row| row.get(0)).unwrap_or(0)
    }
}

/// A process that is ended with the test.
pub struct Staying(Option<Child>);

impl Staying {
    pub fn of(child: Child) -> Self {
        Self(Some(child))
    }

    /// Asks it to end, and waits until it has.
    pub fn end(mut self) -> Ran {
        let child = self.0.take().expect("it runs");
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
        Ran::of(child.wait_with_output().expect("it ends"))
    }

    /// Waits until it ends by itself.
    pub fn wait(mut self) -> Ran {
        Ran::of(self.0.take().expect("it runs").wait_with_output().expect("it ends"))
    }
}

impl Drop for Staying {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until something is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "it never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub async fn bus(server: &Server) -> Bus {
    connect(&Address { url: server.url.clone(), ..Address::default() }).await.expect("connects")
}

/// The log on a server, its streams made where they are missing.
pub async fn log(server: &Server) -> BusLog {
    let bus = bus(server).await;
    setup(&bus, &Topology::default()).await.expect("sets up");
    BusLog::open(bus, Topology::default()).await.expect("opens")
}

pub fn fact(n: u64) -> NewFact {
    let session_id = uuid::Uuid::from_u128(u128::from(n)).into();
    let key = Key::session(Step::new("build-scan"), session_id, 1);
    NewFact::new(key, "/test", &StepSkipped { session_id, ..StepSkipped::example() })
}

pub async fn append(log: &BusLog, numbers: std::ops::RangeInclusive<u64>) {
    log.append(numbers.map(fact).collect()).await.expect("appends");
}
