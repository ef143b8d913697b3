//! Changing the streams that are there, where a setting has changed.
//!
//! Invariant: only what costs no fact and no message is changed: how much fits in, how many servers keep it, and for how long
//! the inbox remembers ids. The laws of a stream (its subjects, what it refuses, what may be deleted) never are.

use super::{Bus, Refused, Topology, differences, failed, room, setup::find_stream, topology::INBOX};
use crate::log::Error;
use async_nats::jetstream::stream::{Config, Info};
use serde::Serialize;

/// A stream that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Updated {
    /// Its name.
    pub name: String,
    /// What it was, and is no longer.
    pub changed: Vec<String>,
}

/// Whether these are differences that may be changed on this stream.
pub(super) fn may_change(stream: &str, differences: &[String]) -> bool {
    let may = |key: &str| match key {
        "max_bytes" | "num_replicas" => true,
        "duplicate_window" => stream == INBOX,
        _ => false,
    };
    differences.iter().all(|difference| difference.split(' ').next().is_some_and(may))
}

/// Changes every stream that is there and differs.
///
/// # Errors
/// When one differs in something else, or holds more than it is to hold (nothing is changed then); when the server refuses.
pub async fn update(bus: &Bus, topology: &Topology) -> Result<Vec<Updated>, Error> {
    let mut updates = vec![];
    for wanted in topology.streams() {
        let Some(found) = find_stream(bus, &wanted.name).await? else { continue };
        let changed = differences(&wanted, &found.config);
        if changed.is_empty() {
            continue;
        }
        let name = wanted.name.clone();
        if !may_change(&name, &changed) {
            return Err(Refused { what: "stream", name, differences: changed }.into());
        }
        updates.push((changed_to(&wanted, &found)?, Updated { name, changed }));
    }
    let mut done = vec![];
    for (config, updated) in updates {
        if let Err(error) = bus.jetstream.update_stream(&config).await {
            let why = room::why(bus, &config, &error).await;
            return Err(failed(&format!("change the stream {}", config.name), why));
        }
        done.push(updated);
    }
    Ok(done)
}

/// The stream as it is, but for what may be changed.
fn changed_to(wanted: &Config, found: &Info) -> Result<Config, Error> {
    let holds = found.state.bytes;
    if u64::try_from(wanted.max_bytes).is_ok_and(|most| most > 0 && most < holds) {
        let why = format!(
            "it holds {}, and is to hold {}: take something out first, or leave it larger",
            room::shown(holds),
            room::shown(wanted.max_bytes.unsigned_abs())
        );
        return Err(failed(&format!("change the stream {}", wanted.name), why));
    }
    Ok(Config {
        max_bytes: wanted.max_bytes,
        num_replicas: wanted.num_replicas,
        duplicate_window: wanted.duplicate_window,
        ..found.config.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::LOG;

    #[test]
    fn the_laws_of_a_stream_are_not_changed() {
        let check = |stream: &str, key: &str, expect: bool| {
            assert_eq!(may_change(stream, &[format!("{key} is 1, and must be 2")]), expect, "{stream} {key}");
        };
        check(INBOX, "max_bytes", true);
        check(INBOX, "duplicate_window", true);
        check(LOG, "num_replicas", true);
        for key in ["duplicate_window", "deny_delete", "discard", "subjects", "max_msgs_per_subject", "max_age"] {
            check(LOG, key, false);
        }
    }
}
