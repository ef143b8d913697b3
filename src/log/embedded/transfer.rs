//! Export and import: the log as lines, and lines as the log.

use super::{
    Chained, EmbeddedLog, RECORD, chained, head, replica,
    writer::{self, End, Row},
};
use crate::{
    log::{Error, Head},
    sqlite,
};
use chrono::{DateTime, Utc};
use flywheel_events::{Digest, Key, canonical, envelope::Envelope};
use rusqlite::{ErrorCode, OptionalExtension as _, TransactionBehavior};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::io::{BufRead, Read as _};

/// Most bytes of one line: the largest event, and room for the rest.
const LINE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// One line of an export. The order of the fields is the order of the bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line<'a> {
    /// Where the fact is, from 1, without gaps.
    pub position: u64,
    /// Its key.
    pub key: Key,
    /// The chain's value behind it: SHA-256(previous ‖ key ‖ SHA-256 of the event's bytes).
    pub chain: Digest,
    /// The event, byte for byte.
    #[serde(borrow)]
    pub event: &'a RawValue,
}

impl Line<'_> {
    /// A fact as a line, without its line end.
    pub fn text(Chained { record, chain }: &Chained) -> String {
        // An event that was damaged is no JSON: as a text it still shows what is there, and no import takes it.
        let as_text;
        let event: &RawValue = match serde_json::from_str(&record.event) {
            Ok(event) => event,
            Err(_) => {
                as_text = serde_json::value::to_raw_value(&*record.event).expect("a text is plain JSON");
                &as_text
            }
        };
        let line = Line { position: record.position, key: record.key.clone(), chain: *chain, event };
        serde_json::to_string(&line).expect("a line is plain JSON")
    }
}

impl EmbeddedLog {
    /// Gives every fact behind `after` to `write`, as one line of JSON without its line end, up to the head at the start.
    ///
    /// # Errors
    /// When the storage or `write` fails.
    pub fn export(&self, after: u64, mut write: impl FnMut(&str) -> std::io::Result<()>) -> Result<Head, Error> {
        self.with_reader(|connection| {
            let head = head(connection)?;
            let sql = format!("SELECT {RECORD} FROM facts WHERE position > ?1 AND position <= ?2 ORDER BY position");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query((after, head.position))?;
            while let Some(row) = rows.next()? {
                let Chained { record, chain } = chained(row)?;
                let event: &RawValue = serde_json::from_str(&record.event).map_err(|error| {
                    Error::Import(format!("position {}: the event is no JSON: {error}", record.position))
                })?;
                let line = Line { position: record.position, key: record.key, chain, event };
                let line = serde_json::to_string(&line).expect("a line is plain JSON");
                write(&line).map_err(|error| Error::File(format!("cannot write the export: {error}")))?;
            }
            Ok(head)
        })
    }

    /// Checks an export as [`import`](Self::import) would into an empty log, without a log.
    ///
    /// # Errors
    /// [`Error::Import`] that names the line.
    pub fn check_export(mut lines: impl BufRead, name: &str) -> Result<(), Error> {
        let (mut number, mut previous, mut text) = (0_u64, BEGINNING, String::new());
        while next_line(&mut lines, &mut text, name, number)? {
            let (line, fact) = check(&text, number, previous).map_err(|what| at(name, number, &what))?;
            previous = (line.chain, fact.time);
            number += 1;
        }
        Ok(())
    }

    /// Appends the facts of an export at their positions: all of them, or none. What the log has already must be the same.
    ///
    /// Returns how many lines were there already, and how many were appended.
    ///
    /// # Errors
    /// [`Error::Import`] that names the line, when it is no export, does not follow the line before it, or differs from
    /// what the log has.
    pub fn import(&self, mut lines: impl BufRead, name: &str) -> Result<(u64, u64), Error> {
        let mut connection =
            sqlite::open(&self.inner.path, &sqlite::Kind::LOG).map_err(|e| Error::File(e.to_string()))?;
        writer::prepare(&connection)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        replica::check_is_none(&transaction)?;
        let mut end = End::of(&transaction)?;
        let (before, mut number, mut previous) = (end.position, 0_u64, BEGINNING);
        let mut text = String::new();
        while next_line(&mut lines, &mut text, name, number)? {
            let at = |what: String| at(name, number, &what);
            let (line, fact) = check(&text, number, previous).map_err(at)?;
            if line.position <= before {
                let stored: Option<[u8; 32]> = transaction
                    .prepare_cached("SELECT chain FROM facts WHERE position = ?1")?
                    .query_row([line.position], |row| row.get(0))
                    .optional()?;
                if stored != Some(*line.chain.as_bytes()) {
                    return Err(at(format!(
                        "position {} of this log is another fact: the two logs differ",
                        line.position
                    )));
                }
            } else {
                let row = Row::new((&line.key, line.key.event_id()), fact.time, fact.content, line.event.get());
                let taken = |error: &rusqlite::Error| error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation);
                end.insert(&transaction, &row).map_err(|error| match taken(&error) {
                    true => at("the key of this fact is taken".to_owned()),
                    false => at(error.to_string()),
                })?;
            }
            previous = (line.chain, fact.time);
            number += 1;
        }
        transaction.commit()?;
        Ok((number.min(before), end.position - before))
    }
}

