//! Traces: one from an agent's publish through every stage to `ready`.
//!
//! Invariants:
//! - A message carries the context of whoever published it in its `traceparent` header (W3C Trace Context); what handles the
//!   message goes on from there. A header that is no trace context is none.
//! - A step with several needs hangs under the delivery that made it due, and is linked to what made each of the others.
//! - A span has the attributes that are written here and no others: no text of a session, of a fault or of a header gets
//!   into one.
//!
//! Names are those of OpenTelemetry's conventions for messaging, but for the name of a span that handles a message: several
//! stages take from one subject, so it is called by its stage.

use super::resource::{is_set, resource};
use crate::tls;
use opentelemetry::{
    propagation::{Extractor, TextMapPropagator as _},
    trace::{SpanContext, TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{SdkTracerProvider, Tracer},
};
use std::fmt::Display;
use tracing::{Span, field::Empty};
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
        if !names.into_iter().any(is_set) {
            return Ok(None);
        }
        tls::use_ring();
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build();
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

/// The publishing of a message of this id on a subject of this template.
pub fn publish(template: impl Display, subject: &str, id: impl Display, bytes: usize) -> Span {
    tracing::info_span!(
        "publish",
        otel.name = format!("publish {template}"),
        otel.kind = "producer",
        otel.status_code = Empty,
        messaging.system = "nats",
        messaging.operation.name = "publish",
        messaging.operation.type = "send",
        messaging.destination.template = %template,
        messaging.destination.name = subject,
        messaging.message.id = %id,
        messaging.message.body.size = bytes,
        flywheel.outcome = Empty,
        error.type = Empty,
    )
}

/// The handling of a message, from a subject of this template, by a consumer. What is known of it later is recorded with
/// [`MESSAGE_ID`], [`SUBJECT`], [`BODY_SIZE`] and [`SESSION`].
pub fn process(consumer: &str, template: impl Display) -> Span {
    tracing::info_span!(
        "process",
        otel.name = format!("process {consumer}"),
        otel.kind = "consumer",
        otel.status_code = Empty,
        messaging.system = "nats",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.consumer.group.name = consumer,
        messaging.destination.template = %template,
        messaging.destination.name = Empty,
        messaging.message.id = Empty,
        messaging.message.body.size = Empty,
        flywheel.session = Empty,
        flywheel.outcome = Empty,
        error.type = Empty,
    )
}

/// Of a span: the id of its message's event.
pub const MESSAGE_ID: &str = "messaging.message.id";

/// Of a span: the whole subject.
pub const SUBJECT: &str = "messaging.destination.name";

/// Of a span: the size of its message, in bytes.
pub const BODY_SIZE: &str = "messaging.message.body.size";

/// Of a span: the session that its message is about.
pub const SESSION: &str = "flywheel.session";

/// Says what became of a message, in a word.
pub fn ended(span: &Span, outcome: &'static str) {
    span.record("flywheel.outcome", outcome);
}

/// Says what became of a message, and what kind of fault that is.
pub fn ended_in_fault(span: &Span, outcome: &'static str, kind: &str) {
    ended(span, outcome);
    span.record("otel.status_code", "ERROR");
    span.record("error.type", kind);
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

/// Links a span to the one that a context names. One that is no trace context is none.
pub fn link(span: &Span, traceparent: &str) {
    span.add_link(context_of(traceparent));
}

/// Whether a text is a trace context of the W3C.
pub fn is_traceparent(text: &str) -> bool {
    context_of(text).is_valid()
}

fn context_of(traceparent: &str) -> SpanContext {
    TraceContextPropagator::new().extract(&Header(traceparent)).span().span_context().clone()
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
