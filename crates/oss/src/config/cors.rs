//! CORS: which pages of other origins may read and write a bucket in a browser.

use base::ApiError;
use serde::{Deserialize, Serialize};
use wire::object::Dialect;
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::xml::{self, Element};

use super::{Config, flag, invalid, malformed, root, word, words};
use crate::ops::Document;

const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];
const ID_CHARS_MAX: usize = 255;
const SECONDS_MAX: u32 = 999_999_999;

/// The rules of a bucket; the first that fits a request speaks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cors {
    pub(crate) rules: Vec<Rule>,
    /// OSS: answers say `Vary: Origin` whether they were asked from another origin or not.
    #[serde(default)]
    pub(crate) vary: bool,
}

/// What pages of some origins may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) id: Option<String>,
    pub(crate) origins: Vec<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) exposed: Vec<String>,
    pub(crate) seconds: Option<u32>,
}

impl Cors {
    /// The rule for a request of that origin and method, and with those headers beyond the ones that
    /// every page may send.
    pub(crate) fn rule(&self, origin: &str, method: &str, headers: &[&str]) -> Option<&Rule> {
        self.rules.iter().find(|rule| {
            rule.origins.iter().any(|pattern| fits(pattern, origin))
                && rule.methods.iter().any(|known| known == method)
                && headers.iter().all(|header| rule.allows_header(header))
        })
    }
}

impl Rule {
    fn allows_header(&self, header: &str) -> bool {
        let header = header.to_ascii_lowercase();
        self.headers.iter().any(|pattern| fits(&pattern.to_ascii_lowercase(), &header))
    }

    /// True where that origin fits only because any does, so that the answer is the same for all.
    pub(crate) fn is_for_all(&self, origin: &str) -> bool {
        self.origins.iter().find(|pattern| fits(pattern, origin)).is_some_and(|first| first == "*")
    }
}

/// Whether a text is what a pattern with at most one `*` says.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            text.len() >= head.len() + tail.len() && text.starts_with(head) && text.ends_with(tail)
        }
    }
}

impl Config for Cors {
    const DOCUMENT: Document = Document::Cors;

    /// Errors: `MalformedXML`; for values that are not allowed `InvalidArgument` in OSS and
    /// `InvalidRequest` in S3.
    fn parse(body: &[u8], dialect: Dialect) -> Result<Self, ApiError> {
        let rules_max = match dialect {
            Dialect::Oss => 10,
            Dialect::S3 => 100,
        };
        let element = xml::read(body, "CORSConfiguration", SMALL_BYTES_MAX)?;
        let rules = element.all("CORSRule").map(|element| rule(element, dialect));
        let rules: Vec<Rule> = rules.collect::<Result<_, _>>()?;
        if rules.is_empty() || rules.len() > rules_max {
            return Err(malformed(format!("There must be 1 to {rules_max} rules.")));
        }
        Ok(Self { rules, vary: flag(&element, "ResponseVary")?.unwrap_or(false) })
    }

    fn render(&self, dialect: Dialect) -> Vec<u8> {
        let mut xml = root("CORSConfiguration", dialect);
        for rule in &self.rules {
            xml.open("CORSRule").text_opt("ID", rule.id.as_deref());
            let lists = [
                ("AllowedOrigin", &rule.origins),
                ("AllowedMethod", &rule.methods),
                ("AllowedHeader", &rule.headers),
                ("ExposeHeader", &rule.exposed),
            ];
            for (name, values) in lists {
                for value in values {
                    xml.text(name, value);
                }
            }
            if let Some(seconds) = rule.seconds {
                xml.value("MaxAgeSeconds", seconds);
            }
            xml.close();
        }
        if dialect == Dialect::Oss {
            xml.value("ResponseVary", self.vary);
        }
        xml.finish()
    }
}

/// The most origins and headers of one rule together.
const WORDS_MAX: usize = 300;

fn rule(element: &Element<'_>, dialect: Dialect) -> Result<Rule, ApiError> {
    let seconds = element.word_of("MaxAgeSeconds").map(|text| {
        let number = text.parse::<u32>().ok().filter(|seconds| *seconds <= SECONDS_MAX);
        number.ok_or_else(|| match dialect {
            Dialect::Oss => invalid(dialect, "The MaxAgeSeconds is not valid.")
                .field("ArgumentName", "MaxAgeSeconds")
                .field("ArgumentValue", text),
            Dialect::S3 => malformed("The element MaxAgeSeconds is not a valid number."),
        })
    });
    let rule = Rule {
        id: word(element, "ID")?,
        origins: words(element, "AllowedOrigin")?,
        methods: words(element, "AllowedMethod")?,
        headers: headers(element, dialect)?,
        exposed: words(element, "ExposeHeader")?,
        seconds: seconds.transpose()?,
    };
    if rule.origins.is_empty() || rule.methods.is_empty() {
        return Err(malformed("A rule must have an AllowedOrigin and an AllowedMethod."));
    }
    if rule.origins.len() + rule.headers.len() + rule.exposed.len() > WORDS_MAX {
        return Err(invalid(dialect, format!("A rule has more than {WORDS_MAX} words.")));
    }
    if rule.id.as_ref().is_some_and(|id| id.chars().count() > ID_CHARS_MAX) {
        return Err(invalid(dialect, format!("An ID is longer than {ID_CHARS_MAX} characters.")));
    }
    if let Some(method) = rule.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
        return Err(invalid(dialect, format!("The method {method} is not supported.")));
    }
    let patterns = rule.origins.iter().chain(&rule.headers);
    if let Some(pattern) = patterns.into_iter().find(|text| text.matches('*').count() > 1) {
        return Err(invalid(dialect, format!("There is more than one wildcard in {pattern}.")));
    }
    if let Some(header) = rule.exposed.iter().find(|header| header.contains('*')) {
        return Err(invalid(dialect, format!("There is a wildcard in the ExposeHeader {header}.")));
    }
    Ok(rule)
}

/// The headers that may be sent, whose case does not matter: OSS tells them in lower case.
fn headers(element: &Element<'_>, dialect: Dialect) -> Result<Vec<String>, ApiError> {
    let mut headers = words(element, "AllowedHeader")?;
    if dialect == Dialect::Oss {
        headers.iter_mut().for_each(|header| header.make_ascii_lowercase());
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
