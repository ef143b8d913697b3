//! What the bus consists of, worked out from the stage table.

use super::permissions::BLOBS;
use crate::{log::Consumer, runner};
use async_nats::jetstream::{
    consumer::{AckPolicy, DeliverPolicy, pull},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};
use flywheel_events::{Step, envelope::EVENT_BYTES_MAX};
use std::time::Duration;

/// The stream that is the log.
pub const LOG: &str = "FLYWHEEL";

/// The stream of what agents publish.
pub const INBOX: &str = "SWARM";

/// The stream that keeps the last value of each metric.
pub const METRICS: &str = "FLYWHEEL_METRICS";

/// The stream of what was refused at the inbox.
pub const REJECTED: &str = "FLYWHEEL_REJECTED";

/// The consumer that takes sessions in.
pub const INTAKE: &str = "intake";

/// Most bytes of headers beside an event of [`EVENT_BYTES_MAX`].
pub const HEADER_BYTES_MAX: usize = 4 * 1024;

/// How long the server remembers a message id: longer than any retry of a publish goes on.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// How long it remembers one of the inbox: as short as it can. Ids are one for the whole stream, so two agents with the same
/// one would lose the second's session, and be told that it is stored. What is published twice is found by its content.
const INBOX_DUPLICATE_WINDOW: Duration = Duration::from_millis(100);

/// Most deliveries of one consumer that wait for their acknowledgement, over all its workers.
const ACK_PENDING_MAX: i64 = 16_384;

/// Bytes of a gibibyte.
pub const GIB: i64 = 1024 * 1024 * 1024;

/// How long a refusal can be read.
const REJECTED_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// Most bytes of refusals. Beyond them the oldest goes: who publishes nonsense must not take the disk from the log.
const REJECTED_BYTES_MAX: i64 = GIB;

/// What may be chosen about the bus; everything else follows from the stage table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// How many servers keep each message: 1, 3 or 5.
    pub replicas: usize,
    /// How many consumers share the deliveries of one stage: 1, or 16 (one a hash nibble of the id).
    pub partitions: u8,
    /// After how long without a word a delivery goes to another worker.
    pub ack_wait: Duration,
    /// Most bytes that wait in the inbox. Beyond them a publish is refused, and its agent knows.
    pub inbox_bytes_max: i64,
    /// Most bytes of binary files. Beyond them an upload is refused: they must not take the disk from the log.
    pub blobs_bytes_max: i64,
}

impl Default for Topology {
    fn default() -> Self {
        Self {
            replicas: 1,
            partitions: 1,
            ack_wait: Duration::from_secs(30),
            inbox_bytes_max: 4 * GIB,
            blobs_bytes_max: 8 * GIB,
        }
    }
}

/// The subject filter of a step's facts, of all ids.
pub fn subject_of_step(step: &Step) -> String {
    format!("flywheel.log.{step}.>")
}

impl Topology {
    /// Every stream.
    pub fn streams(&self) -> Vec<Config> {
        let stream = |name: &str, description: &str, subject: &str| Config {
            name: name.to_owned(),
            description: Some(description.to_owned()),
            subjects: vec![subject.to_owned()],
            storage: StorageType::File,
            num_replicas: self.replicas,
            max_messages: -1,
            max_bytes: -1,
            max_messages_per_subject: -1,
            max_consumers: -1,
            max_message_size: i32::try_from(EVENT_BYTES_MAX + HEADER_BYTES_MAX).expect("a small number"),
            duplicate_window: DUPLICATE_WINDOW,
            ..Config::default()
        };
        vec![
            Config {
                // A subject is a key, which is written once, for ever.
                max_messages_per_subject: 1,
                discard: DiscardPolicy::New,
                discard_new_per_subject: true,
                deny_delete: true,
                deny_purge: true,
                ..stream(LOG, "Flywheel's facts: one subject a fact, never changed", "flywheel.log.>")
            },
            Config {
                retention: RetentionPolicy::WorkQueue,
                max_bytes: self.inbox_bytes_max,
                discard: DiscardPolicy::New,
                duplicate_window: INBOX_DUPLICATE_WINDOW,
                ..stream(INBOX, "What agents publish, until it is taken in", "swarm.session.completed.*")
            },
            Config {
                max_messages_per_subject: 1,
                ..stream(METRICS, "The last value of each metric", "flywheel.metrics.*")
            },
            Config {
                max_age: REJECTED_AGE_MAX,
                max_bytes: REJECTED_BYTES_MAX,
                ..stream(REJECTED, "What was refused at the inbox, with the reasons", "flywheel.rejected.*")
            },
            Config {
                // An object store as every client reads it, but for the messages that purge others: no `allow_rollup`.
                subjects: vec![format!("$O.{BLOBS}.C.>"), format!("$O.{BLOBS}.M.>")],
                max_bytes: self.blobs_bytes_max,
                discard: DiscardPolicy::New,
                allow_direct: true,
                ..stream(&format!("OBJ_{BLOBS}"), "Binary files, each under its digest", "")
            },
        ]
    }

