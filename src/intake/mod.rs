//! Reading and judging what comes in, before anything is written.
//!
//! Invariants: a file is refused with every reason that can be found in it, each at its line and column; nothing here
//! panics, whatever the bytes; nothing here writes.

pub mod document;
mod judge;
mod plain;
pub mod report;
mod screenshot;
pub mod session;
pub mod source;
pub mod syntax;
pub mod update;
mod words;

#[cfg(test)]
mod tests;

pub use document::Document;
pub use report::{Problem, Report, Severity};
pub use session::{Accepted, read};
