//! A receiver of traces (OTLP over HTTP), and the tree that they make.

use axum::{Router, body::Bytes, extract::State, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message as _;
use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::{Arc, Mutex},
};

/// Attributes by name, as text.
type Attributes = BTreeMap<String, String>;

/// A span, and whose it is.
#[derive(Debug, Clone)]
pub struct Received {
    pub process: Attributes,
    pub attributes: Attributes,
    pub span: Span,
}

impl Received {
    /// An attribute; nothing where it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// Its context in the form of the W3C, without version and flags.
    pub fn context(&self) -> String {
        format!("{}-{}", const_hex::encode(&self.span.trace_id), const_hex::encode(&self.span.span_id))
    }

    /// The context of its parent; none where it begins a trace.
    pub fn parent(&self) -> Option<String> {
        let Span { trace_id, parent_span_id, .. } = &self.span;
        (!parent_span_id.is_empty())
            .then(|| format!("{}-{}", const_hex::encode(trace_id), const_hex::encode(parent_span_id)))
    }

    /// The contexts that it is linked to, in order.
    pub fn links(&self) -> Vec<String> {
        let context = |trace: &[u8], span: &[u8]| format!("{}-{}", const_hex::encode(trace), const_hex::encode(span));
        let mut links: Vec<_> = self.span.links.iter().map(|link| context(&link.trace_id, &link.span_id)).collect();
        links.sort();
        links
    }

    /// Whether its status says that something is wrong.
    pub fn is_fault(&self) -> bool {
        self.span.status.as_ref().is_some_and(|status| status.code == 2)
    }
}

fn attributes(list: &[KeyValue]) -> Attributes {
    let text = |pair: &KeyValue| match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    list.iter().map(|pair| (pair.key.clone(), text(pair))).collect()
}

type Spans = Arc<Mutex<Vec<Received>>>;

/// A receiver, for as long as the test's runtime lives.
pub struct Receiver {
    /// Its base address, as `OTEL_EXPORTER_OTLP_ENDPOINT` takes it.
    pub url: String,
    spans: Spans,
}

impl Receiver {
    pub async fn start() -> Self {
        let spans = Spans::default();
        let app = Router::new().route("/v1/traces", post(receive)).with_state(spans.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async { axum::serve(listener, app).await });
        Self { url, spans }
    }

    /// What has come.
    pub fn traces(&self) -> Traces {
        Traces(self.spans.lock().expect("nobody panics with it").clone())
    }
}

async fn receive(State(spans): State<Spans>, body: Bytes) -> Vec<u8> {
    let request = ExportTraceServiceRequest::decode(body).expect("an export of traces");
    for of_process in request.resource_spans {
        let process = attributes(&of_process.resource.unwrap_or_default().attributes);
        for span in of_process.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let received = Received { process: process.clone(), attributes: attributes(&span.attributes), span };
            spans.lock().expect("nobody panics with it").push(received);
        }
    }
    ExportTraceServiceResponse::default().encode_to_vec()
}

/// Spans, printed as the trees that they make.
pub struct Traces(pub Vec<Received>);

impl Traces {
    /// The spans of a trace.
    pub fn of(&self, trace: &str) -> Self {
        Self(self.0.iter().filter(|span| span.context().starts_with(trace)).cloned().collect())
    }

    /// The span of a context.
    pub fn find(&self, context: &str) -> Option<&Received> {
        self.0.iter().find(|span| span.context() == context)
    }

    /// The only span that is so.
    #[track_caller]
    pub fn only(&self, what: &str, is_so: impl Fn(&Received) -> bool) -> &Received {
        let found: Vec<_> = self.0.iter().filter(|span| is_so(span)).collect();
        assert_eq!(found.len(), 1, "{what}, in\n{self}");
        found[0]
    }

    /// The spans whose parent is none of these.
    pub fn roots(&self) -> Vec<&Received> {
        let is_root = |span: &&Received| span.parent().is_none_or(|parent| self.find(&parent).is_none());
        self.0.iter().filter(is_root).collect()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, span: &Received, depth: usize) -> fmt::Result {
        let process = span.process.get("service.instance.id").map_or("?", String::as_str);
        writeln!(f, "{:indent$}{} [{process}] {}", "", span.span.name, told(span), indent = 2 * depth)?;
        let mut children: Vec<_> =
            self.0.iter().filter(|other| other.parent().as_ref() == Some(&span.context())).collect();
        children.sort_by_key(|child| child.span.start_time_unix_nano);
        children.into_iter().try_for_each(|child| self.write(f, child, depth + 1))
    }
}

/// What a span says of itself beside its name.
fn told(span: &Received) -> String {
    let mut text = format!("{} {}", span.get("flywheel.outcome"), span.get("error.type"));
    let links = span.span.links.len();
    if links > 0 {
        write!(text, " +{links} links").expect("a text takes more");
    }
    text
}

impl fmt::Display for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for root in self.roots() {
            writeln!(f, "{} under {:?}", root.context(), root.parent())?;
            self.write(f, root, 1)?;
        }
        Ok(())
    }
}
