//! The canonical digest of a view: equal content, equal digest, whatever the file's history.

use flywheel_events::Digest;
use rusqlite::{Connection, types::ValueRef};
use sha2::{Digest as _, Sha256};

/// Whether a column says where or when the log recorded a row, rather than what the row is.
///
/// The convention of every `.sql`: `position`, `…_position` and `recorded_at`.
fn is_of_the_log(column: &str) -> bool {
    column == "position" || column.ends_with("_position") || column == "recorded_at"
}

/// SHA-256 over every row of every table but the checkpoint, tables by name, rows by all of their columns.
///
/// # Errors
/// When the file cannot be read.
pub fn digest(connection: &Connection) -> rusqlite::Result<Digest> {
    digest_of(connection, |_| true)
}

/// The same without the columns that say where or when the log recorded a row. Two logs that hold the same facts of each
/// session, in whatever order of the sessions, give the same.
///
/// # Errors
/// When the file cannot be read.
pub fn content_digest(connection: &Connection) -> rusqlite::Result<Digest> {
    digest_of(connection, |column| !is_of_the_log(column))
}

fn digest_of(connection: &Connection, counts: impl Fn(&str) -> bool) -> rusqlite::Result<Digest> {
    let mut hasher = Sha256::new();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('checkpoint')
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    let tables: Vec<String> =
        connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for table in tables {
        let all = connection.prepare(&format!("SELECT * FROM \"{table}\""))?;
        let names: Vec<String> =
            all.column_names().filter(|name| counts(name)).map(|name| format!("\"{name}\"")).collect();
        let (columns, names) = (names.len(), names.join(", "));
        let mut statement = connection.prepare(&format!("SELECT {names} FROM \"{table}\" ORDER BY {names}"))?;
        let mut rows = statement.query([])?;
        // A row at a time: the hasher is slow with the few bytes of one value.
        let mut bytes = vec![];
        put(&mut bytes, b'T', table.as_bytes());
        while let Some(row) = rows.next()? {
            put(&mut bytes, b'R', &[]);
            for column in 0..columns {
                match row.get_ref(column)? {
                    ValueRef::Null => put(&mut bytes, b'n', &[]),
                    ValueRef::Integer(value) => put(&mut bytes, b'i', &value.to_be_bytes()),
                    ValueRef::Real(value) => put(&mut bytes, b'r', &value.to_bits().to_be_bytes()),
                    ValueRef::Text(text) => put(&mut bytes, b't', text),
                    ValueRef::Blob(blob) => put(&mut bytes, b'b', blob),
                }
            }
            hasher.update(&bytes);
            bytes.clear();
        }
        hasher.update(&bytes);
    }
    Ok(Digest::from(<[u8; 32]>::from(hasher.finalize())))
}

/// A tag, a length and the bytes, so that no two contents run together.
fn put(bytes: &mut Vec<u8>, tag: u8, value: &[u8]) {
    bytes.push(tag);
    bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
    bytes.extend_from_slice(value);
}
