//! Real processes on the bus: what more workers bring, and whether what they keep in memory grows with the log.

use crate::{
    Scale,
    bus::{Ready, facts, open},
    fresh,
    nats::Server,
    process::{flywheel, memory},
    report::{Limit, figure, per_second, ratio, remark},
    workshop::sessions,
};
use anyhow::Context as _;
use async_nats::HeaderMap;
use flywheel::{
    bus::{BusLog, Topology, setup},
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

const MIB: u128 = 1024 * 1024;

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
    let processes = names.iter().map(|name| Process::start(name, &server)).collect::<anyhow::Result<Vec<Process>>>()?;
    let mut ready = Ready::watch(&bus).await?;
    let empty = memory(server.id()).context("the server is there")?;
    let mut after_first = vec![];
    for part in 0..PARTS {
        let numbers = part * count / PARTS..(part + 1) * count / PARTS;
        let start = Instant::now();
        let publish = async {
            for thousand in numbers.clone().step_by(1_000) {
                let files = sessions(thousand..numbers.end.min(thousand + 1_000))?;
                let publish = |(n, file): (u64, Vec<u8>)| publish(&bus, n, file);
                let published = stream::iter((thousand..).zip(files)).map(publish).buffer_unordered(IN_FLIGHT);
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
        let took = start.elapsed();
        let facts = bus.jetstream.get_stream("FLYWHEEL").await?.cached_info().state.messages;
        let of = |child: &Process| memory(child.child.id()).context("a process ended");
        let now = processes.iter().map(of).collect::<anyhow::Result<Vec<_>>>()?;
        let shown: Vec<String> =
            names.iter().zip(&now).map(|(name, bytes)| format!("{name} {} MiB", mib(*bytes))).collect();
        let of_server = memory(server.id()).context("the server is there")?;
        remark(format_args!("{facts} facts: {}, server {} MiB", shown.join(", "), mib(of_server)));
        figure(
            "  sessions from the inbox to ready",
            per_second(numbers.end - numbers.start, took),
            "sess/s",
            Limit::None,
        );
        if part == 0 {
            after_first.clone_from(&now);
        }
        if part == PARTS - 1 {
            for ((name, first), last) in names.iter().zip(&after_first).zip(&now) {
                let what = format!("{name}: memory at the end against the first quarter");
                figure(what, ratio(u128::from(*last), u128::from(*first)), "×", Limit::Most(1_250));
            }
            let each = u128::from(of_server.saturating_sub(empty)) * 1000 / u128::from(count);
            figure("server memory for a session, 9 facts", each, "bytes", Limit::None);
        }
    }
    Ok(())
}

fn mib(bytes: u64) -> u128 {
    u128::from(bytes) / MIB
}

/// Hands a session in, as an agent does.
async fn publish(bus: &flywheel::bus::Bus, n: u64, file: Vec<u8>) -> anyhow::Result<()> {
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
