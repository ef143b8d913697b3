//! Who may do what on the bus, worked out from the stage table, and the nats-server configuration that says so.
//!
//! Invariants:
//! - A role may do what it is for and nothing else, by list. What may make consumers of its own may not touch a stage's.
//! - Agents and those that read metrics stand in accounts of their own, which reach the log's account by services and streams it
//!   exports. A server checks the subject that a client publishes on, never the one it names for the answer: inside the
//!   log's account an agent would have the server write its acknowledgement on the subject of a fact.
//! - What has no name of its own may not be created: a request without a consumer's name in its subject can change any consumer.

use super::{
    Topology,
    intake::{SESSION_REJECTED, SUBMISSIONS},
    subject_of_step,
    topology::{INBOX, INTAKE, LOG, METRICS},
};
use crate::{
    accept::FEEDBACK_RECORDED,
    log::Consumer,
    queue, runner,
    stages::{Pipeline, Row, pipelines},
};
use flywheel_events::{AgentId, Fact as _, SessionReady, Step};
use serde::Serialize;

/// The object store's bucket of binary files.
pub const BLOBS: &str = "FLYWHEEL_BLOBS";

/// The subjects of uploaded files: their parts, and what names them.
pub const UPLOADS: [&str; 2] = ["$O.FLYWHEEL_BLOBS.C.*", "$O.FLYWHEEL_BLOBS.M.*"];

/// Where the service that takes submissions says that it is there, what it is, and its figures.
pub const DISCOVERIES: [&str; 3] = ["$SRV.PING.flywheel", "$SRV.INFO.flywheel", "$SRV.STATS.flywheel"];

/// What services of the log's account are called in another, before the name of the call.
pub const API_ELSEWHERE: &str = "flywheel.api";

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Sets up, examines and restores: everything in the log's account.
    Admin,
    /// Takes sessions in.
    Intake,
    /// Works on every stage.
    Worker,
    /// Works on one stage.
    Stage(Step),
    /// Keeps a replica of the log, and reads binary files.
    Reader,
    /// A reader that publishes the metrics.
    Emitter,
    /// Takes in, works on every stage, reads and publishes the metrics.
    Serve,
    /// Asks for runs again, rates, queues texts, and reads.
    Operator,
    /// Rates sessions.
    Rater,
    /// Reads the metrics.
    Metrics,
    /// Publishes its own finished sessions, is told which were refused, uploads files, and finds who takes submissions.
    Agent(AgentId),
}

/// What a connection may do. What is denied is denied though it is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Permissions {
    /// The subjects it may publish on.
    pub publish: Vec<String>,
    /// The subjects among these that it may not.
    pub publish_deny: Vec<String>,
    /// The subjects it may subscribe to.
    pub subscribe: Vec<String>,
    /// Whether it may answer a message on the subject that the message names.
    pub answer: bool,
}

impl Role {
    /// The roles of the log's account, with one worker for all stages or one for each.
    pub fn of_the_log(by_stage: bool) -> Vec<Self> {
        let stages = runner::consumers().into_iter().map(|consumer| Self::Stage(consumer.name));
        let workers = if by_stage { stages.collect() } else { vec![Self::Worker] };
        let others = vec![Self::Reader, Self::Emitter, Self::Serve, Self::Operator, Self::Rater];
        [vec![Self::Admin, Self::Intake], workers, others].concat()
    }

    /// What it is called in names of keys and answers.
    pub fn name(&self) -> &str {
        match self {
            Self::Admin => "admin",
            Self::Intake => "intake",
            Self::Worker => "worker",
            Self::Stage(step) => step.as_str(),
            Self::Reader => "reader",
            Self::Emitter => "emitter",
            Self::Serve => "serve",
            Self::Operator => "operator",
            Self::Rater => "rater",
            Self::Metrics => "metrics",
            Self::Agent(agent) => agent.as_str(),
        }
    }

    /// The prefix of the subjects on which its answers come.
    pub fn inbox_prefix(&self) -> String {
        format!("_INBOX_{}", self.name())
    }

