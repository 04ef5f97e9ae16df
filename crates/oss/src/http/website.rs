//! Websites: requests that are answered with pages, or sent elsewhere.
//!
//! S3 has host names of their own for websites, `<bucket>.s3-website.<host>`: whatever is asked there is
//! asked by nobody, and every answer is a page. OSS has none: there it is the bucket's own host name, or one
//! bound to it, asked by nobody who signs; a missing folder's page and the rules for what is missing serve
//! those who sign too.

use base::{ApiError, Code};
use engine::Caller;
use engine::server::refusal::MARK;
use engine::server::{Body, full};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Response, StatusCode};
use wire::Head;
use wire::object::{Dialect, error};

use super::call::{Asked, Call};
use super::respond::{Frame, empty, put};
use super::route::Query;
use super::{Answer, Storage};
use crate::config::website::{Folders, Rule, Website};
use crate::model::RequestCtx;

/// The header by which an object sends visitors of a website elsewhere.
pub(super) const REDIRECT: &str = "x-amz-website-redirect-location";

static INVALID_REDIRECT: Code = Code::new(
    "InvalidRedirectLocation",
    400,
    "The website redirect location must begin with '/', 'http://' or 'https://'.",
);

/// Checks where an object sends visitors.
///
/// Errors: `InvalidRedirectLocation`.
pub(super) fn check_redirect(location: &str) -> Result<(), ApiError> {
    let begins = |start: &&str| location.starts_with(*start);
    if ["/", "http://", "https://"].iter().any(begins) && location.len() <= 2048 {
        return Ok(());
    }
    Err(ApiError::new(&INVALID_REDIRECT))
}

impl Storage {
    /// Answers on a website's host name. Never fails: a refusal is a page too.
    pub(super) async fn website(&self, head: &Head<'_>, frame: &Frame<'_>, asked: Asked) -> Answer {
        let ctx = RequestCtx { caller: Caller::anonymous(), request: frame.request.clone() };
        // Nobody looks at it here, and so nothing may be let by because it is there.
        let mut headers = head.headers.clone();
        headers.remove(AUTHORIZATION);
        let call = Call {
            head: Head { headers: &headers, ..*head },
            dialect: Dialect::S3,
            query: Query::default(),
            bucket: asked.bucket,
            key: asked.key,
            hosted: true,
            ctx,
        };
        let answer = match head.method {
            "GET" | "HEAD" => self.site(&call).await,
            _ => Err(ApiError::new(&error::METHOD_NOT_ALLOWED).field("Method", head.method)),
        };
        answer.or_else(|refused| {
            if refused.status() >= 500 {
                return Err(refused);
            }
            Ok(page_of(&call, &refused))
        })
    }

    async fn site(&self, call: &Call<'_>) -> Answer {
        let website = match self.oss.acting_config::<Website>(&call.bucket).await? {
            Some(website) => website,
            None => return Err(self.without_site(call).await?),
        };
        if let Some(all) = &website.all {
            let host = all.name.as_deref().unwrap_or_default();
            let protocol = all.protocol.as_deref().unwrap_or_else(|| protocol(call));
            let to = format!("{protocol}://{host}{}", with_query(call, true, call.head.path));
            return Ok(elsewhere(StatusCode::MOVED_PERMANENTLY, &to));
        }
        if let Some(rule) = website.rule(&call.key, None, |name| call.head.header(name)) {
            return Ok(redirected(call, rule));
        }
        let suffix = website.index.as_ref().map_or("", |index| index.suffix.as_str());
        let is_folder = call.key.is_empty() || call.key.ends_with('/');
        let key = if is_folder { format!("{}{suffix}", call.key) } else { call.key.clone() };
        let refused = match self.page(call, &key).await {
            Ok(response) => return Ok(sent_elsewhere(response)),
            Err(refused) => refused,
        };
        if !is_folder && refused.status() < 500 {
            let of_folder = format!("{}/{suffix}", call.key);
            if self.page(call, &of_folder).await.is_ok() {
                let to = format!("{}/", call.head.path);
                return Ok(elsewhere(StatusCode::FOUND, &to));
            }
        }
        let rule = website.rule(&call.key, Some(refused.status()), |name| call.head.header(name));
        match rule {
            Some(rule) if rule.redirect.mirror().is_none() => Ok(redirected(call, rule)),
            Some(rule) => self.mirrored(call, (&website, rule), refused).await,
            None => self.error_page(call, &website, refused).await,
        }
    }

