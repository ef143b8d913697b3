//! Reading every row and believing none: what was changed, at which position.

use super::{EmbeddedLog, head};
use crate::{
    log::{Error, Head, Record},
    sqlite::{Kind, schema, schema_differences},
};
use flywheel_events::{Digest, Key, canonical, envelope::Envelope};
use rusqlite::{Connection, Row, types::ValueRef};

/// Something in the log is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where; none where it is not one row's.
    pub position: Option<u64>,
    /// What is wrong there.
    pub what: String,
}

/// What an audit came to.
#[derive(Debug, Clone)]
pub struct Audit {
    /// The end of the log at the start.
    pub head: Head,
    /// How many rows were read.
    pub facts: u64,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// A row as it is stored.
struct Stored {
    position: u64,
    id: Vec<u8>,
    key: Vec<u8>,
    time: i64,
    digest: Vec<u8>,
    event_digest: Vec<u8>,
    chain: Vec<u8>,
    event: Vec<u8>,
}

/// Where the row before left off.
struct Before {
    position: u64,
    time: i64,
    chain: Vec<u8>,
}

impl EmbeddedLog {
    /// Checks the file, then every row against the one before it: position, id, key, time, digests, chain and envelope.
    /// `visit` is given each row whose event can be told, in order.
    ///
    /// A chain that breaks is reported once, at the first row that does not follow.
    ///
    /// # Errors
    /// When the file cannot be read at all.
    pub fn audit(&self, mut visit: impl FnMut(&Record)) -> Result<Audit, Error> {
        self.with_reader(|connection| {
            let head = head(connection)?;
            let mut audit = Audit { head, facts: 0, faults: vec![] };
            audit.faults.extend(check_file(connection)?);
            let mut statement =
                connection.prepare_cached("SELECT * FROM facts WHERE position <= ?1 ORDER BY position")?;
            let mut rows = statement.query([head.position])?;
            let mut before = Before { position: 0, time: i64::MIN, chain: Digest::GENESIS.as_bytes().to_vec() };
            loop {
                // A page that cannot be read ends the audit, and is its finding.
                let stored = match rows.next() {
                    Ok(None) => break,
                    Ok(Some(row)) => stored(row),
                    Err(error) => Err(error),
                };
                let stored = match stored {
                    Ok(stored) => stored,
                    Err(error) => {
                        let what = format!("the row behind position {} cannot be read: {error}", before.position);
                        audit.faults.push(Fault { position: Some(before.position + 1), what });
                        break;
                    }
                };
                audit.facts += 1;
                let position = stored.position;
                let (faults, record) = check(&stored, &before);
                audit.faults.extend(faults.into_iter().map(|what| Fault { position: Some(position), what }));
                if let Some(record) = record {
                    visit(&record);
                }
                before = Before { position, time: stored.time, chain: stored.chain };
            }
            Ok(audit)
        })
    }
}

/// SQLite's own check of the file, and that the triggers which refuse changes are still there.
fn check_file(connection: &Connection) -> Result<Vec<Fault>, Error> {
    let mut faults = vec![];
    let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
    let mut rows = statement.query([])?;
    loop {
        let said: String = match rows.next() {
            Ok(None) => break,
            Ok(Some(row)) => row.get(0)?,
            Err(error) => error.to_string(),
        };
        if said == "ok" {
            break;
        }
        faults.push(Fault { position: None, what: format!("the file is damaged: {said}") });
        if faults.len() >= 20 {
            break;
        }
    }
    let fresh = Connection::open_in_memory()?;
    Kind::LOG.make(&fresh, 0)?;
    let differences = schema_differences(&schema(connection)?, &schema(&fresh)?);
    let what = |difference| format!("in the log's file {difference}");
    faults.extend(differences.into_iter().map(|difference| Fault { position: None, what: what(difference) }));
    Ok(faults)
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let bytes = |column: usize| {
        row.get_ref(column).map(|value| match value {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
            _ => vec![],
        })
    };
    Ok(Stored {
        position: row.get(0)?,
        id: bytes(1)?,
        key: bytes(2)?,
        time: row.get(3)?,
        digest: bytes(4)?,
        event_digest: bytes(5)?,
        chain: bytes(6)?,
        event: bytes(7)?,
    })
}

/// What is wrong with a row, and what it says where that can be told.
fn check(row: &Stored, before: &Before) -> (Vec<String>, Option<Record>) {
    let mut faults = vec![];
    let follows = before.position + 1;
    if row.position != follows {
        faults.push(match row.position - 1 {
            last if last == follows => format!("position {follows} is missing before it"),
            last => format!("positions {follows} to {last} are missing before it"),
        });
    }
    if row.time < before.time {
        faults.push("its time is before that of the fact before it".to_owned());
    }
    let event_digest = Digest::of(&row.event);
    if event_digest.as_bytes()[..] != row.event_digest[..] {
        faults.push("the event is not the one that was recorded: its digest differs".to_owned());
    }
    let Some(key) = std::str::from_utf8(&row.key).ok().and_then(|text| text.parse::<Key>().ok()) else {
        faults.push(format!("`{}` is no key", String::from_utf8_lossy(&row.key)));
        return (faults, None);
    };
    if key.event_id().as_bytes()[..] != row.id[..] {
        faults.push(format!("the id does not belong to the key {key}"));
    }
    // The stored digest: where an event was changed, the chain still tells whether the rest holds.
    let chained = array(&before.chain).zip(array(&row.event_digest)).map(|(chain, event)| chain.chain(&key, &event));
    if row.position == follows && chained.is_none_or(|chain| chain.as_bytes()[..] != row.chain[..]) {
        faults.push(format!("the chain breaks: the key {key}, the event's digest or the chain before it was changed"));
    }
    match check_event(row, before, &key) {
        Ok(()) => {}
        Err(what) => faults.push(what),
    }
    let record = String::from_utf8(row.event.clone()).ok().zip(array(&row.digest));
    let record = record.map(|(event, digest)| Record { position: row.position, key, digest, event: event.into() });
    (faults, record)
}

fn check_event(row: &Stored, before: &Before, key: &Key) -> Result<(), String> {
    let envelope = Envelope::parse(&row.event).map_err(|error| format!("the event of {key} is not valid: {error}"))?;
    if envelope.id() != key.event_id().to_string() {
        return Err(format!("the event's id {} does not belong to the key {key}", envelope.id()));
    }
    // Of facts that came over the bus each has its publisher's clock; one that is behind was recorded when its predecessor was.
    let own = envelope.time().map(|time| time.timestamp_micros());
    if row.time >= before.time && own.map(|own| own.max(before.time)) != Some(row.time) {
        return Err(format!("the time of {key} is not the one of its event"));
    }
    let data = envelope.data().ok_or_else(|| format!("the event of {key} has no data"))?;
    let data = serde_json::from_str(data.get()).map_err(|error| format!("the data of {key} does not read: {error}"))?;
    if canonical::content_digest(envelope.event_type(), &data).as_bytes()[..] != row.digest[..] {
        return Err(format!("the content of {key} does not have the digest that was recorded"));
    }
    Ok(())
}

fn array(bytes: &[u8]) -> Option<Digest> {
    <[u8; 32]>::try_from(bytes).ok().map(Digest::from)
}
