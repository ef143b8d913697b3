//! T1: the records as fills, in the order they happened.

use crate::{
    stages::Stop,
    trading::{import::import, settings::Settings},
};
use flywheel_events::{NoteKind, SessionCompleted, TradesNormalized};

/// Most faults a refusal lists.
const FAULTS_LISTED_MAX: usize = 20;

/// Reads the session's `fills` and `trades`.
pub fn normalize(session: &SessionCompleted) -> Result<TradesNormalized, Stop> {
    let source = &session.source_data;
    if source.fills.is_empty() && source.trades.is_empty() {
        return Err(Stop::nothing("the session has no trades"));
    }
    let settings = settings(session)?;
    let import = import(session, &settings);
    let skipped: Vec<String> = import
        .notes
        .iter()
        .filter(|note| note.kind == NoteKind::Skipped)
        .filter_map(|note| Some(format!("{}: {}", note.record.as_ref()?, note.message)))
        .collect();
    if import.fills.is_empty() && !skipped.is_empty() {
        let more = skipped.len().saturating_sub(FAULTS_LISTED_MAX);
        let mut message = format!("no trade record can be used: {}", skipped[..skipped.len() - more].join("; "));
        if more > 0 {
            message.push_str(&format!("; and {more} more"));
        }
        return Err(Stop::refused(message, "correct these records and submit the session again"));
    }
    Ok(TradesNormalized {
        session_id: session.session_id,
        fills: import.fills,
        import_notes: import.notes,
        claims: import.claims,
    })
}

/// The session's settings, or a refusal that names the one that cannot be read.
pub(super) fn settings(session: &SessionCompleted) -> Result<Settings, Stop> {
    Settings::of(session)
        .map_err(|error| Stop::refused(error.to_string(), "correct that setting and submit the session again"))
}
