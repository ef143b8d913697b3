//! A server with the bus set up on it, the program's processes beside it, and what agents do.

use crate::nats::Server;
use async_nats::{HeaderMap, jetstream};
use flywheel::{
    bus::{Address, BusLog, Topology, connect, setup},
    log::{Log as _, Record},
};
use futures::StreamExt as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    fs::File,
    future::Future,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A trading session; its agent is Agent-5.
const TRADE: &str = include_str!("../sessions/guide-trade.json");

/// The agent that publishes in these tests.
pub const AGENT: &str = "Agent-5";

/// A server with the bus set up, and a connection to it.
pub struct Swarm {
    pub server: Server,
    pub client: async_nats::Client,
    pub log: BusLog,
    folder: tempfile::TempDir,
    topology: Topology,
    processes: AtomicUsize,
}

impl Swarm {
    /// With everything set up.
    pub async fn new(ack_wait: Duration) -> Self {
        Self::on(Server::start(), ack_wait).await
    }

    /// On a server that has nothing in it.
    pub async fn on(server: Server, ack_wait: Duration) -> Self {
        Self::of(server, Topology { ack_wait, ..Topology::default() }).await
    }

    /// On a server that has nothing in it, with this set up.
    pub async fn of(server: Server, topology: Topology) -> Self {
        let bus = connect(&Address { url: server.url.clone(), ..Address::default() }).await.expect("connects");
        setup(&bus, &topology).await.expect("sets up");
        let client = bus.client.clone();
        let log = BusLog::open(bus, topology.clone()).await.expect("opens");
        let folder = tempfile::tempdir().expect("a folder");
        Self { server, client, log, folder, topology, processes: AtomicUsize::new(0) }
    }

