//! Trading: from records to figures. A pure library; the stages of the pipeline stand on it.
//!
//! Invariants:
//! - Sums and products are exact or an error ([`decimal::Inexact`]); only quotients and roots are rounded.
//! - Every record is in the figures or in a note. Open positions are counted, never valued.
//! - Money of two currencies is never summed without a rate.

pub mod claims;
pub mod decimal;
pub mod figures;
pub mod import;
pub mod lessons;
pub mod matching;
#[cfg(test)]
mod properties;
pub mod record;
pub mod settings;
pub mod show;
mod trips;

use flywheel_events::{SessionCompleted, Summary, TradingSummarized};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

/// The summaries of a session, one a currency, in the order of their names.
pub fn summaries(summary: &TradingSummarized) -> Vec<&Summary> {
    let several = summary.summary_by_currency.iter().flat_map(|by_currency| by_currency.values());
    summary.summary.iter().chain(several).collect()
}

/// The net results of all closed trips in one currency, in closing order, with that currency's summary. None where
/// nothing was closed, or where currencies would have to be summed without a rate.
pub fn curve(summary: &TradingSummarized) -> Option<(&Summary, Vec<Decimal>)> {
    let trips = &summary.round_trips;
    let (total, nets): (&Summary, Option<Vec<Decimal>>) = match (&summary.summary_base, &summary.summary) {
        (Some(base), _) => (base, trips.iter().map(|trip| trip.net_base.map(|net| *net)).collect()),
        (None, Some(single)) => (single, Some(trips.iter().map(|trip| *trip.net).collect())),
        (None, None) => return None,
    };
    nets.filter(|nets| !nets.is_empty()).map(|nets| (total, nets))
}

/// Whether a set of fields says that its results are simulated.
pub fn says_simulated(fields: &Map<String, Value>) -> bool {
    ["simulated", "paper", "paper_trading"].iter().any(|name| fields.get(*name) == Some(&Value::Bool(true)))
}

/// Whether a session's results are simulated: it says so, or every record of it does.
pub fn is_simulated(session: &SessionCompleted) -> bool {
    let source = &session.source_data;
    let said = [&session.extra, &session.metadata.extra, &source.extra].into_iter().chain(&source.trading);
    let mut records = source.fills.iter().chain(&source.trades).filter_map(Value::as_object).peekable();
    said.into_iter().any(says_simulated) || (records.peek().is_some() && records.all(says_simulated))
}
