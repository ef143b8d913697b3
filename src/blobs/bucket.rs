//! Blobs in the bus's bucket: a JetStream object store in the layout that every client reads.
//!
//! An object is its parts, in order, on a subject of the upload's own, and then an entry under its name that says which subject
//! that is. Other clients replace the entry of a name; here the stream takes no message that would purge another, because one
//! purges the whole bucket as well as one entry, and whoever may upload could send it. So what was uploaded once stays, entries
//! of one name follow each other, and the first whose parts have the digest counts: whatever else is uploaded under the name
//! changes nothing.
//!
//! What is read is asked of the stream's leader: a follower may lag behind the session that names the blob.

use super::{BYTES_MAX, Error, verified};
use crate::{
    bus::{Address, Bus, Patience, connect, permissions::BLOBS, stream_handle, with_causes},
    log,
};
use async_nats::jetstream::{
    ErrorCode,
    context::{PublishAckFuture, PublishError, PublishErrorKind},
    message::StreamMessage,
    object_store::{ObjectInfo, ObjectOptions},
    stream::{RawMessageErrorKind, Stream},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use bytes::{Bytes, BytesMut};
use flywheel_events::Digest;
use std::collections::VecDeque;
use tokio::sync::Mutex;
use uuid::Uuid;

/// Bytes of a part, as other clients have it.
const PART_BYTES: usize = 128 * 1024;

/// Most parts on their way at once.
const PARTS_AHEAD_MAX: usize = 16;

/// Least bytes of a part on the average, whoever uploaded it: each costs a question.
const PART_BYTES_MIN: usize = 16 * 1024;

/// Most entries of one name that are looked at.
const ENTRIES_MAX: usize = 16;

/// The bucket, over a connection of its own that is made when it is needed.
#[derive(Debug)]
pub struct Bucket {
    address: Address,
    connected: Mutex<Option<Bus>>,
}

impl Bucket {
    /// The bucket of the bus at this address. Nothing is connected yet.
    pub fn new(address: Address) -> Self {
        Self { address, connected: Mutex::default() }
    }

    /// Stores the bytes of this digest. Whether they were there already, as far as we may look.
    pub(super) async fn put(&self, digest: &Digest, bytes: Bytes) -> Result<bool, Error> {
        self.patiently(async |bus| {
            // An agent may not look, and is told so at once; it uploads.
            if read(bus, digest).await.is_ok() {
                return Ok(true);
            }
            upload(bus, digest, &bytes).await.map(|()| false)
        })
        .await
    }

    /// The bytes of this digest.
    pub(super) async fn get(&self, digest: &Digest) -> Result<Bytes, Error> {
        self.patiently(async |bus| read(bus, digest).await).await
    }

    /// Whether there is an entry of this name.
    pub(super) async fn exists(&self, digest: &Digest) -> Result<bool, Error> {
        let first = async |bus: &Bus| Ok(next(&stream_of(bus).await?, &entry_subject(digest), 1).await?.is_some());
        self.patiently(first).await
    }

    /// Does it, and again while the bus is on its way down or up.
    async fn patiently<T>(&self, call: impl AsyncFn(&Bus) -> Result<T, Error>) -> Result<T, Error> {
        let mut patience = Patience::new();
        loop {
            let bus = self.bus().await?;
            match call(&bus).await {
                Err(Error::Unreachable(why)) => {
                    let waited = patience.wait(&bus, log::Error::Bus(why)).await;
                    waited.map_err(|error| Error::Unreachable(error.to_string()))?;
                }
                answer => return answer,
            }
        }
    }

    async fn bus(&self) -> Result<Bus, Error> {
        let mut connected = self.connected.lock().await;
        if let Some(bus) = &*connected
            && !bus.is_dead().await
        {
            return Ok(bus.clone());
        }
        let bus = connect(&self.address).await.map_err(|error| Error::Unreachable(error.to_string()))?;
        Ok(connected.insert(bus).clone())
    }
}

/// The subject of the entries of a name.
fn entry_subject(digest: &Digest) -> String {
    format!("$O.{BLOBS}.M.{}", URL_SAFE.encode(digest.to_string()))
}

fn parts_subject(upload: &str) -> String {
    format!("$O.{BLOBS}.C.{upload}")
}

async fn stream_of(bus: &Bus) -> Result<Stream<()>, Error> {
    stream_handle(bus, &format!("OBJ_{BLOBS}")).await.map_err(|error| Error::Unreachable(error.to_string()))
}

/// The first message of a subject from a position on.
async fn next(stream: &Stream<()>, subject: &str, from: u64) -> Result<Option<StreamMessage>, Error> {
    let error = match stream.get_first_raw_message_by_subject(subject, from).await {
        Ok(message) => return Ok(Some(message)),
        Err(error) => error,
    };
    match error.kind() {
        RawMessageErrorKind::NoMessageFound => Ok(None),
        RawMessageErrorKind::JetStream(why) if why.error_code() == ErrorCode::STREAM_NOT_FOUND => {
            Err(Error::Unusable(format!("the bus has no bucket {BLOBS}; `flywheel bus setup` makes it")))
        }
        RawMessageErrorKind::JetStream(why) if why.error_code() == ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
            Err(Error::Unusable("this user of the bus may not read".to_owned()))
        }
        _ => Err(Error::Unreachable(with_causes(&error))),
    }
}

