//! The stages of a trading session.

pub mod normalize;
pub mod summarize;

#[cfg(test)]
mod tests;
