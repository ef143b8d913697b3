//! A message of the stream as a fact for the file: is it one, and do its parts belong together?

use crate::{
    bus::publish::DIGEST,
    log::{Arrived, Error},
};
use async_nats::Message;
use flywheel_events::{Digest, Key, canonical, catalog, envelope::Envelope};
use std::{collections::HashSet, sync::LazyLock};
use uuid::Uuid;

/// Every type that this program reads.
static KNOWN: LazyLock<HashSet<&str>> =
    LazyLock::new(|| catalog::all().into_iter().filter(|event| event.in_log).map(|event| event.event_type).collect());

/// Checks everything that a fact says of itself: subject, key, event id, type, time, and the digest of its content, which is
/// worked out anew.
///
/// # Errors
/// [`Error::Foreign`], naming the position.
pub(in crate::bus) fn check(position: u64, message: &Message) -> Result<Arrived, Error> {
    let foreign = |what: String| {
        Error::Foreign(format!(
            "position {position} of the bus's log, on {}, is no fact that this program can read: {what}; the replica ends before it",
            message.subject
        ))
    };
    let key = Key::from_subject(&message.subject).map_err(|error| foreign(error.to_string()))?;
    let header = message.headers.as_ref().and_then(|headers| headers.get(DIGEST));
    let digest: Option<Digest> = header.and_then(|value| value.as_str().parse().ok());
    let digest = digest.ok_or_else(|| foreign(format!("the header {DIGEST} is missing or no digest")))?;
    let event = String::from_utf8(message.payload.to_vec()).map_err(|error| foreign(error.to_string()))?;
    let envelope = Envelope::parse(event.as_bytes()).map_err(|error| foreign(error.to_string()))?;
    if !KNOWN.contains(envelope.event_type()) {
        let hint = "use the newer flywheel that wrote it";
        return Err(foreign(format!("it is a {}, which is not known here: {hint}", envelope.event_type())));
    }
    let id = key.event_id();
    if Uuid::try_parse(envelope.id()).ok() != Some(id) {
        return Err(foreign(format!("its id {} does not belong to its key {key}", envelope.id())));
    }
    let time = envelope.time().ok_or_else(|| foreign("it has no time".to_owned()))?.to_utc();
    let data = envelope.data().ok_or_else(|| foreign("it has no data".to_owned()))?;
    match canonical::is_content(&digest, envelope.event_type(), data) {
        Ok(true) => Ok(Arrived::new(position, (&key, id), time, digest, event)),
        Ok(false) => Err(foreign("its content does not have the digest of its header".to_owned())),
        Err(error) => Err(foreign(error.to_string())),
    }
}