async fn read(bus: &Bus, digest: &Digest) -> Result<Bytes, Error> {
    let (stream, subject) = (stream_of(bus).await?, entry_subject(digest));
    let (mut answer, mut from) = (Error::NotFound, 1);
    for _ in 0..ENTRIES_MAX {
        let Some(entry) = next(&stream, &subject, from).await? else { break };
        from = entry.sequence + 1;
        match read_parts(&stream, &entry.payload).await?.map(|bytes| verified(digest, bytes)) {
            Some(Ok(bytes)) => return Ok(bytes),
            _ => answer = Error::Damaged,
        }
    }
    Err(answer)
}

/// What an entry leads to, as far as it leads anywhere: anybody who may upload can have written it.
async fn read_parts(stream: &Stream<()>, entry: &[u8]) -> Result<Option<Bytes>, Error> {
    let Ok(entry) = serde_json::from_slice::<ObjectInfo>(entry) else { return Ok(None) };
    let is_token = entry.nuid.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !entry.nuid.is_empty();
    if !is_token || entry.deleted || entry.size as u64 > BYTES_MAX || entry.chunks > 1 + entry.size / PART_BYTES_MIN {
        return Ok(None);
    }
    let (mut bytes, mut from) = (BytesMut::with_capacity(entry.size), 1);
    for _ in 0..entry.chunks {
        let Some(part) = next(stream, &parts_subject(&entry.nuid), from).await? else { return Ok(None) };
        from = part.sequence + 1;
        if bytes.len() + part.payload.len() > entry.size {
            return Ok(None);
        }
        bytes.extend_from_slice(&part.payload);
    }
    Ok(Some(bytes.freeze()))
}

/// Uploads under a subject that nobody else has. What an upload that fails leaves behind, no entry leads to.
async fn upload(bus: &Bus, digest: &Digest, bytes: &Bytes) -> Result<(), Error> {
    #[expect(clippy::disallowed_methods, reason = "it tells this upload's parts from every other's")]
    let upload = Uuid::new_v4().simple().to_string();
    let mut waiting: VecDeque<PublishAckFuture> = VecDeque::new();
    let (mut last, mut parts) = (0, 0);
    for start in (0..bytes.len()).step_by(PART_BYTES) {
        let part = bytes.slice(start..bytes.len().min(start + PART_BYTES));
        waiting.push_back(bus.jetstream.publish(parts_subject(&upload), part).await.map_err(|error| refused(&error))?);
        parts += 1;
        if waiting.len() >= PARTS_AHEAD_MAX {
            last = stored(waiting.pop_front(), last).await?;
        }
    }
    while !waiting.is_empty() {
        last = stored(waiting.pop_front(), last).await?;
    }
    let entry = ObjectInfo {
        name: digest.to_string(),
        bucket: BLOBS.to_owned(),
        nuid: upload,
        size: bytes.len(),
        chunks: parts,
        digest: Some(format!("SHA-256={}", URL_SAFE.encode(digest.as_bytes()))),
        options: Some(ObjectOptions { max_chunk_size: Some(PART_BYTES), link: None }),
        description: None,
        metadata: [].into(),
        headers: None,
        modified: None,
        deleted: false,
    };
    let entry = serde_json::to_vec(&entry).expect("an entry is plain JSON");
    let sent = bus.jetstream.publish(entry_subject(digest), entry.into()).await;
    stored(Some(sent.map_err(|error| refused(&error))?), last).await.map(drop)
}

/// The position at which the next part is stored, which must lie behind the one before it: a part that was overtaken while the
/// connection was made anew would be read in the wrong place.
async fn stored(part: Option<PublishAckFuture>, after: u64) -> Result<u64, Error> {
    let Some(part) = part else { return Ok(after) };
    let position = part.await.map_err(|error| refused(&error))?.sequence;
    if position > after { Ok(position) } else { Err(Error::Unreachable("parts were stored out of order".to_owned())) }
}

fn refused(error: &PublishError) -> Error {
    match error.kind() {
        PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => Error::Unreachable(with_causes(error)),
        PublishErrorKind::StreamNotFound => Error::Unusable(format!(
            "nothing on the bus takes what is uploaded to {BLOBS}; `flywheel bus setup` makes it, and a user needs the right to it"
        )),
        _ => Error::Unusable(with_causes(error)),
    }
}
