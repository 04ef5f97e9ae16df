//! What an address gives: pages, files, and the refusals of both, with the same headers on everything.
//!
//! Nothing here writes, remembers a visitor or asks anything but the [`Source`]. Blocking: the door
//! ([`crate::door`]) calls it off the event loop.

use std::sync::{Arc, LazyLock};

use base::Clock;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use maud::Markup;
use terms::{Release, canonical, extension};
use tlog::files::CHECKPOINT;

use crate::csv;
use crate::documents::{self, Documents};
use crate::follow::Shared;
use crate::page::{self, Cx};
use crate::route::{self, Csv, Page, Route};
use crate::source::{About, Source};
use crate::words::Lang;

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Nothing is loaded from elsewhere, nothing is sent anywhere (not even by the page that verifies
/// receipts: there is no `connect-src` and no `form-action`), nobody may frame a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the log's bytes are good for ever: a tile's name fixes its bytes, a digest its document.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// What follows the log: good for a few seconds, then asked for again by its tag.
const BRIEF: &str = "public, max-age=5";
/// What must be today's.
const NOW: &str = "no-cache";

/// A file that pages load, embedded in the program.
struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

static ASSETS: [Asset; 3] = [
    Asset {
        name: "style.css",
        kind: "text/css; charset=utf-8",
        content: include_str!("../assets/style.css"),
    },
    Asset {
        name: "verify.js",
        kind: "text/javascript; charset=utf-8",
        content: include_str!("../assets/verify.js"),
    },
    Asset { name: "icon.svg", kind: "image/svg+xml", content: include_str!("../assets/icon.svg") },
];

/// The version of all assets together; in their addresses, so that they can be kept for ever.
pub static EDITION: LazyLock<String> = LazyLock::new(|| {
    let all: String = ASSETS.iter().map(|asset| asset.content).collect();
    canonical::sha256(all.as_bytes())[..12].to_owned()
});

/// Everything that pages are made of.
pub struct Site {
    source: Arc<dyn Source>,
    about: About,
    shared: Arc<Shared>,
    documents: Documents,
    clock: Arc<dyn Clock>,
}

/// An answer before its headers.
struct Answer {
    status: StatusCode,
    kind: &'static str,
    fresh: &'static str,
    body: Vec<u8>,
}

impl Answer {
    fn page(status: StatusCode, page: Markup) -> Self {
        Self { status, kind: HTML, fresh: BRIEF, body: page.into_string().into_bytes() }
    }

    fn file(kind: &'static str, fresh: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status: StatusCode::OK, kind, fresh, body: body.into() }
    }
}

impl Site {
    /// Pages over this source, from what a reader of the log shares.
    pub fn new(
        source: Arc<dyn Source>,
        about: About,
        shared: Arc<Shared>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { source, about, shared, documents: Documents::default(), clock }
    }

    /// Answers a request, of which only method, address and the tag of what the client has matter.
    pub fn answer(
        &self,
        method: &Method,
        uri: &http::Uri,
        headers: &HeaderMap,
    ) -> Response<Vec<u8>> {
        let (lang, _) = route::language(uri.path());
        if method != Method::GET && method != Method::HEAD {
            let page = page::message::wrong_method(&self.cx(lang, "/", 1));
            let mut response = finish(Answer::page(StatusCode::METHOD_NOT_ALLOWED, page), None);
            let allow = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(header::ALLOW, allow);
            return response;
        }
        let found = Route::parse(uri.path())
            .and_then(|route| self.find(&route, uri.query().unwrap_or_default()));
        let answer = found.unwrap_or_else(|| {
            let page = page::message::not_found(&self.cx(lang, "/", 1));
            Answer::page(StatusCode::NOT_FOUND, page)
        });
        finish(answer, headers.get(header::IF_NONE_MATCH))
    }

    fn cx<'a>(&'a self, l: Lang, path: &'a str, part: usize) -> Cx<'a> {
        Cx {
            l,
            path,
            part,
            view: self.shared.view(),
            progress: self.shared.progress(),
            about: &self.about,
            now: self.clock.now(),
            source: &*self.source,
            documents: &self.documents,
        }
    }

    fn find(&self, route: &Route, query: &str) -> Option<Answer> {
        match route {
            Route::Page(lang, page) => {
                let path = page.path();
                let cx = self.cx(*lang, &path, route::part(query));
                Some(Answer::page(StatusCode::OK, show(&cx, page)?))
            }
            Route::Csv(list) => Some(self.csv(*list)),
            Route::Document(digest) => self.document(digest),
            Route::Package(digest) => {
                let bytes = documents::fetch(&*self.source, digest).ok()?;
                let package = Release::parse(&bytes).ok()?.package().to_string();
                Some(Answer::file(JSON, FOREVER, package))
            }
            Route::Extension(file) => extension_file(file),
            Route::Log(path) => self.log(path),
            Route::Proof(index) => {
                let proof = page::entry::proof(&self.cx(Lang::Id, "/", 1), *index)?;
                Some(Answer::file(TEXT, BRIEF, proof))
            }
            Route::Asset(name) => {
                let asset = ASSETS.iter().find(|asset| asset.name == name)?;
                let current = query == format!("v={}", *EDITION);
                Some(Answer::file(asset.kind, if current { FOREVER } else { BRIEF }, asset.content))
            }
        }
    }

    fn csv(&self, list: Csv) -> Answer {
        let view = self.shared.view();
        let model = &view.model;
        let text = match list {
            Csv::Places => csv::places(model, self.clock.now()),
            Csv::Refusals => csv::refusals(model),
            Csv::Agreements => csv::agreements(
                model,
                &self.documents,
                &*self.source,
                (self.about.operator, self.clock.now()),
            ),
        };
        Answer::file("text/csv; charset=utf-8; header=present", BRIEF, text)
    }

    fn document(&self, digest: &str) -> Option<Answer> {
        let bytes = documents::fetch(&*self.source, digest).ok()?;
        let kind = if bytes.starts_with(b"{") { JSON } else { TEXT };
        Some(Answer::file(kind, FOREVER, bytes))
    }

    fn log(&self, path: &str) -> Option<Answer> {
        let bytes = self.source.fetch(path).inspect_err(|error| {
            tracing::error!(%error, path, "read a file of the log");
        });
        let bytes = bytes.ok().flatten()?;
        Some(match path {
            CHECKPOINT => Answer::file(TEXT, NOW, bytes),
            _ => Answer::file("application/octet-stream", FOREVER, bytes),
        })
    }
}

fn extension_file(file: &str) -> Option<Answer> {
    let (kind, content) = match file {
        "extension.json" => (JSON, extension::METADATA),
        "release-schema.json" => (JSON, extension::RELEASE_SCHEMA),
        "schema.json" => (JSON, extension::SCHEMA),
        "README.md" => ("text/markdown; charset=utf-8", extension::README),
        _ => return None,
    };
    Some(Answer::file(kind, BRIEF, content))
}

fn show(cx: &Cx<'_>, page: &Page) -> Option<Markup> {
    Some(match page {
        Page::Home => page::home::show(cx),
        Page::Agreements => page::agreements::show(cx),
        Page::Agreement { ocid, release } => page::agreement::show(cx, ocid, release.as_deref())?,
        Page::Places => page::places::show(cx),
        Page::Tenants => page::tenants::list(cx),
        Page::Tenant(account) => page::tenants::show(cx, account)?,
        Page::Access => page::access::show(cx),
        Page::Refusals => page::refusals::show(cx),
        Page::Checkpoints => page::checkpoints::show(cx),
        Page::Verify => page::verify::show(cx),
        Page::Entry(index) => page::entry::show(cx, *index)?,
    })
}

/// The headers that everything has; or just those, where the client has these bytes already.
fn finish(answer: Answer, known: Option<&HeaderValue>) -> Response<Vec<u8>> {
    let tag = format!("\"{}\"", &canonical::sha256(&answer.body)[..32]);
    let same = known.and_then(|known| known.to_str().ok()).is_some_and(|known| {
        known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag || one.trim() == "*")
    });
    let unchanged = same && answer.status == StatusCode::OK;
    let mut response = Response::new(if unchanged { Vec::new() } else { answer.body });
    *response.status_mut() = if unchanged { StatusCode::NOT_MODIFIED } else { answer.status };
    let headers = response.headers_mut();
    let mut set = |name, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_TYPE, answer.kind);
    set(header::CACHE_CONTROL, answer.fresh);
    guard(headers);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

fn guard(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Public data: other sites may read it with a script.
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}
