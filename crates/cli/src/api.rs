//! The control API: one signed call (RPC style, ACS3-HMAC-SHA256) and its JSON answer. Which
//! parameters an action takes, and what its answer means, is the caller's to know.

use std::ops::ControlFlow;

use anyhow::Result;
use base::text::hex;
use base::{Clock, Rng, SystemClock, SystemRng};
use http::Request;
use serde_json::Value;
use ureq::{AsSendBody, SendBody};
use wire::{acs3, query};

use crate::error::{Error, Failure};
use crate::http::{Http, authority, shown};
use crate::profile::{Credentials, Profile};

/// Product of the actions that only this cloud has: accounts, usage, audit.
pub const AWAN: &str = "2026-01-01";
/// Version of the RAM API.
pub const RAM: &str = "2015-05-01";
/// Version of the STS API.
pub const STS: &str = "2015-04-01";

/// Longer parameters go into a form body: servers and proxies bound the length of a request line.
const QUERY_BYTES_MAX: usize = 4096;
const FORM: &str = "application/x-www-form-urlencoded";

/// Parameters of an action, in order.
pub type Params<'a> = &'a [(&'a str, &'a str)];

/// The control API of one cloud, asked by one key.
pub struct Api {
    http: Http,
    endpoint: String,
    host: String,
    credentials: Credentials,
}

impl Api {
    /// The control API that the profile names.
    ///
    /// # Errors
    /// Where the profile has no address or no key.
    pub fn new(http: &Http, profile: &Profile) -> Result<Self> {
        let endpoint = profile.api()?.to_owned();
        let host = authority(&endpoint)?;
        Ok(Self { http: http.clone(), endpoint, host, credentials: profile.credentials()?.clone() })
    }

    /// Calls an action of the product with that API version; answers its JSON object.
    ///
    /// # Errors
    /// As [`Error`]; a service error keeps its code.
    pub fn call(&self, version: &str, action: &str, params: Params<'_>) -> Result<Value, Error> {
        let encoded = query::encode(params.iter().copied());
        let in_body = encoded.len() > QUERY_BYTES_MAX;
        let body = if in_body { encoded.as_bytes() } else { b"" };
        let nonce = hex(&(&SystemRng as &dyn Rng).bytes::<16>());
        let signed = acs3::sign(
            &acs3::Request {
                method: "POST",
                host: &self.host,
                path: "/",
                query: if in_body { &[] } else { params },
                content_type: in_body.then_some(FORM),
                body,
                action,
                version,
                date: SystemClock.now(),
                nonce: &nonce,
            },
            &self.credentials.signing(),
        );
        let url = if in_body {
            format!("{}/", self.endpoint)
        } else {
            format!("{}/?{encoded}", self.endpoint)
        };
        let mut request = Request::post(&url).header("accept", "application/json");
        for (name, value) in signed {
            request = request.header(name, value);
        }
        let request = request
            .body(body)
            .map_err(|error| Error::Corrupt(format!("a parameter cannot be sent: {error}")))?;
        self.answer(request)
    }

    fn answer(&self, request: Request<&[u8]>) -> Result<Value, Error> {
        let uri = request.uri().clone();
        let (parts, mut body) = request.into_parts();
        let response = self.http.send(Request::from_parts(parts, send_body(&mut body)))?;
        let status = response.status().as_u16();
        let bytes = Http::read(&uri, response)?;
        let value = serde_json::from_slice(&bytes);
        match value {
            Ok(value) if status == 200 => Ok(value),
            value => Err(Error::Service(failure(status, value.unwrap_or_default(), &shown(&uri)))),
        }
    }
}

/// A body that ureq sends with its length.
pub(crate) fn send_body<'a>(body: &'a mut &[u8]) -> SendBody<'a> {
    body.as_body()
}

fn failure(status: u16, value: Value, url: &str) -> Failure {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let (mut code, mut message) = (text("Code"), text("Message"));
    if code.is_empty() {
        code = format!("HTTP {status}");
        message = format!("{url} answered something that is not this API's JSON");
    }
    Failure { status, code, message, request_id: text("RequestId") }
}

/// The items of a listing: the first array in the answer, at most two levels down, because each
/// product wraps its lists in its own way (`Users.User[]`, `Items[]`).
pub fn items(answer: &Value) -> &[Value] {
    fn find(value: &Value, depth: u8) -> Option<&[Value]> {
        match value {
            Value::Array(items) => Some(items),
            Value::Object(fields) if depth > 0 => {
                fields.values().find_map(|field| find(field, depth - 1))
            }
            _ => None,
        }
    }
    find(answer, 3).unwrap_or_default()
}

/// Reads every page of a listing, by `NextToken` or by `Marker`, until `each` says enough.
///
/// # Errors
/// As [`Api::call`]; [`Error::Corrupt`] where the listing does not move on.
pub fn pages(
    api: &Api,
    version: &str,
    action: &str,
    params: Params<'_>,
    mut each: impl FnMut(&Value) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut from: Option<(&'static str, String)> = None;
    loop {
        let token = from.as_ref().map(|(name, token)| (*name, token.as_str()));
        let page: Vec<_> = params.iter().copied().chain(token).collect();
        let answer = api.call(version, action, &page)?;
        if each(&answer).is_break() {
            return Ok(());
        }
        match next_page(&answer) {
            None => return Ok(()),
            next if next == from => {
                return Err(Error::Corrupt(format!("{action} answers the same page again")));
            }
            next => from = next,
        }
    }
}

/// The parameter that asks for the page after this one; `None` after the last.
fn next_page(answer: &Value) -> Option<(&'static str, String)> {
    let name = if answer["IsTruncated"] == true { "Marker" } else { "NextToken" };
    let token = answer[name].as_str().filter(|token| !token.is_empty())?;
    Some((name, token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_list_is_found_however_a_product_wraps_it() {
        let cases = [
            json!({"RequestId": "R", "Users": {"User": [1, 2]}}),
            json!({"Items": [1, 2], "NextToken": "n"}),
            json!({"Data": {"Items": {"Item": [1, 2]}}}),
        ];
        for answer in cases {
            assert_eq!(items(&answer), [json!(1), json!(2)], "{answer}");
        }
        assert!(items(&json!({"RequestId": "R"})).is_empty());
    }

    #[test]
    fn an_error_that_is_not_json_still_has_a_code() {
        let found = failure(502, Value::Null, "http://h/");
        assert_eq!(found.code, "HTTP 502");
        let found = failure(
            403,
            json!({"Code": "NoPermission", "Message": "no", "RequestId": "R"}),
            "http://h/",
        );
        assert_eq!((found.code.as_str(), found.request_id.as_str()), ("NoPermission", "R"));
    }

    #[test]
    fn the_next_page_is_asked_for_as_the_listing_says() {
        let next =
            |answer: Value| next_page(&answer).map(|(name, token)| format!("{name}={token}"));
        assert_eq!(next(json!({"NextToken": "n"})).as_deref(), Some("NextToken=n"));
        assert_eq!(next(json!({"IsTruncated": true, "Marker": "m"})).as_deref(), Some("Marker=m"));
        assert_eq!(next(json!({"IsTruncated": false, "Marker": "m"})), None);
        assert_eq!(next(json!({"NextToken": ""})), None);
    }
}
