//! What a request to a logged bucket is recorded as, and the documents of access logging. Where records go
//! is the matter of `ops::logging`.

use std::borrow::Cow;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use base::Time;
use base::text::percent_decode;
use engine::server::Body;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Body as _;
use serde_json::{Map, Value};
use wire::Head;
use wire::object::body::SMALL_BYTES_MAX;

use super::call::{Call, Payload};
use super::headers::names;
use super::respond::{Frame, empty};
use super::route::Query;
use super::{Answer, Storage};
use crate::access_log::{Record, Source};
use crate::config::Config as _;
use crate::config::logging::{Fields, Status};

impl Storage {
    pub(super) async fn put_bucket_logging(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let body = call.read(payload, SMALL_BYTES_MAX).await?;
        let status = Status::parse(&body, call.dialect)?;
        self.oss.set_bucket_logging(&call.ctx, &call.bucket, status).await?;
        Ok(empty(StatusCode::OK))
    }

    /// Records a request, once its answer is known. What the client then takes of it is not waited for.
    pub(super) fn record(
        &self,
        source: &Source,
        head: &Head<'_>,
        frame: &Frame<'_>,
        (code, took): (&str, Duration),
        response: &Response<Body>,
    ) {
        let headers = response.headers();
        let told = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let sent =
            if head.method == "HEAD" { Some(0) } else { response.body().size_hint().exact() };
        let number = |text: Option<&str>| text.and_then(|text| text.trim().parse::<u64>().ok());
        let received = number(head.header(CONTENT_LENGTH.as_str()));
        let is_object = !frame.key.is_empty();
        let size = match head.method {
            "PUT" | "POST" => received,
            "GET" | "HEAD" if response.status().is_success() => whole(headers).or(sent),
            _ => None,
        };
        let (requester, access_key) = match &frame.requester {
            Some((account, key)) => (Some(*account), key.as_str()),
            None => (None, ""),
        };
        let (authentication, signature) = signed(head);
        let id = frame.request.id;
        let names = names(frame.dialect);
        let record = Record {
            at: began(self.oss.cloud().clock.now(), took),
            owner: source.account,
            bucket: &frame.bucket,
            key: &frame.key,
            source_ip: &frame.request.source_ip,
            requester,
            access_key,
            request_id: &id.short(),
            host_id: &id.to_string(),
            operation: &operation(frame.operation, head.query),
            method: head.method,
            target: &target(head),
            status: response.status().as_u16(),
            code: if code == "OK" { "" } else { code },
            sent,
            received,
            size: size.filter(|_| is_object),
            took,
            referer: head.header("referer").unwrap_or_default(),
            user_agent: &frame.request.user_agent,
            host: &frame.request.host,
            version: told(names.version_id).unwrap_or_default(),
            storage_class: told(names.storage_class).unwrap_or_default(),
            signature,
            authentication,
            by_acl: frame.request.by_list.load(Relaxed),
            fields: &own_fields(&source.fields, head),
        };
        self.oss.record(source, &record);
    }
}

fn began(now: Time, took: Duration) -> Time {
    now.minus(took)
}

/// The size of an object that a part of was answered, or the whole of.
fn whole(headers: &HeaderMap) -> Option<u64> {
    let text = |name| headers.get(name)?.to_str().ok();
    let ranged = text(CONTENT_RANGE).and_then(|range| range.rsplit_once('/')).map(|(_, size)| size);
    ranged.or_else(|| text(CONTENT_LENGTH))?.parse().ok()
}

/// What OSS calls the operation: that on a configuration, by which one it is.
fn operation<'a>(name: &'a str, query: &str) -> Cow<'a, str> {
    let Some(verb) = name.strip_suffix("BucketConfiguration") else { return Cow::Borrowed(name) };
    let sub = query.split(['&', '=']).next().unwrap_or_default();
    let (first, rest) = sub.split_at_checked(1).unwrap_or_default();
    Cow::Owned(format!("{verb}Bucket{}{rest}", first.to_ascii_uppercase()))
}

/// How a request was signed, as S3's records tell it.
fn signed(head: &Head<'_>) -> (&'static str, &'static str) {
    if let Some(value) = head.header("authorization") {
        let newer = value.starts_with("AWS4-") || value.starts_with("OSS4-");
        return ("AuthHeader", if newer { "SigV4" } else { "SigV2" });
    }
    let asks = |name: &str| head.query.split('&').any(|pair| pair.starts_with(name));
    if asks("X-Amz-Signature=") || asks("x-oss-signature=") {
        ("QueryString", "SigV4")
    } else if asks("Signature=") {
        ("QueryString", "SigV2")
    } else {
        ("", "")
    }
}

