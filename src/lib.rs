//! Flywheel turns finished work sessions into public artifacts.
//!
//! The program's parts, from the edge inwards: `cli` (commands), `intake` (parsing and judging input), `safety`
//! (cleaning it), `log` (the one write primitive and its backends), `runner` (deliver, run, append, acknowledge),
//! `stages` (the table and its plain functions), and the libraries the stages stand on.

pub mod cli;
pub mod commits;
pub mod git;
pub mod markdown;
pub mod post;
pub mod project;
pub mod stages;
pub mod templates;
pub mod world;
