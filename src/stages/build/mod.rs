//! The stages of a build session.
