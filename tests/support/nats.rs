//! A real nats-server for a test, on a port of its own, gone with the test.
#![allow(dead_code, reason = "each test uses a part")]

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A server, ended when it is dropped.
pub struct Server {
    child: Child,
    folder: TempDir,
    arguments: Vec<String>,
    /// Where it listens.
    pub url: String,
}

/// The program: of the version the tests ask for, which `tests/tools/nats` installs.
pub fn program() -> PathBuf {
    let version = std::env::var("FLYWHEEL_TEST_NATS").unwrap_or_else(|_| "2.15.1".to_owned());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/nats").join(&version).join("nats-server");
    assert!(path.exists(), "there is no nats-server {version}: `tests/tools/nats {version}` installs it");
    path
}

impl Server {
    /// A server with JetStream and nothing in it.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A server with a configuration. `{store}` in it is a folder of its own.
    pub fn configured(configuration: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("server.conf");
        let text = configuration.replace("{store}", &folder.path().join("store").display().to_string());
        std::fs::write(&file, text).expect("writes");
        Self::spawn(folder, &["-c", file.to_str().expect("UTF-8")])
    }

    /// A server as `deploy/nats` configures it, which is copied into this folder with its credentials.
    pub fn deployed(folder: TempDir) -> Self {
        let store = folder.path().join("store");
        Self::spawn_with(folder, &["-c", "server.conf"], |command, folder| {
            command.current_dir(folder).env("NATS_NAME", "test").env("NATS_STORE", store);
            command.env("NATS_MONITOR", "\"127.0.0.1:-1\"");
        })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn with(arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder");
        let store = folder.path().join("store").display().to_string();
        let arguments = [&["-js", "-sd", &store], arguments].concat();
        Self::spawn(folder, &arguments)
    }

    fn spawn(folder: TempDir, arguments: &[&str]) -> Self {
        Self::spawn_with(folder, arguments, |_, _| {})
    }

    fn spawn_with(folder: TempDir, arguments: &[&str], prepare: impl FnOnce(&mut Command, &Path)) -> Self {
        std::fs::create_dir(folder.path().join("ports")).expect("makes");
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let child = launch(folder.path(), "-1", &arguments, prepare);
        let mut server = Self { child, folder, arguments, url: String::new() };
        server.url = server.wait_for_url();
        server
    }

    /// Ends it, as a crash would.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again after it was stopped, on the same port and with what its store has by now.
    pub fn start_again(&mut self) {
        let ports = self.folder.path().join("ports");
        for entry in std::fs::read_dir(ports).expect("reads").flatten() {
            std::fs::remove_file(entry.path()).expect("removes");
        }
        let port = self.url.rsplit(':').next().expect("a port").to_owned();
        self.child = launch(self.folder.path(), &port, &self.arguments, |_, _| {});
        assert_eq!(self.wait_for_url(), self.url);
    }

    /// Its monitoring port, where its configuration opens one.
    pub fn monitor(&self) -> String {
        let files = std::fs::read_dir(self.folder.path().join("ports")).expect("reads");
        let text = std::fs::read_to_string(files.flatten().next().expect("a file").path()).expect("reads");
        let ports: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        ports["monitoring"][0].as_str().expect("a port").to_owned()
    }

    /// The folder of its store.
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn wait_for_url(&mut self) -> String {
        let start = Instant::now();
        loop {
            let ports = self.folder.path().join("ports");
            let file = std::fs::read_dir(ports).expect("reads").flatten().next();
            let text = file.and_then(|file| std::fs::read_to_string(file.path()).ok()).unwrap_or_default();
            let ports: Option<serde_json::Value> = serde_json::from_str(&text).ok();
            if let Some(url) = ports.as_ref().and_then(|ports| ports["nats"][0].as_str()) {
                return url.to_owned();
            }
            let ended = self.child.try_wait().expect("waits");
            if ended.is_some() || start.elapsed() > Duration::from_secs(20) {
                panic!("nats-server does not start: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the server has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    /// Ends it without a word, and starts it again on the same port and store. For one that `start` made.
    pub fn restart(&mut self, down: Duration) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        std::thread::sleep(down);
        let port = self.url.rsplit(':').next().expect("a port").to_owned();
        self.child = Command::new(program())
            .args(["-a", "127.0.0.1", "-p", &port, "-js", "-sd"])
            .arg(self.folder.path().join("store"))
            .arg("-l")
            .arg(self.folder.path().join("server.log"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port.parse().expect("a port"))).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "nats-server does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn launch(folder: &Path, port: &str, arguments: &[String], prepare: impl FnOnce(&mut Command, &Path)) -> Child {
    let mut command = Command::new(program());
    prepare(&mut command, folder);
    command
        .args(["-a", "127.0.0.1", "-p", port, "--ports_file_dir"])
        .arg(folder.join("ports"))
        .arg("-l")
        .arg(folder.join("server.log"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts")
}
