//! A bus as `deploy/nats` makes it: its configuration, its credentials, TLS.

use crate::nats::Server;
use async_nats::{Client, ConnectOptions, Event};
use flywheel::bus::{Address, Bus, BusLog, Topology, connect, setup};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub const FLYWHEEL: &str = env!("CARGO_BIN_EXE_flywheel");

/// The agent that has a password, and its hash.
pub const PASSWORD: (&str, &str) =
    ("correct horse battery staple", "$2b$08$abcdefghijklmnopqrstuukS31SNuNEoGSYTPCfyZV8d2iX4qVmTa");

/// How long the server may take to say no.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A server with everybody's credentials: those of the roles, and of three agents.
pub struct Deployed {
    server: Server,
    credentials: TempDir,
}

fn run(command: &mut Command) -> String {
    let ran = command.output().expect("starts");
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("text")
}

/// Copies the configuration into a folder, and makes credentials for it elsewhere.
pub fn configure(folder: &Path, credentials: &Path, by_stage: bool) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/nats");
    for file in fs::read_dir(kept).expect("reads").flatten() {
        fs::copy(file.path(), folder.join(file.file_name())).expect("copies");
    }
    if by_stage {
        let accounts = run(Command::new(FLYWHEEL).args(["bus", "permissions", "--by-stage"]));
        fs::write(folder.join("accounts.conf"), accounts).expect("writes");
    }
    fs::create_dir(credentials.join("agents")).expect("makes");
    fs::write(credentials.join("agents/Agent-8.bcrypt"), PASSWORD.1).expect("writes");
    let make = folder.join("make-credentials");
    run(Command::new(make)
        .arg(credentials)
        .args(["localhost,127.0.0.1", "Agent-5", "Agent-7", "Agent-8"])
        .env("FLYWHEEL", FLYWHEEL));
    fs::create_dir(folder.join("credentials")).expect("makes");
    for file in fs::read_dir(credentials.join("server")).expect("reads").flatten() {
        fs::copy(file.path(), folder.join("credentials").join(file.file_name())).expect("copies");
    }
}

impl Deployed {
    /// Starts, with its streams and consumers.
    pub async fn start(by_stage: bool) -> Self {
        let (folder, credentials) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
        configure(folder.path(), credentials.path(), by_stage);
        let deployed = Self { server: Server::deployed(folder), credentials };
        setup(&deployed.bus("admin").await, &Topology::default()).await.expect("sets up");
        deployed
    }

    /// What the server has said.
    pub fn server_log(&self) -> String {
        self.server.log()
    }

    pub fn key(&self, name: &str) -> PathBuf {
        let folder = if name.starts_with("Agent") { "agents" } else { "clients" };
        self.credentials.path().join(folder).join(format!("{name}.nk"))
    }

    pub fn authority(&self) -> PathBuf {
        self.credentials.path().join("server/ca.crt")
    }

    pub fn url(&self) -> String {
        format!("tls://127.0.0.1:{}", self.server.url.rsplit(':').next().expect("a port"))
    }

    /// How somebody reaches it with a key.
    pub fn address(&self, name: &str) -> Address {
        Address {
            url: self.url(),
            nkey: Some(self.key(name)),
            certificate_authority: Some(self.authority()),
            inbox_prefix: Some(format!("_INBOX_{name}")),
            ..Address::default()
        }
    }

    pub async fn bus(&self, name: &str) -> Bus {
        connect(&self.address(name)).await.expect("connects")
    }

    pub async fn log(&self, name: &str) -> BusLog {
        BusLog::open(self.bus(name).await, Topology::default()).await.expect("opens")
    }

    /// A connection that says what it is refused.
    pub async fn client(&self, name: &str) -> Judged {
        let (sender, refusals) = unbounded_channel();
        let seed = fs::read_to_string(self.key(name)).expect("reads");
        let client = ConnectOptions::with_nkey(seed.trim().to_owned())
            .add_root_certificates(self.authority())
            .custom_inbox_prefix(format!("_INBOX_{name}"))
            .event_callback(move |event| {
                let sender = sender.clone();
                async move {
                    if let Event::ServerError(error) = event {
                        let _ = sender.send(error.to_string());
                    }
                }
            })
            .connect(self.url())
            .await
            .expect("connects");
        Judged { client, refusals }
    }

    /// The program as a process of a role.
    pub fn process(&self, role: &str, arguments: &[&str]) -> Process {
        let data = TempDir::new().expect("a folder");
        let said = fs::File::create(data.path().join("said")).expect("makes");
        let child = Command::new(FLYWHEEL)
            .args(arguments)
            .arg("--data")
            .arg(data.path())
            .env("FLYWHEEL_NATS_URL", self.url())
            .env("FLYWHEEL_NATS_NKEY", self.key(role))
            .env("FLYWHEEL_NATS_CA", self.authority())
            .env("FLYWHEEL_NATS_INBOX_PREFIX", format!("_INBOX_{role}"))
            .current_dir(data.path())
            .stdout(said.try_clone().expect("shares"))
            .stderr(said)
            .spawn()
            .expect("starts");
        Process { child, data }
    }
}

/// A process, ended when it is dropped.
pub struct Process {
    child: Child,
    data: TempDir,
}

impl Process {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has said.
    pub fn said(&self) -> String {
        fs::read_to_string(self.data.path().join("said")).expect("reads")
    }

    /// Waits until it has said something.
    pub async fn says(&self, text: &str) {
        let start = Instant::now();
        while !self.said().contains(text) {
            assert!(start.elapsed() < Duration::from_secs(30), "it does not say {text}: {}", self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until it ends by itself, and gives everything it has said.
    pub fn ended(mut self) -> String {
        self.child.wait().expect("ends");
        self.said()
    }

    /// Asks it to end, and gives everything it has said.
    pub fn end(mut self) -> String {
        run(Command::new("kill").arg(self.id().to_string()));
        self.child.wait().expect("ends");
        self.said()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client whose refusals are seen.
pub struct Judged {
    pub client: Client,
    refusals: UnboundedReceiver<String>,
}

impl Judged {
    async fn refused(&mut self, what: &str, subject: &str) {
        self.client.flush().await.expect("flushes");
        let said = tokio::time::timeout(ANSWER_MAX, self.refusals.recv()).await;
        let said = said.unwrap_or_else(|_| panic!("{what} {subject} was not refused")).expect("stays");
        let expected = format!("Permissions Violation for {what} \"{subject}\"");
        assert!(said.to_lowercase().contains(&expected.to_lowercase()), "{said}, not {expected}");
    }

    pub async fn may_not_publish(&mut self, subjects: &[&str]) {
        for subject in subjects {
            self.client.publish((*subject).to_owned(), "{}".into()).await.expect("sends");
            self.refused("Publish to", subject).await;
        }
    }

    pub async fn may_not_subscribe(&mut self, subjects: &[&str]) {
        for subject in subjects {
            let _subscription = self.client.subscribe((*subject).to_owned()).await.expect("sends");
            self.refused("Subscription to", subject).await;
        }
    }

    /// Nothing but what was expected was refused.
    pub async fn was_refused_nothing_else(&mut self) {
        self.client.flush().await.expect("flushes");
        assert_eq!(self.refusals.try_recv().ok(), None);
    }
}
