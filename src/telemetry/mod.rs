//! What can be watched from outside: traces by OTLP, figures for Prometheus.
//!
//! Both are off until they are asked for, and then cost next to nothing more: traces by OpenTelemetry's own variables
//! (`OTEL_EXPORTER_OTLP_ENDPOINT`), figures by an address to listen on. Names follow OpenTelemetry's conventions for
//! messaging.

mod endpoint;
pub mod measure;
mod resource;
pub mod trace;

pub use endpoint::listen;
pub use trace::{Tracing, traceparent_of};