    /// The stream that is the log.
    pub fn log(&self) -> Config {
        self.streams().into_iter().find(|stream| stream.name == LOG).expect("it is one of them")
    }

    /// Every durable consumer with its stream.
    pub fn consumers(&self) -> Vec<(&'static str, pull::Config)> {
        let intake = pull::Config {
            durable_name: Some(INTAKE.to_owned()),
            filter_subject: "swarm.session.completed.*".to_owned(),
            ..self.consumer()
        };
        let stages = runner::consumers().into_iter().flat_map(|consumer| self.consumers_of(&consumer));
        std::iter::once((INBOX, intake)).chain(stages.map(|config| (LOG, config))).collect()
    }

    /// The consumers that share a stage's deliveries: one for each step that makes it due, of which the first has the stage's
    /// name, and each of them once a partition.
    ///
    /// Each has one filter. Of several a server (2.15.1, `checkSkipFirstBlockMulti`) goes through every subject that they match
    /// whenever it has nothing more to give, so that a fact takes longer the more there are.
    pub fn consumers_of(&self, consumer: &Consumer) -> Vec<pull::Config> {
        let of = |name: String, filter_subject: String| pull::Config {
            durable_name: Some(name),
            filter_subject,
            ..self.consumer()
        };
        let of_step = |(i, step): (usize, &Step)| {
            let name = match i {
                0 => consumer.name.to_string(),
                _ => format!("{}-after-{step}", consumer.name),
            };
            match self.partitions {
                0 | 1 => vec![of(name, subject_of_step(step))],
                _ => {
                    (0..16_u8).map(|h1| of(format!("{name}-{h1:x}"), format!("flywheel.log.{step}.{h1:x}.>"))).collect()
                }
            }
        };
        consumer.steps.iter().enumerate().flat_map(of_step).collect()
    }

    /// How often a word to the server holds what is in hand.
    pub fn hold_every(&self) -> Duration {
        self.ack_wait / 3
    }

    /// What all durable consumers have in common.
    fn consumer(&self) -> pull::Config {
        pull::Config {
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            // A delivery that comes too often is parked with its reason, which only we can say.
            max_deliver: -1,
            max_ack_pending: ACK_PENDING_MAX,
            // Each idle worker has one request waiting.
            max_waiting: 4096,
            ..pull::Config::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_has_its_consumer_and_every_partition_its_share() {
        let topology = Topology::default();
        let names = |topology: &Topology| -> Vec<String> {
            topology.consumers().into_iter().filter_map(|(_, config)| config.durable_name).collect()
        };
        let due: usize = runner::consumers().iter().map(|consumer| consumer.steps.len()).sum();
        let of_one = names(&topology);
        assert_eq!(of_one.iter().collect::<std::collections::BTreeSet<_>>().len(), due + 1);
        assert!(runner::consumers().iter().all(|consumer| of_one.contains(&consumer.name.to_string())));
        assert_eq!(names(&Topology { partitions: 16, ..topology }).len(), 16 * due + 1);
    }

    #[test]
    fn a_filter_names_the_step_before_any_wildcard() {
        for (_, config) in Topology::default().consumers() {
            let filter = config.filter_subject;
            assert!(filter.find(['*', '>']) == Some(filter.len() - 1), "{filter}");
            assert!(config.filter_subjects.is_empty());
        }
    }
}
