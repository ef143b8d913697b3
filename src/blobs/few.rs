//! A store from which only so many blobs are held at once: each may have 64 MiB, and a worker looks at more of the world than that at
//! the same time.

use super::{Error, Store};
use bytes::Bytes;
use flywheel_events::Digest;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most blobs that a process holds at once.
const HELD_MAX: usize = 4;

/// A store, and the room there is for what comes of it.
#[derive(Debug)]
pub struct Few {
    store: Store,
    room: Arc<Semaphore>,
}

/// A blob, and the room it takes for as long as somebody has it.
struct Held {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Few {
    /// All room is free.
    pub fn new(store: Store) -> Self {
        Self { store, room: Arc::new(Semaphore::new(HELD_MAX)) }
    }

    /// The bytes that have this digest, once there is room. Whoever holds one must not wait for another.
    ///
    /// # Errors
    /// When there are none, or the store does not say.
    pub async fn get(&self, digest: &Digest) -> Result<Bytes, Error> {
        let room = self.room.clone().acquire_owned().await.expect("it is never closed");
        let bytes = self.store.get(digest).await?;
        Ok(Bytes::from_owner(Held { bytes, _room: room }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn one_more_waits_until_another_is_let_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(Some(folder.path().to_str().expect("UTF-8")), None, folder.path(), &[]).expect("opens");
        let digest = store.put("a blob".into()).await.expect("puts").digest;
        let few = Few::new(store);
        assert_eq!(few.get(&Digest::of(b"another")).await, Err(Error::NotFound), "what is not there takes no room");
        let mut held = vec![];
        for _ in 0..HELD_MAX {
            held.push(few.get(&digest).await.expect("is there"));
        }
        assert!(timeout(Duration::from_millis(100), few.get(&digest)).await.is_err());
        let copy = held[0].clone();
        held.remove(0);
        assert!(timeout(Duration::from_millis(100), few.get(&digest)).await.is_err(), "somebody has it still");
        drop(copy);
        assert_eq!(few.get(&digest).await.expect("is there"), "a blob");
    }
}
