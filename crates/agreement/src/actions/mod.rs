//! Actions of the product `awan` on agreements and on privileged access.

mod access;
mod ending;
mod get;
mod making;
mod signing;

use base::{AccountId, ApiError};
use engine::{Cx, Entry, Meta, action};
use serde::Serialize;

use crate::errors::NO_AGREEMENT;

/// How a release becomes active; the first start does it too.
pub(crate) const ACTIVATE: Meta = write("ActivateAgreement");

const fn read(name: &'static str) -> Meta {
    Meta::read("awan", "2026-01-01", name)
}

const fn write(name: &'static str) -> Meta {
    Meta::write("awan", "2026-01-01", name)
}

/// The account that is asked about: the caller's own or, for the operator, another.
fn asked(cx: &Cx<'_>, account: Option<AccountId>) -> Result<AccountId, ApiError> {
    let own = cx.account();
    match account {
        Some(other) if other != own && !cx.caller.operator => Err(NO_AGREEMENT.into()),
        Some(account) => Ok(account),
        None => Ok(own),
    }
}

/// Whose rows a list has: the caller's own or, for the operator, those of one account or of all.
fn listed(cx: &Cx<'_>, account: Option<AccountId>) -> Result<Option<AccountId>, ApiError> {
    if account.is_none() && cx.caller.operator {
        return Ok(None);
    }
    asked(cx, account).map(Some)
}

/// Nothing but the request's id.
#[derive(Serialize)]
struct Empty {}

/// The table.
pub static ACTIONS: &[Entry] = &[
    action::<making::DescribeAgreementTemplate>(),
    action::<making::CreateAgreement>(),
    action::<making::AmendAgreement>(),
    action::<signing::SignAgreement>(),
    action::<signing::WithdrawSignature>(),
    action::<signing::PublishAgreement>(),
    action::<signing::ActivateAgreement>(),
    action::<ending::EndAgreement>(),
    action::<get::GetAgreement>(),
    action::<get::ListAgreements>(),
    action::<get::GetAgreementRelease>(),
    action::<access::RequestPrivilegedAccess>(),
    action::<access::ApprovePrivilegedAccess>(),
    action::<access::DenyPrivilegedAccess>(),
    action::<access::EndPrivilegedAccess>(),
    action::<access::ListPrivilegedAccess>(),
];
