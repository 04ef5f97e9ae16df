//! Callbacks: what a client asks to be posted to its own server once its object is stored, whose answer it
//! then gets as the answer to the upload.
//!
//! The object is stored before the callback and stays whatever comes of it. The callback is not signed: OSS
//! signs them with RSA and MD5, which nothing here makes.

use base::ApiError;
use base::text::percent_encode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use engine::server::Body;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, Uri};
use serde_json::{Map, Value};
use wire::object::form::Fields;
use wire::object::{Dialect, error};

use super::Storage;
use super::call::Call;
use super::respond::{self, etag};
use crate::config::callback::Callbacks;
use crate::model::{RequestCtx, Stored};
use crate::outbound::Post;

/// The names of the two headers, and of the two parameters.
const HEADERS: [&str; 2] = ["x-oss-callback", "x-oss-callback-var"];
const PARAMETERS: [&str; 2] = ["callback", "callback-var"];
/// Addresses that are tried in turn.
const URLS_MAX: usize = 5;
/// The longest configuration, bytes before it is decoded.
const BYTES_MAX: usize = 16 << 10;

/// A callback as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Callback {
    urls: Vec<String>,
    host: Option<String>,
    body: String,
    json: bool,
    /// With their names, which begin with `x:`.
    vars: Vec<(String, String)>,
}

/// What was stored, for a callback to tell.
pub(super) struct Told<'a> {
    pub(super) ctx: &'a RequestCtx,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) content_type: &'a str,
    pub(super) operation: &'static str,
    pub(super) stored: &'a Stored,
}

impl Callback {
    /// Reads the Base64 of a callback's JSON.
    ///
    /// Errors: `InvalidArgument`.
    pub(super) fn parse(encoded: &str, vars: Vec<(String, String)>) -> Result<Self, ApiError> {
        Self::read(&decode(encoded)?, vars)
    }

    fn read(fields: &Map<String, Value>, vars: Vec<(String, String)>) -> Result<Self, ApiError> {
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let urls = text("callbackUrl").unwrap_or_default().split(';').map(str::trim);
        let urls: Vec<String> =
            urls.filter(|url| !url.is_empty()).map(url).collect::<Result<_, _>>()?;
        if urls.is_empty() || urls.len() > URLS_MAX {
            return Err(refused("callbackUrl must name one to five addresses."));
        }
        let json = match text("callbackBodyType") {
            None | Some("" | "application/x-www-form-urlencoded") => false,
            Some("application/json") => true,
            Some(_) => return Err(refused("callbackBodyType is not valid.")),
        };
        let body = text("callbackBody").filter(|body| !body.is_empty());
        let body = body.ok_or_else(|| refused("callbackBody is missing."))?.to_owned();
        let host = text("callbackHost").filter(|host| !host.is_empty()).map(str::to_owned);
        if host.as_deref().is_some_and(|host| host.parse::<http::uri::Authority>().is_err()) {
            return Err(refused("callbackHost is not valid."));
        }
        Ok(Self { urls, host, body, json, vars })
    }

    /// What is posted to each address; `None` where it would be too long.
    fn posts(&self, told: &Told<'_>) -> Option<Vec<Post>> {
        let body = fill(&self.body, self.json, |name| self.value(told, name))?;
        let content_type =
            if self.json { "application/json" } else { "application/x-www-form-urlencoded" };
        let mut headers = vec![
            ("content-type", content_type.to_owned()),
            ("x-oss-bucket", told.bucket.to_owned()),
            ("x-oss-request-id", told.ctx.id().short()),
            ("x-oss-tag", "CALLBACK".to_owned()),
        ];
        headers.extend(self.host.clone().map(|host| ("host", host)));
        let post =
            |url: &String| Post { url: url.clone(), headers: headers.clone(), body: body.clone() };
        Some(self.urls.iter().map(post).collect())
    }

    /// What a variable stands for; nothing for one that there is not.
    fn value(&self, told: &Told<'_>, name: &str) -> Value {
        let stored = told.stored;
        match name {
            "bucket" => told.bucket.into(),
            "object" => told.key.into(),
            "etag" => etag(&stored.etag, Dialect::Oss).trim_matches('"').into(),
            "size" => stored.size.into(),
            "mimeType" => told.content_type.into(),
            "crc64" => stored.crc64.to_string().into(),
            "contentMd5" if stored.etag.parts == 0 => BASE64.encode(stored.etag.md5).into(),
            "clientIp" => told.ctx.request.source_ip.as_str().into(),
            "reqId" => told.ctx.id().short().into(),
            "operation" => told.operation.into(),
            _ => {
                let found = self.vars.iter().find(|(known, _)| known == name);
                found.map_or("", |(_, value)| value).into()
            }
        }
    }
}

impl Call<'_> {
    /// What a callback is told of what the request stored.
    pub(super) fn told<'a>(
        &'a self,
        operation: &'static str,
        content_type: &'a str,
        stored: &'a Stored,
    ) -> Told<'a> {
        let (ctx, bucket, key) = (&self.ctx, self.bucket.as_str(), self.key.as_str());
        Told { ctx, bucket, key, content_type, operation, stored }
    }
}

