//! The control API's door: takes a whole request, bounded, and gives it to the pipeline.

use std::sync::Arc;
use std::time::Duration;

use base::{ApiError, Code, RequestId, code};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use wire::Head;
use wire::answer;
use wire::call::{self, Format};

use super::{Body, Handler, full, linger};
use crate::Cloud;
use crate::pipeline::{self, Peer};

/// The largest body of a control request. Alibaba's own limit for most products.
pub const BODY_MAX: usize = 2 << 20;

/// How long a client may take to send it.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// Answers the control API.
pub struct Control(pub Arc<Cloud>);

impl Handler for Control {
    async fn handle(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        let (parts, incoming) = request.into_parts();
        let head = Head {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &parts.headers,
        };
        let body = match collect(incoming).await {
            Ok(body) => pipeline::dispatch(&self.0, head, &body, &peer).await,
            Err(error) => {
                let id = RequestId::random(&*self.0.rng).to_string();
                let host = head.header("host").unwrap_or_default();
                answer::error(call::format_of(&head, b""), &id, host, &error)
            }
        };
        respond(body)
    }

    fn refuse(&self, status: u16) -> (&'static str, Vec<u8>) {
        let standing = if status < 500 { code::MALFORMED_REQUEST } else { code::INTERNAL_ERROR };
        let code = Code { status, ..standing };
        let id = RequestId::random(&*self.0.rng).to_string();
        let body = answer::error(Format::Json, &id, "", &ApiError::new(&code));
        (body.content_type, body.bytes)
    }
}

async fn collect(incoming: Incoming) -> Result<Bytes, ApiError> {
    if incoming.size_hint().lower() > BODY_MAX as u64 {
        linger(incoming);
        return Err(code::BODY_TOO_LARGE.into());
    }
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(incoming, BODY_MAX).collect());
    match body.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(code::BODY_TOO_LARGE.into()),
        Ok(Err(_)) => Err(code::BODY_INCOMPLETE.into()),
        Err(_) => Err(code::REQUEST_TIMEOUT.into()),
    }
}

fn respond(answer: answer::Body) -> Response<Body> {
    let mut response = Response::new(full(answer.bytes));
    *response.status_mut() = http::StatusCode::from_u16(answer.status)
        .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(answer.content_type));
    if matches!(answer.status, 429 | 503) {
        headers.insert("x-acs-retry-after", http::HeaderValue::from_static("1000"));
    }
    response
}
