//! The documents behind the log's digests: fetched, held against their digests, read, and their
//! signatures checked. Of each release a few words are remembered for lists.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::{AccountId, Time};
use terms::clauses::Text;
use terms::history::Step;
use terms::signature::Signed;
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
    /// What decides when it binds, with the signatures that are right.
    pub step: Step,
    /// The tenant's account.
    pub account: String,
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
        let name = format!("{digest} {}", release.signatures);
        let lock = || self.summaries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(name.as_str()) {
            return known.clone();
        }
        let parsed = match fetch(source, digest) {
            // A mirror may get it later: only what a document says for good is remembered.
            Err(Missing::Absent) => return None,
            Err(_) => None,
            Ok(bytes) => Release::parse(&bytes).ok(),
        };
        let signed = match fetch(source, &release.signatures) {
            Err(Missing::Absent) => None,
            Err(_) => Some(Signed::default()),
            Ok(note) => {
                let verify = |release| signature::verify(release, &note).unwrap_or_default();
                Some(parsed.as_ref().map(verify).unwrap_or_default())
            }
        };
        let found = signed.unwrap_or_default();
        let summary = parsed.map(|release| Arc::new(summarize(&release, found, operator)));
        if signed.is_none() {
            return summary;
        }
        let mut summaries = lock();
        if summaries.len() >= SUMMARIES_MAX {
            summaries.clear();
        }
        summaries.insert(name.into(), summary.clone());
        summary
    }

    /// What of a release decides when it binds.
    ///
    /// # Errors
    /// In words, where its document is not here or speaks of another agreement than the entry.
    pub fn step(
        &self,
        source: &dyn Source,
        (agreement, release): (&model::Agreement, &model::Release),
        operator: Option<AccountId>,
    ) -> Result<Step, String> {
        let id = release.id.as_str();
        let summary = self.summary(source, release, operator);
        let summary = summary.ok_or_else(|| format!("the document of release {id} is not here"))?;
        let step = &summary.step;
        let same = summary.account == agreement.tenant.as_str()
            && step.ocid == agreement.ocid.as_str()
            && step.id == id
            && step.tag.as_str() == release.tag.as_str();
        if same {
            Ok(step.clone())
        } else {
            Err(format!("the document of release {id} speaks of another agreement"))
        }
    }
}

fn summarize(release: &Release, signed: Signed, operator: Option<AccountId>) -> Summary {
    Summary {
        provider: release.provider().name.clone(),
        tenant: release.tenant().name.clone(),
        title: release.title().clone(),
        start: release.start(),
        end: release.end(),
        one_sided: is_one_sided(release, operator),
        step: Step::of(release, signed),
        account: release.terms().account.to_string(),
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
