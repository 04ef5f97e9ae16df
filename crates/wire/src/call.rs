//! From a request of the control API to a [`Call`]: which style and signature it speaks, what it
//! asks for, and everything about its signature that can be checked without the secret.
//!
//! It does not know which actions exist, who a key belongs to, or whether a nonce was used before.

mod signed;
#[cfg(test)]
pub(crate) mod tests;

use base::{ApiError, Secret, Time, code};
use serde_json::Value;

use crate::params::Params;
use crate::{Head, acs3, query, roa_v1, rpc_v1};

pub(crate) use signed::{Proof, Reading, algorithm, fresh, incomplete, missing, nonce, tag};
pub use signed::{Signed, WINDOW};

/// How a call names what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// By an action parameter or header, on the path `/`; arguments in the query and a form body.
    Rpc,
    /// By method and path; arguments in the path, the query and a JSON body.
    Roa,
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// XML: the default of RPC V1, which only people with `curl` meet.
    Xml,
}

/// A decoded request.
#[derive(Clone, Debug)]
pub struct Call {
    /// How it names what it wants.
    pub style: Style,
    /// The action as the client spelled it (compare without case). Always there in RPC style; in ROA
    /// style only some clients send it.
    pub action: Option<String>,
    /// The API version, a date that also identifies the product.
    pub version: String,
    /// The HTTP method.
    pub method: String,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// ROA: the decoded segments of the path, so that a name with a slash in it stays one name.
    pub segments: Vec<String>,
    /// The business parameters: of query and form body, or of query and JSON object body.
    pub params: Params,
    /// ROA: a JSON body that is not an object. (An object is part of `params`.)
    pub body: Option<Value>,
    /// The form of the answer.
    pub format: Format,
    /// The signature, still to be verified; `None` where the request is anonymous.
    pub signed: Option<Signed>,
}

/// A key pair, for those who sign requests.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// The access key id.
    pub key_id: &'a str,
    /// The access key secret.
    pub secret: &'a Secret<String>,
    /// The STS token that goes with a temporary key.
    pub token: Option<&'a str>,
}

type Pairs = Vec<(String, String)>;

/// The family of signature that a request claims.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Acs3,
    RoaV1,
    RpcV1,
    Anonymous,
}

/// Reads a request. `now` is compared with the signed date (15 minutes either way).
///
/// Errors: `MissingParameter`, `InvalidParameter`, `MalformedRequest`, `IncompleteSignature`,
/// `UnsupportedSignatureMethod`, `UnsupportedHTTPMethod`, `InvalidTimeStamp.*` and
/// `InvalidContentDigest`.
pub fn decode(head: &Head<'_>, body: &[u8], now: Time) -> Result<Call, ApiError> {
    refuse_repeated_headers(head)?;
    let style = if head.path == "/" { Style::Rpc } else { Style::Roa };
    let mut query = query::parse(head.query);
    query.sort_unstable();
    let (form, json) = match style {
        Style::Rpc => (form_body(head, body)?, None),
        Style::Roa => (Vec::new(), json_body(body)?),
    };
    let scheme = scheme(head, style, &query, &form)?;
    let by_header = match scheme {
        Scheme::Acs3 => Some(acs3::read(head, &query, body, now)?),
        Scheme::RoaV1 => Some(roa_v1::read(head, &query, body, now)?),
        Scheme::RpcV1 | Scheme::Anonymous => None,
    };
    let pairs = merge(query, form)?;
    let signed = if scheme == Scheme::RpcV1 {
        Some(rpc_v1::read(head.method, &pairs, now)?)
    } else {
        by_header
    };
    let format = format(get(&pairs, "Format"), scheme == Scheme::RpcV1);
    let action = target(head, &pairs, scheme, style, "x-acs-action", "Action")?;
    let version = target(head, &pairs, scheme, style, "x-acs-version", "Version")?
        .ok_or_else(|| missing("Version"))?;
    if style == Style::Rpc {
        check_rpc(head.method, action.as_deref())?;
    }
    let segments = if style == Style::Roa { segments(head.path)? } else { Vec::new() };
    let (params, body) = params(style, pairs, json)?;
    let (method, path) = (head.method.to_owned(), head.path.to_owned());
    Ok(Call { style, action, version, method, path, segments, params, body, format, signed })
}

/// The form that an error should take when the request could not be decoded, from as much of the
/// body as there is: XML for RPC V1 that names no format, else JSON.
pub fn format_of(head: &Head<'_>, body_prefix: &[u8]) -> Format {
    let mut pairs = query::parse(head.query);
    if is_form(head) {
        pairs.extend(query::parse(&String::from_utf8_lossy(body_prefix)));
    }
    pairs.sort_unstable();
    let rpc_v1 = head.header("authorization").is_none() && is_rpc_v1(&pairs);
    format(get(&pairs, "Format"), rpc_v1)
}

fn format(named: Option<&str>, rpc_v1: bool) -> Format {
    match named {
        Some(name) if name.eq_ignore_ascii_case("json") => Format::Json,
        Some(name) if name.eq_ignore_ascii_case("xml") => Format::Xml,
        _ if rpc_v1 => Format::Xml,
        _ => Format::Json,
    }
}

/// A second copy of a header that decides something would let two readers see two requests.
fn refuse_repeated_headers(head: &Head<'_>) -> Result<(), ApiError> {
    const ONCE: [&str; 5] = ["authorization", "content-md5", "content-type", "date", "host"];
    for name in head.headers.keys() {
        let name = name.as_str();
        let decides = name.starts_with("x-acs-") || ONCE.contains(&name);
        if decides && head.headers.get_all(name).iter().nth(1).is_some() {
            return Err(code::MALFORMED_REQUEST
                .error(format!("The header {name} was sent more than once.")));
        }
    }
    Ok(())
}

