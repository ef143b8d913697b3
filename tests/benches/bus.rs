//! The pipeline on the bus, beside bare consumers on the same server in the same run.
//!
//! A bare consumer makes nothing: it reads what a join reads, publishes the bytes that the stage came to for an example
//! session, under the same expectations, and acknowledges. What the pipeline has less than it is what our own work costs.

use crate::{
    Scale, fresh,
    nats::Server,
    report::{Limit, figure, ms, per_second, ratio, remark},
    workshop::{Workshop, example, sessions, type_of},
};
use anyhow::Context as _;
use async_nats::{
    HeaderMap, HeaderValue,
    jetstream::{self, Message, consumer::PullConsumer, message::PublishMessage},
};
use bytes::Bytes;
use flywheel::{
    accept,
    bus::{Address, Bus, BusLog, Topology, connect, setup},
    intake,
    log::{Consumer, Log as _, NewFact, Record, Scope},
    runner,
    safety::{self, Cleaner},
    stages::pipelines,
};
use flywheel_events::{Key, SessionId, SessionType, Step};
use futures::{StreamExt as _, future::join_all};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet};

/// Sessions at full scale.
const SESSIONS: u64 = 5_000;

/// Sessions that are under way at once where the time of one is measured.
const IN_FLIGHT: usize = 64;

/// Deliveries that a bare consumer takes at once.
const BATCH: usize = 256;

pub fn bench(scale: Scale) -> anyhow::Result<()> {
    let count = scale.of(SESSIONS, 200);
    let samples = Arc::new(Samples::make()?);
    let folder = fresh()?;
    let workshop = Workshop::open(folder.path())?;
    workshop.runtime.block_on(async {
        let server = Server::start();
        let (bare, bare_p99) = run(&server, count, &samples, Workers::Bare).await?;
        drop(server);
        let server = Server::start();
        let (real, real_p99) = run(&server, count, &samples, Workers::Real(&workshop)).await?;
        figure(format_args!("{count} sessions, bare consumers"), per_second(count, bare), "sess/s", Limit::None);
        figure(format_args!("{count} sessions, the pipeline"), per_second(count, real), "sess/s", Limit::None);
        let share = ratio(bare.as_micros() * 100, real.as_micros());
        figure("  its share of the bare consumers'", share, "%", Limit::Least(60_000));
        figure(format_args!("99th percentile at {IN_FLIGHT} in flight, bare"), ms(bare_p99), "ms", Limit::None);
        figure(
            format_args!("99th percentile at {IN_FLIGHT} in flight, the pipeline"),
            ms(real_p99),
            "ms",
            Limit::Most(60_000),
        );
        remark("from a session's publish to the publish of its ready; server and workers share the machine");
        anyhow::Ok(())
    })
}

enum Workers<'a> {
    Bare,
    Real(&'a Workshop),
}

pub async fn open(server: &Server) -> anyhow::Result<Bus> {
    Ok(connect(&Address { url: server.url.clone(), ..Address::default() }).await?)
}

/// How long all sessions took at once, and then the 99th percentile of one.
async fn run(
    server: &Server,
    count: u64,
    samples: &Arc<Samples>,
    workers: Workers<'_>,
) -> anyhow::Result<(Duration, Duration)> {
    let bus = open(server).await?;
    setup(&bus, &Topology::default()).await?;
    let log = BusLog::open(open(server).await?, Topology::default()).await?;
    let mut tasks = JoinSet::new();
    match workers {
        Workers::Bare => {
            for consumer in runner::consumers() {
                for config in Topology::default().consumers_of(&consumer) {
                    let name = config.durable_name.context("it has a name")?;
                    tasks.spawn(bare(open(server).await?, name, consumer.clone(), samples.clone()));
                }
            }
        }
        Workers::Real(workshop) => {
            let (log, tools) = (BusLog::open(open(server).await?, Topology::default()).await?, workshop.tools.clone());
            tasks.spawn(async move {
                runner::work(&log, pipelines(), &tools, Scope::All, |_| true, std::future::pending()).await?;
                Ok(())
            });
        }
    }
    let facts = facts(0..2 * count)?;
    let (first, second) = facts.split_at(usize::try_from(count)?);
    let mut ready = Ready::watch(&bus).await?;
    let start = Instant::now();
    log.append(first.to_vec()).await?;
    tokio::select! {
        outcome = ready.wait(first) => outcome?,
        Some(failed) = tasks.join_next() => failed??,
    }
    let took = start.elapsed();
    let p99 = tokio::select! {
        outcome = latency(&log, &bus, second) => outcome?,
        Some(failed) = tasks.join_next() => { failed??; anyhow::bail!("the workers ended") }
    };
    tasks.shutdown().await;
    Ok((took, p99))
}

/// Sessions as facts.
pub fn facts(numbers: std::ops::Range<u64>) -> anyhow::Result<Vec<NewFact>> {
    let cleaner = Cleaner::new(safety::Context::default());
    let fact = |file: &Vec<u8>| {
        let accepted = intake::read("bench", file, None).map_err(|report| anyhow::anyhow!("{report:?}"))?;
        anyhow::Ok(accept::fact(&accepted, &cleaner).0)
    };
    sessions(numbers)?.iter().map(fact).collect()
}

/// Sees sessions end.
pub struct Ready(futures::stream::SelectAll<async_nats::Subscriber>);

impl Ready {
    pub async fn watch(bus: &Bus) -> anyhow::Result<Self> {
        let mut all = futures::stream::SelectAll::new();
        for session_type in SessionType::ALL {
            all.push(bus.client.subscribe(format!("flywheel.log.{}-ready.>", session_type.as_str())).await?);
        }
        bus.client.flush().await?;
        Ok(Self(all))
    }

