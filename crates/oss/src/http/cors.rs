//! CORS in requests and answers: the preflight, and the headers by which a browser lets a page of
//! another origin see an answer.

use base::{ApiError, Code};
use http::StatusCode;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, VARY,
};
use wire::Head;
use wire::object::Dialect;

use super::call::Call;
use super::respond::empty;
use super::{Answer, Storage};
use crate::config::cors::{Cors, Rule};

static FORBIDDEN: Code = Code::new(
    "AccessForbidden",
    403,
    "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, request \
     method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the \
     resource's CORS spec.",
);
static NOT_ENABLED: Code =
    Code::new("AccessForbidden", 403, "CORSResponse: CORS is not enabled for this bucket.");
static BAD_REQUEST: Code = Code::new(
    "BadRequest",
    400,
    "A preflight needs the headers Origin and Access-Control-Request-Method.",
);

/// The most headers that a page may ask for.
const HEADERS_MAX: usize = 100;

impl Storage {
    /// Tells a browser whether a page may send the request that it asks about. Nobody signs this.
    pub(super) async fn preflight(&self, call: &Call<'_>) -> Answer {
        let asked = (call.head.header("origin"), call.head.header("access-control-request-method"));
        let (Some(origin), Some(method)) = asked else { return Err(ApiError::new(&BAD_REQUEST)) };
        let cors = self.oss.acting_config::<Cors>(&call.bucket).await?;
        let cors = cors.ok_or_else(|| ApiError::new(&NOT_ENABLED))?;
        let list = call.head.header("access-control-request-headers").unwrap_or_default();
        let wanted: Vec<&str> =
            list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        if wanted.len() > HEADERS_MAX {
            return Err(ApiError::new(&FORBIDDEN));
        }
        let rule = cors.rule(origin, method, &wanted);
        let rule = rule.ok_or_else(|| ApiError::new(&FORBIDDEN))?;
        let mut response = empty(StatusCode::OK);
        let headers = response.headers_mut();
        put_rule(headers, call.dialect, rule, origin);
        put(headers, ACCESS_CONTROL_ALLOW_HEADERS, &wanted.join(", ").to_ascii_lowercase());
        put_vary(headers, call.dialect);
        Ok(response)
    }

    /// Adds to an answer, also to a refusal, what lets a page of another origin see it.
    ///
    /// Besides requests that tell an origin, those that a cache may keep are looked at, for they may
    /// have to say that others' answers differ.
    pub(super) async fn share(
        &self,
        head: &Head<'_>,
        dialect: Dialect,
        bucket: &str,
        headers: &mut HeaderMap,
    ) {
        let origin = head.header("origin");
        let kept =
            matches!(head.method, "GET" | "HEAD") && !head.headers.contains_key(AUTHORIZATION);
        if bucket.is_empty() || head.method == "OPTIONS" || (origin.is_none() && !kept) {
            return;
        }
        // The answer itself stands: without these headers a browser only keeps it from the page.
        let Ok(Some(cors)) = self.oss.acting_config::<Cors>(bucket).await else { return };
        // No browser says so but before a request; who does asks about that method here too.
        let method = head.header("access-control-request-method").unwrap_or(head.method);
        let rule = origin.and_then(|origin| Some((cors.rule(origin, method, &[])?, origin)));
        if let Some((rule, origin)) = rule {
            put_rule(headers, dialect, rule, origin);
        }
        if cors.vary || rule.is_some() {
            put_vary(headers, dialect);
        }
    }
}

fn put_rule(headers: &mut HeaderMap, dialect: Dialect, rule: &Rule, origin: &str) {
    if rule.is_for_all(origin) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        put(headers, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if dialect == Dialect::S3 {
            let yes = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
    }
    put(headers, ACCESS_CONTROL_ALLOW_METHODS, &rule.methods.join(", "));
    put(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &rule.exposed.join(", "));
    if let Some(seconds) = rule.seconds {
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
    }
}

fn put_vary(headers: &mut HeaderMap, dialect: Dialect) {
    let names = match dialect {
        Dialect::Oss => "Origin",
        Dialect::S3 => "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    };
    headers.append(VARY, HeaderValue::from_static(names));
}

/// Sets a header, if there is a value and it can be one.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let value = HeaderValue::from_bytes(value.as_bytes()).ok().filter(|value| !value.is_empty());
    if let Some(value) = value {
        headers.insert(name, value);
    }
}
