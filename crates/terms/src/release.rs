//! A release of the Open Contracting Data Standard 1.1.5 that holds an agreement's clauses.
//!
//! A release is one immutable step: the agreement, an amendment, or its end. It is written by
//! [`Release::build`] and read by [`Release::parse`], which check the same things; its name is the
//! SHA-256 of its canonical bytes. How it is published, signed and enforced is not known here.

use std::sync::Arc;

use base::Time;
use serde_json::{Value, json};

use crate::clauses::{Terms, Text};
use crate::{InForce, canonical, extension, redact};

mod check;
mod ocds;
mod write;

/// The longest document that is read, bytes. A leaf of the log names it by digest, so this bounds only
/// what a caller may make the cloud keep for ever.
pub const DOCUMENT_BYTES_MAX: usize = 60_000;

/// Why a document is not a release with an agreement.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Longer than [`DOCUMENT_BYTES_MAX`].
    #[error("the document is longer than {DOCUMENT_BYTES_MAX} bytes")]
    TooLong,
    /// Not JSON, or not of the release's form: a field is missing, unknown, twice there or of another
    /// type. The text says where.
    #[error("not the form of a release: {0}")]
    Form(String),
    /// A field breaks a rule.
    #[error("{field}: {rule}")]
    Rule {
        /// Where in the document, as `contracts.period.endDate`.
        field: String,
        /// What holds of it in a release.
        rule: String,
    },
}

impl Error {
    fn rule(field: &str, rule: impl Into<String>) -> Self {
        Self::Rule { field: field.to_owned(), rule: rule.into() }
    }
}

/// What a release does, in the standard's words (codelist `releaseTag`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tag {
    /// The agreement is made.
    Contract,
    /// It is changed.
    ContractAmendment,
    /// It is ended.
    ContractTermination,
}

impl Tag {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Contract, Self::ContractAmendment, Self::ContractTermination];

    /// The standard's code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::ContractAmendment => "contractAmendment",
            Self::ContractTermination => "contractTermination",
        }
    }

    /// Reads the code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tag| tag.as_str() == code)
    }
}

/// One party of the agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// Its legal name.
    pub name: String,
    /// The register that `id` is from: `ID-NIB`, `ID-NPWP`, or `X-AWAN` for an account of the cloud.
    pub scheme: String,
    /// Its number there.
    pub id: String,
    /// Its numbers in other registers, as `("ID-PSE", "…")`.
    pub additional: Vec<(String, String)>,
    /// Whom to turn to; `None` also where that is withheld.
    pub contact: Option<String>,
}

/// What a release changes or ends, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amends {
    /// The id of the release before it.
    pub release: String,
    /// Why.
    pub rationale: Text,
}

/// What a release is made from.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The contracting process: `ocds-<prefix>-<account>`, the same for all its releases.
    pub ocid: String,
    /// Unique within the process.
    pub id: String,
    /// When the release was written; to the second.
    pub date: Time,
    /// What it does.
    pub tag: Tag,
    /// Who gives service.
    pub provider: Party,
    /// Who gets it.
    pub tenant: Party,
    /// What the agreement is called.
    pub title: Text,
    /// Why this provider.
    pub rationale: Text,
    /// `open`, `selective`, `limited` or `direct` (codelist `method`).
    pub procurement_method: String,
    /// From when the agreement holds; to the second.
    pub start: Time,
    /// Until when, exclusively; `None` where it holds until it is ended.
    pub end: Option<Time>,
    /// The value of the whole contract, micro-units of the price book's currency.
    pub value_cap: Option<i64>,
    /// What it amends or ends: demanded of every release but the first, and of that refused.
    pub amends: Option<Amends>,
    /// The clauses.
    pub terms: Terms,
}

/// A document that was read and holds.
#[derive(Clone, Debug)]
pub struct Release {
    document: Value,
    bytes: Vec<u8>,
    digest: String,
    head: check::Head,
    terms: Arc<Terms>,
}

