//! What a bucket does not have and fetches from another origin, which OSS calls a mirror: it is stored as anybody's
//! object is stored, and then answered from there, whole, in part or as an image. So nothing is answered that is not
//! kept, and whatever fails (the origin, its checksum, the placement of the bytes) fails before the first byte.
//!
//! Not here: for which requests (`website`), and which addresses may be called (`outbound`).

mod turns;

use base::{AccountId, ApiError};
use bytes::Bytes;
use engine::server::{Body, full};
use http::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
};
use http::{Response, StatusCode};
use wire::Head;
use wire::object::checksum::parse_content_md5;
use wire::object::{Dialect, error};

pub(super) use self::turns::Turns;
use super::call::Call;
use super::headers::{KEPT, attributes};
use super::{Answer, Storage};
use crate::config::origin::{Mirror, frames};
use crate::config::website::Rule;
use crate::model::{Expected, PutOptions};
use crate::ops::Source;
use crate::outbound::{Fetch, Fetched, Pieces};

/// By whom a request was passed on (RFC 8586): an origin that leads back here is noticed.
const LOOP: HeaderName = HeaderName::from_static("cdn-loop");
/// The longest answer of an origin that is handed on as it is, bytes (1 MiB).
const HANDED_BYTES_MAX: usize = 1 << 20;
/// Headers of an origin's answer that are handed on with it, besides where it leads.
const HANDED: [HeaderName; 2] = [CONTENT_TYPE, LOCATION];

/// What came of a fetch.
enum Came {
    /// The bucket has it now.
    Stored,
    /// The origin does not have it either.
    Missing,
    /// What the origin says is what the client is told.
    Handed(Response<Body>),
}

impl Storage {
    /// Fetches a key that there is not, as a rule says, and answers it. `None` where it is missing there too, or is
    /// not to be fetched: only a body that is asked for is.
    ///
    /// Errors: `MirrorFailed`; those of storing it, and of reading it then.
    pub(super) async fn fetched(
        &self,
        call: &Call<'_>,
        rule: &Rule,
        mirror: &Mirror,
    ) -> Result<Option<Response<Body>>, ApiError> {
        if call.head.method != "GET" || call.key.is_empty() || self.leads_here(call) {
            return Ok(None);
        }
        // Who may list it but not read it is told that it is missing, and is to learn no more.
        let owner = match self.oss.require_get(&call.ctx, &call.bucket, &call.key).await {
            Err(refused) if refused.is(&error::ACCESS_DENIED) => return Ok(None),
            owner => owner?,
        };
        let turn = self.turns.of(&call.bucket, &call.key);
        let came = turn.take(|| Box::pin(self.fetch(call, (rule, mirror), owner))).await;
        match came? {
            Came::Stored => self.get_object(call).await.map(Some),
            Came::Missing => Ok(None),
            Came::Handed(response) => Ok(Some(response)),
        }
    }

    /// What a bucket's fetches are told apart by.
    fn loop_name(&self, call: &Call<'_>) -> String {
        format!("{}.{}", call.bucket, self.oss.cloud().region.id)
    }

    /// Whether the request is one of the bucket's own that came back.
    fn leads_here(&self, call: &Call<'_>) -> bool {
        let own = self.loop_name(call);
        let passed = call.head.headers.get_all(LOOP).iter().filter_map(|by| by.to_str().ok());
        passed.flat_map(|by| by.split(',')).any(|by| by.trim() == own)
    }

    async fn fetch(
        &self,
        call: &Call<'_>,
        (rule, mirror): (&Rule, &Mirror),
        account: AccountId,
    ) -> Result<Came, ApiError> {
        let key = rule.key_instead(&call.key);
        if climbs(&key) {
            return Ok(Came::Missing);
        }
        let origin = self.origin_of(mirror, account).await;
        let mut url = mirror.address(origin, &key);
        if rule.redirect.query == Some(true) {
            push_query(&mut url, call.head.query);
        }
        let headers = to_origin(call, mirror, &self.loop_name(call))?;
        let fetch = Fetch { url, headers, follows: mirror.follows(), account };
        let fetched = self.outbound.fetch(fetch).await.map_err(failed)?;
        match fetched.status {
            200 => self.keep(call, mirror, fetched).await.map(|()| Came::Stored),
            status if mirror.hands_on(status) => hand_on(fetched).await.map(Came::Handed),
            301..=308 if !mirror.follows() => hand_on(fetched).await.map(Came::Handed),
            404 => Ok(Came::Missing),
            status => Err(failed(format!("the status is {status}"))),
        }
    }

