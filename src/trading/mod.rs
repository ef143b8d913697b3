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
pub mod matching;
pub mod record;
pub mod settings;
