//! What this process is to whoever gathers its traces and figures.
#![expect(
    clippy::disallowed_methods,
    reason = "OpenTelemetry is set up by its environment, and each process has an id"
)]

use opentelemetry::KeyValue;
use opentelemetry_sdk::{
    Resource,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
};
use std::sync::LazyLock;
use uuid::Uuid;

/// The name of the service, unless the environment gives another.
const SERVICE: &str = "flywheel";

/// The process: its service, version, and an id that no other has. `OTEL_RESOURCE_ATTRIBUTES` goes before these, and
/// `OTEL_SERVICE_NAME` before everything.
pub(super) fn resource() -> Resource {
    static RESOURCE: LazyLock<Resource> = LazyLock::new(|| {
        let ours = [
            KeyValue::new("service.name", SERVICE),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
        ];
        let given = Resource::builder_empty()
            .with_attributes(ours)
            .with_detectors(&[Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())]);
        match std::env::var("OTEL_SERVICE_NAME") {
            Ok(name) if !name.is_empty() => given.with_service_name(name).build(),
            _ => given.build(),
        }
    });
    RESOURCE.clone()
}

/// Whether a variable is there and says something.
pub(super) fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}