    /// What a mirror answers; where it does not have it either, what would be answered without it.
    async fn mirrored(
        &self,
        call: &Call<'_>,
        (website, rule): (&Website, &Rule),
        refused: ApiError,
    ) -> Answer {
        let fetched = match rule.redirect.mirror() {
            Some(mirror) if refused.is(&error::NO_SUCH_KEY) => {
                self.fetched(call, rule, mirror).await?
            }
            _ => None,
        };
        match fetched {
            Some(response) => Ok(response),
            None if is_visitor(call) || !call.is_oss() => {
                self.error_page(call, website, refused).await
            }
            None => Err(refused),
        }
    }

    /// Why there is no website: no such bucket, or none was set.
    async fn without_site(&self, call: &Call<'_>) -> Result<ApiError, ApiError> {
        let name = call.bucket.clone();
        let find = move |tx: &mut store::Tx<'_>| crate::tables::bucket::find(tx, &name);
        let code = match self.oss.cloud().db.read(find).await? {
            Some(_) => &error::NO_SUCH_WEBSITE,
            None => &error::NO_SUCH_BUCKET,
        };
        Ok(ApiError::new(code).field("BucketName", call.bucket.as_str()))
    }

    /// Another object of the bucket in the place of the one that was asked for.
    async fn page(&self, call: &Call<'_>, key: &str) -> Answer {
        let call = Call {
            head: call.head,
            dialect: call.dialect,
            query: Query::default(),
            bucket: call.bucket.clone(),
            key: key.to_owned(),
            hosted: call.hosted,
            ctx: call.ctx.clone(),
        };
        self.check_referer(&call).await?;
        match call.head.method {
            "HEAD" => self.head_object(&call).await,
            _ => self.get_object(&call).await,
        }
    }

    /// The page that stands for what is not there, with the status of the refusal or the website's own.
    async fn error_page(&self, call: &Call<'_>, website: &Website, refused: ApiError) -> Answer {
        let Some(page) = &website.error else { return Err(refused) };
        let Ok(mut response) = self.page(call, &page.key).await else { return Err(refused) };
        let status = page.status.unwrap_or_else(|| refused.status());
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND);
        if call.head.method == "HEAD" {
            put(response.headers_mut(), MARK, "1");
        }
        Ok(response)
    }

    /// OSS: an object, or what the bucket's website has instead.
    pub(super) async fn object_or_page(&self, call: &Call<'_>) -> Answer {
        let visitor = is_visitor(call);
        if visitor && call.query.is_empty() {
            let website = self.oss.acting_config::<Website>(&call.bucket).await?;
            let header = |name: &str| call.head.header(name);
            let rule = website.as_ref().and_then(|site| site.rule(&call.key, None, header));
            if let Some(rule) = rule {
                return self.ruled(call, rule).await;
            }
        }
        let found = match call.head.method {
            "HEAD" => self.head_object(call).await,
            _ => self.get_object(call).await,
        };
        match found {
            Ok(response) if visitor => Ok(sent_elsewhere(response)),
            Err(refused) if matches!(refused.status(), 403 | 404) && call.is_oss() => {
                self.page_instead(call, refused).await
            }
            done => done,
        }
    }

    async fn page_instead(&self, call: &Call<'_>, refused: ApiError) -> Answer {
        if call.query.has("versionId") {
            return Err(refused);
        }
        let Some(website) = self.oss.acting_config::<Website>(&call.bucket).await? else {
            return Err(refused);
        };
        if let Some(response) = self.folder(call, &website).await {
            return Ok(response);
        }
        let header = |name: &str| call.head.header(name);
        match website.rule(&call.key, Some(refused.status()), header) {
            Some(rule) if rule.redirect.mirror().is_some() => {
                self.mirrored(call, (&website, rule), refused).await
            }
            Some(rule) => self.ruled(call, rule).await,
            None if is_visitor(call) => self.error_page(call, &website, refused).await,
            None => Err(refused),
        }
    }

    /// What a key that is a folder's is answered, with or without its slash.
    async fn folder(&self, call: &Call<'_>, website: &Website) -> Option<Response<Body>> {
        let index = website.index.as_ref()?;
        let (key, suffix) = (&call.key, &index.suffix);
        match (key.ends_with('/') || key.is_empty(), index.folders) {
            (true, None) => self.page(call, suffix).await.ok(),
            (true, Some(_)) => self.page(call, &format!("{key}{suffix}")).await.ok(),
            (false, None | Some(Folders::Missing)) => None,
            (false, Some(folders)) => {
                let page = self.page(call, &format!("{key}/{suffix}")).await.ok()?;
                Some(match folders {
                    Folders::Redirect => {
                        elsewhere(StatusCode::FOUND, &format!("{}/", call.head.path))
                    }
                    Folders::Page | Folders::Missing => page,
                })
            }
        }
    }

    /// What a rule answers.
    async fn ruled(&self, call: &Call<'_>, rule: &Rule) -> Answer {
        if rule.redirect.is_internal() {
            return self.page(call, &rule.key_instead(&call.key)).await;
        }
        Ok(redirected(call, rule))
    }

    /// OSS: the objects of a bucket, or to a visitor of its host the page of its website.
    pub(super) async fn list_or_page(&self, call: &Call<'_>) -> Answer {
        if is_visitor(call) && call.query.is_empty() {
            let website = self.oss.acting_config::<Website>(&call.bucket).await?;
            let Some(website) = website.filter(|site| site.index.is_some()) else {
                return self.list_objects(call).await;
            };
            if let Some(response) = self.folder(call, &website).await {
                return Ok(response);
            }
            let missing = ApiError::new(&error::NO_SUCH_KEY);
            return self.error_page(call, &website, missing).await;
        }
        self.list_objects(call).await
    }
}

