//! Figures: messages published, delivered and delivered again, what waits, how long handling took.
//!
//! Names and attributes are those of OpenTelemetry's conventions for messaging where they have one.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram, Meter},
};
use std::{sync::LazyLock, time::Duration};

struct Instruments {
    sent: Counter<u64>,
    consumed: Counter<u64>,
    redelivered: Counter<u64>,
    waiting: Gauge<u64>,
    in_hand: Gauge<u64>,
    processing: Histogram<f64>,
}

/// Made on first use, which is after the endpoint has set where they go; without one they go nowhere.
static INSTRUMENTS: LazyLock<Instruments> = LazyLock::new(|| {
    let meter: Meter = opentelemetry::global::meter("flywheel");
    // Most steps take milliseconds, a look at a repository seconds.
    let bounds = vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
    Instruments {
        sent: meter
            .u64_counter("messaging.client.sent.messages")
            .with_description("Messages published, by what became of them")
            .build(),
        consumed: meter
            .u64_counter("messaging.client.consumed.messages")
            .with_description("Messages delivered to a consumer")
            .build(),
        redelivered: meter
            .u64_counter("flywheel.redelivered.messages")
            .with_description("Messages delivered again to a consumer")
            .build(),
        waiting: meter
            .u64_gauge("flywheel.consumer.waiting")
            .with_description("Messages that wait for a consumer: its lag")
            .build(),
        in_hand: meter
            .u64_gauge("flywheel.consumer.in_hand")
            .with_description("Messages delivered and not yet acknowledged, over all workers of a consumer")
            .build(),
        processing: meter
            .f64_histogram("messaging.process.duration")
            .with_unit("s")
            .with_description("How long handling a message took")
            .with_boundaries(bounds)
            .build(),
    }
});

fn attributes(operation: &'static str, what: &'static str, name: String) -> [KeyValue; 3] {
    [
        KeyValue::new("messaging.system", "nats"),
        KeyValue::new("messaging.operation.name", operation),
        KeyValue::new(what, name),
    ]
}

fn of_consumer(operation: &'static str, consumer: &str) -> [KeyValue; 3] {
    attributes(operation, "messaging.consumer.group.name", consumer.to_owned())
}

/// A fact of this step was published, and what became of it.
pub fn sent(step: &str, outcome: &'static str) {
    let [system, operation, destination] =
        attributes("publish", "messaging.destination.template", format!("flywheel.log.{step}"));
    INSTRUMENTS.sent.add(1, &[system, operation, destination, KeyValue::new("flywheel.outcome", outcome)]);
}

/// A message was delivered to a consumer for this many-th time.
pub fn delivered(consumer: &str, attempts: u32) {
    let attributes = of_consumer("receive", consumer);
    INSTRUMENTS.consumed.add(1, &attributes);
    if attempts > 1 {
        INSTRUMENTS.redelivered.add(1, &attributes);
    }
}

/// Handling a message took so long.
pub fn processed(consumer: &str, took: Duration) {
    INSTRUMENTS.processing.record(took.as_secs_f64(), &of_consumer("process", consumer));
}

/// So much waits for a consumer, and so much is in hand.
pub fn waits(consumer: &str, waiting: u64, in_hand: u64) {
    let attributes = [KeyValue::new("messaging.consumer.group.name", consumer.to_owned())];
    INSTRUMENTS.waiting.record(waiting, &attributes);
    INSTRUMENTS.in_hand.record(in_hand, &attributes);
}
