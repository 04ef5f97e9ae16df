//! Referer protection (OSS): from which pages the objects of a bucket may be fetched or embedded by
//! those who do not sign in a header.

use base::ApiError;
use policy::matcher::glob;
use serde::{Deserialize, Serialize};
use wire::object::Dialect;
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::xml::{self, Element, Writer};

use super::{Config, flag, malformed, root, words};
use crate::ops::Document;

/// The most patterns of both lists together, and their most bytes.
const PATTERNS_MAX: usize = 1000;
const PATTERNS_BYTES_MAX: usize = 20 << 10;
/// The longest address of a page that is compared with them.
const PAGE_BYTES_MAX: usize = 2048;

/// What a bucket asks of the `Referer` header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Referer {
    /// Whether a request without the header may.
    pub(crate) allow_empty: bool,
    /// Whether the header is compared without its query.
    pub(crate) truncate_query: bool,
    /// Whether it is compared without its path and query.
    #[serde(default)]
    pub(crate) truncate_path: bool,
    /// Who may; everybody where it is empty.
    pub(crate) allowed: Vec<String>,
    /// Who may not, whatever the other list says.
    pub(crate) denied: Vec<String>,
}

impl Referer {
    /// Whether a request with that header, or with none, may.
    pub(crate) fn allows(&self, referer: Option<&str>) -> bool {
        let Some(referer) = referer.filter(|referer| !referer.is_empty()) else {
            return self.allow_empty || (self.allowed.is_empty() && self.denied.is_empty());
        };
        let page = if self.truncate_path {
            without_path(referer)
        } else if self.truncate_query {
            referer.split_once('?').map_or(referer, |(page, _)| page)
        } else {
            referer
        };
        // No page that a list names has so long an address, and to compare it takes long.
        if page.len() > PAGE_BYTES_MAX {
            return self.allowed.is_empty() && self.denied.is_empty();
        }
        let is_in = |list: &[String]| list.iter().any(|pattern| fits(pattern, page));
        !is_in(&self.denied) && (self.allowed.is_empty() || is_in(&self.allowed))
    }
}

/// Scheme, host and port of a page.
fn without_path(page: &str) -> &str {
    let host = page.find("://").map_or(0, |at| at + 3);
    let end = page[host..].find(['/', '?', '#']).map_or(page.len(), |at| host + at);
    &page[..end]
}

/// Whether a text is what a pattern says, in which `*` is any text and `?` any one character. Both are
/// compared without regard to case.
fn fits(pattern: &str, text: &str) -> bool {
    glob(&pattern.to_lowercase(), &text.to_lowercase(), false)
}

impl Config for Referer {
    const DOCUMENT: Document = Document::Referer;

    /// Errors: `MalformedXML`.
    fn parse(body: &[u8], _: Dialect) -> Result<Self, ApiError> {
        let element = xml::read(body, "RefererConfiguration", SMALL_BYTES_MAX)?;
        let allow_empty = flag(&element, "AllowEmptyReferer")?
            .ok_or_else(|| malformed("The element AllowEmptyReferer is missing."))?;
        let referer = Self {
            allow_empty,
            truncate_query: flag(&element, "AllowTruncateQueryString")?.unwrap_or(true),
            truncate_path: flag(&element, "TruncatePath")?.unwrap_or(false),
            allowed: list(&element, "RefererList")?,
            denied: list(&element, "RefererBlacklist")?,
        };
        let patterns = || referer.allowed.iter().chain(&referer.denied);
        if patterns().map(String::len).sum::<usize>() > PATTERNS_BYTES_MAX {
            return Err(malformed("The referers are too long."));
        }
        if patterns().count() > PATTERNS_MAX {
            return Err(malformed(format!("There are more than {PATTERNS_MAX} referers.")));
        }
        Ok(referer)
    }

    fn render(&self, dialect: Dialect) -> Vec<u8> {
        let mut xml = root("RefererConfiguration", dialect);
        xml.value("AllowEmptyReferer", self.allow_empty);
        xml.value("AllowTruncateQueryString", self.truncate_query);
        xml.value("TruncatePath", self.truncate_path);
        push(&mut xml, "RefererList", &self.allowed);
        if !self.denied.is_empty() {
            push(&mut xml, "RefererBlacklist", &self.denied);
        }
        xml.finish()
    }
}

