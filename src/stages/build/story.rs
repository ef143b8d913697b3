//! S2 `story`: what happened and why, from evidence alone.

use crate::stages::Stop;
use flywheel_events::{RepoScanned, SessionCompleted, StoryExtracted};

/// Says what the session and its commits say.
pub fn story(session: &SessionCompleted, scan: Option<&RepoScanned>) -> Result<StoryExtracted, Stop> {
    Ok(crate::story::extract(session, &crate::story::commits(session, scan)))
}