/// Whether what stands under that name, as it was sent, is for the service alone: who reads the records is
/// neither to sign with it nor to decrypt.
fn is_secret(name: &str) -> bool {
    let name = percent_decode(name, true).to_ascii_lowercase();
    let ends = |end: &&[u8]| name.ends_with(end);
    name == b"authorization"
        || name == b"cookie"
        || [&b"signature"[..], b"security-token", b"customer-key", b"callback", b"callback-var"]
            .iter()
            .any(ends)
}

/// Path and query as sent, but for secrets.
fn target(head: &Head<'_>) -> String {
    if head.query.is_empty() {
        return head.path.to_owned();
    }
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}=-"),
        _ => pair.to_owned(),
    };
    let pairs: Vec<String> = head.query.split('&').map(pair).collect();
    format!("{}?{}", head.path, pairs.join("&"))
}

/// The fields that the bucket's owner asked for, as JSON; empty where it asked for none.
fn own_fields(fields: &Fields, head: &Head<'_>) -> String {
    if *fields == Fields::default() {
        return String::new();
    }
    let query = Query::parse(head.query);
    let mut all = Map::new();
    for name in &fields.headers {
        let value = head.header(name).filter(|_| !is_secret(name)).unwrap_or("-");
        all.insert(name.clone(), Value::from(value));
    }
    for name in &fields.parameters {
        let value = query.get(name).filter(|_| !is_secret(name)).unwrap_or("-");
        all.insert(name.clone(), Value::from(value));
    }
    Value::Object(all).to_string()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use wire::Head;

    use super::{operation, own_fields, signed, target};
    use crate::config::logging::Fields;

    fn head<'a>(query: &'a str, headers: &'a HeaderMap) -> Head<'a> {
        Head { method: "GET", path: "/b/k", query, headers }
    }

    #[test]
    fn a_record_tells_how_a_request_was_signed_and_not_the_signature() {
        let none = HeaderMap::new();
        let presigned = "x=1&X-Amz-Signature=abc&y";
        assert_eq!(signed(&head(presigned, &none)), ("QueryString", "SigV4"));
        assert_eq!(target(&head(presigned, &none)), "/b/k?x=1&X-Amz-Signature=-&y");
        assert_eq!(
            signed(&head("OSSAccessKeyId=a&Signature=abc", &none)),
            ("QueryString", "SigV2")
        );
        assert_eq!(signed(&head("", &none)), ("", ""));
        for (value, version) in [("AWS4-HMAC-SHA256 x", "SigV4"), ("OSS a:b", "SigV2")] {
            let headers = HeaderMap::from_iter([(
                http::header::AUTHORIZATION,
                http::HeaderValue::from_static(value),
            )]);
            assert_eq!(signed(&head("", &headers)), ("AuthHeader", version));
        }
    }

    #[test]
    fn an_operation_on_a_configuration_is_told_by_which() {
        assert_eq!(operation("GetBucketConfiguration", "logging"), "GetBucketLogging");
        assert_eq!(operation("PutBucketConfiguration", "cors=&x=1"), "PutBucketCors");
        assert_eq!(operation("DeleteBucketConfiguration", "ü"), "DeleteBucket");
        assert_eq!(operation("GetObject", "logging"), "GetObject");
    }

    #[test]
    fn the_owners_fields_are_told_as_they_came() {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-a"),
            http::HeaderValue::from_static("1"),
        )]);
        let fields = Fields {
            headers: vec!["x-a".to_owned(), "x-b".to_owned()],
            parameters: vec!["p".to_owned()],
        };
        let told = own_fields(&fields, &head("p=%20q", &headers));
        assert_eq!(told, r#"{"x-a":"1","x-b":"-","p":" q"}"#);
        assert_eq!(own_fields(&Fields::default(), &head("p=q", &headers)), "");
    }

    #[test]
    fn no_secret_is_recorded_however_it_is_asked_for() {
        let key = "x-amz-server-side-encryption-customer-key";
        let headers = HeaderMap::from_iter(["authorization", key].map(|name| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_static("hush"))
        }));
        let names = [key, "X-Amz-%53ignature", "security-token", "x-oss-callback-var"];
        let query = names.map(|name| format!("{name}=hush")).join("&");
        let told = target(&head(&query, &headers));
        assert_eq!(told, format!("/b/k?{}", names.map(|name| format!("{name}=-")).join("&")));
        let fields = Fields {
            headers: vec!["authorization".to_owned(), key.to_owned()],
            parameters: vec!["security-token".to_owned(), "X-Amz-Signature".to_owned()],
        };
        let told = own_fields(&fields, &head(&query, &headers));
        assert!(!told.contains("hush"), "{told}");
    }
}
