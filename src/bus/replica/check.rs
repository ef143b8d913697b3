//! A message of the stream as a fact for the file: is it one, and do its parts belong together?

use crate::{
    bus::{
        publish::{DIGEST, digest_in},
        stored::Stored,
    },
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
    let digest = message.headers.as_ref().and_then(digest_in);
    check_parts(position, &message.subject, digest, &message.payload)
}

/// As [`check`], for a message that was read without a delivery.
///
/// # Errors
/// As there.
pub(super) fn check_stored(stored: &Stored) -> Result<Arrived, Error> {
    match stored.headers()? {
        Ok(headers) => {
            let digest = headers.iter().find(|(name, _)| name == DIGEST).map(|(_, value)| value.as_str());
            check_parts(stored.seq, &stored.subject, digest, &stored.payload()?)
        }
        Err(why) => {
            let what = format!(
                "its headers cannot be read ({why}) and end every connection that they come on. No flywheel writes such a message: see who may publish facts. Once the stream is removed, `flywheel bus reconcile` restores it from here, without what lies behind this position"
            );
            Err(foreign(stored.seq, &stored.subject, &what))
        }
    }
}

fn foreign(position: u64, subject: &str, what: &str) -> Error {
    Error::Foreign(format!(
        "position {position} of the bus's log, on {subject}, is no fact that this program can read: {what}; the replica ends before it"
    ))
}

fn check_parts(position: u64, subject: &str, digest: Option<&str>, event: &[u8]) -> Result<Arrived, Error> {
    let foreign = |what: String| foreign(position, subject, &what);
    let key = Key::from_subject(subject).map_err(|error| foreign(error.to_string()))?;
    let digest: Option<Digest> = digest.and_then(|value| value.parse().ok());
    let digest = digest.ok_or_else(|| foreign(format!("the header {DIGEST} is missing or no digest")))?;
    let event = String::from_utf8(event.to_vec()).map_err(|error| foreign(error.to_string()))?;
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
