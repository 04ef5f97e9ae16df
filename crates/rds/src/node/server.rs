//! The node's door: the routes of [`super::api`], over mutual TLS.

use std::time::Duration;

use engine::pipeline::Peer;
use engine::server::{Body, Handler, full};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Node;
use super::api::{Dump, LeaseGrant, Leases, Promote, Spec};
use super::driver::LogQuery;
use super::error::{Doing, Error, Result};
use super::stream;

/// A spec with its accounts and certificates; anything larger is none.
const JSON_BYTES_MAX: usize = 16 << 20;
/// The longest that a request waits for an instance to settle.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// How long a deletion may take.
const DELETE: Duration = Duration::from_secs(100);

impl Handler for Node {
    async fn handle(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        if !peer.secure {
            return refusal(&Error::Conflict("only with a certificate".to_owned()));
        }
        self.answer(request).await.unwrap_or_else(|error| refusal(&error))
    }

    fn refuse(&self, status: u16) -> (&'static str, Vec<u8>) {
        ("application/json", format!("{{\"error\":\"status {status}\"}}").into_bytes())
    }
}

fn refusal(error: &Error) -> Response<Body> {
    let body = serde_json::json!({ "error": error.to_string() }).to_string();
    let mut response = Response::new(full(body));
    *response.status_mut() =
        StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

fn json(value: &impl Serialize) -> Result<Response<Body>> {
    let mut response = Response::new(full(serde_json::to_vec(value).doing("answer")?));
    let kind = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    Ok(response)
}

fn nothing() -> Result<Response<Body>> {
    json(&serde_json::json!({}))
}

async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T> {
    let bytes = Limited::new(body, JSON_BYTES_MAX).collect().await;
    let bytes = bytes.map_err(|error| Error::Conflict(error.to_string()))?.to_bytes();
    // The error's own text may quote what was sent, and that may be a secret.
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::Conflict(format!("line {} column {} does not read", error.line(), error.column()))
    })
}

/// The value of a parameter of the query; values are numbers, words and percent-encoded names.
fn parameter(query: &str, name: &str) -> Option<String> {
    let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    pair.map(decoded)
}

/// Percent-decoded; what is no code stays as it is.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        let code = (*first == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|code| u8::from_str_radix(str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn number<T: std::str::FromStr>(query: &str, name: &str, or: T) -> Result<T> {
    match parameter(query, name) {
        Some(text) => {
            text.parse().map_err(|_| Error::Conflict(format!("{name} is no number: {text:?}")))
        }
        None => Ok(or),
    }
}

impl Node {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>> {
        let (head, body) = request.into_parts();
        let path: Vec<&str> = head.uri.path().trim_start_matches('/').split('/').collect();
        let query = head.uri.query().unwrap_or_default();
        match (&head.method, &path[..]) {
            (&Method::GET, ["engines"]) => json(&self.pool().builds()),
            (&Method::GET, ["instances"]) => json(&self.all_observed().await),
            (&Method::POST, ["leases"]) => {
                let leases: Leases = read(body).await?;
                json(&self.grant(&leases.grants).await)
            }
            (&Method::PUT, ["instances", id]) => {
                let spec: Spec = read(body).await?;
                let wait = Duration::from_millis(number(query, "wait_ms", 0)?).min(WAIT_MAX);
                json(&self.put(id, spec, wait).await?)
            }
            (&Method::DELETE, ["instances", id]) => {
                self.delete(id, number(query, "term", i64::MAX)?, DELETE).await?;
                nothing()
            }
            (&Method::GET, ["instances", id]) => json(&self.keeper(id)?.observed().await),
            (method, ["instances", id, rest @ ..]) => {
                self.answer_instance(method, id, rest, query, body).await
            }
            _ => Err(Error::Unknown("no such route".to_owned())),
        }
    }

    async fn answer_instance(
        &self,
        method: &Method,
        id: &str,
        rest: &[&str],
        query: &str,
        body: Incoming,
    ) -> Result<Response<Body>> {
        let keeper = self.keeper(id)?;
        match (method, rest) {
            (&Method::POST, ["promote"]) => {
                let promote: Promote = read(body).await?;
                keeper.promote(&promote)?;
                keeper.settled(WAIT_MAX).await;
                json(&keeper.observed().await)
            }
            (&Method::PUT, ["seed"]) => {
                keeper.seed(stream::decompressed(stream::of_body(body))).await?;
                nothing()
            }
            (&Method::PUT, ["wal", name]) => {
                keeper.keep_log(name, stream::decompressed(stream::of_body(body))).await?;
                nothing()
            }
            (&Method::GET, ["logs"]) => {
                let (driver, seat) = keeper.seat()?;
                let query = LogQuery {
                    slow: parameter(query, "kind").is_some_and(|kind| kind == "slow"),
                    since: number(query, "since", 0)?,
                    until: number(query, "until", i64::MAX)?,
                    limit: number(query, "limit", 1000)?,
                };
                json(&driver.logs(&seat, query).await?)
            }
            (&Method::GET, ["figures"]) => json(&keeper.figures().await?),
            (&Method::POST, ["dump"]) => {
                let dump: Dump = read(body).await?;
                let (driver, seat) = keeper.seat()?;
                Ok(Response::new(stream::into_body(driver.dump(&seat, &dump).await?)))
            }
            (&Method::POST, ["load"]) => {
                let database = parameter(query, "database")
                    .ok_or_else(|| Error::Conflict("load: into which database?".to_owned()))?;
                let (driver, seat) = keeper.seat()?;
                driver.load(&seat, &database, stream::of_body(body)).await?;
                nothing()
            }
            (&Method::GET, ["backup"]) => {
                let (driver, seat) = keeper.seat()?;
                Ok(Response::new(stream::into_body(driver.backup(&seat).await?)))
            }
            _ => Err(Error::Unknown("no such route".to_owned())),
        }
    }

    /// Grants leases, and says how those are whom they are for.
    pub async fn grant(&self, grants: &[LeaseGrant]) -> Vec<super::api::Observed> {
        let mut observed = Vec::new();
        for grant in grants {
            if let Some(from) = self.leases().moment(grant.from) {
                let ttl = Duration::from_millis(grant.ttl_ms);
                self.leases().grant(&grant.id, grant.term, from, ttl);
            }
        }
        for grant in grants {
            if let Ok(keeper) = self.keeper(&grant.id) {
                observed.push(keeper.pulse().await);
            }
        }
        observed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_found_by_their_whole_names() {
        let query = "wait_ms=5&database=my%20shop&x=%zz%e";
        assert_eq!(parameter(query, "database").as_deref(), Some("my shop"));
        assert_eq!(parameter(query, "wait"), None);
        assert_eq!(parameter(query, "x").as_deref(), Some("%zz%e"));
    }

    proptest! {
        #[test]
        fn no_text_makes_decoding_panic(text in ".{0,60}") {
            let _ = decoded(&text);
            let _ = parameter(&text, "a");
        }
    }
}
