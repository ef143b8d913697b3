//! What must be true when everything runs again.
//!
//! Every session that was acknowledged has each step of its pipeline once, and each ended as it does on one machine in peace.
//! What the nemesis can cause instead is this and nothing else:
//! - a step is parked, if those who worked on it were killed, stopped or ended as often as it was tried since its session was
//!   stored. A server that is away, a stream that is full, a leader that changes and a clock that jumps park nothing;
//! - a step has no input, or its session is partial or failed, because a step of the same session was parked;
//! - where two contents were published as one session, either is in the log, and the other was refused.
//!
//! Everything else that was published was refused, each with its fact, and nothing is left in the inbox.
//!
//! Nobody ended by itself for what passes: a server that is away, a leader that is elected, an answer that does not come. A stream
//! that is full is one whose limit differs from what it must be, and whoever is started or begins anew meanwhile ends for that.

use crate::{
    LIFE, TRADE,
    agents::{Published, Sent},
    swarm::Swarm,
};
use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use flywheel::{bus::Bus, runner::ATTEMPTS_MAX};
use flywheel_events::{Digest, Fact as _, Key, SessionReady, SessionRejected, StepFailed};
use futures::TryStreamExt as _;
use rustix::process::Signal;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// How long the swarm may take to catch up.
const QUIET_MAX: Duration = Duration::from_secs(180);

/// How a process says that a stream has another limit: no waiting changes that, as far as it knows.
const OTHER_LIMIT: &str = "is not what flywheel needs: max_bytes is";

/// Checks everything, and says what was seen.
pub async fn all(swarm: &mut Swarm, published: &Published) -> anyhow::Result<String> {
    let waited = quiet(swarm).await?;
    let odd: Vec<_> = swarm.endings().filter(|(_, words)| !words.contains(OTHER_LIMIT)).collect();
    anyhow::ensure!(odd.is_empty(), "ended by themselves for what passes: {odd:?}");
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
    let (facts, peace) = (Facts::of(&log)?, in_peace(swarm)?);
    facts.check_steps(published)?;
    facts.check_refusals(published)?;
    let parked = facts.check_outcomes(&peace)?;
    let bus = swarm.bus().await?;
    for (session, position) in &parked {
        let times = [facts.sessions[session].completed, *position].map(|position| stored_at(&bus, position));
        let [from, to] = futures::future::try_join_all(times).await?[..] else { unreachable!("two were asked for") };
        let harms = swarm.history.harms("worker", from, to);
        anyhow::ensure!(
            harms >= ATTEMPTS_MAX as usize,
            "a step of {session} was parked at {position}, and workers were harmed {harms} times since it was stored"
        );
    }
    let mut inbox = bus.jetstream.get_stream("SWARM").await?;
    let left = inbox.info().await?.state.clone();
    if left.messages > 0 {
        let intake = inbox.consumer_info("intake").await?;
        anyhow::bail!("messages are left in the inbox: {left:?}, of which the consumer knows {intake:?}");
    }
    let verified = swarm.command(&kept, &["verify"])?;
    anyhow::ensure!(!verified.is_empty(), "verify says nothing");
    Ok(format!(
        "{} facts, {} of them stamped by a clock that had jumped; {} refused, {} steps parked by the death of workers; quiet after {} ms; {} processes ended by themselves, each for the limit of a stream that was full",
        facts.count,
        facts.off,
        facts.rejected.len(),
        parked.len(),
        waited.as_millis(),
        swarm.endings().count(),
    ))
}

/// When the server stored a position of the log, in milliseconds of the machine's clock.
async fn stored_at(bus: &Bus, position: u64) -> anyhow::Result<i64> {
    let message = bus.jetstream.get_stream("FLYWHEEL").await?.get_raw_message(position).await?;
    Ok(i64::try_from(message.time.unix_timestamp_nanos() / 1_000_000)?)
}

