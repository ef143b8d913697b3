//! T3: what the session teaches, each lesson with the trades it rests on.

use super::normalize::settings;
use crate::{stages::Stop, trading};
use flywheel_events::{LessonsExtracted, SessionCompleted, TradesNormalized, TradingSummarized};

/// Runs the detectors over the closed round trips.
pub fn lessons(
    summary: &TradingSummarized,
    trades: &TradesNormalized,
    session: &SessionCompleted,
) -> Result<LessonsExtracted, Stop> {
    if summary.round_trips.is_empty() {
        return Err(Stop::nothing("no trade was closed, so there is nothing to learn from"));
    }
    let tz = settings(session)?.tz;
    let lessons = trading::lessons::lessons(&summary.round_trips, &trades.fills, tz);
    Ok(LessonsExtracted { session_id: session.session_id, lessons })
}