    /// A place in the folder in which its processes run.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, with a data folder of its own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let number = self.processes.fetch_add(1, Ordering::Relaxed);
        self.command_in(&format!("data-{number}"), arguments)
    }

    /// The program on a data folder.
    pub fn command_in(&self, data: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flywheel"));
        let path = std::env::vars().filter(|(name, _)| name == "PATH");
        command.current_dir(self.folder.path()).env_clear().envs(path).stdin(Stdio::null());
        command.args(["--data", data]).args(arguments);
        command.env("FLYWHEEL_NATS_URL", &self.server.url);
        command.env("FLYWHEEL_NATS_ACK_WAIT_SECONDS", self.topology.ack_wait.as_secs().to_string());
        command.env("FLYWHEEL_NATS_PARTITIONS", self.topology.partitions.to_string());
        command
    }

    /// A process of the program, which stays.
    pub fn start(&self, arguments: &[&str]) -> Process {
        self.start_with(arguments, &[])
    }

    /// A process of the program with more in its environment, which stays.
    pub fn start_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Process {
        self.begin(self.command(arguments), arguments[0], environment)
    }

    /// A process of the program on a data folder, with more in its environment, which stays.
    pub fn start_in(&self, data: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Process {
        self.processes.fetch_add(1, Ordering::Relaxed);
        self.begin(self.command_in(data, arguments), arguments[0], environment)
    }

    fn begin(&self, mut command: Command, name: &str, environment: &[(&str, &str)]) -> Process {
        command.envs(environment.iter().copied());
        let number = self.processes.load(Ordering::Relaxed);
        let said = self.folder.path().join(format!("{name}-{number}.log"));
        let file = File::create(&said).expect("makes a file");
        let child = command.stdout(Stdio::null()).stderr(file).spawn().expect("starts");
        Process { child, said }
    }

    /// Publishes as an agent does, until the server has it.
    pub async fn publish(&self, subject: &str, headers: &[(&str, &str)], payload: impl Into<Vec<u8>>) {
        let (payload, mut map) = (payload.into(), HeaderMap::new());
        for (name, value) in headers {
            map.append(*name, *value);
        }
        // Again until it is known to be stored, as an agent does.
        for _ in 0..10 {
            let jetstream = jetstream::new(self.client.clone());
            let payload = payload.clone().into();
            let sent = jetstream.publish_with_headers(subject.to_owned(), map.clone(), payload).await;
            if sent.expect("publishes").await.is_ok() {
                return;
            }
        }
        panic!("the server stores nothing");
    }

    /// Publishes a session as a structured event.
    pub async fn publish_session(&self, session: &Value) {
        let headers = [("Content-Type", "application/cloudevents+json")];
        self.publish(&inbox(), &headers, event(session).to_string()).await;
    }

    /// Publishes on a connection that checks nothing: headers as they are given.
    pub fn publish_raw(&self, subject: &str, headers: &[u8], payload: &[u8]) {
        let address = self.server.url.strip_prefix("nats://").expect("an address");
        let mut socket = TcpStream::connect(address).expect("connects");
        let mut bytes = b"CONNECT {\"verbose\":false,\"headers\":true}\r\nHPUB ".to_vec();
        let lengths = format!("{subject} {} {}\r\n", headers.len(), headers.len() + payload.len());
        for part in [lengths.as_bytes(), headers, payload, b"\r\nPING\r\n"] {
            bytes.extend_from_slice(part);
        }
        socket.write_all(&bytes).expect("writes");
        let (mut said, mut buffer) = (String::new(), [0; 4096]);
        while !said.contains("PONG") {
            let count = socket.read(&mut buffer).expect("reads");
            assert!(count > 0 && !said.contains("-ERR"), "the server refuses it: {said}");
            said += &String::from_utf8_lossy(&buffer[..count]);
        }
    }

    /// Everything in the log.
    pub async fn facts(&self) -> Vec<Record> {
        self.log.read(0, 1_000_000).await.expect("reads")
    }

    /// The facts of a step.
    pub async fn facts_of(&self, step: &str) -> Vec<Record> {
        self.facts().await.into_iter().filter(|fact| fact.key.step.as_str() == step).collect()
    }

    /// How many facts a step has, which costs no look at them.
    pub async fn count_of(&self, step: &str) -> usize {
        let jetstream = jetstream::new(self.client.clone());
        let filter = json!({ "subjects_filter": format!("flywheel.log.{step}.>") });
        // Nobody answers while the server is away.
        let info: Option<Value> = jetstream.request("STREAM.INFO.FLYWHEEL", &filter).await.ok();
        info.and_then(|info| info["state"]["subjects"].as_object().map(serde_json::Map::len)).unwrap_or_default()
    }

    /// How many messages wait in the inbox, or are in somebody's hand.
    pub async fn waiting(&self) -> u64 {
        let stream = jetstream::new(self.client.clone()).get_stream("SWARM").await;
        stream.map_or(u64::MAX, |stream| stream.cached_info().state.messages)
    }

    /// What was published on why messages were refused: the data of each.
    pub async fn reports(&self) -> Vec<Value> {
        let stream = jetstream::new(self.client.clone()).get_stream("FLYWHEEL_REJECTED").await.expect("is there");
        let positions = futures::stream::iter(1..=stream.cached_info().state.last_sequence);
        positions
            .then(|position| stream.get_raw_message(position))
            .map(|message| {
                let event: Value = serde_json::from_slice(&message.expect("reads").payload).expect("JSON");
                assert_documented("rejection", &event);
                event["data"].clone()
            })
            .collect()
            .await
    }
}

/// The subject of the inbox that the agent publishes on.
pub fn inbox() -> String {
    format!("swarm.session.completed.{AGENT}")
}

/// A session of its own id.
pub fn session(n: usize) -> Value {
    let mut session: Value = serde_json::from_str(TRADE).expect("JSON");
    session["session_id"] = id(n).into();
    session
}

pub fn id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// A session as its agent's event.
pub fn event(session: &Value) -> Value {
    json!({
        "specversion": "1.0", "id": format!("event-of-{}", session["session_id"]), "source": format!("/agents/{AGENT}"),
        "type": "dev.dreamos.session.completed.v1", "datacontenttype": "application/json", "data": session,
    })
}

/// Checks that a message is as the AsyncAPI document says.
pub fn assert_documented(message: &str, payload: &Value) {
    let schema = flywheel_events::asyncapi::document()["components"]["messages"][message]["payload"].take();
    let validator = jsonschema::draft7::new(&schema).expect("a schema");
    let errors: Vec<_> = validator.iter_errors(payload).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{message}: {errors:?}: {payload}");
}

/// Waits until it is so.
pub async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A process, ended when it is dropped.
pub struct Process {
    child: Child,
    said: PathBuf,
}

impl Process {
    /// Asks it to end, and waits until it has.
    pub fn terminate(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("is there");
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("waits") {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it without a word.
    pub fn kill(mut self) {
        self.child.kill().expect("is there");
        self.child.wait().expect("ends");
    }

    /// What it has said.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap_or_default()
    }

    /// Whether it goes on.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().expect("waits").is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "{}:\n{}", self.said.display(), self.said());
        }
    }
}

/// A file of the project.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
