//! Which page an address names. Everything else has no page.

use base::text::{percent_decode, percent_encode};

use crate::words::Lang;

/// A page for people, in one of the languages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as the pages are")]
pub enum Page {
    Home,
    Agreements,
    Agreement { ocid: String, release: Option<String> },
    Places,
    Tenants,
    Tenant(String),
    Access,
    Refusals,
    Checkpoints,
    Verify,
    Entry(u64),
}

/// A list for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as the files are")]
pub enum Csv {
    Places,
    Refusals,
    Agreements,
}

/// What an address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// A page.
    Page(Lang, Page),
    /// A list as CSV.
    Csv(Csv),
    /// A public document by its SHA-256.
    Document(String),
    /// The release package of the Open Contracting Data Standard around a release.
    Package(String),
    /// A file of the published description of agreements.
    Extension(String),
    /// A file of the log, below its prefix.
    Log(String),
    /// The proof that an entry is in the log.
    Proof(u64),
    /// A file that the pages load.
    Asset(String),
}

impl Route {
    /// Reads the path of an address.
    pub fn parse(path: &str) -> Option<Self> {
        if let Some(file) = path.strip_prefix("/log/") {
            return Some(Self::Log(file.to_owned()));
        }
        if let Some(file) = path.strip_prefix("/assets/") {
            return Some(Self::Asset(file.to_owned()));
        }
        if let Some(file) = path.strip_prefix("/agreement/") {
            return Some(Self::Extension(file.to_owned()));
        }
        if let Some(name) = path.strip_prefix("/documents/") {
            if let Some(digest) = name.strip_suffix("/package.json") {
                return Some(Self::Package(digest.to_owned()));
            }
            let bare = name.strip_suffix(".json").or_else(|| name.strip_suffix(".txt"));
            return Some(Self::Document(bare.unwrap_or(name).to_owned()));
        }
        let proof = path.strip_prefix("/entries/").and_then(|it| it.strip_suffix(".tlog-proof"));
        if let Some(number) = proof {
            return number_of(number).map(Self::Proof);
        }
        match path {
            "/places.csv" => return Some(Self::Csv(Csv::Places)),
            "/refusals.csv" => return Some(Self::Csv(Csv::Refusals)),
            "/agreements.csv" => return Some(Self::Csv(Csv::Agreements)),
            _ => {}
        }
        let (lang, rest) = language(path);
        Some(Self::Page(lang, Page::parse(rest)?))
    }
}

/// The language of an address, and the Indonesian address of the same page.
pub fn language(path: &str) -> (Lang, &str) {
    match path.strip_prefix("/en") {
        Some("") => (Lang::En, "/"),
        Some(rest) if rest.starts_with('/') => (Lang::En, rest),
        _ => (Lang::Id, path),
    }
}

impl Page {
    fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
        let decode = |text: &str| String::from_utf8(percent_decode(text, false)).ok();
        Some(match segments.as_slice() {
            [""] => Self::Home,
            ["agreements"] => Self::Agreements,
            ["agreements", ocid] => Self::Agreement { ocid: decode(ocid)?, release: None },
            ["agreements", ocid, release] => {
                Self::Agreement { ocid: decode(ocid)?, release: Some(decode(release)?) }
            }
            ["places"] => Self::Places,
            ["tenants"] => Self::Tenants,
            ["tenants", account] => Self::Tenant(decode(account)?),
            ["access"] => Self::Access,
            ["refusals"] => Self::Refusals,
            ["checkpoints"] => Self::Checkpoints,
            ["verify"] => Self::Verify,
            ["entries", number] => Self::Entry(number_of(number)?),
            _ => return None,
        })
    }

    /// The page's Indonesian address.
    pub fn path(&self) -> String {
        match self {
            Self::Home => "/".to_owned(),
            Self::Agreements => "/agreements".to_owned(),
            Self::Agreement { ocid, release: None } => {
                format!("/agreements/{}", percent_encode(ocid))
            }
            Self::Agreement { ocid, release: Some(release) } => {
                format!("/agreements/{}/{}", percent_encode(ocid), percent_encode(release))
            }
            Self::Places => "/places".to_owned(),
            Self::Tenants => "/tenants".to_owned(),
            Self::Tenant(account) => format!("/tenants/{}", percent_encode(account)),
            Self::Access => "/access".to_owned(),
            Self::Refusals => "/refusals".to_owned(),
            Self::Checkpoints => "/checkpoints".to_owned(),
            Self::Verify => "/verify".to_owned(),
            Self::Entry(number) => format!("/entries/{number}"),
        }
    }
}

/// A decimal number in its one spelling.
fn number_of(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// The number of the part of a long list that a query asks for, from 1.
pub fn part(query: &str) -> usize {
    let number = query.split('&').find_map(|pair| pair.strip_prefix("page="));
    number.and_then(|number| number.parse().ok()).filter(|number| *number > 0).unwrap_or(1)
}

#[cfg(test)]
mod tests;