/// OSS: whether somebody looks at a bucket as at a website.
fn is_visitor(call: &Call<'_>) -> bool {
    call.is_oss() && call.hosted && call.ctx.caller.is_anonymous()
}

/// The answer that an object's own redirect is.
fn sent_elsewhere(response: Response<Body>) -> Response<Body> {
    let to = response.headers().get(REDIRECT).and_then(|to| to.to_str().ok()).map(str::to_owned);
    match to {
        Some(to) => elsewhere(StatusCode::MOVED_PERMANENTLY, &to),
        None => response,
    }
}

fn elsewhere(status: StatusCode, to: &str) -> Response<Body> {
    let mut response = empty(status);
    put(response.headers_mut(), LOCATION.as_str(), to);
    response
}

const fn protocol(call: &Call<'_>) -> &'static str {
    if call.ctx.request.secure { "https" } else { "http" }
}

fn with_query(call: &Call<'_>, passes: bool, path: &str) -> String {
    match (passes, call.head.query) {
        (true, query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}

/// Where a rule sends a request.
fn redirected(call: &Call<'_>, rule: &Rule) -> Response<Body> {
    let redirect = &rule.redirect;
    let host = redirect.host.name.as_deref().unwrap_or(&call.ctx.request.host);
    let protocol = redirect.host.protocol.as_deref().unwrap_or_else(|| protocol(call));
    let key = base::text::percent_encode_keeping(rule.key_instead(&call.key), b"/");
    let path = with_query(call, redirect.query == Some(true), &format!("/{key}"));
    let usual = if call.is_oss() { 302 } else { 301 };
    let status = StatusCode::from_u16(redirect.code.unwrap_or(usual)).unwrap_or(StatusCode::FOUND);
    elsewhere(status, &format!("{protocol}://{host}{path}"))
}

/// A refusal as a page for people.
fn page_of(call: &Call<'_>, refused: &ApiError) -> Response<Body> {
    let (code, status) = error::words(Dialect::S3, refused);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let is_head = call.head.method == "HEAD";
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let text = refused.text().replace('&', "&amp;").replace('<', "&lt;");
    let page = format!(
        "<!doctype html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1><ul><li>Code: {code}</li>\
         <li>Message: {text}</li><li>RequestId: {}</li></ul></body></html>\n",
        call.ctx.id().short()
    );
    let mut response = if is_head { empty(status) } else { Response::new(full(page)) };
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    put(headers, "x-amz-error-code", &code);
    if is_head {
        put(headers, MARK, "1");
    }
    response
}
