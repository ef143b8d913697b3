//! Writing files so that a reader sees the old content or the new, never half of either.
//!
//! A temporary file is locked as long as its process lives, so what a dead process left is told from what is being
//! written, and the next process that writes in its folder takes it away.
#![expect(clippy::disallowed_methods, reason = "the one place where files are written")]

use anyhow::Context as _;
use std::{
    collections::HashSet,
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// What the name of a temporary file begins and ends with.
const TEMPORARY: (&str, &str) = (".flywheel-", ".tmp");

/// Of how many folders a process remembers that it has tidied them.
const TIDIED_MAX: usize = 1024;

/// Reads a file, but not more than so many bytes of it: enough to see that it is too large.
///
/// # Errors
/// As opening and reading say.
pub fn read_at_most(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file: a temporary file in the same folder, made durable, then renamed over the target, and the folder made
/// durable too. An existing file keeps its permissions; behind a symbolic link the link's target is replaced, so the
/// link stays.
///
/// # Errors
/// The folder is missing, is read only, or full; the message names the path. The old content is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let target = target(path)?;
    prepared(path, &target, bytes)?
        .persist(&target)
        .map_err(|error| error.error)
        .with_context(|| format!("cannot replace {}: is it a folder, or write-protected", path.display()))?;
    sync_folder(folder(&target)).with_context(|| format!("cannot make {} durable", path.display()))
}

/// Writes a file that can be made again: a reader sees the old content or the new, never half of either, but a power cut
/// may take the file's last moments with it, so it costs no wait for the disk. What it may leave is an empty file.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_derived(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let target = target(path)?;
    unsynced(path, &target, bytes)?
        .persist(&target)
        .map_err(|error| error.error)
        .with_context(|| format!("cannot replace {}: is it a folder, or write-protected", path.display()))?;
    Ok(())
}

/// Writes a file that must not exist yet, just as safely.
///
/// # Errors
/// As [`write_atomically`], and where something has the name already.
pub fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    keep_new(prepared(path, path, bytes)?, path)
}

/// Makes what is in a file durable, and the file's name in its folder.
///
/// # Errors
/// When the disk says no.
pub fn sync(path: &Path) -> anyhow::Result<()> {
    let failed = || format!("cannot make {} durable", path.display());
    fs::File::open(path).and_then(|file| file.sync_all()).with_context(failed)?;
    sync_folder(folder(path)).with_context(failed)
}

/// An empty temporary file, this process's own until it is renamed. What dead processes have left in the folder goes.
///
/// # Errors
/// When the folder is missing or cannot be written.
pub fn temporary(folder: &Path) -> anyhow::Result<tempfile::NamedTempFile> {
    tidy_once(folder);
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY.0).suffix(TEMPORARY.1);
    // Those of any new file, which the umask narrows; a temporary file's own would be for its owner alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    loop {
        let temporary = builder.tempfile_in(folder).with_context(|| {
            format!("cannot write in {}: does the folder exist, and may you write there", folder.display())
        })?;
        // Where a file system knows no locks nobody tidies either.
        let _ = temporary.as_file().lock();
        // Who tidied just between its making and its lock has taken it for a dead process's.
        if temporary.path().exists() {
            return Ok(temporary);
        }
    }
}

/// Gives a temporary file its name, which must be free, and makes that durable.
///
/// # Errors
/// When something has the name, or the disk says no.
pub fn keep_new(temporary: tempfile::NamedTempFile, path: &Path) -> anyhow::Result<()> {
    temporary
        .persist_noclobber(path)
        .map_err(|error| error.error)
        .with_context(|| format!("cannot make {}: it exists, or its folder cannot be written", path.display()))?;
    sync_folder(folder(path)).with_context(|| format!("cannot make {} durable", path.display()))
}

/// Takes away what dead processes have left in a folder, once a process: a folder may hold many files.
fn tidy_once(folder: &Path) {
    static TIDIED: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    let mut tidied = TIDIED.lock().unwrap_or_else(PoisonError::into_inner);
    let tidied = tidied.get_or_insert_default();
    if tidied.len() >= TIDIED_MAX {
        tidied.clear();
    }
    if tidied.insert(folder.to_owned()) {
        tidy(folder);
    }
}

