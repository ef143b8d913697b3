//! Is the bus as it must be? Everything that can be told is looked at; nothing is changed.

mod durability;
mod inbox;

use super::{
    Bus, Topology, differences,
    setup::{self, EPOCH},
    topology::{INBOX, LOG},
};
use crate::{log, runner};
use async_nats::jetstream::{
    consumer::{self, FromConsumer as _, pull},
    stream,
};
pub use durability::Durability;
pub(super) use durability::file_store;
use flywheel_events::{Step, envelope::EVENT_BYTES_MAX};
use serde::Serialize;
use std::collections::HashMap;

/// Something is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What, and where.
    pub what: String,
    /// What to do.
    pub hint: &'static str,
}

/// What was seen.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether nothing was found.
    pub ok: bool,
    /// The server that answers.
    pub server: Server,
    /// When what was acknowledged is on disk.
    pub durability: Durability,
    /// Every stream that there must be.
    pub streams: Vec<Stream>,
    /// Every durable consumer that there must be.
    pub consumers: Vec<Consumer>,
    /// What is worth knowing and no fault.
    pub remarks: Vec<String>,
    /// What is not as it must be.
    pub findings: Vec<Finding>,
}

/// The server that answers.
#[derive(Debug, Clone, Serialize)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its cluster's name; none where it is alone.
    pub cluster: Option<String>,
    /// Most bytes of one message.
    pub max_payload: usize,
}

/// A stream.
#[derive(Debug, Clone, Serialize)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// Whether it is there.
    pub there: bool,
    /// What tells it from others of its name.
    pub epoch: Option<String>,
    /// How many servers keep each message.
    pub replicas: usize,
    /// The server that leads it; none where it is alone.
    pub leader: Option<String>,
    /// Messages in it.
    pub messages: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
    /// The last position.
    pub last_position: u64,
}

/// A durable consumer.
#[derive(Debug, Clone, Serialize)]
pub struct Consumer {
    /// Its stream's name and its own.
    pub name: String,
    /// The step of the stage whose deliveries it has a part of, or `intake`.
    pub stage: String,
    /// Whether it is there.
    pub there: bool,
    /// Messages that it was never delivered.
    pub pending: u64,
    /// Deliveries that are not acknowledged.
    pub ack_pending: usize,
    /// Those of them that came more than once.
    pub redelivered: usize,
    /// Requests of workers that wait.
    pub waiting: usize,
}

/// Looks at everything. `monitor` is the server's monitoring address, where it has one.
pub async fn examine(bus: &Bus, topology: &Topology, monitor: Option<&str>) -> Report {
    let info = bus.client.server_info();
    let server = Server {
        name: info.server_name,
        version: bus.version.to_string(),
        cluster: info.cluster,
        max_payload: info.max_payload,
    };
    let (mut findings, mut remarks) = (vec![], vec![]);
    if server.max_payload < EVENT_BYTES_MAX {
        findings.push(Finding {
            what: format!(
                "the server takes messages of {} bytes, and a fact may have {EVENT_BYTES_MAX}",
                server.max_payload
            ),
            hint: "set `max_payload` in the server's configuration to 2MB",
        });
    } else {
        // The default of a server: nearly every fact goes through.
        remarks.extend(bus.is_narrow());
    }
    let mut streams = vec![];
    for wanted in topology.streams() {
        streams.push(stream(bus, &wanted, &mut findings).await);
    }
    let stages = stages(topology);
    let mut consumers = vec![];
    for (of, wanted) in topology.consumers() {
        if streams.iter().any(|stream| stream.name == of && stream.there) {
            let name = wanted.durable_name.as_deref().unwrap_or_default();
            let stage = stages.get(name).map_or(name, Step::as_str).to_owned();
            consumers.push(consumer(bus, (of, stage), &wanted, &mut findings).await);
        }
    }
    inbox::look(bus, &mut findings).await;
    let durability = Durability::of(bus, monitor).await;
    Report { ok: findings.is_empty(), server, durability, streams, consumers, remarks, findings }
}

const SETUP: &str = "run `flywheel bus setup`";