    /// What it may do on a bus of this topology.
    pub fn permissions(&self, topology: &Topology) -> Permissions {
        let mut allowed = match self {
            Self::Admin => return Permissions { publish: all(), subscribe: all(), ..Permissions::default() },
            Self::Intake => intake(),
            Self::Worker => worker(topology, |_| true),
            Self::Stage(step) => worker(topology, |name| name == step),
            Self::Reader => reader(topology),
            Self::Emitter => reader(topology).and(emitter()),
            Self::Serve => {
                intake().and(worker(topology, |_| true)).and(reader(topology)).and(emitter()).and(check(topology))
            }
            Self::Operator => operator().and(reader(topology)),
            Self::Rater => writes(&[FEEDBACK_RECORDED]),
            Self::Metrics => Permissions {
                publish: vec![format!("{API_ELSEWHERE}.STREAM.MSG.GET.{METRICS}")],
                subscribe: vec!["flywheel.metrics.*".to_owned()],
                ..Permissions::default()
            },
            Self::Agent(agent) => Permissions {
                publish: [
                    vec![format!("swarm.session.completed.{agent}"), format!("swarm.session.submit.{agent}")],
                    UPLOADS.map(str::to_owned).to_vec(),
                    DISCOVERIES.map(str::to_owned).to_vec(),
                    // Its own account has no log, and says so at once: an upload looks first whether it is needed.
                    vec![get(&blobs())],
                ]
                .concat(),
                subscribe: vec![format!("flywheel.rejected.{agent}")],
                ..Permissions::default()
            },
        };
        allowed.subscribe.push(format!("{}.>", self.inbox_prefix()));
        allowed
    }
}

impl Permissions {
    /// What both allow, and what either denies.
    fn and(mut self, other: Self) -> Self {
        for (mine, theirs) in [(&mut self.publish, other.publish), (&mut self.subscribe, other.subscribe)] {
            mine.extend(theirs.into_iter().filter(|subject| !mine.contains(subject)).collect::<Vec<_>>());
        }
        self.publish_deny.extend(other.publish_deny);
        self.answer |= other.answer;
        self
    }
}

fn all() -> Vec<String> {
    vec![">".to_owned()]
}

fn api(call: &str, stream: &str, consumer: &str) -> String {
    format!("$JS.API.{call}.{stream}.{consumer}")
}

/// Looks whether a stream is as it must be.
fn info(stream: &str) -> String {
    format!("$JS.API.STREAM.INFO.{stream}")
}

/// Reads a message of a stream from its leader.
fn get(stream: &str) -> String {
    format!("$JS.API.STREAM.MSG.GET.{stream}")
}

/// Takes and answers the deliveries of a consumer.
fn take(stream: &str, consumer: &str) -> Vec<String> {
    let ack = format!("$JS.ACK.{stream}.{consumer}.>");
    vec![api("CONSUMER.INFO", stream, consumer), api("CONSUMER.MSG.NEXT", stream, consumer), ack]
}

fn intake() -> Permissions {
    let facts = [runner::SESSION_COMPLETED, SESSION_REJECTED];
    let publish = [
        take(INBOX, INTAKE),
        facts.iter().map(subject_of_step).collect(),
        vec!["flywheel.rejected.*".to_owned(), info(LOG), get(LOG)],
        // What was sent to it when its connection ended it looks up, and takes away once it is stored.
        vec![get(INBOX), format!("$JS.API.STREAM.MSG.DELETE.{INBOX}")],
    ];
    // Its service is asked, and found, by request and answer.
    let subscribe = [SUBMISSIONS, "$SRV.>"].map(str::to_owned).to_vec();
    Permissions { publish: publish.concat(), subscribe, answer: true, ..Permissions::default() }
}

/// The stream of the object store's bucket.
fn blobs() -> String {
    format!("OBJ_{BLOBS}")
}