impl Storage {
    /// The callback that a request asks for in its headers or parameters, and its headers without it. Who may not
    /// put is told that, and not which callbacks the bucket keeps.
    ///
    /// Errors: as [`Self::callback_of`]; `AccessDenied`.
    pub(super) async fn callback(
        &self,
        call: &Call<'_>,
    ) -> Result<Option<(Callback, HeaderMap)>, ApiError> {
        match self.callback_asked(call).await {
            Err(refused) => {
                self.oss.require_put(&call.ctx, &call.bucket, &call.key).await?;
                Err(refused)
            }
            asked => asked,
        }
    }

    async fn callback_asked(
        &self,
        call: &Call<'_>,
    ) -> Result<Option<(Callback, HeaderMap)>, ApiError> {
        if !call.is_oss() {
            return Ok(None);
        }
        let [asked, vars] = [0, 1].map(|which: usize| {
            call.head.header(HEADERS[which]).or_else(|| call.query.get(PARAMETERS[which]))
        });
        let Some(asked) = asked else { return Ok(None) };
        let mut headers = call.head.headers.clone();
        HEADERS.iter().for_each(|name| drop(headers.remove(*name)));
        let vars = vars.map(vars_of).transpose()?.unwrap_or_default();
        Ok(Some((self.callback_of(&call.bucket, asked, vars).await?, headers)))
    }

    /// The callback that a form asks for among its fields.
    ///
    /// Errors: as [`Self::callback`].
    pub(super) async fn callback_of_form(
        &self,
        ctx: &RequestCtx,
        (bucket, key): (&str, &str),
        fields: &Fields,
    ) -> Result<Option<Callback>, ApiError> {
        let Some(asked) = fields.get(PARAMETERS[0]) else { return Ok(None) };
        let vars = fields.iter().filter(|(name, _)| name.starts_with("x:"));
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        match self.callback_of(bucket, asked, vars).await {
            Err(refused) => {
                self.oss.require_put(ctx, bucket, key).await?;
                Err(refused)
            }
            callback => callback.map(Some),
        }
    }

    /// Reads a callback, or finds the one that the bucket keeps under the name that it says. What variables the
    /// request has go before those that are kept.
    ///
    /// Errors: `InvalidArgument`, also for a name that there is not.
    async fn callback_of(
        &self,
        bucket: &str,
        encoded: &str,
        mut vars: Vec<(String, String)>,
    ) -> Result<Callback, ApiError> {
        let fields = decode(encoded)?;
        let Some(name) = fields.get("callbackPolicy").and_then(Value::as_str) else {
            return Callback::read(&fields, vars);
        };
        let kept: Option<Callbacks> = self.oss.acting_config(bucket).await?;
        let policy = kept.and_then(|kept| kept.named(name));
        let policy = policy.ok_or_else(|| refused("There is no callback policy of that name."))?;
        if !policy.vars.is_empty() {
            vars.extend(vars_of(&policy.vars)?);
        }
        Callback::parse(&policy.callback, vars)
    }

    /// Calls back, each address in turn until one answers with 200; that is the answer then, with what
    /// `answer` would have told in its headers.
    ///
    /// Errors: `CallbackFailed` (status 203), the object being stored.
    pub(super) async fn call_back(
        &self,
        callback: &Callback,
        told: &Told<'_>,
        answer: Response<Body>,
    ) -> super::Answer {
        let mut why = String::new();
        let Some(posts) = callback.posts(told) else {
            return Err(error::CALLBACK_FAILED.error("The callback's body is too long."));
        };
        for post in posts {
            match self.outbound.post(post).await {
                Ok(got) if got.status == 200 => {
                    if serde_json::from_slice::<serde::de::IgnoredAny>(&got.body).is_err() {
                        why = "Response body is not valid json format.".to_owned();
                        break;
                    }
                    let mut response = respond::whole(got.body);
                    response.headers_mut().extend(answer.headers().clone());
                    let json = HeaderValue::from_static("application/json");
                    response.headers_mut().insert(CONTENT_TYPE, json);
                    return Ok(response);
                }
                Ok(got) => why = format!("Error status : {}.", got.status),
                Err(failed) => why = format!("The callback was not answered: {failed}."),
            }
        }
        Err(error::CALLBACK_FAILED.error(why))
    }
}

/// The variables of a callback: those in the Base64 of a JSON object whose names begin with `x:`.
///
/// Errors: `InvalidArgument`.
fn vars_of(encoded: &str) -> Result<Vec<(String, String)>, ApiError> {
    let fields = decode(encoded)?;
    let var = |(name, value): (String, Value)| {
        let value = match value {
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return Err(refused("A callback variable must be a text.")),
        };
        Ok((name, value))
    };
    // No template can name the others, and clients send some.
    fields.into_iter().filter(|(name, _)| name.starts_with("x:")).map(var).collect()
}