    pub async fn next(&mut self) -> anyhow::Result<SessionId> {
        let message = self.0.next().await.context("the server is there")?;
        Key::from_subject(&message.subject)?.session_id().context("a session's")
    }

    pub async fn wait(&mut self, facts: &[NewFact]) -> anyhow::Result<()> {
        let mut waiting: std::collections::HashSet<_> = facts.iter().filter_map(|fact| fact.session).collect();
        while !waiting.is_empty() {
            waiting.remove(&self.next().await?);
        }
        Ok(())
    }
}

/// The 99th percentile of a session's time, with so many under way.
async fn latency(log: &BusLog, bus: &Bus, facts: &[NewFact]) -> anyhow::Result<Duration> {
    let slots = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut ready = Ready::watch(bus).await?;
    let (sender, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let publish = async {
        for fact in facts {
            slots.acquire().await?.forget();
            let session = fact.session.context("a session's")?;
            sender.send((session, Instant::now()))?;
            let (log, fact) = (log.clone(), fact.clone());
            tokio::spawn(async move { log.append(vec![fact]).await });
        }
        anyhow::Ok(())
    };
    let mut times = vec![];
    let watch = async {
        let mut starts = HashMap::new();
        while times.len() < facts.len() {
            let session = ready.next().await?;
            let ended = Instant::now();
            while let Ok((session, start)) = begun.try_recv() {
                starts.insert(session, start);
            }
            if let Some(start) = starts.remove(&session) {
                times.push(ended - start);
                slots.add_permits(1);
            }
        }
        anyhow::Ok(())
    };
    tokio::try_join!(publish, watch)?;
    times.sort();
    Ok(times[times.len() * 99 / 100])
}

/// What each step of an example session came to.
struct Samples {
    by_step: HashMap<Step, Bytes>,
    queued: HashMap<Step, Vec<Bytes>>,
}

impl Samples {
    fn make() -> anyhow::Result<Self> {
        let (mut by_step, mut queued) = (HashMap::new(), HashMap::new());
        for session_type in [SessionType::Trade, SessionType::LifeAria] {
            let folder = fresh()?;
            let workshop = Workshop::open(folder.path())?;
            workshop.run(&[example(session_type)?.to_string().into_bytes()])?;
            let records: Vec<Record> = workshop.log.read_now(0, 1_000)?.into_iter().map(|row| row.record).collect();
            let (own, items): (Vec<_>, Vec<_>) =
                records.into_iter().partition(|record| record.key.session_id().is_some());
            let ready = format!("{}-ready", session_type.as_str()).parse().context("a step")?;
            queued.insert(ready, items.into_iter().map(|item| bytes(&item)).collect());
            by_step.extend(own.into_iter().map(|record| (record.key.step.clone(), bytes(&record))));
        }
        Ok(Self { by_step, queued })
    }
}

fn bytes(record: &Record) -> Bytes {
    Bytes::copy_from_slice(record.event.as_bytes())
}

/// A stage that makes nothing.
async fn bare(bus: Bus, name: String, consumer: Consumer, samples: Arc<Samples>) -> anyhow::Result<()> {
    let stream = bus.jetstream.get_stream_no_info("FLYWHEEL").await?;
    let deliveries: PullConsumer = stream.get_consumer(&name).await.map_err(anyhow::Error::from_boxed)?;
    loop {
        let first = deliveries.batch().max_messages(1).expires(Duration::from_secs(5)).messages().await?;
        let rest = deliveries.fetch().max_messages(BATCH).messages().await?;
        let messages: Vec<Message> = first.chain(rest).filter_map(|message| async { message.ok() }).collect().await;
        let handled = messages.iter().map(|message| bare_one(&bus.jetstream, &stream, &consumer, message, &samples));
        for outcome in join_all(handled).await {
            outcome?;
        }
    }
}

async fn bare_one(
    jetstream: &jetstream::Context,
    stream: &jetstream::stream::Stream<()>,
    consumer: &Consumer,
    message: &Message,
    samples: &Samples,
) -> anyhow::Result<()> {
    let key = Key::from_subject(&message.subject)?;
    let of_it = |step: &Step| Key { step: step.clone(), ..key.clone() };
    let n = key.id.as_u128() & 0xffff_ffff;
    let its_type = type_of(u64::try_from(n)?);
    let of_its_type = consumer.name.as_str().starts_with(its_type.as_str());
    let mut due = of_its_type;
    for step in consumer.steps.iter().filter(|step| **step != key.step && **step != runner::RERUN_REQUESTED) {
        due = due && stream.get_last_raw_message_by_subject(&of_it(step).subject()).await.is_ok();
    }
    if due {
        for (item, event) in samples.queued.get(&consumer.name).into_iter().flatten().enumerate() {
            let subject = format!("flywheel.log.publication-queued.0.0.publication.{}-{item}.1", key.id);
            publish(jetstream, subject, event.clone()).await?;
        }
        let event = samples.by_step.get(&consumer.name).with_context(|| consumer.name.to_string())?;
        publish(jetstream, of_it(&consumer.name).subject(), event.clone()).await?;
    }
    message.ack().await.map_err(anyhow::Error::msg)
}

async fn publish(jetstream: &jetstream::Context, subject: String, event: Bytes) -> anyhow::Result<()> {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", subject.as_str());
    headers.insert("Nats-Expected-Last-Subject-Sequence", HeaderValue::from(0));
    let message = PublishMessage::build().payload(event).headers(headers);
    // Two deliveries of a join may both be the last to see it due: the second is refused.
    let _ = jetstream.send_publish(subject, message).await?.await;
    Ok(())
}
