//! The bus on a real nats-server: a module a topic.
#![allow(clippy::disallowed_methods, reason = "tests work with files and programs")]

mod cluster;
mod deployed;
mod doctor;
mod manifests;
mod metrics;
#[path = "../support/nats.rs"]
mod nats;
mod old;
mod place;
mod reconcile;
mod replica;
mod secrets;
mod security;
