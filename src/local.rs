//! This machine's own state: where sessions came from, where their files lie, who works on what.
//!
//! Nothing here is truth. It never enters the log, because it holds paths of the machine; deleting it loses no fact.
#![expect(clippy::disallowed_methods, reason = "the lock that tells a live process from a dead one is a file")]

use crate::{sqlite, world::Origin};
use anyhow::Context as _;
use flywheel_events::SessionId;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock},
};

/// The open state, shared by everything in the process.
#[derive(Debug, Clone)]
pub struct Local {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: Mutex<Connection>,
    workers: PathBuf,
    worker: OnceLock<Worker>,
}

/// The name under which this process holds leases. Its lock file is locked as long as the process lives, so the lease
/// of a dead process is void at once, however it died.
#[derive(Debug)]
struct Worker {
    name: String,
    path: PathBuf,
    _lock: File,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Left behind it would only be one small file that the next process tidies.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A data folder inside a repository is no part of it.
fn keep_out_of_git(data: &Path) -> std::io::Result<()> {
    match File::create_new(data.join(".gitignore")) {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// What could not be done, and what to do.
fn failed(what: &str) -> String {
    format!("cannot {what}: if local.db of the data folder is damaged, move it away: it holds no fact")
}

impl Local {
    /// Opens the state of a data folder, or makes it.
    ///
    /// # Errors
    /// When the file cannot be opened or is not ours.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let connection = sqlite::open(&data.join("local.db"), &sqlite::Kind::LOCAL)?;
        keep_out_of_git(data).with_context(|| format!("cannot write in {}", data.display()))?;
        let inner =
            Inner { connection: Mutex::new(connection), workers: data.join("workers"), worker: OnceLock::new() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The connection, for as long as the guard lives.
    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.inner.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The name under which this process holds leases.
    ///
    /// # Errors
    /// When its lock file cannot be made.
    pub(crate) fn worker(&self) -> std::io::Result<&str> {
        if let Some(worker) = self.inner.worker.get() {
            return Ok(&worker.name);
        }
        std::fs::create_dir_all(&self.inner.workers)?;
        self.tidy_up()?;
        loop {
            let name = uuid::Uuid::new_v4().to_string();
            let path = self.inner.workers.join(format!("{name}.lock"));
            let lock = File::create_new(&path)?;
            lock.lock()?;
            // Who tidied just between its making and its lock has taken this process for dead. No lease has the name yet.
            if path.exists() {
                let candidate = Worker { name, path, _lock: lock };
                // Another thread may have been first; the candidate then goes, and its file with it.
                return Ok(&self.inner.worker.get_or_init(|| candidate).name);
            }
        }
    }

    /// Takes away what dead processes have left.
    fn tidy_up(&self) -> std::io::Result<()> {
        for entry in std::fs::read_dir(&self.inner.workers)? {
            let name = entry?.file_name();
            if let Some(worker) = name.to_str().and_then(|name| name.strip_suffix(".lock")) {
                self.is_dead(worker);
            }
        }
        Ok(())
    }

    /// Whether the process that held leases under this name is gone.
    pub(crate) fn is_dead(&self, worker: &str) -> bool {
        let path = self.inner.workers.join(format!("{worker}.lock"));
        match File::open(&path) {
            Err(_) => true,
            Ok(file) => {
                let dead = file.try_lock().is_ok();
                if dead {
                    let _ = std::fs::remove_file(&path);
                }
                dead
            }
        }
    }

    /// Remembers where a session came from, unless it is known already (`keep`).
    ///
    /// # Errors
    /// When the storage fails.
    pub fn remember_origin(
        &self,
        session: SessionId,
        file: Option<&Path>,
        origin: &Origin,
        keep: bool,
    ) -> anyhow::Result<()> {
        let sql = if keep {
            "INSERT OR IGNORE INTO origins VALUES (?1, ?2, ?3, ?4, ?5)"
        } else {
            "INSERT OR REPLACE INTO origins VALUES (?1, ?2, ?3, ?4, ?5)"
        };
        self.connection()
            .prepare_cached(sql)?
            .execute(params![
                session.as_bytes(),
                file.map(|file| file.to_string_lossy()),
                origin.folder.to_string_lossy(),
                origin.repo_path,
                serde_json::to_string(&origin.screenshots)?,
            ])
            .with_context(|| failed("remember where the session came from"))?;
        Ok(())
    }

    /// Where a session came from, if it came from this machine.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn origin(&self, session: SessionId) -> anyhow::Result<Option<Origin>> {
        let row = self
            .connection()
            .prepare_cached("SELECT folder, repo_path, screenshots FROM origins WHERE session = ?1")?
            .query_row([session.as_bytes()], |row| {
                Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, String>(2)?))
            })
            .optional()
            .with_context(|| failed("look up where the session came from"))?;
        row.map(|(folder, repo_path, screenshots)| {
            Ok(Origin { folder: folder.into(), repo_path, screenshots: serde_json::from_str(&screenshots)? })
        })
        .transpose()
    }

    /// Remembers that a session's artifacts were written under this folder.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn remember_place(&self, session: SessionId, folder: &Path) -> anyhow::Result<()> {
        self.connection()
            .prepare_cached("INSERT OR IGNORE INTO places VALUES (?1, ?2)")?
            .execute(params![session.as_bytes(), folder.to_string_lossy()])
            .with_context(|| failed("remember where the artifacts were written"))?;
        Ok(())
    }

    /// The folders under which sessions' artifacts were written: of one session, or of all, in a stable order.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn places(&self, session: Option<SessionId>) -> anyhow::Result<Vec<(SessionId, PathBuf)>> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT session, folder FROM places WHERE ?1 IS NULL OR session = ?1 ORDER BY folder, session",
        )?;
        let place = |row: &rusqlite::Row<'_>| {
            let session = uuid::Uuid::from_bytes(row.get::<_, [u8; 16]>(0)?).into();
            Ok((session, PathBuf::from(row.get::<_, String>(1)?)))
        };
        let places = statement.query_map([session.as_ref().map(|id| id.as_bytes())], place)?;
        places.collect::<rusqlite::Result<_>>().context("cannot look up where artifacts were written")
    }

    /// The file a session was read from, if it was read on this machine.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn session_file(&self, session: SessionId) -> anyhow::Result<Option<PathBuf>> {
        let row = self
            .connection()
            .prepare_cached("SELECT folder, file FROM origins WHERE session = ?1 AND file IS NOT NULL")?
            .query_row([session.as_bytes()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
            .optional()
            .context("cannot look up which file the session was read from")?;
        // The file is named as it was given, which only its own folder makes right from anywhere.
        Ok(row.and_then(|(folder, file)| Some(Path::new(&folder).join(Path::new(&file).file_name()?))))
    }
}
