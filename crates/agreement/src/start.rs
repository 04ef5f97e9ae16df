//! The agreement of the account that runs the cloud, with itself: made, signed, published and activated
//! when there is none, so that a newcomer's first command works. It is the default agreement, and says so.

use std::sync::Arc;

use base::{AccountId, ApiError};
use engine::{Cloud, Cx, places};
use store::Tx;
use terms::clauses::Text;
use terms::release::Party;
use terms::signature;
use tlog::Signer;

use crate::lifecycle::{activate, row};
use crate::tables::provider;
use crate::tables::release::{self, Row, State};
use crate::template::{self, Tenant};
use crate::{Provider, actions};

/// What a cloud must know when it starts.
pub struct FirstStart {
    /// The provider, as configured.
    pub provider: Provider,
    /// Signs for the provider; its verifier key is the provider's.
    pub provider_signer: Signer,
    /// The account that runs the cloud.
    pub account: AccountId,
    /// Its name, as its agreement has it.
    pub tenant_name: String,
    /// Signs for that account.
    pub tenant_signer: Signer,
}

/// The name of a provider's key: that of the log, with what it is for.
pub fn provider_key_name(log_origin: &str) -> String {
    format!("{log_origin}/provider")
}

/// The name of a tenant's key.
pub fn tenant_key_name(log_origin: &str, account: AccountId) -> String {
    format!("{log_origin}/tenant/{account}")
}

/// Whether this database knows who the provider is: it belongs to a cloud that was started before.
///
/// # Errors
/// Those of the store.
pub fn has_provider(tx: &mut Tx<'_>) -> Result<bool, ApiError> {
    provider::exists(tx)
}

/// Notes who the provider is and, where the account that runs the cloud never had an agreement (a new
/// cloud, or one from before there were documents), gives it the default one. Call it at every start.
///
/// # Errors
/// Those of the database; `INTERNAL_ERROR` where the keys are not those of the provider and the account.
pub async fn first_start(cloud: &Arc<Cloud>, start: FirstStart) -> Result<(), ApiError> {
    let start = Arc::new(start);
    let (provider, account) = (start.provider.clone(), start.account);
    let note = move |tx: &mut Tx<'_>| {
        provider::set(tx, &provider)?;
        Ok::<_, ApiError>(release::count(tx, account)?.0)
    };
    if cloud.db.write(note).await? > 0 {
        return Ok(());
    }
    let session = places::system(cloud, actions::ACTIVATE);
    cloud.write(session, move |cx| agree(cx, &start)).await
}

fn agree(cx: &mut Cx<'_>, start: &FirstStart) -> Result<(), ApiError> {
    let account = start.account;
    let (scheme, id) = Tenant::unregistered(account);
    let tenant = Tenant {
        account,
        party: Party {
            name: start.tenant_name.clone(),
            scheme,
            id,
            additional: Vec::new(),
            contact: None,
        },
        key: start.tenant_signer.verifier().to_string(),
        title: Some(Text {
            id: "Perjanjian bawaan penyelenggara awan ini dengan dirinya sendiri".to_owned(),
            en: "Default agreement of this cloud's operator with itself".to_owned(),
        }),
    };
    let release = template::release(cx, tenant)?;
    let sign = |signer: &Signer| signature::sign(&release, signer).map_err(ApiError::internal);
    let mut row = Row {
        signed_provider: sign(&start.provider_signer)?.trim_end().to_owned(),
        signed_tenant: sign(&start.tenant_signer)?.trim_end().to_owned(),
        signed_provider_at: cx.now,
        signed_tenant_at: cx.now,
        ..row(account, &release, State::Signed)
    };
    release::insert(cx.tx(), &row, release.bytes())?;
    cx.audit_account(account);
    cx.audit_resource(format!("acs:awan:*:{account}:agreement/{}", row.ocid));
    activate(cx, &mut row)?;
    Ok(())
}
