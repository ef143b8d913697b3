//! Blobs as files of a folder, or as objects of an S3 bucket, named by their digests.

use super::{BYTES_MAX, Error, verified};
use crate::{bus::with_causes, tls};
use bytes::Bytes;
use flywheel_events::Digest;
use object_store::{
    ClientConfigKey, ObjectStore, ObjectStoreExt as _, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    local::LocalFileSystem,
    path::Path as Name,
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// How long one request to S3 may take: 64 MiB on a slow line.
const REQUEST_TIMEOUT: &str = "60 seconds";

/// How often a request to S3 is tried again, and for how long; what asked may come again.
const RETRIES_MAX: usize = 3;
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

/// A folder or a bucket.
#[derive(Debug)]
pub struct Objects {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder {
        path: PathBuf,
        /// It is ours, in the data folder, and made when it is needed. Any other that is not there is a disk that is away.
        own: bool,
    },
    S3 {
        bucket: Arc<dyn ObjectStore>,
        prefix: Name,
    },
}

impl Objects {
    /// The files of a folder.
    pub fn folder(path: PathBuf, own: bool) -> Self {
        Self { place: Place::Folder { path, own } }
    }

    /// The objects of `bucket/prefix`, with the credentials, region and endpoint of this environment (`AWS_…`).
    ///
    /// # Errors
    /// When the name or the environment is none of S3's.
    pub fn s3(place: &str, environment: &[(String, String)]) -> Result<Self, Error> {
        tls::use_ring();
        let unusable = |error: &dyn std::error::Error| Error::Unusable(with_causes(error));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = Name::parse(prefix.trim_end_matches('/')).map_err(|error| unusable(&error))?;
        let timeout = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
        let mut builder = AmazonS3Builder::new().with_config(timeout, REQUEST_TIMEOUT);
        for (name, value) in environment.iter().filter(|(name, _)| name.starts_with("AWS_")) {
            // There are variables of other programs among them.
            if let Ok(key) = name.to_ascii_lowercase().parse() {
                builder = builder.with_config(key, value);
            }
        }
        let named = [AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint];
        let mut endpoints = named.iter().filter_map(|key| builder.get_config_value(key));
        // Where the operator names one without TLS, that is meant.
        let plain = endpoints.any(|endpoint| endpoint.starts_with("http://"));
        let builder = if plain { builder.with_allow_http(true) } else { builder };
        let retry = RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
        let store = builder.with_bucket_name(bucket).with_retry(retry).build();
        Ok(Self { place: Place::S3 { bucket: Arc::new(store.map_err(|error| unusable(&error))?), prefix } })
    }

    /// Stores the bytes of this digest. Whether they were there already.
    pub(super) async fn put(&self, digest: &Digest, bytes: Bytes) -> Result<bool, Error> {
        match self.get(digest).await {
            Ok(_) => return Ok(true),
            Err(error @ Error::Unreachable(_)) => return Err(error),
            // Who may write and not read can write.
            Err(_) => {}
        }
        let (store, name) = self.locate(digest)?;
        store.put(&name, bytes.into()).await.map_err(|error| self.failure(error))?;
        Ok(false)
    }

    /// The bytes of this digest.
    pub(super) async fn get(&self, digest: &Digest) -> Result<Bytes, Error> {
        let (store, name) = self.locate(digest)?;
        let found = store.get(&name).await.map_err(|error| self.failure(error))?;
        if found.meta.size > BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let bytes = found.bytes().await.map_err(|error| self.failure(error))?;
        verified(digest, bytes)
    }

    /// Whether something has this name.
    pub(super) async fn exists(&self, digest: &Digest) -> Result<bool, Error> {
        let (store, name) = self.locate(digest)?;
        match store.head(&name).await.map_err(|error| self.failure(error)) {
            Ok(_) => Ok(true),
            Err(Error::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn locate(&self, digest: &Digest) -> Result<(Arc<dyn ObjectStore>, Name), Error> {
        let name = digest.to_string();
        match &self.place {
            Place::S3 { bucket, prefix } => Ok((bucket.clone(), prefix.clone().join(name))),
            Place::Folder { path, own } => {
                if *own {
                    std::fs::create_dir_all(path)
                        .map_err(|error| Error::Unusable(format!("its folder cannot be made: {error}")))?;
                }
                let folder = LocalFileSystem::new_with_prefix(path).map_err(|_| away())?;
                Ok((Arc::new(folder.with_fsync(true)), Name::from(name)))
            }
        }
    }

    fn failure(&self, error: object_store::Error) -> Error {
        use object_store::Error as Objects;
        match (&error, &self.place) {
            (Objects::NotFound { .. }, Place::Folder { path, .. }) if !path.is_dir() => away(),
            // The answer to a request for a blob is the same whether it is missing or its whole bucket.
            (Objects::NotFound { .. }, Place::S3 { .. }) if with_causes(&error).contains("NoSuchBucket") => {
                Error::Unusable("there is no such bucket".to_owned())
            }
            (Objects::NotFound { .. }, _) => Error::NotFound,
            (Objects::PermissionDenied { .. } | Objects::Unauthenticated { .. }, _) => {
                Error::Unusable("it refuses the credentials, or what they may do".to_owned())
            }
            (_, Place::Folder { .. }) => Error::Unreachable("its folder cannot be read or written".to_owned()),
            (_, Place::S3 { .. }) => Error::Unreachable(with_causes(&error)),
        }
    }
}

fn away() -> Error {
    Error::Unreachable("its folder is not there".to_owned())
}
