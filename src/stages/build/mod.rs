//! The stages of a build session.

mod readme;

pub use readme::readme;
