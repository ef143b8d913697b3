//! Questions to the read models, answered as typed rows in a stable order.

pub mod failures;
pub mod manifest;
pub mod queue;

use flywheel_events::Digest;
use rusqlite::{Row, types::Type};
use uuid::Uuid;

/// Most rows of one page.
pub const PAGE_ROWS_MAX: usize = 1000;

fn id<T: From<Uuid>>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    row.get::<_, [u8; 16]>(column).map(|bytes| Uuid::from_bytes(bytes).into())
}

fn optional_id<T: From<Uuid>>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(|bytes| Uuid::from_bytes(bytes).into()))
}

fn digest(row: &Row<'_>, column: &str) -> rusqlite::Result<Digest> {
    row.get::<_, [u8; 32]>(column).map(Digest::from)
}

/// A time in microseconds since 1970, as RFC 3339.
fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<String> {
    let micros = row.get(column)?;
    let time = chrono::DateTime::from_timestamp_micros(micros).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, format!("{micros} is no time").into())
    })?;
    Ok(time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
}
