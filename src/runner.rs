//! The runner: deliver, run, append, acknowledge.
//!
//! Invariants:
//! - The outcome is durable before the delivery is acknowledged: a crash between the two repeats, never loses.
//! - A step of a run ends in exactly one outcome; a conflict keeps the stored one.
//! - A handler that kills its process is counted before it starts, and parked before it starts once too often.

mod step;

use crate::{
    log::{Consumer, Delivery, Error, Log, Scope, Subscription},
    safety::Cleaner,
    stages,
    templates::Templates,
    world::World,
};
use futures::future::join_all;
use rand::RngExt as _;
use std::{sync::Arc, time::Duration};
use step::{Bound, Verdict};
pub use step::{RERUN_REQUESTED, SESSION_COMPLETED, downstream, ended, looks_behind, step_of};

/// Most deliveries of one stage in hand at once.
const IN_HAND_MAX: usize = 64;

/// How often a step is tried before it is given up.
pub const ATTEMPTS_MAX: u32 = 5;

/// The longest wait before another try.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// What every stage is given.
#[derive(Debug)]
pub struct Tools {
    /// How text is made.
    pub templates: Templates,
    /// The world.
    pub world: World,
    /// Cleans what was seen of the world, before it is stored.
    pub cleaner: Cleaner,
}

/// Works on every stage of every pipeline until the future is dropped.
///
/// # Errors
/// When the log fails.
pub async fn work<L: Log>(log: L, tools: Arc<Tools>, scope: Scope) -> Result<(), Error> {
    let mut stages = tokio::task::JoinSet::new();
    for bound in step::bind(stages::pipelines()) {
        stages.spawn(work_on(log.clone(), Arc::new(bound), tools.clone(), scope.clone()));
    }
    while let Some(ended) = stages.join_next().await {
        ended.map_err(|error| Error::File(format!("a stage's worker died: {error}")))??;
    }
    Ok(())
}

async fn work_on<L: Log>(log: L, stage: Arc<Bound>, tools: Arc<Tools>, scope: Scope) -> Result<(), Error> {
    let consumer = Consumer { name: stage.step.clone(), steps: stage.triggers(), scope };
    let mut deliveries = log.subscribe(consumer).await?;
    loop {
        let batch = deliveries.next(IN_HAND_MAX).await?;
        let verdicts = join_all(batch.iter().map(|delivery| handle(&log, &stage, &tools, delivery))).await;
        let mut done = vec![];
        for (delivery, verdict) in batch.into_iter().zip(verdicts) {
            match verdict? {
                Handled::Done => done.push(delivery),
                Handled::Again => deliveries.retry(&delivery, backoff(delivery.attempts)).await?,
            }
        }
        deliveries.acknowledge(&done).await?;
    }
}

enum Handled {
    Done,
    Again,
}

async fn handle<L: Log>(
    log: &L,
    stage: &Arc<Bound>,
    tools: &Arc<Tools>,
    delivery: &Delivery,
) -> Result<Handled, Error> {
    let Some(call) = step::prepare(log, stage, delivery).await? else { return Ok(Handled::Done) };
    let (stage, tools) = (stage.clone(), tools.clone());
    let verdict = tokio::task::spawn_blocking(move || stage.run(call, &tools));
    match verdict.await {
        Ok(Verdict::Ended(facts)) => log.append(facts).await.map(|_| Handled::Done),
        Ok(Verdict::Again(why)) => {
            tracing::warn!(step = %delivery.consumer, session = %delivery.key.id, attempt = delivery.attempts, "{why}");
            Ok(Handled::Again)
        }
        Err(panicked) => {
            tracing::error!(step = %delivery.consumer, session = %delivery.key.id, "the stage panicked: {panicked}");
            Ok(Handled::Again)
        }
    }
}

/// 0.2 s, doubled each time, ± half, up to [`BACKOFF_MAX`].
fn backoff(attempts: u32) -> Duration {
    let base = Duration::from_millis(200).saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(BACKOFF_MAX);
    let jitter = rand::rng().random_range(50..=150_u32);
    base.saturating_mul(jitter) / 100
}