fn worker(topology: &Topology, wanted: impl Fn(&Step) -> bool) -> Permissions {
    let mut publish = vec![info(LOG), get(LOG)];
    for consumer in runner::consumers().into_iter().filter(|consumer| wanted(&consumer.name)) {
        if of_step(pipelines(), &consumer.name, |row| row.world) {
            publish.push(get(&blobs()));
        }
        publish.extend(durable_names(topology, &consumer).iter().flat_map(|name| take(LOG, name)));
        publish.push(subject_of_step(&consumer.name));
        if of_step(pipelines(), &consumer.name, |row| row.emits == SessionReady::TYPE) {
            publish.push(subject_of_step(&queue::QUEUED));
        }
    }
    publish.sort();
    publish.dedup();
    Permissions { publish, ..Permissions::default() }
}

/// Whether the row of a step is so: the end of a run queues publications, and what looks at the world may look at files.
fn of_step(pipelines: &[Pipeline], step: &Step, is_so: impl Fn(&Row) -> bool) -> bool {
    let rows = pipelines.iter().flat_map(|pipeline| pipeline.stages.iter().map(move |row| (pipeline, row)));
    rows.into_iter().any(|(pipeline, row)| is_so(row) && runner::step_of(pipeline, row) == *step)
}

fn durable_names(topology: &Topology, consumer: &Consumer) -> Vec<String> {
    topology.consumers_of(consumer).into_iter().filter_map(|config| config.durable_name).collect()
}

fn reader(topology: &Topology) -> Permissions {
    let mut publish = vec![info(LOG), get(LOG)];
    // It makes consumers of its own, which send to it as fast as it takes.
    publish.extend([api("CONSUMER.CREATE", LOG, ">"), format!("$JS.FC.{LOG}.>")]);
    publish.extend(read_blobs());
    let stages = runner::consumers().into_iter().flat_map(|consumer| durable_names(topology, &consumer));
    let create = |name: String| [name.clone(), format!("{name}.>")].map(|name| api("CONSUMER.CREATE", LOG, &name));
    Permissions { publish, publish_deny: stages.flat_map(create).collect(), ..Permissions::default() }
}

/// Reads an object: its description, and its parts by a consumer that the client makes for it.
fn read_blobs() -> Vec<String> {
    let stream = blobs();
    vec![
        info(&stream),
        get(&stream),
        format!("$JS.API.DIRECT.GET.{stream}.>"),
        format!("$JS.API.CONSUMER.CREATE.{stream}"),
        api("CONSUMER.CREATE", &stream, ">"),
        api("CONSUMER.DELETE", &stream, "*"),
        format!("$JS.FC.{stream}.>"),
    ]
}

/// Asks for runs again, rates, and queues texts.
fn operator() -> Permissions {
    writes(&[runner::RERUN_REQUESTED, FEEDBACK_RECORDED, queue::ADDED, queue::QUEUED])
}

/// Writes facts of these steps by what is recorded.
fn writes(steps: &[Step]) -> Permissions {
    let look = [format!("$JS.API.STREAM.INFO.{LOG}"), get(LOG)];
    let publish = look.into_iter().chain(steps.iter().map(subject_of_step));
    Permissions { publish: publish.collect(), ..Permissions::default() }
}

/// Looks whether every stream is as it must be.
fn check(topology: &Topology) -> Permissions {
    let streams = topology.streams().into_iter().map(|config| info(&config.name));
    Permissions { publish: streams.collect(), ..Permissions::default() }
}

/// Publishes each metric, above what is there.
fn emitter() -> Permissions {
    Permissions { publish: vec!["flywheel.metrics.*".to_owned(), get(METRICS)], ..Permissions::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::intake::SERVICE;

    #[test]
    fn the_worker_of_a_stage_reads_files_if_the_stage_looks_at_the_world() {
        let reads = |step: &str| {
            let allowed = Role::Stage(step.parse().expect("a step")).permissions(&Topology::default());
            allowed.publish.contains(&get(&blobs()))
        };
        assert!(reads("life_aria-gallery"));
        assert!(!reads("life_aria-devlog"));
        assert!(!reads("trade-thread"));
    }

    #[test]
    fn uploads_are_the_buckets() {
        assert!(UPLOADS.iter().all(|subject| subject.split('.').nth(1) == Some(BLOBS)));
    }

    #[test]
    fn discoveries_are_the_services() {
        assert!(DISCOVERIES.iter().all(|subject| subject.split('.').nth(2) == Some(SERVICE)));
    }
}
