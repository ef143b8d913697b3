//! The stages of a trading session.

pub mod equity_curve;
pub mod journal;
mod journal_figures;
pub mod lessons;
pub mod normalize;
pub mod summarize;
pub mod thread;

/// Stands in the first part of a thread and at the foot of a journal.
const DISCLOSURE: &str = "Personal trading log. Not financial advice; past results do not predict future results.";

#[cfg(test)]
mod tests;
#[cfg(test)]
mod texts;