/// An empty pattern, as some clients send it for an empty list, is none.
fn list(element: &Element<'_>, name: &str) -> Result<Vec<String>, ApiError> {
    let Some(mut list) = element.child(name).cloned() else { return Ok(Vec::new()) };
    list.children.retain(|child| !child.text.trim().is_empty());
    words(&list, "Referer")
}

fn push(xml: &mut Writer, name: &'static str, patterns: &[String]) {
    xml.open(name);
    for pattern in patterns {
        xml.text("Referer", pattern);
    }
    xml.close();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn referer(allow_empty: bool, allowed: &[&str], denied: &[&str]) -> Referer {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Referer {
            allow_empty,
            truncate_query: true,
            truncate_path: false,
            allowed: owned(allowed),
            denied: owned(denied),
        }
    }

    #[test]
    fn wildcards_stand_for_texts_and_characters() {
        for (pattern, text, expect) in [
            ("http://www.example.com", "http://www.example.com", true),
            ("http://www.example.com", "http://WWW.example.com", true),
            ("http://www.example.com", "http://www.example.com/", false),
            ("http://*.example.com/*", "http://a.b.example.com/x", true),
            ("http://www?.example.com", "http://www1.example.com", true),
            ("http://www?.example.com", "http://www.example.com", false),
            ("*a*b", "xaxbxb", true),
            ("*a*b", "xbxa", false),
            ("*", "", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, text), expect, "{pattern} {text}");
        }
    }

    #[test]
    fn a_page_is_compared_as_short_as_was_asked() {
        let mut hosts = referer(false, &["http://a.example"], &[]);
        assert!(!hosts.allows(Some("http://a.example/x?y")));
        hosts.truncate_path = true;
        for page in ["http://a.example/x?y", "http://a.example?y", "http://a.example"] {
            assert!(hosts.allows(Some(page)), "{page}");
        }
        assert!(!hosts.allows(Some("http://a.example.evil/")));
    }

    #[test]
    fn the_lists_say_which_pages_may() {
        let (a, b) = ("http://a.example/?q", "http://b.example/");
        let only_a = referer(false, &["http://a.example/"], &[]);
        let not_a = referer(true, &[], &["http://a.example/"]);
        let both = referer(false, &["*"], &["http://b.*"]);
        let none = referer(false, &[], &[]);
        for (config, page, expect) in [
            (&only_a, Some(a), true),
            (&only_a, Some(b), false),
            (&only_a, None, false),
            (&only_a, Some(""), false),
            (&not_a, Some(a), false),
            (&not_a, Some(b), true),
            (&not_a, None, true),
            (&both, Some(a), true),
            (&both, Some(b), false),
            (&none, None, true),
        ] {
            assert_eq!(config.allows(page), expect, "{config:?} {page:?}");
        }
        let whole = Referer { truncate_query: false, ..only_a };
        assert!(!whole.allows(Some(a)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Referer::parse(&bytes, Dialect::Oss);
        }

        #[test]
        fn any_pattern_is_compared_with_any_text(pattern in "[a*?é]{0,12}", text in "\\PC{0,20}") {
            let _ = fits(&pattern, &text);
            prop_assert!(fits(&"?".repeat(text.to_lowercase().chars().count()), &text));
        }

        #[test]
        fn what_is_told_is_read_the_same(
            allow_empty: bool,
            truncate_query: bool,
            truncate_path: bool,
            allowed in prop::collection::vec("[!-~é]{1,9}", 0..4),
            denied in prop::collection::vec("[!-~é]{1,9}", 0..4),
        ) {
            let referer = Referer { allow_empty, truncate_query, truncate_path, allowed, denied };
            let told = referer.render(Dialect::Oss);
            prop_assert_eq!(Referer::parse(&told, Dialect::Oss).unwrap(), referer);
        }
    }
}
