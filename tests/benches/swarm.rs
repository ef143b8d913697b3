//! Real processes on the bus: what more workers bring, and whether what they keep in memory grows with the log.

use crate::{
    Scale,
    bus::{Ready, facts, open},
    fresh,
    nats::Server,
    process::{flywheel, memory},
    report::{Limit, figure, per_second, processor_time, ratio, remark},
    workshop::sessions,
};
use anyhow::Context as _;
use async_nats::HeaderMap;
use flywheel::{
    bus::{Bus, BusLog, Topology, setup},
    log::Log as _,
};
use flywheel_events::{Fact as _, SessionCompleted};
use futures::{StreamExt as _, stream};
use std::{
    process::Child,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Sessions that so many workers share, at full scale.
const SHARED_SESSIONS: u64 = 3_000;

/// Sessions of the long run at full scale: nine facts each.
const LONG_SESSIONS: u64 = 112_000;

/// Publishes to the inbox that wait for their acknowledgement.
const IN_FLIGHT: usize = 256;

const MIB: u64 = 1024 * 1024;

/// A process of the program in a folder of its own, ended when it is dropped.
struct Process {
    child: Child,
    _folder: TempDir,
}

impl Process {
    fn start(command: &str, server: &Server) -> anyhow::Result<Self> {
        let folder = fresh()?;
        let data = folder.path().join("data");
        let data = data.to_str().context("the path is no text")?;
        let mut command = flywheel(&[command, "--nats", &server.url, "--data", data]);
        command.current_dir(folder.path()).stderr(std::process::Stdio::null());
        Ok(Self { child: command.spawn()?, _folder: folder })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long one, two and four worker processes take for the same sessions.
pub fn workers(scale: Scale) -> anyhow::Result<()> {
    let count = scale.of(SHARED_SESSIONS, 200);
    let runtime = tokio::runtime::Runtime::new()?;
    for workers in [1, 2, 4] {
        let took = runtime.block_on(share(count, workers))?;
        let what = format!("{count} sessions, {workers} worker processes");
        figure(what, per_second(count, took), "sess/s", Limit::None);
    }
    remark("the sessions are in the log before the first worker starts; server and workers share the machine");
    Ok(())
}

async fn share(count: u64, workers: usize) -> anyhow::Result<Duration> {
    let server = Server::start();
    let bus = open(&server).await?;
    setup(&bus, &Topology::default()).await?;
    let facts = facts(0..count)?;
    BusLog::open(open(&server).await?, Topology::default()).await?.append(facts.clone()).await?;
    let mut ready = Ready::watch(&bus).await?;
    let start = Instant::now();
    let _workers = (0..workers).map(|_| Process::start("worker", &server)).collect::<anyhow::Result<Vec<_>>>()?;
    ready.wait(&facts).await?;
    Ok(start.elapsed())
}

/// What intake, worker, replica and server keep in memory while a log of a million facts comes to be.
pub fn growth(scale: Scale) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(grow(scale.of(LONG_SESSIONS, 400)))
}

async fn grow(count: u64) -> anyhow::Result<()> {
    const PARTS: u64 = 4;
    let server = Server::start();
    let bus = open(&server).await?;
    setup(&bus, &Topology::default()).await?;
    let names = ["intake", "worker", "replica"];
    let processes = names.map(|name| Process::start(name, &server));
    let processes = processes.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let ids = processes.iter().map(|process| process.child.id()).chain([server.id()]);
    let watched: Vec<(&str, u32)> = names.into_iter().chain(["server"]).zip(ids).collect();
    let mut ready = Ready::watch(&bus).await?;
    let start = Use::of(&watched)?;
    let (mut before, mut first_quarter) = (start.clone(), None);
    for part in 0..PARTS {
        let numbers = part * count / PARTS..(part + 1) * count / PARTS;
        let sessions = numbers.end - numbers.start;
        let took = run(&bus, &mut ready, numbers).await?;
        let facts = bus.jetstream.get_stream("FLYWHEEL").await?.cached_info().state.messages;
        let now = Use::of(&watched)?;
        figure(format_args!("{facts} facts: sessions to ready"), per_second(sessions, took), "sess/s", Limit::None);
        for (i, (name, _)) in watched.iter().enumerate() {
            let worked = (now.worked[i] - before.worked[i]).as_micros() / u128::from(sessions);
            remark(format_args!("{name}: {} MiB, {worked} µs of processor time a session", now.bytes[i] / MIB));
        }
        before = now;
        first_quarter.get_or_insert(before.clone());
    }
    let first_quarter = first_quarter.context("there is a first quarter")?;
    for (i, name) in names.iter().enumerate() {
        let what = format!("{name}: memory at the end against the first quarter");
        figure(what, ratio(before.bytes[i].into(), first_quarter.bytes[i].into()), "×", Limit::Most(1_250));
    }
    let grown = before.bytes[names.len()].saturating_sub(start.bytes[names.len()]);
    figure("server memory for a session", u128::from(grown) * 1000 / u128::from(count), "bytes", Limit::None);
    Ok(())
}

/// What processes have in memory, in bytes, and how long processors have worked for them.
#[derive(Debug, Clone)]
struct Use {
    bytes: Vec<u64>,
    worked: Vec<Duration>,
}

impl Use {
    fn of(processes: &[(&str, u32)]) -> anyhow::Result<Self> {
        let (mut bytes, mut worked) = (vec![], vec![]);
        for (name, process) in processes {
            bytes.push(memory(*process).with_context(|| format!("{name} has ended"))?);
            worked.push(processor_time(*process).with_context(|| format!("{name} has ended"))?);
        }
        Ok(Self { bytes, worked })
    }
}

/// Hands these sessions in, and waits for the end of all.
async fn run(bus: &Bus, ready: &mut Ready, numbers: std::ops::Range<u64>) -> anyhow::Result<Duration> {
    /// Sessions that are made at once.
    const MADE: usize = 1_000;
    let start = Instant::now();
    let publish = async {
        for first in numbers.clone().step_by(MADE) {
            let files = sessions(first..numbers.end.min(first + MADE as u64))?;
            let publish = |(n, file): (u64, Vec<u8>)| publish(bus, n, file);
            let published = stream::iter((first..).zip(files)).map(publish).buffer_unordered(IN_FLIGHT);
            published.collect::<Vec<_>>().await.into_iter().collect::<anyhow::Result<()>>()?;
        }
        anyhow::Ok(())
    };
    let end = async {
        for _ in numbers.clone() {
            ready.next().await?;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(publish, end)?;
    Ok(start.elapsed())
}

/// Hands a session in, as an agent does.
async fn publish(bus: &Bus, n: u64, file: Vec<u8>) -> anyhow::Result<()> {
    let agent = format!("Agent-{}", n % 8);
    let subject = format!("swarm.session.completed.{agent}");
    let session: serde_json::Value = serde_json::from_slice(&file)?;
    let mut headers = HeaderMap::new();
    let attributes = [
        ("ce-specversion", "1.0".to_owned()),
        ("ce-type", SessionCompleted::TYPE.to_owned()),
        ("ce-source", format!("/agents/{agent}")),
        ("ce-id", session["session_id"].as_str().context("an id")?.to_owned()),
        ("Content-Type", "application/json".to_owned()),
    ];
    attributes.into_iter().for_each(|(name, value)| headers.insert(name, value));
    bus.jetstream.publish_with_headers(subject, headers, file.into()).await?.await?;
    Ok(())
}
