//! What goes wrong.

use crate::{
    agents::{self, Hurled},
    swarm::Swarm,
};
use anyhow::Context as _;
use rand::{RngExt as _, rngs::StdRng, seq::SliceRandom as _};
use rustix::process::Signal;
use std::{
    collections::BTreeMap,
    fmt, fs,
    time::{Duration, Instant},
};

/// A way to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    KillProcess,
    StopProcess,
    EndProcess,
    /// A clock is set hours or days forward or back while its process runs.
    JumpClock,
    KillServer,
    StopServer,
    KillLeader,
    /// While the leader is dead, one of each role is killed or stopped, clocks jump, and junk and poison come.
    Storm,
    WipeServer,
    FillInbox,
    FillLog,
}

/// Most hours that a clock is set forward or back.
const CLOCK_HOURS_MAX: i64 = 48;

/// From how long an attack on the log is full for longer than any publish is repeated.
const LONG: Duration = Duration::from_secs(300);

/// For how many milliseconds it is then.
const LONG_FULL: std::ops::Range<u64> = 100_000..130_000;

/// How often each went wrong, and to whom; and what was published meanwhile that is to be refused.
#[derive(Debug, Default)]
pub struct Faults(BTreeMap<String, usize>, pub Vec<Hurled>);

impl Faults {
    pub fn count(&self) -> usize {
        self.0.values().sum()
    }

    fn add(&mut self, fault: Fault, whom: &str) {
        *self.0.entry(format!("{fault:?} {whom}").trim_end().to_owned()).or_default() += 1;
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each: Vec<_> = self.0.iter().map(|(fault, count)| format!("{fault} {count}")).collect();
        f.write_str(&each.join(", "))
    }
}

/// Does harm until the time is over: each kind in turn, in an order of chance, and again.
pub async fn attack(swarm: &mut Swarm, mut random: StdRng, time: Duration) -> anyhow::Result<Faults> {
    let mut all = vec![
        Fault::KillProcess,
        Fault::KillProcess,
        Fault::KillProcess,
        Fault::StopProcess,
        Fault::EndProcess,
        Fault::JumpClock,
        Fault::JumpClock,
        Fault::JumpClock,
        Fault::FillInbox,
        Fault::FillLog,
    ];
    if swarm.servers.len() == 1 {
        all.extend([Fault::KillServer, Fault::StopServer]);
    } else {
        all.extend([Fault::KillLeader, Fault::Storm, Fault::StopServer, Fault::WipeServer]);
    }
    let (mut faults, mut due) = (Faults::default(), vec![]);
    // Who is stopped, and until when.
    let mut stopped: Vec<(Instant, usize)> = vec![];
    let start = Instant::now();
    let mut is_long = time >= LONG;
    while start.elapsed() < time {
        if is_long && start.elapsed() > time / 3 && fill(swarm, "FLYWHEEL", &mut random, LONG_FULL).await? {
            is_long = false;
            faults.add(Fault::FillLog, "for long");
        }
        pause(&mut random, 100, 600).await;
        if due.is_empty() {
            due.clone_from(&all);
            due.shuffle(&mut random);
            // However short the attack is, the storm is part of it.
            due.sort_by_key(|fault| *fault == Fault::Storm);
        }
        let fault = due.pop().expect("it was filled");
        match fault {
            // Longer than its deliveries are held for it, now and then, while other things go wrong.
            Fault::StopProcess => {
                let process = random.random_range(0..swarm.processes.len());
                let until = Instant::now() + Duration::from_millis(random.random_range(500..6_000));
                // It may have ended by itself a moment ago.
                if swarm.processes[process].signal(Signal::STOP).is_ok() {
                    swarm.history.note("nemesis", "StopProcess", swarm.processes[process].name.as_str());
                    swarm.history.harm(&swarm.processes[process].name);
                    faults.add(fault, swarm.processes[process].role());
                    stopped.push((until, process));
                }
            }
            _ => do_harm(swarm, fault, &mut random, &mut faults).await?,
        }
        for (_, process) in stopped.extract_if(.., |(until, _)| *until <= Instant::now()) {
            // It may have been killed since, and then nobody is stopped any more.
            let _ = swarm.processes[process].signal(Signal::CONT);
        }
        for process in &mut swarm.processes {
            if process.revive()? {
                swarm.history.note(&process.name, "started again", "");
            }
        }
    }
    Ok(faults)
}

