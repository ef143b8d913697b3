//! The world as stages may look at it: bounded, read only.

use std::{path::PathBuf, time::Duration};

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
pub type Origins = Box<dyn Fn(flywheel_events::SessionId) -> anyhow::Result<Option<Origin>> + Send + Sync>;

/// What the stages that look at the world are given.
pub struct World {
    /// Where sessions came from.
    pub origins: Origins,
    /// Folders under which repositories and screenshots may be read; canonical.
    pub roots: Vec<PathBuf>,
    /// How long one call of git may take.
    pub git_timeout: Duration,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("roots", &self.roots)
            .field("git_timeout", &self.git_timeout)
            .finish_non_exhaustive()
    }
}
