//! The runner: deliver, run, append, acknowledge.
//!
//! Invariants:
//! - The outcome is durable before the delivery is acknowledged: a crash between the two repeats, never loses.
//! - A step of a run ends in exactly one outcome; a conflict keeps the stored one.
//! - A handler that kills its process is counted before it starts, and parked before it starts once too often.

mod bound;
mod due;
mod step;

use crate::{
    log::{Consumer, Delivery, Error, Log, Scope, Subscription},
    safety::{self, Cleaner},
    stages::Pipeline,
    telemetry::{measure, trace, traceparent_of},
    templates::Templates,
    world::World,
};
pub use bound::{Bound, RERUN_REQUESTED, SESSION_COMPLETED, bind, downstream, looks_behind, step_of};
use due::{Asks, Seen};
use flywheel_events::{FailureClass, Step};
use futures::{StreamExt as _, future::join_all, stream};
use rand::RngExt as _;
use std::{
    collections::HashSet,
    future::Future,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    time::{Duration, Instant},
};
use step::{How, Verdict};
use tracing::{Instrument as _, Span};

/// Most deliveries of one stage in hand at once.
const IN_HAND_MAX: usize = 512;

/// Most looks of one stage at the world at once: each takes a thread, and the programs it starts.
const LOOKS_MAX: usize = 16;

/// How often a step is tried before it is given up.
pub const ATTEMPTS_MAX: u32 = 5;

/// After how many tries a delivery is handled alone.
const TOGETHER_MAX: u32 = 3;

/// How long a look at the world that was tried often waits. Looking is what may end the process, and that counts a try for whatever is
/// in hand: by then all that only computes has ended.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait before another try.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// The wait for what a restored stream has out of order.
const OUT_OF_ORDER_WAIT: Duration = Duration::from_secs(60);

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

impl Tools {
    /// A message as it may be stored.
    fn cleaned(&self, message: String) -> String {
        self.cleaner.clean_text(&message, &safety::Scope::default()).0.into_owned()
    }
}

/// Works on the `wanted` stages of these pipelines until `done` is. When this returns, nothing goes on in the background but
/// calls of stages that were under way; what they come to is dropped.
///
/// # Errors
/// When the log fails, or as `done` does.
pub async fn work<L: Log>(
    log: &L,
    pipelines: &'static [Pipeline],
    tools: &Arc<Tools>,
    scope: Scope,
    wanted: impl Fn(&Step) -> bool,
    done: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let seen = Arc::<Seen>::default();
    let mut stages = tokio::task::JoinSet::new();
    for bound in bind(pipelines).into_iter().filter(|bound| wanted(&bound.step)) {
        stages.spawn(work_on(log.clone(), Arc::new(bound), tools.clone(), seen.clone(), scope.clone()));
    }
    let outcome = tokio::select! {
        outcome = done => outcome,
        Some(ended) = stages.join_next() => {
            ended.unwrap_or_else(|error| Err(Error::File(format!("a stage's worker died: {error}"))))
        }
    };
    stages.shutdown().await;
    outcome
}

/// The consumer of every stage of every pipeline.
pub fn consumers() -> Vec<Consumer> {
    let consumer = |bound: Bound| Consumer { steps: bound.triggers(), name: bound.step, scope: Scope::All };
    bind(crate::stages::pipelines()).into_iter().map(consumer).collect()
}

async fn work_on<L: Log>(
    log: L,
    stage: Arc<Bound>,
    tools: Arc<Tools>,
    seen: Arc<Seen>,
    scope: Scope,
) -> Result<(), Error> {
    let consumer = Consumer { name: stage.step.clone(), steps: stage.triggers(), scope };
    let mut deliveries = log.subscribe(consumer).await?;
    loop {
        for turn in in_turns(deliveries.next(IN_HAND_MAX).await?) {
            if stage.looks_at_the_world() && turn.iter().any(|delivery| delivery.attempts > TOGETHER_MAX) {
                tokio::time::sleep(LAST_WAIT).await;
            }
            let each = turn.into_iter().map(async |delivery| {
                let handled = handle(&log, &stage, &tools, &seen, &delivery).await;
                (delivery, handled)
            });
            let handled: Vec<_> = match stage.looks_at_the_world() {
                true => stream::iter(each).buffer_unordered(LOOKS_MAX).collect().await,
                false => join_all(each).await,
            };
            let mut done = vec![];
            for (delivery, handled) in handled {
                match handled? {
                    Handled::Done => done.push(delivery),
                    // The next delivery is not for trying, but for parking.
                    Handled::Again if delivery.attempts >= ATTEMPTS_MAX => {
                        deliveries.retry(&delivery, Duration::ZERO).await?;
                    }
                    Handled::Again => deliveries.retry(&delivery, backoff(delivery.attempts)).await?,
                    Handled::Later => deliveries.retry(&delivery, OUT_OF_ORDER_WAIT).await?,
                }
            }
            deliveries.acknowledge(&done).await?;
        }
    }
}

