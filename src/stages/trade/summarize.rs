//! T2: the figures.

use super::normalize::settings;
use crate::{
    stages::Stop,
    trading::{claims, decimal::Inexact, figures, matching},
};
use flywheel_events::{SessionCompleted, TradesNormalized, TradingSummarized};

/// Matches the fills and computes every figure; compares what was claimed.
pub fn summarize(trades: &TradesNormalized, session: &SessionCompleted) -> Result<TradingSummarized, Stop> {
    let settings = settings(session)?;
    let too_long = |what: String| Stop::refused(what, "write its quantity, price and fee with fewer digits");
    let sum_too_long = |error: Inexact| too_long(error.to_string());
    let matched = matching::match_fills(&trades.fills, &settings).map_err(|error| too_long(error.to_string()))?;
    let daily = figures::daily(&trades.fills, &matched, &settings).map_err(sum_too_long)?;
    let summaries = figures::summaries(&trades.fills, &matched, &daily, &settings).map_err(sum_too_long)?;
    let (claim_mismatches, claim_notes) = claims::check(session, trades, &matched, &summaries);
    let mut import_notes = trades.import_notes.clone();
    import_notes.extend(matched.notes);
    import_notes.extend(claim_notes);
    Ok(TradingSummarized {
        session_id: session.session_id,
        import_notes,
        lot_matches: matched.lot_matches,
        round_trips: matched.round_trips,
        open_lots: matched.open_lots,
        daily,
        claim_mismatches,
        summary: summaries.single,
        summary_by_currency: summaries.by_currency,
        summary_base: summaries.base,
    })
}
