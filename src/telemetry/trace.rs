//! Traces: one from an agent's publish through every stage to `ready`.
//!
//! A message carries the context of whoever published it in its `traceparent` header (W3C Trace Context); what handles the
//! message goes on from there. A header that is no trace context is none.
#![expect(clippy::disallowed_methods, reason = "OpenTelemetry is set up by its environment")]

use crate::tls;
use opentelemetry::{
    propagation::{Extractor, TextMapPropagator as _},
    trace::{TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{SdkTracerProvider, Tracer},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header and extension with the context.
pub const TRACEPARENT: &str = "traceparent";

/// The exporter, as long as the program runs.
#[derive(Debug)]
pub struct Tracing {
    provider: SdkTracerProvider,
}

impl Tracing {
    /// Exports where `OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`) says; none where it is not set.
    ///
    /// # Errors
    /// When what it says is no endpoint.
    pub fn of_environment() -> anyhow::Result<Option<Self>> {
        let names = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if !names.into_iter().any(set) {
            return Ok(None);
        }
        tls::use_ring();
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;
        // `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` go before this.
        let mut resource = Resource::builder();
        if !set("OTEL_SERVICE_NAME") {
            resource = resource.with_service_name("flywheel");
        }
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
        Ok(Some(Self { provider }))
    }

    /// What spans go to.
    pub fn tracer(&self) -> Tracer {
        self.provider.tracer("flywheel")
    }

    /// Sends what was not sent yet.
    pub fn end(self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!("the last spans were not exported: {error}");
        }
    }
}

/// The context of a span, for a header; none where nothing is traced.
pub fn traceparent_of(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    let flags = span.trace_flags().to_u8();
    span.is_valid().then(|| format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id()))
}

/// Makes a span a child of the one that a header names.
pub fn follow(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else { return };
    let context = TraceContextPropagator::new().extract(&Header(traceparent));
    // Without a tracer there is nothing to follow with.
    let _ = span.set_parent(context);
}

/// Whether a text is a trace context of the W3C.
pub fn is_traceparent(text: &str) -> bool {
    let context = TraceContextPropagator::new().extract(&Header(text));
    context.span().span_context().is_valid()
}

struct Header<'a>(&'a str);

impl Extractor for Header<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trace_context_is_one() {
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        for bad in ["", "00-0-0-0", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "x\r\ny"] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }

    #[test]
    fn without_a_tracer_there_is_no_context() {
        assert_eq!(traceparent_of(&tracing::info_span!("alone")), None);
    }
}