/// How each step of the examples ends on one machine.
fn in_peace(swarm: &Swarm) -> anyhow::Result<BTreeMap<String, (String, Value)>> {
    let folder = swarm.fresh("peace")?;
    let mut peace = BTreeMap::new();
    for (name, session) in [("trade", TRADE), ("life", LIFE)] {
        let (file, data) = (folder.join(format!("{name}.json")), folder.join(name));
        std::fs::write(&file, session)?;
        swarm.command(&data, &["run", file.to_str().context("UTF-8")?, "--no-update"])?;
        let facts = Facts::of(&swarm.command(&data, &["log", "export"])?)?;
        for steps in facts.sessions.into_values() {
            peace.extend(steps.steps.into_iter().map(|(step, ended)| (step, (ended.event_type, ended.data))));
        }
    }
    Ok(peace)
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

/// How a step ended.
#[derive(Debug)]
struct Ended {
    position: u64,
    event_type: String,
    data: Value,
}

/// The facts of a session.
#[derive(Debug, Default)]
struct Steps {
    /// Where the session itself is.
    completed: u64,
    steps: BTreeMap<String, Ended>,
}

/// A log as its export has it.
#[derive(Debug, Default)]
struct Facts {
    count: usize,
    sessions: BTreeMap<String, Steps>,
    rejected: BTreeMap<Sent, Vec<String>>,
    /// Facts that were stamped by a clock more than half an hour off.
    off: usize,
}

impl Facts {
    /// Positions without gaps, each key once, the chain whole.
    fn of(export: &str) -> anyhow::Result<Self> {
        let (mut chain, mut keys) = (Digest::GENESIS, BTreeSet::new());
        let mut facts = Self::default();
        for line in export.lines() {
            let line: flywheel::log::Line<'_> = serde_json::from_str(line)?;
            facts.count += 1;
            anyhow::ensure!(line.position == facts.count as u64, "position {} is not {}", line.position, facts.count);
            chain = chain.chain(&line.key, &Digest::of(line.event.get().as_bytes()));
            anyhow::ensure!(line.chain == chain, "the chain breaks at {}", line.position);
            anyhow::ensure!(keys.insert(line.key.to_string()), "{} is there twice", line.key);
            facts.take(line.position, &line.key, serde_json::from_str(line.event.get())?)?;
        }
        Ok(facts)
    }

    fn take(&mut self, position: u64, key: &Key, mut event: Value) -> anyhow::Result<()> {
        let stamped: Option<DateTime<Utc>> = event["time"].as_str().and_then(|time| time.parse().ok());
        self.off += usize::from(stamped.is_none_or(|time| (Utc::now() - time).abs() > TimeDelta::minutes(30)));
        let event_type = event["type"].as_str().context("a type")?.to_owned();
        let data = event["data"].take();
        if event_type == SessionRejected::TYPE {
            let SessionRejected { received_on, sha256, reasons, .. } = serde_json::from_value(data)?;
            self.rejected.insert((received_on, sha256), reasons);
        } else if let Some(session) = key.session_id() {
            let session = self.sessions.entry(session.to_string()).or_default();
            if key.step.as_str() == "session-completed" {
                session.completed = position;
            }
            let step = key.step.to_string();
            let twice = session.steps.insert(step, Ended { position, event_type, data });
            anyhow::ensure!(twice.is_none(), "{key}: its step ended twice");
        }
        Ok(())
    }

    /// Each session that was acknowledged has each step of its pipeline, once; and there is no other session.
    fn check_steps(&self, published: &Published) -> anyhow::Result<()> {
        for session in published.sessions.keys() {
            let Steps { steps, .. } = self.sessions.get(session).with_context(|| format!("{session} is lost"))?;
            let pipeline = if steps.contains_key("trade-ready") { "trade" } else { "life_aria" };
            let expected: BTreeSet<String> = flywheel::stages::pipelines()
                .iter()
                .filter(|known| known.session_type.as_str() == pipeline)
                .flat_map(|known| known.stages.iter().map(|row| format!("{pipeline}-{}", row.name)))
                .chain(["session-completed".to_owned()])
                .collect();
            let found: BTreeSet<String> = steps.keys().cloned().collect();
            anyhow::ensure!(found == expected, "{session} has {found:?}, and must have {expected:?}");
        }
        let others: Vec<_> = self.sessions.keys().filter(|id| !published.sessions.contains_key(*id)).collect();
        anyhow::ensure!(others.is_empty(), "sessions that nobody published: {others:?}");
        Ok(())
    }

    /// What is no session was refused, of contents that contradict each other all but one, and nothing else.
    fn check_refusals(&self, published: &Published) -> anyhow::Result<()> {
        let mut may_be: BTreeSet<&Sent> = published.refused.iter().map(|hurled| &hurled.sent).collect();
        for hurled in published.refused.iter().filter(|hurled| hurled.stored) {
            let reasons = self.rejected.get(&hurled.sent);
            let reasons = reasons.with_context(|| format!("{hurled:?} was stored, and not refused"))?.join("; ");
            let named = reasons.contains("headers cannot be read") || reasons.contains("was delivered");
            anyhow::ensure!(named || !hurled.poison, "{hurled:?} was refused for {reasons}");
        }
        for (session, contents) in &published.sessions {
            let refused = contents.iter().filter(|sent| self.rejected.contains_key(*sent)).count();
            let count = contents.len();
            anyhow::ensure!(refused == count - 1, "of {count} contents of {session} {refused} were refused");
            may_be.extend(contents);
        }
        let odd: Vec<_> = self.rejected.iter().filter(|(sent, _)| !may_be.contains(sent)).collect();
        anyhow::ensure!(odd.is_empty(), "refused, and published by nobody: {odd:?}");
        Ok(())
    }

    /// Each step ended as it does in peace, or was parked, or follows from one that was. The sessions with what was parked, and
    /// where.
    fn check_outcomes(&self, peace: &BTreeMap<String, (String, Value)>) -> anyhow::Result<Vec<(String, u64)>> {
        let mut parked = vec![];
        for (session, Steps { steps, .. }) in &self.sessions {
            let mut failed = vec![];
            for (step, ended) in steps {
                let (expected, data) = peace.get(step).with_context(|| format!("{step} is none in peace"))?;
                if ended.event_type == StepFailed::TYPE && *expected != StepFailed::TYPE {
                    let class = ended.data["class"].as_str().unwrap_or_default();
                    failed.push((ended.position, class.to_owned(), ended.data["message"].clone()));
                    continue;
                }
                anyhow::ensure!(
                    ended.event_type == *expected,
                    "{step} of {session} ended in {}, and ends in {expected} in peace: {}",
                    ended.event_type,
                    ended.data
                );
                if ended.event_type == SessionReady::TYPE {
                    let (outcome, all) = (&ended.data["outcome"], ended.data["failures"].as_array().map(Vec::len));
                    anyhow::ensure!(
                        (*outcome == data["outcome"]) == (all == Some(0)),
                        "{session} is {outcome}, with {all:?} failures: {}",
                        ended.data
                    );
                }
            }
            let its: Vec<u64> = failed.iter().filter(|(_, class, _)| class == "parked").map(|(at, ..)| *at).collect();
            let follows = failed.iter().all(|(_, class, _)| ["parked", "input_failed"].contains(&class.as_str()));
            anyhow::ensure!(failed.is_empty() || (follows && !its.is_empty()), "{session} failed: {failed:?}");
            parked.extend(its.into_iter().map(|position| (session.clone(), position)));
        }
        Ok(parked)
    }
}