impl Release {
    /// Writes the document of a draft.
    ///
    /// # Errors
    /// As [`Release::parse`] of what is written.
    pub fn build(draft: &Draft) -> Result<Self, Error> {
        let document = write::document(draft)?;
        let bytes = canonical::bytes(&document).map_err(|error| Error::Form(error.to_string()))?;
        Self::parse(&bytes)
    }

    /// Reads a document in any JSON spelling and checks all of it: the standard's required fields and
    /// code lists, that both parties and one contract are there, that its items follow the price book,
    /// every clause, and that nothing is withheld but what may be.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return Err(Error::TooLong);
        }
        let form = |error: serde_json::Error| Error::Form(error.to_string());
        let typed: ocds::Document = serde_json::from_slice(bytes).map_err(form)?;
        let spelled: Value = serde_json::from_slice(bytes).map_err(form)?;
        check::values(&spelled, "")?;
        let bytes = canonical::bytes(&spelled).map_err(form)?;
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return Err(Error::TooLong);
        }
        let document: Value = serde_json::from_slice(&bytes).map_err(form)?;
        redact::check(&document).map_err(|error| Error::rule("withheld", error.to_string()))?;
        let head = check::head(&typed)?;
        let digest = canonical::sha256(&bytes);
        let terms = Arc::new(check::terms(typed)?);
        Ok(Self { document, bytes, digest, head, terms })
    }

    /// The contracting process.
    pub fn ocid(&self) -> &str {
        &self.head.ocid
    }

    /// The release's id, unique within the process.
    pub fn id(&self) -> &str {
        &self.head.id
    }

    /// What it does.
    pub const fn tag(&self) -> Tag {
        self.head.tag
    }

    /// When it was written.
    pub const fn date(&self) -> Time {
        self.head.date
    }

    /// From when the agreement holds.
    pub const fn start(&self) -> Time {
        self.head.start
    }

    /// Until when, exclusively.
    pub const fn end(&self) -> Option<Time> {
        self.head.end
    }

    /// What it amends or ends, and why.
    pub const fn amends(&self) -> Option<&Amends> {
        self.head.amends.as_ref()
    }

    /// What the agreement is called.
    pub const fn title(&self) -> &Text {
        &self.head.title
    }

    /// Why this provider.
    pub const fn rationale(&self) -> &Text {
        &self.head.rationale
    }

    /// The clauses.
    pub const fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }

    /// Who gives service.
    pub const fn provider(&self) -> &Party {
        &self.head.provider
    }

    /// Who gets it.
    pub const fn tenant(&self) -> &Party {
        &self.head.tenant
    }

    /// The document, fields in canonical order.
    pub const fn document(&self) -> &Value {
        &self.document
    }

    /// The document's canonical bytes (RFC 8785): what is kept, hashed and published.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of [`Release::bytes`], lower-case hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The terms as they bind from one moment until another (exclusively).
    pub fn in_force(&self, from: Time, until: Option<Time>) -> InForce {
        InForce {
            ocid: self.ocid().to_owned(),
            release: self.id().to_owned(),
            digest: self.digest.clone(),
            from,
            until,
            terms: Arc::clone(&self.terms),
        }
    }

    /// The release package in which the standard wants releases published. The log's origin names the
    /// host of the cloud's public pages, and with it the package's address.
    pub fn package(&self) -> Value {
        let origin = &self.terms.log.origin;
        let host = origin.split_once('/').map_or(origin.as_str(), |(host, _)| host);
        let Party { name, scheme, id, .. } = self.provider();
        json!({
            "uri": format!("https://{host}/documents/{}/package.json", self.digest),
            "version": "1.1",
            "extensions": [format!("https://{host}{}", extension::PATH)],
            "publishedDate": self.date().iso(),
            "publisher": { "name": name, "scheme": scheme, "uid": id },
            "releases": [self.document],
        })
    }
}

#[cfg(test)]
mod tests;