/// What is wrong with the line behind so many others.
fn at(name: &str, before: u64, what: &str) -> Error {
    Error::Import(format!("{name}:{}: {what}; nothing was imported", before + 1))
}

/// Reads the next line; false at the end.
fn next_line(lines: &mut impl BufRead, text: &mut String, name: &str, before: u64) -> Result<bool, Error> {
    text.clear();
    let read = lines.take(LINE_BYTES_MAX + 1).read_line(text);
    let read = read.map_err(|error| at(name, before, &format!("cannot be read: {error}")))?;
    if read as u64 > LINE_BYTES_MAX {
        return Err(at(name, before, &format!("longer than {LINE_BYTES_MAX} bytes")));
    }
    Ok(read > 0)
}

/// What an event comes to in its row.
struct Fact {
    time: DateTime<Utc>,
    content: Digest,
}

/// What stands before the first line.
const BEGINNING: (Digest, DateTime<Utc>) = (Digest::GENESIS, DateTime::<Utc>::MIN_UTC);

/// Checks one line against the chain of the line before it: position, key, id, chain, envelope.
fn check(text: &str, before: u64, previous: (Digest, DateTime<Utc>)) -> Result<(Line<'_>, Fact), String> {
    let line: Line<'_> = serde_json::from_str(text.trim_end_matches(['\n', '\r']))
        .map_err(|error| format!("not a line of an export: {error}"))?;
    if line.position != before + 1 {
        return Err(format!("position {} stands where {} must be", line.position, before + 1));
    }
    let event = line.event.get();
    let envelope = Envelope::parse(event.as_bytes()).map_err(|error| format!("the event is not valid: {error}"))?;
    if envelope.id() != line.key.event_id().to_string() {
        return Err(format!("the event's id {} does not belong to the key {}", envelope.id(), line.key));
    }
    if previous.0.chain(&line.key, &Digest::of(event.as_bytes())) != line.chain {
        return Err(format!(
            "the chain breaks at position {}: the event, its key or a line before it was changed",
            line.position
        ));
    }
    // As in the log: what a clock that was behind has dated was recorded when its predecessor was.
    let time = envelope.time().ok_or("the event has no time")?.with_timezone(&Utc).max(previous.1);
    let data = envelope.data().ok_or("the event has no data")?;
    let data = serde_json::from_str(data.get()).map_err(|error| format!("the event's data does not read: {error}"))?;
    let fact = Fact { time, content: canonical::content_digest(envelope.event_type(), &data) };
    Ok((line, fact))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::NewFact;
    use flywheel_events::{Step, StepSkipped};
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static EXPORT: LazyLock<String> = LazyLock::new(|| {
        let session = "a1b2c3d4-e5f6-7890-abcd-ef1234567890".parse().expect("a session id");
        let (mut chain, mut lines) = (Digest::GENESIS, String::new());
        for run in 1..=3 {
            let step = Step::new("build-scan");
            let skipped = StepSkipped { session_id: session, step: step.to_string(), reason: "\"ü\"\n".into() };
            let key = Key::session(step, session, run);
            let fact = NewFact::new(key.clone(), "/flywheel/build/scan", &skipped);
            let time = DateTime::from_timestamp(1_764_652_800 + i64::from(run), 0).expect("a time");
            let event = fact.event(time).expect("it is small");
            chain = chain.chain(&key, &Digest::of(event.as_bytes()));
            let event = serde_json::from_str(&event).expect("JSON");
            let line = Line { position: run.into(), key, chain, event };
            lines += &format!("{}\n", serde_json::to_string(&line).expect("plain JSON"));
        }
        lines
    });

    fn lines(text: &str) -> Vec<String> {
        let again =
            |line| serde_json::to_string(&serde_json::from_str::<Line<'_>>(line).expect("checked")).expect("JSON");
        text.lines().map(again).collect()
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_import_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let ok = EmbeddedLog::check_export(&bytes[..], "x").is_ok();
            prop_assert_eq!(ok, bytes.is_empty());
        }

        #[test]
        fn what_is_damaged_is_refused_or_says_the_same(
            at in 0..EXPORT.len(), length in 0..60_usize, new in proptest::collection::vec(any::<u8>(), 0..4),
        ) {
            let end = (at + length).min(EXPORT.len());
            let damaged = [&EXPORT.as_bytes()[..at], &new, &EXPORT.as_bytes()[end..]].concat();
            if EmbeddedLog::check_export(&damaged[..], "x").is_ok() {
                let (whole, kept) = (lines(&EXPORT), lines(std::str::from_utf8(&damaged).expect("it was read")));
                prop_assert_eq!(&whole[..kept.len()], &kept[..]);
            }
        }
    }

    #[test]
    fn the_whole_export_is_taken() {
        EmbeddedLog::check_export(EXPORT.as_bytes(), "x").expect("it is whole");
    }
}