fn tidy(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1));
        // Not through a link, and nothing that would wait for a writer.
        if ours
            && entry.file_type().is_ok_and(|kind| kind.is_file())
            && let Ok(file) = fs::File::open(entry.path())
            && file.try_lock().is_ok()
        {
            // While the lock is held, so that a maker who was just about to lock it finds it gone.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The content, durable under a temporary name beside the target, with the permissions it is to have.
fn prepared(path: &Path, target: &Path, bytes: &[u8]) -> anyhow::Result<tempfile::NamedTempFile> {
    let temporary = unsynced(path, target, bytes)?;
    let failed = || format!("cannot write {}: is the disk full", path.display());
    temporary.as_file().sync_all().with_context(failed)?;
    Ok(temporary)
}

/// The same, not yet durable.
fn unsynced(path: &Path, target: &Path, bytes: &[u8]) -> anyhow::Result<tempfile::NamedTempFile> {
    let mut temporary = temporary(folder(target))?;
    let failed = || format!("cannot write {}: is the disk full", path.display());
    if let Ok(old) = fs::metadata(target) {
        temporary.as_file().set_permissions(old.permissions()).with_context(failed)?;
    }
    temporary.write_all(bytes).with_context(failed)?;
    Ok(temporary)
}

/// The file a path leads to, symbolic links followed.
fn target(path: &Path) -> anyhow::Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_symlink() => fs::canonicalize(path).with_context(|| {
            format!("cannot write {}: it is a symbolic link that leads nowhere; remove or mend it", path.display())
        }),
        _ => Ok(path.to_owned()),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the renaming itself durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_permissions() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.json");
        write_atomically(&path, b"one").expect("written");
        let usual = folder.path().join("usual");
        fs::write(&usual, b"").expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode(&path), mode(&usual));
        fs::remove_file(&usual).expect("removed");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        write_atomically(&path, b"two").expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"two");
        assert_eq!(mode(&path), 0o640);
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, b"one").expect("written");
        symlink(&file, &link).expect("linked");
        write_atomically(&link, b"two").expect("written");
        assert_eq!(fs::read(&file).expect("read"), b"two");
        assert!(fs::symlink_metadata(&link).expect("a link").file_type().is_symlink());
        fs::remove_file(&file).expect("removed");
        let error = write_atomically(&link, b"three").expect_err("nowhere to write");
        assert!(format!("{error:#}").contains("leads nowhere"), "{error:#}");
    }

    #[test]
    fn what_a_dead_process_left_is_taken_away_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let (dead, alive) = (path(".flywheel-dead.tmp"), path(".flywheel-alive.tmp"));
        fs::write(&dead, b"half").expect("written");
        fs::write(&alive, b"half").expect("written");
        let held = fs::File::open(&alive).expect("opened");
        held.lock().expect("locked");
        fs::write(path(".flywheel-mine"), b"x").expect("written");
        fs::write(path("theirs.tmp"), b"x").expect("written");
        symlink(path("theirs.tmp"), path(".flywheel-link.tmp")).expect("linked");
        write_atomically(&path("a"), b"one").expect("written");
        let expect = [".flywheel-alive.tmp", ".flywheel-link.tmp", ".flywheel-mine", "a", "theirs.tmp"];
        assert_eq!(names(folder.path()), expect);
    }

    #[test]
    fn a_new_file_replaces_nothing_and_errors_name_the_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.json");
        write_new(&path, b"one").expect("written");
        let error = write_new(&path, b"two").expect_err("it exists");
        assert!(format!("{error:#}").contains("a.json"), "{error:#}");
        assert_eq!(fs::read(&path).expect("read"), b"one");
        assert!(write_atomically(&folder.path().join("none/a.json"), b"x").is_err());
        assert_eq!(names(folder.path()), ["a.json"]);
    }
}
