//! What a new agreement begins with: the default clauses between this provider and a tenant. Both may
//! change them before they sign.

use base::{AccountId, ApiError, Time};
use engine::Cx;
use terms::clauses::{Keys, Text};
use terms::release::{Draft, Party, Tag};
use terms::{Release, defaults};

use crate::Provider;
use crate::errors::invalid;
use crate::tables::{provider, release};

/// The prefix of contracting processes. None is registered for Awan with the standard's publisher yet.
const PREFIX: &str = "ocds-awan00";

/// Who a tenant is, as its agreement names it.
pub(crate) struct Tenant {
    pub(crate) account: AccountId,
    pub(crate) party: Party,
    /// A note verifier key.
    pub(crate) key: String,
    pub(crate) title: Option<Text>,
}

impl Tenant {
    /// A tenant that is in no public register: it goes by its account.
    pub(crate) fn unregistered(account: AccountId) -> (String, String) {
        ("X-AWAN".to_owned(), account.to_string())
    }
}

/// The default agreement of a tenant, from now on.
///
/// # Errors
/// `INVALID_PARAMETER` where what is known of the tenant makes no release.
pub(crate) fn release(cx: &mut Cx<'_>, tenant: Tenant) -> Result<Release, ApiError> {
    let provider = provider::get(cx.tx())?;
    let (processes, _) = release::count(cx.tx(), tenant.account)?;
    let draft = draft(provider, tenant, processes + 1, cx.now);
    Release::build(&draft).map_err(|error| invalid("Tenant", error.to_string()))
}

fn draft(provider: Provider, tenant: Tenant, process: i64, now: Time) -> Draft {
    let keys = Keys { provider: provider.key, tenant: tenant.key };
    let title = tenant.title.unwrap_or_else(|| Text {
        id: "Perjanjian layanan awan".to_owned(),
        en: "Cloud service agreement".to_owned(),
    });
    Draft {
        ocid: format!("{PREFIX}-{}-{process}", tenant.account),
        id: "1".to_owned(),
        date: now,
        tag: Tag::Contract,
        provider: provider.party,
        tenant: tenant.party,
        title,
        rationale: Text {
            id: "Penyelenggara ini menjalankan awan tempat akun penyewa berada.".to_owned(),
            en: "This provider runs the cloud in which the tenant's account is.".to_owned(),
        },
        procurement_method: "direct".to_owned(),
        start: Time::from_secs(now.secs()),
        end: None,
        value_cap: None,
        amends: None,
        terms: defaults::terms(tenant.account, provider.log, keys),
    }
}
