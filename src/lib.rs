//! Flywheel turns finished work sessions into public artifacts.
//!
//! The program's parts, from the edge inwards: `cli` (commands), `intake` (parsing and judging input), `safety`
//! (cleaning it), `blobs` (binary files under their digests), `log` (the one write primitive, and the embedded
//! backend), `bus` (the backend on NATS JetStream), `runner` (deliver, run, append, acknowledge),
//! `stages` (the table and its plain functions), and the libraries the stages stand on.

pub mod accept;
pub mod blobs;
pub mod bus;
pub mod cli;
pub mod commits;
pub mod config;
pub mod drive;
pub mod files;
pub mod git;
pub mod images;
pub mod intake;
pub mod local;
pub mod log;
pub mod markdown;
pub mod output;
pub mod parallel;
pub mod post;
pub mod project;
pub mod queue;
pub mod runner;
pub mod safety;
mod sqlite;
pub mod stages;
pub mod story;
pub mod telemetry;
pub mod templates;
mod tls;
pub mod trading;
pub mod verify;
pub mod views;
pub mod wording;
pub mod world;

/// A run makes and drops thousands of small strings and maps on several threads, and a seventh of its time went into
/// the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
