//! Writing files so that a reader sees the old content or the new, never half of either.
#![expect(clippy::disallowed_methods, reason = "the one place where files are written")]

use anyhow::Context as _;
use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

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
    prepared(path, path, bytes)?
        .persist_noclobber(path)
        .map_err(|error| error.error)
        .with_context(|| format!("cannot make {}: it exists, or its folder cannot be written", path.display()))?;
    sync_folder(folder(path)).with_context(|| format!("cannot make {} durable", path.display()))
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

/// Makes an empty file that must not exist yet, and says whether it was made.
pub fn take(path: &Path) -> bool {
    fs::File::create_new(path).is_ok()
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
    let folder = folder(target);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".flywheel-").suffix(".tmp");
    // Those of any new file, which the umask narrows; a temporary file's own would be for its owner alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(folder).with_context(|| {
        format!("cannot write in {}: does the folder exist, and may you write there", folder.display())
    })?;
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
