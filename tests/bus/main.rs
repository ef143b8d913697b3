//! The bus with everything around it: real servers, real processes. A module a topic.
#![allow(clippy::disallowed_methods, reason = "tests work with files and programs")]

mod blobs;
mod bounds;
mod clients;
mod cluster;
mod deployed;
mod doctor;
mod figures;
mod intake;
mod manifests;
mod metrics;
#[path = "../support/nats.rs"]
mod nats;
mod old;
mod otlp;
mod place;
mod reconcile;
mod replica;
#[path = "../support/s3.rs"]
mod s3;
mod secrets;
mod security;
mod setup;
mod sizes;
mod swarm;
mod tracing;
mod unfit;
mod waiting;
mod waits;
mod workers;