    /// The address that is asked: the other one where there is one, and the probe of the first fails.
    async fn origin_of<'m>(&self, mirror: &'m Mirror, account: AccountId) -> &'m str {
        let first = mirror.url.as_deref().unwrap_or_default();
        let (Some(slave), Some(probe)) = (&mirror.slave, &mirror.probe) else { return first };
        let url = probe.clone();
        let probe = Fetch { url, headers: HeaderMap::new(), follows: true, account };
        match self.outbound.fetch(probe).await {
            Ok(Fetched { status: 200, .. }) => first,
            _ => slave,
        }
    }

    /// Stores what came.
    async fn keep(
        &self,
        call: &Call<'_>,
        mirror: &Mirror,
        fetched: Fetched,
    ) -> Result<(), ApiError> {
        let Fetched { headers, body, .. } = fetched;
        let options = options(mirror, &headers)?;
        let stored = self.oss.put_fetched(&call.bucket, &call.key, options, Origin(body)).await;
        let broken = [&error::BAD_DIGEST, &error::INCOMPLETE_BODY, &error::ENTITY_TOO_LARGE];
        stored.map_err(|refused| match broken.iter().any(|code| refused.is(code)) {
            true => failed(refused.text().to_owned()),
            false => refused,
        })
    }
}

/// The body of an origin's answer.
struct Origin(Pieces);

impl Source for Origin {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        self.0.next().await.map_err(failed)
    }
}

/// Whether an origin may take a key for one outside of the folder that the rule names.
fn climbs(key: &str) -> bool {
    key.split('/').any(|segment| matches!(segment, "." | ".."))
}

fn failed(why: String) -> ApiError {
    error::MIRROR_FAILED.error(format!("The object could not be fetched from the mirror: {why}."))
}

/// What the answer's headers say about the object.
///
/// Errors: `MirrorFailed` for what cannot be kept.
fn options(mirror: &Mirror, answered: &HeaderMap) -> Result<PutOptions, ApiError> {
    let keeps = |name: &HeaderName| {
        let name = name.as_str();
        KEPT.contains(&name) || mirror.keeps_meta() && name.starts_with("x-oss-meta-")
    };
    let told = answered.iter().filter(|(name, _)| keeps(name));
    let told: HeaderMap = told.map(|(name, value)| (name.clone(), value.clone())).collect();
    let head = Head { method: "PUT", path: "", query: "", headers: &told };
    let wrong = |refused: ApiError| failed(refused.text().to_owned());
    let text = |name| answered.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let md5 = text("content-md5").filter(|_| mirror.checks_md5());
    let expected = Expected {
        length: text(CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok()),
        md5: md5.map(parse_content_md5).transpose().map_err(wrong)?,
        ..Expected::default()
    };
    let attributes = attributes(&head, Dialect::Oss).map_err(wrong)?;
    Ok(PutOptions { attributes, expected, ..PutOptions::default() })
}

