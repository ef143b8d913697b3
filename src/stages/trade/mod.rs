//! The stages of a trading session.
