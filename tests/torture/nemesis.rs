//! What goes wrong.

use crate::swarm::Swarm;
use anyhow::Context as _;
use rand::{RngExt as _, rngs::StdRng};
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
    KillServer,
    StopServer,
    KillLeader,
    WipeServer,
    FillInbox,
    FillLog,
}

/// How often each went wrong.
#[derive(Debug, Default)]
pub struct Faults(BTreeMap<Fault, usize>);

impl Faults {
    pub fn count(&self) -> usize {
        self.0.values().sum()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each: Vec<_> = self.0.iter().map(|(fault, count)| format!("{fault:?} {count}")).collect();
        f.write_str(&each.join(", "))
    }
}

/// Does harm until the time is over.
pub async fn attack(swarm: &mut Swarm, mut random: StdRng, time: Duration) -> anyhow::Result<Faults> {
    let mut all = vec![
        Fault::KillProcess,
        Fault::KillProcess,
        Fault::StopProcess,
        Fault::EndProcess,
        Fault::FillInbox,
        Fault::FillLog,
    ];
    if swarm.servers.len() == 1 {
        all.extend([Fault::KillServer, Fault::StopServer]);
    } else {
        all.extend([Fault::KillLeader, Fault::KillLeader, Fault::StopServer, Fault::WipeServer]);
    }
    let mut faults = Faults::default();
    let start = Instant::now();
    while start.elapsed() < time {
        pause(&mut random, 200, 900).await;
        let fault = all[random.random_range(0..all.len())];
        if do_harm(swarm, fault, &mut random).await? {
            *faults.0.entry(fault).or_default() += 1;
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

/// Whether there was harm to do.
async fn do_harm(swarm: &mut Swarm, fault: Fault, random: &mut StdRng) -> anyhow::Result<bool> {
    let (process, server) =
        (random.random_range(0..swarm.processes.len()), random.random_range(0..swarm.servers.len()));
    let note = |swarm: &Swarm, of: &str| swarm.history.note("nemesis", &format!("{fault:?}"), of);
    match fault {
        Fault::KillProcess => {
            note(swarm, &swarm.processes[process].name);
            swarm.processes[process].kill()?;
        }
        Fault::EndProcess => {
            note(swarm, &swarm.processes[process].name);
            swarm.processes[process].end()?;
        }
        Fault::StopProcess => {
            note(swarm, &swarm.processes[process].name);
            // It may have ended by itself a moment ago.
            if swarm.processes[process].signal(Signal::STOP).is_err() {
                return Ok(false);
            }
            // Longer than its deliveries are held for it, now and then.
            pause(random, 500, 6_000).await;
            swarm.processes[process].signal(Signal::CONT)?;
        }
        Fault::KillServer => {
            note(swarm, &swarm.servers[server].name);
            swarm.servers[server].kill()?;
            pause(random, 50, 1_500).await;
            swarm.servers[server].start()?;
        }
        Fault::StopServer => {
            note(swarm, &swarm.servers[server].name);
            swarm.servers[server].signal(Signal::STOP)?;
            pause(random, 300, 3_000).await;
            swarm.servers[server].signal(Signal::CONT)?;
        }
        Fault::KillLeader => {
            let Some(leader) = leader(swarm).await else { return Ok(false) };
            note(swarm, &swarm.servers[leader].name);
            swarm.servers[leader].kill()?;
            pause(random, 500, 2_500).await;
            swarm.servers[leader].start()?;
            settle(swarm).await?;
        }
        Fault::WipeServer => {
            settle(swarm).await?;
            note(swarm, &swarm.servers[server].name);
            swarm.servers[server].kill()?;
            fs::remove_dir_all(swarm.servers[server].folder.join("store"))?;
            pause(random, 100, 1_000).await;
            swarm.servers[server].start()?;
            settle(swarm).await?;
        }
        Fault::FillInbox => return fill(swarm, "SWARM", random).await,
        Fault::FillLog => return fill(swarm, "FLYWHEEL", random).await,
    }
    Ok(true)
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

/// A stream takes nothing more for a while.
async fn fill(swarm: &Swarm, name: &str, random: &mut StdRng) -> anyhow::Result<bool> {
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
    pause(random, 300, 2_500).await;
    let start = Instant::now();
    let whole = async_nats::jetstream::stream::Config { max_bytes: whole.max_bytes, ..full };
    while let Err(error) = bus.jetstream.update_stream(&whole).await {
        anyhow::ensure!(start.elapsed() < Duration::from_secs(60), "{name} cannot be made whole again: {error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(true)
}
