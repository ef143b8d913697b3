//! Opening the program's SQLite files: ours or refused, never replaced by an empty one.

use crate::files;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::{
    collections::BTreeMap,
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
    time::Duration,
};

/// How long a call waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// A kind of file the program keeps.
#[derive(Debug)]
pub struct Kind {
    what: &'static str,
    application_id: i32,
    /// The scripts that make each version of the one before; the first makes the first of nothing.
    versions: &'static [&'static str],
    synchronous: &'static str,
}

impl Kind {
    /// The log: durable at commit.
    pub const LOG: Self = Self {
        what: "event log",
        application_id: 0x464c_5957,
        versions: &[include_str!("log/embedded/log.sql"), include_str!("log/embedded/replica.sql")],
        synchronous: "FULL",
    };
    /// This machine's own state: survives the process, may lose the last moments before a power cut.
    pub const LOCAL: Self = Self {
        what: "local state",
        application_id: 0x464c_594c,
        versions: &[include_str!("local.sql"), include_str!("log/embedded/leases.sql")],
        synchronous: "NORMAL",
    };

    /// The version that this program writes.
    fn version(&self) -> i32 {
        i32::try_from(self.versions.len()).expect("a handful")
    }

    /// Makes everything that a file of this kind declares behind a version; 0 is nothing.
    pub fn make(&self, connection: &Connection, behind: i32) -> rusqlite::Result<()> {
        let done = usize::try_from(behind).unwrap_or_default();
        self.versions.iter().skip(done).try_for_each(|script| connection.execute_batch(script))
    }
}

/// Why a file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no file of this kind, or damaged.
    #[error(
        "{path} is no {what} of flywheel: {why}; it was left as it is: move it away, or restore it from a copy or an export"
    )]
    Foreign {
        /// The file.
        path: String,
        /// What it should be.
        what: &'static str,
        /// What it is instead.
        why: String,
    },
    /// A newer program made it.
    #[error("{path} has version {found}, and this program reads up to {known}: use the newer flywheel that wrote it")]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        found: i32,
        /// The newest version known here.
        known: i32,
    },
    /// The folder cannot be made.
    #[error("cannot make the folder {path}: {why}; name one you may write to with --data")]
    Folder {
        /// The folder.
        path: String,
        /// Why; part of the message, so no source of its own.
        why: std::io::Error,
    },
    /// SQLite says no.
    #[error("cannot open {path}: {why}; may you write there, and is the disk full")]
    Sqlite {
        /// The file.
        path: String,
        /// Why; part of the message, so no source of its own.
        why: rusqlite::Error,
    },
}

/// Opens a file of this kind, or makes it where there is none (or an empty one). One of an older version is brought to the
/// newest.
///
/// # Errors
/// When it is not ours, newer than this program, damaged, or cannot be opened.
pub fn open(path: &Path, kind: &Kind) -> Result<Connection, Error> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|why| Error::Folder { path: folder.display().to_string(), why })?;
    }
    if !path.exists() {
        // What is in the way shows again below, where the file is made in its place, and is named there.
        let _ = make(path, kind);
    }
    let connect = || -> rusqlite::Result<(Connection, i32, i32)> {
        let mut connection = connect(path)?;
        let mut found = identity(&connection)?;
        let ours = found.0 == kind.application_id;
        // In this order: what another process makes in between is then seen whole, and taken for what it is.
        let empty = !ours && is_empty(&connection)?;
        if !ours {
            found = identity(&connection)?;
        }
        let (ours, new) = (found.0 == kind.application_id, empty && found == (0, 0));
        if !ours && !new {
            // Not ours to switch to another journal.
            return Ok((connection, found.0, found.1));
        }
        enter_wal(&connection)?;
        connection.pragma_update(None, "synchronous", kind.synchronous)?;
        if ours && found.1 >= kind.version() {
            return Ok((connection, found.0, found.1));
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        // Another process may have been first.
        let (application, version) = identity(&transaction)?;
        if (application == kind.application_id || (application, version) == (0, 0)) && version < kind.version() {
            fill(&transaction, kind, version)?;
        }
        transaction.commit()?;
        let (application, version) = identity(&connection)?;
        Ok((connection, application, version))
    };
    let (connection, application, version) = connect().map_err(|why| unusable(path, kind, why))?;
    if application != kind.application_id {
        return Err(foreign(path, kind, "another program made it"));
    }
    if version > kind.version() {
        return Err(Error::Newer { path: path.display().to_string(), found: version, known: kind.version() });
    }
    Ok(connection)
}

