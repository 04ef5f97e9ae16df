//! The program's own small door: metrics and health.

use std::sync::Arc;

use engine::Cloud;
use engine::pipeline::Peer;
use engine::server::{Body, Handler, full};
use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;

/// `/metrics` (Prometheus text) and `/health`.
pub struct Metrics(pub Arc<Cloud>);

impl Handler for Metrics {
    async fn handle(&self, request: Request<Incoming>, _: Peer) -> Response<Body> {
        match request.uri().path() {
            "/metrics" => answer(
                StatusCode::OK,
                "text/plain; version=0.0.4",
                self.0.metrics.render().into_bytes(),
            ),
            "/health" => self.health().await,
            _ => answer(StatusCode::NOT_FOUND, TEXT, b"There is /metrics and /health.\n".to_vec()),
        }
    }

    fn refuse(&self, _: u16) -> (&'static str, Vec<u8>) {
        (TEXT, b"This is no HTTP request.\n".to_vec())
    }
}

impl Metrics {
    /// Well where the database answers: everything else depends on it.
    async fn health(&self) -> Response<Body> {
        let asked = self
            .0
            .db
            .read(|tx| {
                tx.query_opt("SELECT published FROM log_state", &[], |row| row.get::<i64>(0))
            })
            .await;
        match asked {
            Ok(_) => answer(StatusCode::OK, JSON, br#"{"status":"ok"}"#.to_vec()),
            Err(error) => {
                let error: store::Error = error;
                tracing::error!(?error, "the health check's query");
                answer(
                    StatusCode::SERVICE_UNAVAILABLE,
                    JSON,
                    br#"{"status":"the database does not answer"}"#.to_vec(),
                )
            }
        }
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

fn answer(status: StatusCode, kind: &'static str, bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(full(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
