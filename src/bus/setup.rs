//! Making the streams and consumers, or checking that they are what they must be.

use super::{Bus, Topology, connect::with_causes, differences, failed, room, update};
use crate::log::Error;
use async_nats::jetstream::{
    ErrorCode,
    consumer::{self, FromConsumer as _, pull},
    context::{ConsumerInfoErrorKind, GetStreamErrorKind},
    stream,
};
use serde::Serialize;
use uuid::Uuid;

/// The name in a stream's metadata of what tells it from another stream of its name.
pub const EPOCH: &str = "flywheel.epoch";

/// What was done about one stream or consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `stream` or `consumer`.
    pub what: &'static str,
    /// Its name; a consumer's with its stream's before it.
    pub name: String,
    /// Whether it was there already, as it must be.
    pub there: bool,
}

/// Something is there, and is not what it must be.
#[derive(Debug, thiserror::Error)]
#[error("the {what} {name} is not what flywheel needs: {}", .differences.join("; "))]
pub struct Refused {
    /// `stream` or `consumer`.
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// How it differs.
    pub differences: Vec<String>,
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let hint = match refused.what == "stream" && update::may_change(&refused.name, &refused.differences) {
            true => "`flywheel bus setup --update` changes that",
            false => {
                "change it on the server, or remove it where nothing of yours is in it, and run `flywheel bus setup`"
            }
        };
        Self::Unfit(format!("{refused}; {hint}"))
    }
}

/// Makes every stream and consumer that is missing, after all that are there were found to be right.
///
/// # Errors
/// When one differs (nothing is made then), or the server refuses.
pub async fn setup(bus: &Bus, topology: &Topology) -> Result<Vec<Change>, Error> {
    let mut changes = vec![];
    let mut missing_streams = vec![];
    for wanted in topology.streams() {
        let there = check_stream(bus, &wanted).await?;
        changes.push(Change { what: "stream", name: wanted.name.clone(), there });
        if !there {
            missing_streams.push(wanted);
        }
    }
    let mut missing_consumers = vec![];
    for (stream, wanted) in topology.consumers() {
        let new_stream = missing_streams.iter().any(|missing| missing.name == stream);
        let there = !new_stream && find_consumer(bus, stream, &wanted).await?.is_some();
        let name = format!("{stream}/{}", wanted.durable_name.as_deref().unwrap_or_default());
        changes.push(Change { what: "consumer", name, there });
        if !there {
            missing_consumers.push((stream, wanted));
        }
    }
    // What asks for most comes first: where it does not fit, little was made in vain.
    missing_streams.sort_by_key(|wanted| std::cmp::Reverse(wanted.max_bytes));
    for wanted in missing_streams {
        create_stream(bus, wanted).await?;
    }
    for (stream, wanted) in missing_consumers {
        create_consumer(bus, stream, wanted).await?;
    }
    Ok(changes)
}

/// Whether the stream is there.
///
/// # Errors
/// When it is and differs, or the server does not say.
pub(super) async fn check_stream(bus: &Bus, wanted: &stream::Config) -> Result<bool, Error> {
    let Some(found) = find_stream(bus, &wanted.name).await? else { return Ok(false) };
    let differences = differences(wanted, &found.config);
    if differences.is_empty() {
        Ok(true)
    } else {
        Err(Refused { what: "stream", name: wanted.name.clone(), differences }.into())
    }
}

/// The stream as it is, if it is there.
pub(super) async fn find_stream(bus: &Bus, name: &str) -> Result<Option<stream::Info>, Error> {
    match bus.jetstream.get_stream(name).await {
        Ok(stream) => Ok(Some(stream.cached_info().clone())),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(why) if why.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
            _ => Err(failed(&format!("look at the stream {name}"), with_causes(&error))),
        },
    }
}

/// Makes a stream, in an epoch of its own.
pub(super) async fn create_stream(bus: &Bus, mut wanted: stream::Config) -> Result<(), Error> {
    let name = wanted.name.clone();
    #[expect(clippy::disallowed_methods, reason = "it tells this stream from every other of its name")]
    let epoch = Uuid::new_v4();
    wanted.metadata.insert(EPOCH.to_owned(), epoch.to_string());
    // Whoever makes the same stream at the same time may be first.
    match bus.jetstream.create_stream(&wanted).await {
        Ok(_) => Ok(()),
        Err(error) if matches!(check_stream(bus, &wanted).await, Ok(true)) => {
            tracing::debug!("the stream {name} was made by another at the same time: {error}");
            Ok(())
        }
        Err(error) => Err(failed(&format!("make the stream {name}"), room::why(bus, &wanted, &error).await)),
    }
}

/// The consumer, if it is there.
///
/// # Errors
/// When it is and differs, or the server does not say.
pub(super) async fn find_consumer(
    bus: &Bus,
    stream: &str,
    wanted: &pull::Config,
) -> Result<Option<consumer::Consumer<pull::Config>>, Error> {
    let name = wanted.durable_name.as_deref().unwrap_or_default();
    let shown = format!("{stream}/{name}");
    let handle = stream_handle(bus, stream).await?;
    let info = match handle.consumer_info(name).await {
        Ok(info) => info,
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&format!("look at the consumer {shown}"), with_causes(&error))),
    };
    let config = pull::Config::try_from_consumer_config(info.config.clone())
        .map_err(|error| failed(&format!("read the consumer {shown}"), error))?;
    let differences = differences(wanted, &config);
    if !differences.is_empty() {
        return Err(Refused { what: "consumer", name: shown, differences }.into());
    }
    Ok(Some(consumer::Consumer::new(config, info, bus.jetstream.clone())))
}

pub(super) async fn create_consumer(
    bus: &Bus,
    stream: &str,
    wanted: pull::Config,
) -> Result<consumer::Consumer<pull::Config>, Error> {
    let name = format!("{stream}/{}", wanted.durable_name.as_deref().unwrap_or("(for this run)"));
    let handle = stream_handle(bus, stream).await?;
    match handle.create_consumer_strict(wanted.clone()).await {
        Ok(consumer) => Ok(consumer),
        // Another may have made it at the same time.
        Err(error) => match wanted.durable_name {
            Some(_) => find_consumer(bus, stream, &wanted)
                .await?
                .ok_or_else(|| failed(&format!("make the consumer {name}"), with_causes(&error))),
            None => Err(failed(&format!("make the consumer {name}"), with_causes(&error))),
        },
    }
}

/// A handle on a stream that asks the server nothing.
pub(crate) async fn stream_handle(bus: &Bus, name: &str) -> Result<stream::Stream<()>, Error> {
    bus.jetstream.get_stream_no_info(name).await.map_err(|error| failed(&format!("use the stream {name}"), error))
}
