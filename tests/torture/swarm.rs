//! The servers and the processes of a swarm, each of which can die and come again.

use crate::{Plan, clock, history::History, nats};
use anyhow::Context as _;
use flywheel::bus::{Address, Bus, Topology, connect, setup};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a delivery waits for a worker that was stopped or killed.
const ACK_WAIT_SECONDS: u64 = 4;

/// What the last of the workers works on; the others work on everything.
const STAGES: [&str; 6] = ["--stage", "trade-normalize", "--stage", "trade-ready", "--stage", "life_aria-ready"];

/// One process, and how to start it again.
pub struct Process {
    pub name: String,
    program: PathBuf,
    arguments: Vec<String>,
    replicas: usize,
    log: PathBuf,
    /// Where it keeps what it keeps.
    pub folder: PathBuf,
    /// The file that its clock goes by; none where it goes by the machine's.
    clock: Option<PathBuf>,
    child: Option<Child>,
    /// How many bytes its log had when it was last started.
    log_begins: usize,
    /// How it ended each time it did so by itself, and what it said from its start.
    ended: Vec<String>,
}

impl Process {
    pub fn start(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        self.log_begins = usize::try_from(log.metadata()?.len())?;
        let path = std::env::vars_os().filter(|(name, _)| name == "PATH");
        let mut command = Command::new(&self.program);
        command.env_clear();
        if let Some(clock) = &self.clock {
            clock::set(&mut command, clock);
        }
        let child = command
            .args(&self.arguments)
            .current_dir(&self.folder)
            .envs(path)
            .env("FLYWHEEL_NATS_ACK_WAIT_SECONDS", ACK_WAIT_SECONDS.to_string())
            .env("FLYWHEEL_NATS_REPLICAS", self.replicas.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} starts", self.name))?;
        self.child = Some(child);
        Ok(())
    }

    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let child = self.child.as_ref().context("it runs")?;
        let id = Pid::from_raw(i32::try_from(child.id())?).context("a process id")?;
        Ok(kill_process(id, signal)?)
    }

    pub fn kill(&mut self) -> anyhow::Result<()> {
        // It may have ended a moment ago.
        self.look()?;
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
            clock::clean_up(child.id());
        }
        Ok(())
    }

    /// What it does: `intake`, `worker`, `replica` or `server`.
    pub fn role(&self) -> &str {
        self.name.split('-').next().unwrap_or_default()
    }

    /// Sets its clock so many seconds before or behind the machine's, while it runs. Whether it has one of its own.
    pub fn set_clock(&self, seconds: i64) -> anyhow::Result<bool> {
        let Some(clock) = &self.clock else { return Ok(false) };
        clock::move_to(clock, seconds)?;
        Ok(true)
    }

    /// Ends it as an operator would.
    pub fn end(&mut self) -> anyhow::Result<()> {
        // It may have ended a moment ago.
        let _ = self.signal(Signal::TERM);
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let start = Instant::now();
        while child.try_wait()?.is_none() {
            if start.elapsed() > Duration::from_secs(30) {
                child.kill()?;
                child.wait()?;
                clock::clean_up(child.id());
                anyhow::bail!("{} does not end on SIGTERM: {}", self.name, self.log_text());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// A process that ended by itself is started again, as its supervisor would.
    pub fn revive(&mut self) -> anyhow::Result<bool> {
        self.look()?;
        let is_gone = self.child.is_none();
        if is_gone {
            self.start()?;
        }
        Ok(is_gone)
    }

    /// Looks whether it has ended by itself.
    fn look(&mut self) -> anyhow::Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        if let Some(status) = child.try_wait()? {
            self.child = None;
            let text = self.log_text();
            self.ended.push(format!("{status}\n{}", text.get(self.log_begins..).unwrap_or(&text)));
        }
        Ok(())
    }

    pub fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

pub struct Swarm {
    pub servers: Vec<Process>,
    pub processes: Vec<Process>,
    pub history: Arc<History>,
    pub topology: Topology,
    folder: TempDir,
    ports: Vec<u16>,
}

impl Swarm {
    pub async fn start(plan: Plan, history: Arc<History>) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        clock::check(folder.path())?;
        let ports = free_ports(2 * plan.servers)?;
        let topology =
            Topology { replicas: plan.servers, ack_wait: Duration::from_secs(ACK_WAIT_SECONDS), ..Topology::default() };
        let mut swarm = Self { servers: vec![], processes: vec![], history, topology, folder, ports };
        for n in 0..plan.servers {
            let server = swarm.server(n, plan.servers)?;
            swarm.servers.push(server);
        }
        for server in &mut swarm.servers {
            server.start()?;
        }
        swarm.set_up().await?;
        for (role, count) in [("intake", plan.intakes), ("worker", plan.workers), ("replica", 1)] {
            for n in 0..count {
                let stages = if role == "worker" && n + 1 == count { &STAGES[..] } else { &[] };
                let mut process = swarm.process(role, n, stages)?;
                process.start()?;
                swarm.processes.push(process);
            }
        }
        Ok(swarm)
    }

    fn folder_of(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    fn server(&self, n: usize, of: usize) -> anyhow::Result<Process> {
        let name = format!("server-{n}");
        let folder = self.folder_of(&name)?;
        let (client, route) = (self.ports[n], self.ports[of + n]);
        let routes: Vec<_> = self.ports[of..].iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let mut text = format!(
            "server_name: {name}\nlisten: 127.0.0.1:{client}\nmax_payload: 2MB\njetstream {{ store_dir: \"{}\", sync_interval: always }}\n",
            folder.join("store").display()
        );
        if of > 1 {
            text += &format!("cluster {{ name: flywheel, listen: 127.0.0.1:{route}, routes: {routes:?} }}\n");
        }
        let configuration = folder.join("server.conf");
        fs::write(&configuration, text)?;
        let arguments = vec!["-c".to_owned(), text_of(&configuration)?];
        let log = folder.join("log");
        // It asks the kernel for the time, and no library that could say something else.
        let clock = None;
        Ok(Process {
            name,
            program: nats::program(),
            arguments,
            replicas: of,
            log,
            folder,
            clock,
            child: None,
            log_begins: 0,
            ended: vec![],
        })
    }

    fn process(&self, role: &str, n: usize, more: &[&str]) -> anyhow::Result<Process> {
        let name = format!("{role}-{n}");
        let folder = self.folder_of(&name)?;
        let data = text_of(&folder.join("data"))?;
        let mut arguments = vec![role.to_owned(), "--nats".to_owned(), self.url(), "--data".to_owned(), data];
        arguments.extend(more.iter().map(ToString::to_string));
        let program = PathBuf::from(env!("CARGO_BIN_EXE_flywheel"));
        let replicas = self.topology.replicas;
        let clock = Some(folder.join("clock"));
        clock::move_to(&folder.join("clock"), 0)?;
        Ok(Process {
            name,
            program,
            arguments,
            replicas,
            log: folder.join("log"),
            folder,
            clock,
            child: None,
            log_begins: 0,
            ended: vec![],
        })
    }

    async fn set_up(&self) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let outcome = async { setup(&self.bus().await?, &self.topology).await }.await;
            match outcome {
                Ok(_) => return Ok(()),
                // A cluster first has to find itself.
                Err(error) if start.elapsed() > Duration::from_secs(60) => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    pub fn url(&self) -> String {
        let ports = self.ports[..self.ports.len() / 2].iter();
        ports.map(|port| format!("nats://127.0.0.1:{port}")).collect::<Vec<_>>().join(",")
    }

    /// Where one of the servers is.
    pub fn url_of(&self, server: usize) -> String {
        format!("nats://127.0.0.1:{}", self.ports[server])
    }

    pub async fn bus(&self) -> Result<Bus, flywheel::log::Error> {
        connect(&Address { url: self.url(), ..Address::default() }).await
    }

    /// Runs a command that ends, in a data folder.
    pub fn command(&self, data: &Path, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_flywheel"))
            .args(arguments)
            .arg("--data")
            .arg(data)
            .current_dir(self.folder.path())
            .env_clear()
            .env("FLYWHEEL_NATS_REPLICAS", self.topology.replicas.to_string())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "{arguments:?}: {text}{errors}");
        Ok(text)
    }

    /// Everything runs again.
    pub async fn heal(&mut self) -> anyhow::Result<()> {
        for process in self.servers.iter_mut().chain(&mut self.processes) {
            if !process.revive()? {
                process.signal(Signal::CONT)?;
            }
        }
        self.history.note("nemesis", "healed", "");
        Ok(())
    }

    /// What the processes said last, for a failure.
    pub fn last_words(&self) -> String {
        let last = |process: &Process| {
            let text = process.log_text();
            let lines: Vec<_> = text.lines().rev().take(6).collect();
            format!("{}:\n  {}\n", process.name, lines.into_iter().rev().collect::<Vec<_>>().join("\n  "))
        };
        self.processes.iter().map(last).collect()
    }

    /// Who ended by itself, and with what words.
    pub fn endings(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.servers.iter().chain(&self.processes);
        all.flat_map(|process| process.ended.iter().map(|words| (process.name.as_str(), words.as_str())))
    }

    /// A folder of its own for whoever checks.
    pub fn fresh(&self, name: &str) -> anyhow::Result<PathBuf> {
        self.folder_of(name)
    }
}

fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<std::io::Result<_>>()?;
    listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

fn text_of(path: &Path) -> anyhow::Result<String> {
    Ok(path.to_str().context("a path of UTF-8")?.to_owned())
}