fn decode(encoded: &str) -> Result<Map<String, Value>, ApiError> {
    let bytes = Some(encoded.trim()).filter(|encoded| encoded.len() <= BYTES_MAX);
    let bytes = bytes.and_then(|encoded| BASE64.decode(encoded).ok());
    let fields = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    fields.ok_or_else(|| refused("The callback configuration is not Base64 of a JSON object."))
}

/// An address to call; without a scheme, of the plain one.
fn url(text: &str) -> Result<String, ApiError> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let uri: Uri = text.parse().map_err(|_| refused("callbackUrl is not valid."))?;
    let plain = matches!(uri.scheme_str(), Some("http" | "https"));
    match uri.authority() {
        Some(authority) if plain && !authority.as_str().contains('@') => Ok(text),
        _ => Err(refused("callbackUrl is not valid.")),
    }
}

fn refused(why: &'static str) -> ApiError {
    error::INVALID_ARGUMENT.error(why).field("ArgumentName", HEADERS[0])
}

/// The longest body of a callback, bytes.
const FILLED_BYTES_MAX: usize = 1 << 20;

/// Puts the values of `${name}` into a template: percent-encoded, or as JSON. A text that already stands in
/// quotes gets none of its own. `None` where it comes to more than [`FILLED_BYTES_MAX`].
fn fill(template: &str, json: bool, value: impl Fn(&str) -> Value) -> Option<String> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        if out.len() > FILLED_BYTES_MAX {
            return None;
        }
        out.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            out.push_str("${");
            rest = after;
            continue;
        };
        match value(name) {
            Value::String(text) if !json => out.push_str(&percent_encode(text)),
            Value::String(text) => {
                let quoted = Value::String(text).to_string();
                let stands = before.ends_with('"') && behind.starts_with('"');
                out.push_str(if stands { &quoted[1..quoted.len() - 1] } else { &quoted });
            }
            other => out.push_str(&other.to_string()),
        }
        rest = behind;
    }
    out.push_str(rest);
    Some(out).filter(|out| out.len() <= FILLED_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may")]

    use proptest::prelude::*;

    use super::*;

    fn parsed(json: &str) -> Result<Callback, ApiError> {
        Callback::parse(&BASE64.encode(json), Vec::new())
    }

    #[test]
    fn a_callback_names_addresses_of_the_web_and_a_body() {
        let read = parsed(r#"{"callbackUrl":"a.id/x; https://b.id","callbackBody":"k=${object}"}"#);
        assert_eq!(read.unwrap().urls, ["http://a.id/x", "https://b.id"]);
        for wrong in [
            r#"{}"#,
            r#"[]"#,
            r#"{"callbackUrl":"http://a.id"}"#,
            r#"{"callbackBody":"x"}"#,
            r#"{"callbackUrl":"ftp://a.id","callbackBody":"x"}"#,
            r#"{"callbackUrl":"http://u:p@a.id","callbackBody":"x"}"#,
            r#"{"callbackUrl":"a;b;c;d;e;f","callbackBody":"x"}"#,
            r#"{"callbackUrl":"a.id","callbackBody":"x","callbackBodyType":"text/xml"}"#,
            r#"{"callbackUrl":"a.id","callbackBody":"x","callbackHost":"a b"}"#,
        ] {
            assert_eq!(parsed(wrong).unwrap_err().code(), "InvalidArgument", "{wrong}");
        }
        assert!(Callback::parse("%%%", Vec::new()).is_err());
    }

    #[test]
    fn variables_are_put_in_as_the_body_needs_them() {
        let value = |name: &str| match name {
            "size" => 5.into(),
            "object" => "a \"b\"&c".into(),
            _ => "".into(),
        };
        assert_eq!(
            fill("o=${object}&s=${size}&n=${none}", false, value).unwrap(),
            "o=a%20%22b%22%26c&s=5&n="
        );
        let json = r#"{"o":${object},"q":"${object}","s":${size}}"#;
        let read: Value = serde_json::from_str(&fill(json, true, value).unwrap()).unwrap();
        assert_eq!(read, serde_json::json!({"o": "a \"b\"&c", "q": "a \"b\"&c", "s": 5}));
        assert_eq!(fill("a${b", false, value).unwrap(), "a${b");
        let long = "x".repeat(1000);
        let many = "${x}".repeat(2000);
        assert_eq!(fill(&many, false, |_| long.as_str().into()), None);
    }

    proptest! {
        #[test]
        fn any_value_keeps_a_json_body_json(text in ".*", template in ".*") {
            let filled = fill(r#"{"a":${x},"b":"${x}"}"#, true, |_| text.as_str().into()).unwrap();
            let read: Value = serde_json::from_str(&filled).unwrap();
            prop_assert_eq!(read["a"].as_str(), Some(text.as_str()));
            prop_assert_eq!(read["b"].as_str(), Some(text.as_str()));
            fill(&template, true, |_| text.as_str().into());
        }

        #[test]
        fn any_configuration_is_read_or_refused(text in ".*", json in "\\{\"callbackUrl\":\".*\",\"callbackBody\":\".*\"\\}") {
            drop(Callback::parse(&text, Vec::new()));
            drop(parsed(&json));
            drop(vars_of(&text));
        }
    }
}
