//! The stages of a build session.

mod build_log;
mod readme;
mod scan;
mod social;
mod story;

pub use build_log::build_log;
pub use readme::readme;
pub use scan::scan;
pub use social::social;
pub use story::story;

#[cfg(test)]
mod tests;
