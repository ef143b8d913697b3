//! The sessions being tracked: one small file each, `<data>/tracking/<name>.json`.
//!
//! Invariants: a state is read, changed and written under its lock, so that two notes at once are two notes; it is
//! removed only after the session file is durable.

use super::super::{Context, Mistake};
use crate::files;
use anyhow::Context as _;
use flywheel_events::{AgentId, Conversation, SessionId, SessionType, stamp::Stamp};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    path::PathBuf,
};

/// The largest state that is read, in bytes.
const SIZE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A session that is under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// The id its file will have, so that a repeated `stop` writes the same file.
    pub session_id: SessionId,
    /// Its type.
    pub session_type: SessionType,
    /// Who works.
    pub agent_id: AgentId,
    /// When it began.
    pub started_at: Stamp,
    /// The repository's top folder.
    pub repo_path: Option<PathBuf>,
    /// What was checked out when it began.
    pub head: Option<String>,
    /// The name the agent commits under.
    pub git_author: Option<String>,
    /// What it is to achieve.
    pub goal: Option<String>,
    /// Notes so far.
    pub conversations: Vec<Conversation>,
    /// Pictures so far.
    pub screenshots: Vec<PathBuf>,
}

/// Which tracked session is meant.
#[derive(Debug, Clone, clap::Args)]
pub struct Which {
    /// The agent that works.
    #[arg(long, value_name = "ID", env = "FLYWHEEL_AGENT")]
    pub agent: Option<AgentId>,

    /// The name it is tracked under [default: the agent's id]
    #[arg(long, value_name = "NAME")]
    pub name: Option<AgentId>,
}

/// A tracked session's place, locked.
#[derive(Debug)]
pub struct Slot {
    /// The name it is tracked under.
    pub name: AgentId,
    /// Its state file.
    pub path: PathBuf,
    // Held until the slot goes.
    _lock: File,
}

/// Locks the place of a name.
pub fn slot(name: AgentId, context: &Context) -> anyhow::Result<Slot> {
    let folder = context.settings.data.join("tracking");
    fs::create_dir_all(&folder).with_context(|| {
        format!("cannot make {}: give a folder you may write to with --data or FLYWHEEL_DATA", folder.display())
    })?;
    let lock_path = folder.join(format!("{name}.lock"));
    let lock = File::options().create(true).write(true).truncate(false).open(&lock_path);
    let lock = lock.with_context(|| format!("cannot open {}", lock_path.display()))?;
    lock.lock().with_context(|| format!("cannot lock {}", lock_path.display()))?;
    Ok(Slot { path: folder.join(format!("{name}.json")), name, _lock: lock })
}

/// Locks the place that is meant: by name, by agent, or the only one there is.
pub fn find(which: &Which, context: &Context) -> anyhow::Result<(Slot, State)> {
    let name = which.name.clone().or_else(|| which.agent.clone());
    let name = match name {
        Some(name) => name,
        None => match names(context).as_slice() {
            [only] => only.clone(),
            [] => return Err(nothing_tracked(context).into()),
            several => {
                let names: Vec<&str> = several.iter().map(AgentId::as_str).collect();
                let message = format!("several sessions are being tracked: {}", names.join(", "));
                return Err(Mistake::new(message, "say which with --name or --agent").into());
            }
        },
    };
    let slot = slot(name, context)?;
    match slot.read()? {
        Some(state) => Ok((slot, state)),
        None => {
            let message =
                format!("no session of `{}` is being tracked in {}", slot.name, context.settings.data.display());
            Err(Mistake::new(message, "begin one with `flywheel session start`, or check --name and --data").into())
        }
    }
}

fn nothing_tracked(context: &Context) -> Mistake {
    let message = format!("no session is being tracked in {}", context.settings.data.display());
    Mistake::new(message, "begin one with `flywheel session start`, or check --data")
}

fn names(context: &Context) -> Vec<AgentId> {
    let entries = fs::read_dir(context.settings.data.join("tracking")).into_iter().flatten().flatten();
    let name = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok();
    let mut names: Vec<AgentId> = entries.filter_map(name).collect();
    names.sort();
    names
}

impl Slot {
    /// The state; none where nothing is tracked.
    pub fn read(&self) -> anyhow::Result<Option<State>> {
        let bytes = match files::read_at_most(&self.path, SIZE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", self.path.display())),
        };
        serde_json::from_slice(&bytes).map(Some).with_context(|| {
            format!("{} is damaged: move it away, then `flywheel session start` again", self.path.display())
        })
    }

    /// Replaces the state.
    pub fn write(&self, state: &State) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(state).context("cannot write the state as JSON")?;
        text.push('\n');
        files::write_atomically(&self.path, text.as_bytes())
    }

    /// Ends the tracking.
    pub fn remove(&self) -> anyhow::Result<()> {
        fs::remove_file(&self.path)
            .with_context(|| format!("cannot remove {}: remove it yourself", self.path.display()))
    }
}
