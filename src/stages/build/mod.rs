//! The stages of the build pipeline, one file each.

mod build_log;
mod social;
mod story;

pub use build_log::build_log;
pub use social::social;
pub use story::story;

#[cfg(test)]
mod tests;
//! The stages of a build session.

mod scan;

pub use scan::scan;
mod readme;

pub use readme::readme;
