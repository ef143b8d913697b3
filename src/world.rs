//! The world as stages may look at it: bounded, read only.

use crate::blobs;
use bytes::Bytes;
use flywheel_events::{Digest, SessionId};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Where a session came from on this machine. Never in the log.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The folder of the session file: relative paths resolve from here.
    pub folder: PathBuf,
    /// `source_data.repo_path` as the file has it, before cleaning.
    pub repo_path: Option<String>,
    /// `source_data.screenshots` as the file has them, before cleaning, in their order.
    pub screenshots: Vec<String>,
}

/// Finds a session's origin on this machine.
pub type Origins = Box<dyn Fn(SessionId) -> anyhow::Result<Option<Origin>> + Send + Sync>;

/// Finds a blob by its digest, from any machine.
pub type Blobs = Box<dyn Fn(&Digest) -> Result<Bytes, blobs::Error> + Send + Sync>;

/// What the stages that look at the world are given.
pub struct World {
    /// Where sessions came from.
    pub origins: Origins,
    /// Binary files.
    pub blobs: Blobs,
    /// Folders under which repositories and screenshots may be read; canonical.
    pub roots: Vec<PathBuf>,
    /// Those of the roots that somebody named: in them a session from elsewhere finds its repository by its name.
    pub repositories: Vec<PathBuf>,
    /// How long one call of git may take.
    pub git_timeout: Duration,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("roots", &self.roots)
            .field("repositories", &self.repositories)
            .field("git_timeout", &self.git_timeout)
            .finish_non_exhaustive()
    }
}

/// Why a path of a session may not be read. The messages name no path of the machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// A drive or share of another system.
    #[error("`{0}` is a Windows path, and this is another system: give a path relative to the session file")]
    OtherSystem(String),
    /// Nothing there.
    #[error("`{0}` is not on this machine: paths resolve from the session file's folder")]
    NotFound(String),
    /// Something there, outside the roots.
    #[error("`{0}` lies outside the folders that may be read: add its folder with --repo-root")]
    OutsideRoots(String),
}

impl World {
    /// One in which nothing can be seen.
    pub fn nowhere() -> Self {
        Self {
            origins: Box::new(|_| Ok(None)),
            blobs: Box::new(|_| Err(blobs::Error::NotFound)),
            roots: vec![],
            repositories: vec![],
            git_timeout: Duration::from_secs(30),
        }
    }

    /// The canonical path that `path` of a session in `folder` leads to, if it lies under a root.
    ///
    /// # Errors
    /// As [`Unreachable`] says.
    pub fn resolve(&self, folder: &Path, path: &str) -> Result<PathBuf, Unreachable> {
        let name = || last_component(path).unwrap_or_else(|| "the path".to_owned());
        if cfg!(unix) && is_windows(path) {
            return Err(Unreachable::OtherSystem(name()));
        }
        let found = folder.join(path).canonicalize().map_err(|_| Unreachable::NotFound(name()))?;
        if self.roots.iter().any(|root| found.starts_with(root)) {
            Ok(found)
        } else {
            Err(Unreachable::OutsideRoots(name()))
        }
    }
}

/// The last component of a path of any system.
pub fn last_component(path: &str) -> Option<String> {
    path.rsplit(['/', '\\'])
        .map(str::trim)
        .find(|component| !matches!(*component, "" | "." | ".." | "~") && !component.ends_with(':'))
        .map(str::to_owned)
}

/// A drive (`D:/x`, `D:\x`) or a share (`\\host\x`).
fn is_windows(path: &str) -> bool {
    let bytes = path.as_bytes();
    let drive = bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.get(1) == Some(&b':');
    drive && matches!(bytes.get(2), None | Some(b'/' | b'\\')) || path.starts_with("\\\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_component_is_that_of_any_systems_path() {
        let check = |path: &str, expect: Option<&str>| assert_eq!(last_component(path).as_deref(), expect, "{path}");
        check("D:/Agent_Cellphone_V2_Repository", Some("Agent_Cellphone_V2_Repository"));
        check("C:\\Users\\USER\\AppData\\Local\\Temp\\tmp3dmu003m", Some("tmp3dmu003m"));
        check("/a/b/", Some("b"));
        check("../b/.", Some("b"));
        check("b", Some("b"));
        check("D:\\", None);
        check("..", None);
        check("", None);
    }

    #[cfg(unix)]
    #[test]
    fn a_path_leads_nowhere_outside_the_roots() {
        let temp = tempfile::tempdir().unwrap();
        let base = temp.path().canonicalize().unwrap();
        let (root, secret) = (base.join("root"), base.join("secret"));
        std::fs::create_dir_all(root.join("repo")).unwrap();
        std::fs::create_dir_all(&secret).unwrap();
        std::fs::create_dir_all(base.join("rooted")).unwrap();
        std::os::unix::fs::symlink(&secret, root.join("link")).unwrap();
        let world = World { roots: vec![root.clone()], ..World::nowhere() };
        assert_eq!(world.resolve(&root, "repo"), Ok(root.join("repo")));
        assert_eq!(world.resolve(&root.join("repo"), "../repo/."), Ok(root.join("repo")));
        assert_eq!(world.resolve(&root, root.to_str().unwrap()), Ok(root.clone()));
        let outside = |name: &str| Err(Unreachable::OutsideRoots(name.to_owned()));
        assert_eq!(world.resolve(&root, "link"), outside("link"));
        assert_eq!(world.resolve(&root, "../secret"), outside("secret"));
        assert_eq!(world.resolve(&root, "../rooted"), outside("rooted"));
        assert_eq!(world.resolve(&root, secret.to_str().unwrap()), outside("secret"));
        assert_eq!(world.resolve(&root, "nowhere"), Err(Unreachable::NotFound("nowhere".into())));
        assert_eq!(world.resolve(&root, "D:/repo"), Err(Unreachable::OtherSystem("repo".into())));
        assert_eq!(world.resolve(&root, "\\\\host\\repo"), Err(Unreachable::OtherSystem("repo".into())));
        assert!(world.resolve(&root, "a\0b").is_err());
    }
}