fn is_form(head: &Head<'_>) -> bool {
    const FORM: &str = "application/x-www-form-urlencoded";
    let media = head.header("content-type").unwrap_or(FORM);
    media.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case(FORM))
}

fn form_body(head: &Head<'_>, body: &[u8]) -> Result<Pairs, ApiError> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let text = std::str::from_utf8(body).ok().filter(|_| is_form(head));
    let text = text.ok_or_else(|| {
        code::MALFORMED_REQUEST.error("The body of an RPC request must be a form.")
    })?;
    Ok(query::parse(text))
}

fn json_body(body: &[u8]) -> Result<Option<Value>, ApiError> {
    if body.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(body).map(Some).map_err(|error| {
        code::MALFORMED_REQUEST.error("The body of a ROA request must be JSON.").detail(error)
    })
}

fn scheme(head: &Head<'_>, style: Style, query: &Pairs, form: &Pairs) -> Result<Scheme, ApiError> {
    let either = |name| get(query, name).or_else(|| find(form, name));
    if head.header("x-acs-bearer-token").is_some()
        || either("BearerToken").is_some()
        || either("SignatureType").is_some_and(|kind| kind.eq_ignore_ascii_case("BEARERTOKEN"))
    {
        return Err(code::UNSUPPORTED_SIGNATURE
            .error("Bearer tokens are not supported here: sign with an access key."));
    }
    let by_params = style == Style::Rpc && (is_rpc_v1(query) || is_rpc_v1(form));
    let Some(authorization) = head.headers.get("authorization") else {
        let stray = ["x-acs-accesskey-id", "x-acs-security-token"]
            .iter()
            .any(|name| head.headers.contains_key(*name));
        return match (by_params, stray || either("SecurityToken").is_some()) {
            (true, _) => Ok(Scheme::RpcV1),
            (false, true) => Err(incomplete("there are credentials, but no signature")),
            (false, false) => Ok(Scheme::Anonymous),
        };
    };
    let kind = authorization
        .to_str()
        .ok()
        .and_then(|text| text.trim().split(' ').next())
        .unwrap_or_default();
    match kind {
        _ if by_params && either("Signature").is_some() => {
            Err(incomplete("there are two signatures"))
        }
        acs3::ALGORITHM => Ok(Scheme::Acs3),
        roa_v1::PREFIX if style == Style::Roa => Ok(Scheme::RoaV1),
        roa_v1::PREFIX => Err(incomplete("this signature is for paths other than /")),
        _ => Err(ApiError::new(&code::UNSUPPORTED_SIGNATURE)),
    }
}

fn is_rpc_v1(pairs: &Pairs) -> bool {
    pairs.iter().any(|(name, _)| matches!(name.as_str(), "Signature" | "AccessKeyId"))
}

/// Puts query and form together, sorted. One name with two values is refused wherever they stand:
/// the SDKs themselves disagree about which of the two they sign.
fn merge(mut query: Pairs, form: Pairs) -> Result<Pairs, ApiError> {
    query.extend(form);
    query.sort_unstable();
    match query.array_windows().find(|[one, next]| one.0 == next.0) {
        Some([(name, _), _]) => Err(twice(name)),
        None => Ok(query),
    }
}

pub(crate) fn twice(name: &str) -> ApiError {
    code::INVALID_PARAMETER
        .error(format!("The specified parameter \"{name}\" is given more than once."))
}

/// Looks a name up in sorted pairs.
pub(crate) fn get<'a>(sorted: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let at = sorted.binary_search_by(|(key, _)| key.as_str().cmp(name)).ok()?;
    Some(&sorted[at].1)
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The action or version: of the parameters (RPC) or the header. RPC V1 does not sign headers, so
/// what they say must not count there.
fn target(
    head: &Head<'_>,
    pairs: &Pairs,
    scheme: Scheme,
    style: Style,
    header: &str,
    param: &str,
) -> Result<Option<String>, ApiError> {
    let in_params = if style == Style::Rpc { get(pairs, param) } else { None };
    let in_header = if scheme == Scheme::RpcV1 { None } else { head.header(header) };
    match (in_params, in_header) {
        (Some(one), Some(other)) if !one.eq_ignore_ascii_case(other) => Err(twice(param)),
        (one, other) => Ok(one.or(other).filter(|text| !text.is_empty()).map(str::to_owned)),
    }
}

fn check_rpc(method: &str, action: Option<&str>) -> Result<(), ApiError> {
    if !matches!(method, "GET" | "POST") {
        return Err(ApiError::new(&code::METHOD_NOT_ALLOWED));
    }
    action.map(|_| ()).ok_or_else(|| missing("Action"))
}

fn segments(path: &str) -> Result<Vec<String>, ApiError> {
    let decode = |segment| String::from_utf8(base::text::percent_decode(segment, false));
    let inner = path.strip_prefix('/').unwrap_or(path);
    inner
        .split('/')
        .map(decode)
        .collect::<Result<_, _>>()
        .map_err(|_| code::MALFORMED_REQUEST.error("The path is not UTF-8 after decoding."))
}

fn params(
    style: Style,
    pairs: Pairs,
    json: Option<Value>,
) -> Result<(Params, Option<Value>), ApiError> {
    match (style, json) {
        (Style::Rpc, _) => Ok((Params::business(pairs), None)),
        (Style::Roa, Some(Value::Object(fields))) => Ok((Params::with_json(pairs, fields)?, None)),
        (Style::Roa, other) => Ok((pairs.into_iter().collect(), other)),
    }
}