/// The answer of an origin as the client's.
async fn hand_on(mut fetched: Fetched) -> Answer {
    let mut bytes = Vec::new();
    while let Some(piece) = fetched.body.next().await.map_err(failed)? {
        if bytes.len() + piece.len() > HANDED_BYTES_MAX {
            return Err(failed("the answer is too long".to_owned()));
        }
        bytes.extend_from_slice(&piece);
    }
    let mut response = Response::new(full(bytes));
    *response.status_mut() = StatusCode::from_u16(fetched.status).unwrap_or(StatusCode::NOT_FOUND);
    for name in HANDED {
        if let Some(value) = fetched.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    Ok(response)
}

/// Whether a header of the client's, whose name is in lower case, is for us alone: who asks, for which part, on which
/// conditions and in which encoding.
fn is_ours(name: &str) -> bool {
    let of_us = ["x-oss-", "oss-", "x-drs-", "x-amz-", "x-awan-", "if-"];
    frames(name)
        || of_us.iter().any(|prefix| name.starts_with(prefix))
        || matches!(name, "authorization" | "authorization2" | "content-md5" | "date" | "host")
        || matches!(name, "accept-encoding" | "range" | "cdn-loop" | "security-token")
}

/// The headers that the origin is sent.
///
/// Errors: `MirrorFailed` for one that cannot be.
fn to_origin(call: &Call<'_>, mirror: &Mirror, own: &str) -> Result<HeaderMap, ApiError> {
    let mut headers = HeaderMap::new();
    if let Some(rule) = &mirror.headers {
        let sent = call.head.headers.iter();
        let passed = sent.filter(|(name, _)| !is_ours(name.as_str()) && rule.passes(name.as_str()));
        headers.extend(passed.map(|(name, value)| (Some(name.clone()), value.clone())));
        for (name, value) in &rule.set {
            let name: HeaderName =
                name.parse().map_err(|_| failed("a header is not valid".into()))?;
            headers.insert(name, header(value)?);
        }
    }
    let before = call.head.headers.get_all(LOOP).iter().filter_map(|by| by.to_str().ok());
    let by: Vec<&str> = before.chain([own]).collect();
    headers.insert(LOOP, header(&by.join(", "))?);
    // What is kept is for whoever asks next, whatever the first could read.
    headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
    Ok(headers)
}

fn header(value: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(value).map_err(|_| failed("a header is not valid".to_owned()))
}

/// The client's parameters, less those by which it showed who it is and those that are for us.
fn push_query(url: &mut String, query: &str) {
    let is_ours = |name: &str| {
        let name = name.to_ascii_lowercase();
        let signs = ["ossaccesskeyid", "signature", "expires", "security-token", "awsaccesskeyid"];
        signs.contains(&name.as_str())
            || ["x-oss-", "x-amz-", "response-"].iter().any(|prefix| name.starts_with(prefix))
    };
    let mut between = '?';
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default();
        let decoded = base::text::percent_decode(name, false);
        if !is_ours(&String::from_utf8_lossy(&decoded)) {
            url.push(between);
            url.push_str(pair);
            between = '&';
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may")]

    use proptest::prelude::*;

    use super::*;

    fn passed(query: &str) -> String {
        let mut url = "u".to_owned();
        push_query(&mut url, query);
        url
    }

    #[test]
    fn no_parameter_that_signs_reaches_an_origin() {
        assert_eq!(passed("a=1&b"), "u?a=1&b");
        let signed = "OSSAccessKeyId=k&a=1&Expires=9&Signature=s&x-oss-security-token=t&X-Amz-Signature=x&%53ignature=s";
        assert_eq!(passed(signed), "u?a=1");
        assert_eq!(passed("&&Signature"), "u");
    }

    #[test]
    fn no_header_that_says_who_asks_reaches_an_origin() {
        for ours in ["authorization", "security-token", "x-oss-security-token", "range"] {
            assert!(is_ours(ours), "{ours}");
        }
        assert!(!is_ours("x-mine"));
    }

    #[test]
    fn a_key_that_leads_out_of_its_folder_is_known() {
        for out in ["..", "a/../b", "./a", "a/.", "a//..", "../../a"] {
            assert!(climbs(out), "{out}");
        }
        for within in ["a", "a/..b/c.", ".a/...", "a//b", ""] {
            assert!(!climbs(within), "{within}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_no_signature_is_passed(query in "[a-zA-Z0-9=&%-]{0,40}", name in "[xX]-[oO][sS][sS]-[a-z]{0,8}") {
            let asked = format!("{query}&{name}=secret&{query}");
            prop_assert!(!passed(&asked).contains("secret"));
        }
    }
}
