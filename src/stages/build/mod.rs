//! The stages of a build session.

mod scan;

pub use scan::scan;