async fn pause(random: &mut StdRng, least: u64, most: u64) {
    tokio::time::sleep(Duration::from_millis(random.random_range(least..most))).await;
}

/// Does harm where there is any to do, and counts it.
async fn do_harm(swarm: &mut Swarm, fault: Fault, random: &mut StdRng, faults: &mut Faults) -> anyhow::Result<()> {
    let (process, server) =
        (random.random_range(0..swarm.processes.len()), random.random_range(0..swarm.servers.len()));
    let whom = match fault {
        Fault::KillProcess | Fault::EndProcess | Fault::JumpClock => Some(&swarm.processes[process]),
        Fault::KillServer | Fault::StopServer | Fault::WipeServer => Some(&swarm.servers[server]),
        _ => None,
    };
    swarm.history.note("nemesis", &format!("{fault:?}"), whom.map_or("", |whom| whom.name.as_str()));
    let role = whom.map_or("", |whom| whom.role()).to_owned();
    if matches!(fault, Fault::KillProcess | Fault::EndProcess) {
        swarm.history.harm(&swarm.processes[process].name);
    }
    match fault {
        Fault::KillProcess => swarm.processes[process].kill()?,
        Fault::EndProcess => {
            // One that is stopped hears nothing.
            let _ = swarm.processes[process].signal(Signal::CONT);
            swarm.processes[process].end()?;
        }
        Fault::JumpClock => jump(swarm, process, random)?,
        Fault::KillServer => {
            swarm.servers[server].kill()?;
            pause(random, 50, 1_500).await;
            swarm.servers[server].start()?;
        }
        Fault::StopServer => {
            swarm.servers[server].signal(Signal::STOP)?;
            pause(random, 300, 3_000).await;
            swarm.servers[server].signal(Signal::CONT)?;
        }
        Fault::KillLeader => {
            let Some(leader) = leader(swarm).await else { return Ok(()) };
            swarm.history.note("nemesis", "the leader", swarm.servers[leader].name.as_str());
            swarm.servers[leader].kill()?;
            pause(random, 500, 2_500).await;
            swarm.servers[leader].start()?;
            settle(swarm).await?;
        }
        Fault::Storm => return storm(swarm, random, faults).await,
        Fault::WipeServer => {
            settle(swarm).await?;
            swarm.servers[server].kill()?;
            fs::remove_dir_all(swarm.servers[server].folder.join("store"))?;
            pause(random, 100, 1_000).await;
            swarm.servers[server].start()?;
            settle(swarm).await?;
        }
        Fault::FillInbox if !fill(swarm, "SWARM", random, FULL).await? => return Ok(()),
        Fault::FillLog if !fill(swarm, "FLYWHEEL", random, FULL).await? => return Ok(()),
        Fault::FillInbox | Fault::FillLog | Fault::StopProcess => {}
    }
    faults.add(fault, &role);
    Ok(())
}

/// Sets the clock of a process somewhere else.
fn jump(swarm: &Swarm, process: usize, random: &mut StdRng) -> anyhow::Result<()> {
    let process = &swarm.processes[process];
    let seconds = random.random_range(-CLOCK_HOURS_MAX * 3600..=CLOCK_HOURS_MAX * 3600);
    swarm.history.note(&process.name, "its clock jumps", seconds);
    process.set_clock(seconds)?;
    Ok(())
}

