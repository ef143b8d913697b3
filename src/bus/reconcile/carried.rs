//! What only a stream has that is to be made anew: kept in a file of the data folder until the new one has it.
#![expect(clippy::disallowed_methods, reason = "the file outlives a crash between the two streams")]

use crate::{
    bus::{
        Bus, BusLog, Topology,
        connect::with_causes,
        failed, publish,
        replica::{check, reader::Reader},
        topology::LOG,
    },
    files,
    log::{EmbeddedLog, Error, Record},
};
use async_nats::jetstream::stream::{Config, Info};
use flywheel_events::{Digest, Key};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};

const FILE: &str = "carried-over.ndjson";

#[derive(Serialize, Deserialize)]
struct Line {
    key: Key,
    digest: Digest,
    event: String,
}

/// Ends the stream for writers, and keeps what this log does not have.
pub(super) async fn keep(bus: &Bus, data: &Path, log: &EmbeddedLog, info: &Info) -> Result<(), Error> {
    // A stream that stays must not be sealed: what cannot be kept is found before.
    only_there(bus, log, info.state.messages).await?;
    let sealed = Config { sealed: true, ..info.config.clone() };
    let sealed = bus.jetstream.update_stream(&sealed).await;
    let sealed = sealed.map_err(|error| failed("seal the stream", with_causes(&error)))?;
    let mut kept: BTreeMap<String, Line> = read(data)?.into_iter().map(|line| (line.key.to_string(), line)).collect();
    let found = only_there(bus, log, sealed.state.messages).await?;
    kept.extend(found.into_iter().map(|line| (line.key.to_string(), line)));
    if kept.is_empty() {
        return Ok(());
    }
    let lines: String =
        kept.values().map(|line| serde_json::to_string(line).expect("a line is plain JSON") + "\n").collect();
    files::write_atomically(&data.join(FILE), lines.as_bytes()).map_err(|error| Error::File(format!("{error:#}")))
}

/// The facts of a stream with holes that this log does not have.
async fn only_there(bus: &Bus, log: &EmbeddedLog, messages: u64) -> Result<Vec<Line>, Error> {
    let mut found = vec![];
    if messages == 0 {
        return Ok(found);
    }
    let mut batches = std::pin::pin!(Reader::start_anywhere(bus).await?.batches(None));
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        for (position, message) in &batch.messages {
            let fact = check::check(*position, message)?;
            let key = Key::from_subject(&message.subject).map_err(|error| Error::Foreign(error.to_string()))?;
            match log.get_now(&key)? {
                Some(row) if row.record.digest == fact.content() => {}
                Some(row) => {
                    return Err(Error::Diverged(format!(
                        "position {position} of the stream {LOG} has other content under {key} than position {} of this log: only one of them can be in a log; nothing was changed",
                        row.record.position
                    )));
                }
                None => {
                    let event = String::from_utf8_lossy(&message.payload).into_owned();
                    found.push(Line { key, digest: fact.content(), event });
                }
            }
        }
        if batch.is_last {
            break;
        }
    }
    Ok(found)
}

fn read(data: &Path) -> Result<Vec<Line>, Error> {
    let path = data.join(FILE);
    let wrong = |why: String| Error::File(format!("cannot read {}: {why}", path.display()));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(wrong(error.to_string())),
    };
    text.lines().map(|line| serde_json::from_str(line).map_err(|error| wrong(error.to_string()))).collect()
}

/// Appends what was kept, and forgets it. How many facts that were.
pub(super) async fn append(bus: &Bus, topology: &Topology, data: &Path) -> Result<u64, Error> {
    let lines = read(data)?;
    if lines.is_empty() {
        return Ok(0);
    }
    let log = BusLog::open(bus.clone(), topology.clone()).await?;
    let records =
        lines.into_iter().map(|Line { key, digest, event }| Record { position: 0, key, digest, event: event.into() });
    let appended = publish::again(&log, records.collect()).await?;
    log.close().await;
    std::fs::remove_file(data.join(FILE)).map_err(|error| Error::File(format!("cannot remove {FILE}: {error}")))?;
    Ok(appended.into_iter().filter(|outcome| matches!(outcome, crate::log::Appended::Appended(_))).count() as u64)
}
