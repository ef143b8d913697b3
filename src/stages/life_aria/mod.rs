//! The stages of a life/aria session.
