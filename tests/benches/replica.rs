//! Catching up with the bus's log, beside reading it and doing nothing with it, on the same server.

use crate::{
    Scale, fresh,
    made::{Facts, Size},
    nats::Server,
    process::{flywheel, time_and_memory},
    report::{Limit, figure, per_second, remark},
};
use anyhow::Context as _;
use flywheel::{
    bus::{Address, Bus, BusLog, Topology, connect, setup},
    log::Log as _,
};
use flywheel_events::envelope::Envelope;
use futures::StreamExt as _;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Facts of the stream at full scale.
const FACTS: u64 = 1_000_000;

/// Facts in one append.
const BATCH_FACTS: usize = 5_000;

const MIB: u128 = 1024 * 1024;

pub fn bench(scale: Scale) -> anyhow::Result<()> {
    let count = scale.of(FACTS, 1_000);
    let server = Server::start();
    let runtime = Runtime::new()?;
    let facts = Facts::new(Size::Kib, 0)?;
    let (bytes, took) = runtime.block_on(publish(&server, facts, count))?;
    remark(format_args!("{count} facts, {} bytes in the mean, published in {} ms", bytes / count, took.as_millis()));
    for _ in 0..2 {
        let raw = runtime.block_on(read(&server, count))?;
        figure("raw ordered read with parsing: facts", per_second(count, raw), "facts/s", Limit::None);
        let data = fresh()?;
        let data = data.path().to_str().context("the path is no text")?;
        let command = flywheel(&["replica", "--once", "--nats", &server.url, "--data", data]);
        let (took, peak) = time_and_memory(command)?;
        figure("flywheel replica --once: facts", per_second(count, took), "facts/s", Limit::Least(100_000_000));
        if let Some(peak) = peak {
            figure("  its peak memory", u128::from(peak) * 1000 / MIB, "MiB", Limit::None);
        }
    }
    Ok(())
}

async fn bus(server: &Server) -> anyhow::Result<Bus> {
    Ok(connect(&Address { url: server.url.clone(), ..Address::default() }).await?)
}

async fn publish(server: &Server, mut facts: Facts, count: u64) -> anyhow::Result<(u64, Duration)> {
    let bus = bus(server).await?;
    setup(&bus, &Topology::default()).await?;
    let log = BusLog::open(bus.clone(), Topology::default()).await?;
    let start = Instant::now();
    let mut left = usize::try_from(count)?;
    while left > 0 {
        let batch = facts.next(left.min(BATCH_FACTS))?;
        left -= batch.len();
        log.append(batch).await?;
    }
    let took = start.elapsed();
    Ok((bus.jetstream.get_stream("FLYWHEEL").await?.cached_info().state.bytes, took))
}

/// The library's ordered consumer, and the envelope of what it brings.
async fn read(server: &Server, count: u64) -> anyhow::Result<Duration> {
    use async_nats::jetstream::consumer::push::OrderedConfig;
    let bus = bus(server).await?;
    let stream = bus.jetstream.get_stream("FLYWHEEL").await?;
    let deliver_subject = bus.client.new_inbox();
    let start = Instant::now();
    let consumer = stream.create_consumer(OrderedConfig { deliver_subject, ..OrderedConfig::default() }).await?;
    let mut messages = consumer.messages().await?;
    for _ in 0..count {
        let message = messages.next().await.context("the stream ends early")??;
        Envelope::parse(&message.payload)?;
    }
    Ok(start.elapsed())
}
