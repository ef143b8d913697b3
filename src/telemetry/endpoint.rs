//! The figures, where Prometheus fetches them.

use super::resource::resource;
use anyhow::Context as _;
use axum::{Router, http::header, routing::get};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder as _, Registry, TextEncoder};
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Serves `/metrics` on an address until the program ends. Returns where, which tells the port that was free for port 0.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn listen(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    let registry = Registry::new();
    let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build();
    let exporter = exporter.context("cannot set up the figures for Prometheus")?;
    let provider = SdkMeterProvider::builder().with_reader(exporter).with_resource(resource());
    opentelemetry::global::set_meter_provider(provider.build());
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let bound = listener.local_addr()?;
    let answer = move || {
        let registry = registry.clone();
        async move {
            let mut text = vec![];
            let encoder = TextEncoder::new();
            match encoder.encode(&registry.gather(), &mut text) {
                Ok(()) => Ok(([(header::CONTENT_TYPE, encoder.format_type().to_owned())], text)),
                Err(error) => Err((axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
            }
        }
    };
    let app = Router::new().route("/metrics", get(answer));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!("the figures are no longer served: {error}");
        }
    });
    Ok(bound)
}