/// The leader is killed, and nobody else is left in peace until it comes back.
async fn storm(swarm: &mut Swarm, random: &mut StdRng, faults: &mut Faults) -> anyhow::Result<()> {
    settle(swarm).await?;
    let Some(leader) = leader(swarm).await else { return Ok(()) };
    swarm.servers[leader].kill()?;
    faults.add(Fault::Storm, "leader killed");
    let mut order: Vec<usize> = (0..swarm.processes.len()).collect();
    order.shuffle(random);
    let mut stopped = None;
    for role in ["intake", "worker", "replica"] {
        let of_role = order.iter().copied().filter(|index| swarm.processes[*index].role() == role);
        let of_role: Vec<usize> = of_role.collect();
        if let [killed, ..] = of_role[..] {
            swarm.history.harm(&swarm.processes[killed].name);
            swarm.processes[killed].kill()?;
            faults.add(Fault::Storm, &format!("{role} killed"));
        }
        if let [_, other, ..] = of_role[..]
            && swarm.processes[other].signal(Signal::STOP).is_ok()
        {
            stopped = Some(other);
            swarm.history.harm(&swarm.processes[other].name);
            faults.add(Fault::Storm, &format!("{role} stopped"));
        }
    }
    for process in order {
        jump(swarm, process, random)?;
        faults.add(Fault::Storm, "clock jumped");
    }
    let other = (leader + 1) % swarm.servers.len();
    let url = swarm.url_of(other);
    for hurled in tokio::task::block_in_place(|| agents::hurl_all(&url)) {
        faults.add(Fault::Storm, "bad message");
        faults.1.push(hurled);
    }
    for process in swarm.processes.iter_mut() {
        process.revive()?;
    }
    pause(random, 500, 2_500).await;
    if let Some(stopped) = stopped {
        swarm.processes[stopped].signal(Signal::CONT)?;
    }
    swarm.servers[leader].start()?;
    settle(swarm).await
}

/// The server that leads the log's stream.
async fn leader(swarm: &Swarm) -> Option<usize> {
    let bus = swarm.bus().await.ok()?;
    let stream = bus.jetstream.get_stream("FLYWHEEL").await.ok()?;
    let leader = stream.cached_info().cluster.as_ref()?.leader.clone()?;
    swarm.servers.iter().position(|server| server.name == leader)
}

/// Waits until every server has what the leader has: two thirds of a cluster are not to be lost at once.
async fn settle(swarm: &Swarm) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        if let Ok(true) = is_settled(swarm).await {
            return Ok(());
        }
        anyhow::ensure!(start.elapsed() < Duration::from_secs(60), "the cluster does not find together again");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn is_settled(swarm: &Swarm) -> anyhow::Result<bool> {
    let bus = swarm.bus().await?;
    for name in ["FLYWHEEL", "SWARM"] {
        let stream = bus.jetstream.get_stream(name).await?;
        let Some(cluster) = &stream.cached_info().cluster else { return Ok(true) };
        let others = cluster.replicas.len() + 1;
        let current = cluster.replicas.iter().all(|replica| replica.current && !replica.offline);
        if cluster.leader.is_none() || others < swarm.servers.len() || !current {
            return Ok(false);
        }
    }
    Ok(true)
}

/// For how many milliseconds a stream is full.
const FULL: std::ops::Range<u64> = 300..2_500;

/// A stream takes nothing more for a while.
async fn fill(swarm: &Swarm, name: &str, random: &mut StdRng, time: std::ops::Range<u64>) -> anyhow::Result<bool> {
    // Without a leader there is nobody to ask; then something else is wrong already.
    let Ok(bus) = swarm.bus().await else { return Ok(false) };
    let Ok(stream) = bus.jetstream.get_stream(name).await else { return Ok(false) };
    let info = stream.cached_info();
    let whole = swarm.topology.streams().into_iter().find(|config| config.name == name).context("a stream")?;
    let bytes = i64::try_from(info.state.bytes)?.max(1);
    let full = async_nats::jetstream::stream::Config { max_bytes: bytes, ..info.config.clone() };
    if bus.jetstream.update_stream(&full).await.is_err() {
        return Ok(false);
    }
    swarm.history.note("nemesis", "full", name);
    pause(random, time.start, time.end).await;
    let start = Instant::now();
    let whole = async_nats::jetstream::stream::Config { max_bytes: whole.max_bytes, ..full };
    while let Err(error) = bus.jetstream.update_stream(&whole).await {
        anyhow::ensure!(start.elapsed() < Duration::from_secs(60), "{name} cannot be made whole again: {error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(true)
}
