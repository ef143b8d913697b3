//! The artifact files at every place where they were written.

use super::{Finding, Kind, Scene, sessions::Sessions};
use crate::files::read_at_most;
use flywheel_events::{Digest, SessionId};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Folders of artifacts in which other things may lie too: there only folders named like a session are looked at.
///
/// Such a folder holds a repository, the data folder, or a folder that session files were read from. Everywhere else
/// whatever no session has is an orphan.
#[derive(Debug)]
pub struct Shared(BTreeSet<PathBuf>);

impl Shared {
    /// Which of the places are shared.
    ///
    /// # Errors
    /// When this machine's own state cannot be read.
    pub fn of(scene: &Scene<'_>, places: &[(SessionId, PathBuf)]) -> anyhow::Result<Self> {
        let data = std::path::absolute(scene.data)?;
        let mut others = vec![data.canonicalize().unwrap_or_else(|_| data.clone()), data];
        for (session, _) in places {
            if let Some(origin) = scene.local.origin(*session)? {
                others.push(origin.folder);
            }
        }
        let folders: BTreeSet<&PathBuf> = places.iter().map(|(_, folder)| folder).collect();
        let shared = folders
            .into_iter()
            .filter(|folder| folder.join(".git").exists() || others.iter().any(|other| other.starts_with(folder)));
        Ok(Self(shared.cloned().collect()))
    }
}

/// How much was looked at.
#[derive(Debug, Default)]
pub(super) struct LookedAt {
    pub places: u64,
    pub files: u64,
}

/// Checks the files of every session at every place, and what else lies there.
pub(super) fn check(
    sessions: &Sessions,
    places: &[(SessionId, PathBuf)],
    shared: &Shared,
    findings: &mut Vec<Finding>,
) -> LookedAt {
    let mut folders: BTreeMap<&Path, BTreeSet<SessionId>> = BTreeMap::new();
    for (session, folder) in places {
        folders.entry(folder).or_default().insert(*session);
    }
    let mut looked_at = LookedAt { places: folders.len() as u64, files: 0 };
    for (folder, here) in folders {
        for session in &here {
            // Of a session that the log does not have, nothing can be expected here.
            let Some(made) = sessions.made(*session) else { continue };
            let mut known = BTreeSet::new();
            for made in made {
                let path = folder.join(&made.path);
                looked_at.files += 1;
                if let Some((kind, what)) = check_file(&path, &made.sha256, made.size) {
                    let hint = "`flywheel replay --artifacts` writes it again from the log";
                    let artifact = Some(made.artifact_type.as_str().to_owned());
                    let path = Some(path.clone());
                    let finding = Finding::new(kind, what, hint);
                    findings.push(Finding { session_id: Some(*session), artifact, path, ..finding });
                }
                known.insert(path);
            }
            orphans(&folder.join(session.to_string()), |path| known.contains(path), findings);
        }
        let is_shared = shared.0.contains(folder);
        let belongs = |path: &Path| match session_named(path) {
            Some(session) => here.contains(&session) && sessions.made(session).is_some(),
            None => is_shared,
        };
        orphans(folder, belongs, findings);
    }
    looked_at
}

fn check_file(path: &Path, sha256: &Digest, size: u64) -> Option<(Kind, String)> {
    let most = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(1);
    match read_at_most(path, most) {
        Ok(bytes) if Digest::of(&bytes) == *sha256 => None,
        Ok(_) => Some((Kind::Changed, format!("the file does not have the content {sha256} that the log has"))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Some((Kind::Missing, "the file is not there".to_owned()))
        }
        Err(error) => Some((Kind::Changed, format!("the file cannot be read: {error}"))),
    }
}

/// The session a folder is named after.
fn session_named(path: &Path) -> Option<SessionId> {
    path.file_name()?.to_str()?.to_lowercase().parse().ok()
}

/// What lies in a folder and belongs nowhere. Hidden files are somebody else's, but for those this program leaves when it
/// is killed while it writes.
fn orphans(folder: &Path, belongs: impl Fn(&Path) -> bool, findings: &mut Vec<Finding>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ours = name.starts_with(".flywheel-") && name.ends_with(".tmp");
        if !ours && (name.starts_with('.') || belongs(&path)) {
            continue;
        }
        let what = match (ours, path.is_dir()) {
            (true, _) => "a half-written file of a process that was killed",
            (false, true) => "the folder belongs to no session that was written here",
            (false, false) => "the file belongs to no artifact that was written here",
        };
        let finding = Finding::new(Kind::Orphan, what, "remove it, or move it elsewhere");
        let session_id = session_named(&path).or_else(|| session_named(folder));
        findings.push(Finding { session_id, path: Some(path), ..finding });
    }
}
