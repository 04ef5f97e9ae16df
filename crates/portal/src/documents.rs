//! The documents behind the log's digests: fetched, held against their digests, read, and their
//! signatures checked. Of each release a few words are remembered for lists.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::{AccountId, Time};
use terms::clauses::Text;
use terms::{Release, canonical, signature};

use crate::model;
use crate::source::Source;

/// How many releases are remembered in words; some hundred bytes each.
const SUMMARIES_MAX: usize = 20_000;

/// Why a document cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// It is not here.
    #[error("the document is not here")]
    Absent,
    /// It is not the one that the log names.
    #[error("the document has not the digest that the log names")]
    Changed,
    /// It is not a release with an agreement, or its parts do not belong together.
    #[error("the document cannot be read: {0}")]
    Unreadable(String),
}

/// A release as it was published, checked.
#[derive(Debug)]
pub struct Shown {
    /// What it says.
    pub release: Release,
    /// Who has signed it; or why that cannot be said.
    pub signed: Result<signature::Signed, Missing>,
}

/// What a list says of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Who gives service.
    pub provider: String,
    /// Who gets it.
    pub tenant: String,
    /// What the agreement is called.
    pub title: Text,
    /// From when it holds.
    pub start: Time,
    /// Until when, exclusively.
    pub end: Option<Time>,
    /// Whether one operator signed for both sides.
    pub one_sided: bool,
}

/// The documents of one source.
#[derive(Default)]
pub struct Documents {
    summaries: Mutex<HashMap<Box<str>, Option<Arc<Summary>>>>,
}

impl Documents {
    /// The release and its signatures.
    ///
    /// # Errors
    /// Where the document is not here, is another one, or speaks of another agreement than the entry.
    pub fn show(
        &self,
        source: &dyn Source,
        (ocid, tenant): (&str, &str),
        release: &model::Release,
    ) -> Result<Shown, Missing> {
        let bytes = fetch(source, &release.document)?;
        let parsed =
            Release::parse(&bytes).map_err(|error| Missing::Unreadable(error.to_string()))?;
        for (name, said, stated) in [
            ("process", parsed.ocid(), ocid),
            ("release", parsed.id(), &release.id),
            ("account", &parsed.terms().account.to_string(), tenant),
        ] {
            if said != stated {
                let what = format!("its {name} is {said}, and the log says {stated}");
                return Err(Missing::Unreadable(what));
            }
        }
        let signed = fetch(source, &release.signatures).and_then(|note| {
            signature::verify(&parsed, &note)
                .map_err(|error| Missing::Unreadable(error.to_string()))
        });
        Ok(Shown { release: parsed, signed })
    }

    /// What a list says of a release; `None` where its document cannot be had.
    pub fn summary(
        &self,
        source: &dyn Source,
        release: &model::Release,
        operator: Option<AccountId>,
    ) -> Option<Arc<Summary>> {
        let digest = release.document.as_str();
        let lock = || self.summaries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(digest) {
            return known.clone();
        }
        let parsed = match fetch(source, digest) {
            // A mirror may get it later: only what a document says for good is remembered.
            Err(Missing::Absent) => return None,
            Err(_) => None,
            Ok(bytes) => Release::parse(&bytes).ok(),
        };
        let summary = parsed.map(|release| Arc::new(summarize(&release, operator)));
        let mut summaries = lock();
        if summaries.len() >= SUMMARIES_MAX {
            summaries.clear();
        }
        summaries.insert(digest.into(), summary.clone());
        summary
    }
}

fn summarize(release: &Release, operator: Option<AccountId>) -> Summary {
    Summary {
        provider: release.provider().name.clone(),
        tenant: release.tenant().name.clone(),
        title: release.title().clone(),
        start: release.start(),
        end: release.end(),
        one_sided: is_one_sided(release, operator),
    }
}

/// Whether provider and tenant are one: the tenant is the operator's own account, or both parties have
/// one name, one number or one key. Such an agreement shows what the cloud does by default, and binds
/// nobody to anybody else.
pub fn is_one_sided(release: &Release, operator: Option<AccountId>) -> bool {
    let (provider, tenant) = (release.provider(), release.tenant());
    let terms = release.terms();
    let key = |text: &str| text.rsplit('+').next().map(str::to_owned);
    operator == Some(terms.account)
        || provider.name == tenant.name
        || (&provider.scheme, &provider.id) == (&tenant.scheme, &tenant.id)
        || key(&terms.keys.provider) == key(&terms.keys.tenant)
}

/// A document that has the digest that it was asked for by.
pub fn fetch(source: &dyn Source, digest: &str) -> Result<Vec<u8>, Missing> {
    if !is_digest(digest) {
        return Err(Missing::Absent);
    }
    let found = source.document(digest).map_err(|error| {
        tracing::error!(%error, digest, "read a public document");
        Missing::Absent
    })?;
    let bytes = found.ok_or(Missing::Absent)?;
    if canonical::sha256(&bytes) == digest { Ok(bytes) } else { Err(Missing::Changed) }
}

/// Whether a text is a SHA-256 in lower-case hexadecimal.
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
