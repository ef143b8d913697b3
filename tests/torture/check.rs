//! What must be true when everything runs again.

use crate::{agents::Published, swarm::Swarm};
use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use flywheel_events::{Digest, Key};
use futures::TryStreamExt as _;
use rustix::process::Signal;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// How long the swarm may take to catch up.
const QUIET_MAX: Duration = Duration::from_secs(180);

/// Checks everything, and says what was seen.
pub async fn all(swarm: &mut Swarm, published: &Published) -> anyhow::Result<String> {
    let waited = quiet(swarm).await?;
    // All at once, which takes as long as one.
    for process in &swarm.processes {
        process.signal(Signal::TERM)?;
    }
    for process in &mut swarm.processes {
        process.end()?;
    }
    let kept = swarm.processes.iter().find(|process| process.name == "replica-0").context("a replica")?;
    let (kept, fresh) = (kept.folder.join("data"), swarm.fresh("checks")?.join("data"));
    let url = swarm.url();
    for data in [&kept, &fresh] {
        swarm.command(data, &["replica", "--once", "--nats", &url])?;
    }
    let (log, again) = (swarm.command(&kept, &["log", "export"])?, swarm.command(&fresh, &["log", "export"])?);
    anyhow::ensure!(log == again, "the replica that was killed and a new one differ");
    let facts = Facts::of(&log)?;
    facts.check(published)?;
    let verified = swarm.command(&kept, &["verify"])?;
    anyhow::ensure!(!verified.is_empty(), "verify says nothing");
    Ok(format!(
        "{} facts, {} of them stamped by a clock that had jumped; quiet after {} ms",
        facts.count,
        facts.off,
        waited.as_millis()
    ))
}

/// Waits until nothing waits, and nobody has anything in hand.
async fn quiet(swarm: &mut Swarm) -> anyhow::Result<Duration> {
    let start = Instant::now();
    loop {
        let lag = lag(swarm).await;
        if matches!(lag, Ok(0)) {
            return Ok(start.elapsed());
        }
        if start.elapsed() > QUIET_MAX {
            anyhow::bail!("it does not become quiet: {lag:?}\n{}", swarm.last_words());
        }
        for process in &mut swarm.processes {
            process.revive()?;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Messages that wait for a consumer or are in somebody's hand, over all consumers.
async fn lag(swarm: &Swarm) -> anyhow::Result<u64> {
    let bus = swarm.bus().await?;
    let mut lag = 0;
    for name in ["SWARM", "FLYWHEEL"] {
        let stream = bus.jetstream.get_stream(name).await?;
        let consumers: Vec<_> = stream.consumers().try_collect().await?;
        let durable = consumers.iter().filter(|consumer| consumer.config.durable_name.is_some());
        lag += durable.map(|consumer| consumer.num_pending + consumer.num_ack_pending as u64).sum::<u64>();
    }
    Ok(lag)
}

/// A log as its export has it.
struct Facts {
    count: usize,
    /// Outcomes by session, then by step.
    by_session: BTreeMap<String, BTreeMap<String, usize>>,
    rejected: usize,
    /// Facts that were stamped by a clock more than half an hour off.
    off: usize,
}

impl Facts {
    /// Positions without gaps, each key once, the chain whole.
    fn of(export: &str) -> anyhow::Result<Self> {
        let (mut chain, mut keys) = (Digest::GENESIS, BTreeSet::new());
        let mut facts = Self { count: 0, by_session: BTreeMap::new(), rejected: 0, off: 0 };
        for line in export.lines() {
            let line: flywheel::log::Line<'_> = serde_json::from_str(line)?;
            facts.count += 1;
            anyhow::ensure!(line.position == facts.count as u64, "position {} is not {}", line.position, facts.count);
            chain = chain.chain(&line.key, &Digest::of(line.event.get().as_bytes()));
            anyhow::ensure!(line.chain == chain, "the chain breaks at {}", line.position);
            anyhow::ensure!(keys.insert(line.key.to_string()), "{} is there twice", line.key);
            let event: Value = serde_json::from_str(line.event.get())?;
            facts.take(&line.key, &event);
        }
        Ok(facts)
    }

    fn take(&mut self, key: &Key, event: &Value) {
        let stamped: Option<DateTime<Utc>> = event["time"].as_str().and_then(|time| time.parse().ok());
        self.off += usize::from(stamped.is_none_or(|time| (Utc::now() - time).abs() > TimeDelta::minutes(30)));
        if event["type"] == "dev.dreamos.session.rejected.v1" {
            self.rejected += 1;
        } else if let Some(session) = key.session_id() {
            let steps = self.by_session.entry(session.to_string()).or_default();
            *steps.entry(key.step.to_string()).or_default() += 1;
        }
    }

    /// Each session that was acknowledged has each step of its pipeline, once; and there is no other session.
    fn check(&self, published: &Published) -> anyhow::Result<()> {
        for session in &published.sessions {
            let steps = self.by_session.get(session).with_context(|| format!("{session} is lost"))?;
            let pipeline = if steps.contains_key("trade-ready") { "trade" } else { "life_aria" };
            let expected: BTreeSet<String> = flywheel::stages::pipelines()
                .iter()
                .filter(|known| known.session_type.as_str() == pipeline)
                .flat_map(|known| known.stages.iter().map(|row| format!("{pipeline}-{}", row.name)))
                .chain(["session-completed".to_owned()])
                .collect();
            let found: BTreeSet<String> = steps.keys().cloned().collect();
            anyhow::ensure!(found == expected, "{session} has {found:?}, and must have {expected:?}");
            anyhow::ensure!(steps.values().all(|count| *count == 1), "{session}: {steps:?}");
        }
        let others: Vec<_> = self.by_session.keys().filter(|id| !published.sessions.contains(*id)).collect();
        anyhow::ensure!(others.is_empty(), "sessions that nobody published: {others:?}");
        anyhow::ensure!(published.junk == 0 || self.rejected > 0, "junk was published, and nothing was refused");
        Ok(())
    }
}