async fn stream(bus: &Bus, wanted: &stream::Config, findings: &mut Vec<Finding>) -> Stream {
    let name = wanted.name.clone();
    let mut found = |what: String, hint| findings.push(Finding { what, hint });
    let absent = Stream {
        name: name.clone(),
        there: false,
        epoch: None,
        replicas: 0,
        leader: None,
        messages: 0,
        bytes: 0,
        last_position: 0,
    };
    let info = match setup::find_stream(bus, &name).await {
        Ok(Some(info)) => info,
        Ok(None) => {
            found(format!("the stream {name} is not there"), SETUP);
            return absent;
        }
        Err(error) => {
            found(error.to_string(), "give the user of the doctor the right to look at streams");
            return absent;
        }
    };
    let stream::Info { config, state, cluster, .. } = info;
    for difference in differences(wanted, &config) {
        found(format!("the stream {name}: {difference}"), "change it on the server, or in flywheel's settings");
    }
    let epoch = config.metadata.get(EPOCH).cloned();
    if epoch.is_none() {
        found(
            format!("the stream {name} has no `{EPOCH}` in its metadata"),
            "flywheel did not make it: remove it, where nothing of yours is in it, and run `flywheel bus setup`",
        );
    }
    if name == LOG && state.messages != state.last_sequence {
        let lost = state.last_sequence - state.messages;
        found(
            format!("the stream {name} has lost {lost} of its {} facts", state.last_sequence),
            "restore it from a replica: `flywheel bus reconcile --recreate`",
        );
    }
    if name == INBOX && u128::from(state.bytes) * 10 > u128::from(config.max_bytes.unsigned_abs()) * 8 {
        found(
            format!("the inbox has {} of {} bytes", state.bytes, config.max_bytes),
            "run more of `flywheel serve`, or look why it does not take sessions in",
        );
    }
    let cluster = cluster.unwrap_or_default();
    if cluster.leader.is_none() && config.num_replicas > 1 {
        found(format!("the stream {name} has no leader"), "start the servers that are down");
    }
    for peer in cluster.replicas.iter().filter(|peer| peer.offline || !peer.current) {
        let state = if peer.offline { "is offline" } else { "is behind" };
        found(
            format!("the server {} of the stream {name} {state}", peer.name),
            "start it, or wait until it has caught up",
        );
    }
    Stream {
        there: true,
        epoch,
        replicas: config.num_replicas,
        leader: cluster.leader,
        messages: state.messages,
        bytes: state.bytes,
        last_position: state.last_sequence,
        ..absent
    }
}

/// The stage of each consumer that has one, by the consumer's name.
fn stages(topology: &Topology) -> HashMap<String, Step> {
    let of_stage = |stage: log::Consumer| {
        let configs = topology.consumers_of(&stage);
        configs.into_iter().filter_map(move |config| Some((config.durable_name?, stage.name.clone())))
    };
    runner::consumers().into_iter().flat_map(of_stage).collect()
}

async fn consumer(
    bus: &Bus,
    (stream, stage): (&str, String),
    wanted: &pull::Config,
    findings: &mut Vec<Finding>,
) -> Consumer {
    let own = wanted.durable_name.clone().unwrap_or_default();
    let name = format!("{stream}/{own}");
    let mut found = |what: String, hint| findings.push(Finding { what, hint });
    let absent =
        Consumer { name: name.clone(), stage, there: false, pending: 0, ack_pending: 0, redelivered: 0, waiting: 0 };
    let info = async { setup::stream_handle(bus, stream).await.ok()?.consumer_info(&own).await.ok() };
    let Some(info) = info.await else {
        found(format!("the consumer {name} is not there, or cannot be looked at"), SETUP);
        return absent;
    };
    match pull::Config::try_from_consumer_config(info.config.clone()) {
        Ok(config) => {
            for difference in differences(wanted, &config) {
                found(
                    format!("the consumer {name}: {difference}"),
                    "change it on the server, or in flywheel's settings",
                );
            }
        }
        Err(error) => {
            found(format!("the consumer {name} is of another kind: {error}"), "remove it, and run `flywheel bus setup`")
        }
    }
    let consumer::Info { delivered, ack_floor, num_ack_pending, num_redelivered, num_waiting, num_pending, .. } = info;
    let went_by = delivered.consumer_sequence.saturating_sub(ack_floor.consumer_sequence);
    if num_redelivered > 0 && went_by >= DELIVERIES_MANY * num_ack_pending.max(1) as u64 {
        found(
            format!(
                "{num_redelivered} deliveries of {name} come again and again: {went_by} have gone by since the message behind position {} was first delivered",
                ack_floor.stream_sequence
            ),
            "look at what its workers say of it: `flywheel log tail` shows the facts, FLYWHEEL_LOG=info the workers",
        );
    }
    Consumer {
        there: true,
        pending: num_pending,
        ack_pending: num_ack_pending,
        redelivered: num_redelivered,
        waiting: num_waiting,
        ..absent
    }
}

/// So many deliveries for each that is not acknowledged are too many.
const DELIVERIES_MANY: u64 = 5;
