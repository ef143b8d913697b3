//! Verification: is the log what was recorded, and is everything derived from it what the log says?
//!
//! Invariants:
//! - Nothing is believed that can be computed again: the chain from the rows, the views from the facts, the files' digests
//!   from their bytes.
//! - Nothing is repaired. Every finding names what, where and what to do.
//! - The report holds no time of its own: the same state gives the same report.

mod files;
mod report;
mod sessions;
mod views;

pub use files::Shared;
pub use report::{Checked, CheckedView, Finding, Kind, Report, markdown};
pub(crate) use sessions::is_inside;

use crate::{local::Local, log::EmbeddedLog};
use sessions::Sessions;
use std::path::Path;

/// What is needed to look at everything.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The data folder.
    pub data: &'a Path,
    /// Its log.
    pub log: &'a EmbeddedLog,
    /// This machine's own state.
    pub local: &'a Local,
}

/// Verifies the log, the sessions, the files and the views. `progress` is told how many facts have been read.
///
/// # Errors
/// When the log or this machine's own state cannot be read at all; what can be read and is wrong is a finding.
pub fn verify(scene: &Scene<'_>, progress: impl Fn(u64)) -> anyhow::Result<Report> {
    let mut sessions = Sessions::default();
    let audit = scene.log.audit(|record| {
        sessions.take(record);
        if record.position.is_multiple_of(1000) {
            progress(record.position);
        }
    })?;
    let mut findings: Vec<Finding> = audit
        .faults
        .into_iter()
        .map(|fault| Finding {
            position: fault.position,
            ..Finding::new(
                Kind::Log,
                fault.what,
                "restore log.db from a copy, or import an export into a new data folder",
            )
        })
        .collect();
    let files = |session| scene.local.session_file(session);
    sessions.check(files, &mut findings)?;
    let places = scene.local.places(None)?;
    let shared = Shared::of(scene, &places)?;
    let looked_at = files::check(&sessions, &places, &shared, &mut findings);
    let views = views::check(scene, &mut findings);
    let checked = Checked {
        facts: audit.facts,
        position: audit.head.position,
        chain: audit.head.chain,
        sessions: sessions.count(),
        ended: sessions.ended(),
        artifacts: sessions.artifacts(),
        duplicates: sessions.duplicates(),
        places: looked_at.places,
        files: looked_at.files,
        views,
    };
    Ok(Report::new(checked, findings))
}