/// Deliveries, those together that are handled together. Of those that one run of a session brings at once, the last makes the
/// step due; the others come when it has ended. One that ends the process counts a try for whatever is in hand with it, so what
/// was tried often is handled alone, and from the other end each time: what stands behind such a one has its turn before it is
/// parked with it.
fn in_turns(batch: Vec<Delivery>) -> Vec<Vec<Delivery>> {
    let (together, mut alone): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|delivery| delivery.attempts <= TOGETHER_MAX);
    if alone.first().is_some_and(|delivery| delivery.attempts % 2 == 1) {
        alone.reverse();
    }
    let mut seen = HashSet::new();
    let (mut last, mut before): (Vec<_>, Vec<_>) =
        together.into_iter().rev().partition(|delivery| seen.insert((delivery.key.id, delivery.key.run)));
    last.reverse();
    before.reverse();
    let alone = alone.into_iter().map(|delivery| vec![delivery]);
    [last, before].into_iter().chain(alone).filter(|turn| !turn.is_empty()).collect()
}

enum Handled {
    Done,
    Again,
    /// Nothing was tried.
    Later,
}

async fn handle<L: Log>(
    log: &L,
    stage: &Arc<Bound>,
    tools: &Arc<Tools>,
    seen: &Seen,
    delivery: &Delivery,
) -> Result<Handled, Error> {
    let started = Instant::now();
    let key = &delivery.key;
    let span = trace::process(delivery.consumer.as_str(), format_args!("flywheel.log.{}", key.step));
    trace::follow(&span, delivery.traceparent.as_deref());
    if !span.is_disabled() {
        span.record(trace::SUBJECT, key.subject());
        span.record(trace::MESSAGE_ID, key.event_id().to_string());
        span.record(trace::SESSION, key.id.to_string());
    }
    let handled = handle_in(log, stage, tools, seen, delivery, &span).instrument(span.clone()).await;
    measure::processed(delivery.consumer.as_str(), started.elapsed());
    handled
}

async fn handle_in<L: Log>(
    log: &L,
    stage: &Arc<Bound>,
    tools: &Arc<Tools>,
    seen: &Seen,
    delivery: &Delivery,
    span: &Span,
) -> Result<Handled, Error> {
    let prepared = due::prepare(log, stage, seen, delivery).await;
    let call = match prepared.inspect_err(|_| trace::ended_in_fault(span, "again", "log"))? {
        Asks::Run(call) => *call,
        Asks::Nothing => {
            trace::ended(span, "not_due");
            return Ok(Handled::Done);
        }
        Asks::Wait => {
            trace::ended_in_fault(span, "again", "out_of_order");
            let (step, key) = (&delivery.consumer, &delivery.key);
            tracing::warn!(%step, "{key} is recorded, and what it rests on is not: waiting until it is restored");
            return Ok(Handled::Later);
        }
    };
    let traced = traceparent_of(span);
    if traced.is_some() {
        call.contexts().iter().for_each(|context| trace::link(span, context));
    }
    // Where nothing is traced here, what was begun elsewhere is handed on.
    let context = traced.or_else(|| delivery.traceparent.clone());
    let verdict = if stage.looks_at_the_world() {
        let (stage, tools) = (stage.clone(), tools.clone());
        tokio::task::spawn_blocking(move || stage.run(call, &tools)).await.map_err(|error| error.to_string())
    } else {
        // A plain function over a few kilobytes is done before another thread would have woken.
        panic::catch_unwind(AssertUnwindSafe(|| stage.run(call, tools))).map_err(|_| "see above".to_owned())
    };
    match verdict {
        Ok(Verdict::Ended(mut facts, how)) => {
            facts.iter_mut().for_each(|fact| fact.traceparent.clone_from(&context));
            match how {
                How::Completed => trace::ended(span, "completed"),
                How::Skipped => trace::ended(span, "skipped"),
                How::Failed(class) => trace::ended_in_fault(span, "failed", class.as_str()),
            }
            match log.append(facts).await {
                Ok(_) => Ok(Handled::Done),
                // It takes less than it did a moment ago.
                Err(error @ Error::TooLarge { .. }) => {
                    tracing::warn!(step = %delivery.consumer, session = %delivery.key.id, "{error}; trying again");
                    Ok(Handled::Again)
                }
                Err(error) => Err(error),
            }
        }
        Ok(Verdict::Again(why)) => {
            trace::ended_in_fault(span, "again", FailureClass::World.as_str());
            tracing::warn!(step = %delivery.consumer, session = %delivery.key.id, attempt = delivery.attempts, "{why}");
            Ok(Handled::Again)
        }
        Err(panicked) => {
            trace::ended_in_fault(span, "again", "panic");
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

#[cfg(test)]
mod tests;
