//! T1: the records as fills, in the order they happened.

use crate::{
    stages::{IN_A_NEW_SESSION, Stop},
    trading::{import::import, settings::Settings},
};
use flywheel_events::{SessionCompleted, TradesNormalized};

/// Reads the session's `fills` and `trades`. A record that cannot be used is in the notes, even where none can.
pub fn normalize(session: &SessionCompleted) -> Result<TradesNormalized, Stop> {
    let source = &session.source_data;
    if source.fills.is_empty() && source.trades.is_empty() {
        return Err(Stop::nothing("the session has no trades"));
    }
    let settings = settings(session)?;
    let import = import(session, &settings);
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
        .map_err(|error| Stop::refused(error.to_string(), format!("correct that setting {IN_A_NEW_SESSION}")))
}
