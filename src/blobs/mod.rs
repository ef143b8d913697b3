//! Binary files, each under the digest of its bytes: in a folder, in S3, or in the bus's bucket.
//!
//! Invariants:
//! - A blob's name is the SHA-256 of its bytes, and what is read is compared with it: a store can lose a blob, never pass another
//!   one off as it.
//! - Putting the same bytes again changes nothing, and mends what is damaged. Nothing here removes a blob.
//! - That a blob is not there is an answer; that nobody answers is none, and never taken for it.

mod bucket;
mod few;
mod objects;

pub use bucket::Bucket;
pub use few::Few;
pub use objects::Objects;

use crate::bus::Address;
use bytes::Bytes;
use flywheel_events::Digest;
use std::path::{Path, PathBuf};

/// Most bytes of one blob.
pub const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What `blobs` of the settings begins with where it is a bucket of S3.
const S3: &str = "s3://";

/// Why there is no blob. The messages name no path of this machine and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing has this digest.
    #[error("it is not in the blob store")]
    NotFound,
    /// Something lies under the digest, and its bytes have another one.
    #[error("what the blob store has under its digest is something else")]
    Damaged,
    /// More than [`BYTES_MAX`].
    #[error("the file is larger than 64 MiB")]
    TooLarge,
    /// The store does not answer. It may, later.
    #[error("the blob store cannot be reached: {0}")]
    Unreachable(String),
    /// The store answers, and cannot be used as it is set up. That may be set right.
    #[error("the blob store cannot be used: {0}")]
    Unusable(String),
}

/// What came of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Put {
    /// The blob's name from now on.
    pub digest: Digest,
    /// Whether it was there already. Who may not read is told that it was not.
    pub was_there: bool,
}

/// A store of blobs.
#[derive(Debug)]
pub enum Store {
    /// A folder, or a bucket of S3.
    Objects(Objects),
    /// The bus's bucket.
    Bucket(Box<Bucket>),
}

impl Store {
    /// The store that the setting names: `s3://bucket/prefix` or a folder; without it the bucket of the bus, or a folder in the
    /// data folder where there is no bus. Nothing is asked of it yet. S3's credentials are in the environment.
    ///
    /// # Errors
    /// When the setting names no store.
    pub fn open(
        setting: Option<&str>,
        bus: Option<Address>,
        data: &Path,
        environment: &[(String, String)],
    ) -> Result<Self, Error> {
        match (setting, bus) {
            (Some(setting), _) => match setting.strip_prefix(S3) {
                Some(place) => Objects::s3(place, environment).map(Self::Objects),
                None => Ok(Self::Objects(Objects::folder(PathBuf::from(setting), false))),
            },
            (None, Some(address)) => Ok(Self::Bucket(Box::new(Bucket::new(address)))),
            (None, None) => Ok(Self::Objects(Objects::folder(data.join("blobs"), true))),
        }
    }

    /// Stores these bytes.
    ///
    /// # Errors
    /// When they are too many, or the store does not take them.
    pub async fn put(&self, bytes: Bytes) -> Result<Put, Error> {
        if bytes.len() as u64 > BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let digest = Digest::of(&bytes);
        let was_there = match self {
            Self::Objects(objects) => objects.put(&digest, bytes).await,
            Self::Bucket(bucket) => bucket.put(&digest, bytes).await,
        }?;
        Ok(Put { digest, was_there })
    }

    /// The bytes that have this digest.
    ///
    /// # Errors
    /// When there are none, or the store does not say.
    pub async fn get(&self, digest: &Digest) -> Result<Bytes, Error> {
        match self {
            Self::Objects(objects) => objects.get(digest).await,
            Self::Bucket(bucket) => bucket.get(digest).await,
        }
    }

    /// Whether something lies under this digest. Whether it is what it must be, only [`get`](Self::get) tells.
    ///
    /// # Errors
    /// When the store does not say.
    pub async fn exists(&self, digest: &Digest) -> Result<bool, Error> {
        match self {
            Self::Objects(objects) => objects.exists(digest).await,
            Self::Bucket(bucket) => bucket.exists(digest).await,
        }
    }
}

/// The bytes, if they have this digest.
fn verified(digest: &Digest, bytes: Bytes) -> Result<Bytes, Error> {
    if Digest::of(&bytes) == *digest { Ok(bytes) } else { Err(Error::Damaged) }
}

/// Why text of the settings names no store, if it does not.
pub fn misnamed(setting: &str) -> Option<&'static str> {
    match (setting.strip_prefix(S3), setting.is_empty()) {
        (_, true) => Some("must not be empty"),
        (Some(place), _) if place.contains('@') => {
            Some("must hold no credentials: they are read from the AWS_… variables of the environment")
        }
        (Some(place), _) if place.split('/').next().is_none_or(str::is_empty) => {
            Some("must name a bucket: s3://bucket")
        }
        (None, _) if setting.contains("://") => Some("must be a folder, or s3://bucket/prefix"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_without_credentials() {
        for good in ["blobs", "/srv/blobs", "s3://bucket", "s3://bucket/some/prefix", "D:\\blobs"] {
            assert_eq!(misnamed(good), None, "{good}");
        }
        for bad in ["", "s3://", "s3:///prefix", "s3://key:secret@bucket", "https://host/bucket", "gs://bucket"] {
            assert!(misnamed(bad).is_some(), "{bad}");
        }
    }
}