/// Opens a file for reading that this process has opened before, so that it is known to be ours and whole.
///
/// # Errors
/// When it cannot be opened.
pub fn open_again(path: &Path) -> Result<Connection, Error> {
    connect(path).map_err(|why| Error::Sqlite { path: path.display().to_string(), why })
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Makes a file under a name that nobody opens, and gives it its own once it is whole and durable: that waits for the
/// disk twice, where a file that is made in its place, for all to see, waits eight times.
fn make(path: &Path, kind: &Kind) -> anyhow::Result<()> {
    /// Where an SQLite file says how it is written and read, a byte each, and what stands there for a write-ahead log.
    const FORMAT_VERSIONS: (u64, [u8; 2]) = (18, [2, 2]);
    let mut file = files::temporary(path.parent().unwrap_or(Path::new(".")))?;
    let connection = Connection::open(file.path())?;
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    fill(&connection, kind, 0)?;
    connection.close().map_err(|(_, why)| why)?;
    file.seek(SeekFrom::Start(FORMAT_VERSIONS.0))?;
    file.write_all(&FORMAT_VERSIONS.1)?;
    file.as_file().sync_all()?;
    files::keep_new(file, path)
}

/// Makes a file of an older version, or an empty one (version 0), one of this kind.
fn fill(connection: &Connection, kind: &Kind, version: i32) -> rusqlite::Result<()> {
    kind.make(connection, version)?;
    connection.pragma_update(None, "application_id", kind.application_id)?;
    connection.pragma_update(None, "user_version", kind.version())
}

/// Why a file of this kind that SQLite cannot use was not opened.
pub fn unusable(path: &Path, kind: &Kind, why: rusqlite::Error) -> Error {
    match why.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => foreign(path, kind, "it is not an SQLite file"),
        Some(ErrorCode::DatabaseCorrupt) => foreign(path, kind, "it is damaged"),
        _ => Error::Sqlite { path: path.display().to_string(), why },
    }
}

fn foreign(path: &Path, kind: &Kind, why: &str) -> Error {
    Error::Foreign { path: path.display().to_string(), what: kind.what, why: why.to_owned() }
}

fn identity(connection: &Connection) -> rusqlite::Result<(i32, i32)> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((pragma("application_id")?, pragma("user_version")?))
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

/// What a file declares: every table, index, trigger and view by its name, with its SQL.
pub fn schema(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let sql = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    connection.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// What differs between what a file declares and what it must declare, in words.
pub fn schema_differences(found: &BTreeMap<String, String>, expected: &BTreeMap<String, String>) -> Vec<String> {
    let mut differences = vec![];
    for (name, sql) in expected {
        match found.get(name) {
            Some(there) if there == sql => {}
            Some(_) => differences.push(format!("`{name}` was changed")),
            None => differences.push(format!("`{name}` was removed")),
        }
    }
    let foreign = found.keys().filter(|name| !expected.contains_key(*name));
    differences.extend(foreign.map(|name| format!("`{name}` is not ours")));
    differences
}

/// Two processes that switch a new file to WAL at once get `SQLITE_BUSY` without the busy handler being asked.
pub fn enter_wal(connection: &Connection) -> rusqlite::Result<()> {
    let mut tries = 0;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && tries < 200 => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            outcome => return outcome.map(drop),
        }
    }
}
