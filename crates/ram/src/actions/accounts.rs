//! Accounts: what the operator of this cloud does for its tenants (product `awan`).

use std::time::Duration;

use base::{AccountId, ApiError, Time, code};
use engine::{Action, CallerKind, Cx, Meta};
use serde::{Deserialize, Serialize};
use terms::statement;

use super::access_keys::Created;
use super::{Empty, List, Window, list};
use crate::check;
use crate::errors::{ACCOUNT_EXISTS, NO_ACCOUNT, TOO_MANY_KEYS, invalid};
use crate::tables::account::Account;
use crate::tables::{Change, access_key, account};

/// How many root keys an account may have: two more than it may make itself, so that the operator
/// can help a tenant who lost both.
const ROOT_KEYS_MAX: usize = 4;
/// For how long a tenant's signature for a root key can be used: it may have to be carried to the operator.
const SIGNATURE_LIFE: Duration = Duration::from_secs(15 * 60);

const fn awan_read(name: &'static str) -> Meta {
    Meta::read("awan", "2026-01-01", name)
}

const fn awan_write(name: &'static str) -> Meta {
    Meta::write("awan", "2026-01-01", name)
}

/// Requires the operator, with permission on an account.
fn require_operator(cx: &mut Cx<'_>, account: &str) -> Result<(), ApiError> {
    let operator = cx.account();
    cx.require_operator(&format!("acs:awan:*:{operator}:account/{account}"))
}

/// An account as answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    account_id: AccountId,
    account_name: String,
    display_name: String,
    create_date: String,
    status: &'static str,
}

impl From<Account> for View {
    fn from(account: Account) -> Self {
        Self {
            account_id: account.id,
            account_name: account.name,
            display_name: account.display_name,
            create_date: account.created.iso(),
            status: if account.suspended { "Suspended" } else { "Active" },
        }
    }
}

/// Makes an account and its first root key. It has no service before it has an agreement.
pub(super) struct CreateAccount;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateAccountRequest {
    account_name: String,
    display_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateAccountResponse {
    account: View,
    access_key: Created,
}

impl Action for CreateAccount {
    const META: Meta = awan_write("CreateAccount");
    type Request = CreateAccountRequest;
    type Response = CreateAccountResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: CreateAccountRequest,
    ) -> Result<CreateAccountResponse, ApiError> {
        check::entity("AccountName", &request.account_name)?;
        let display_name = request.display_name.unwrap_or_default();
        check::text("DisplayName", &display_name, 128)?;
        require_operator(cx, &request.account_name)?;
        let (now, cloud) = (cx.now, cx.cloud);
        let new = Account {
            id: AccountId::random(cx.rng()),
            name: request.account_name,
            display_name,
            created: now,
            suspended: false,
            operator: false,
        };
        let mut change = Change::of(cx);
        if !account::insert(&mut change, &new)? {
            return Err(ACCOUNT_EXISTS.into());
        }
        let key = access_key::create(&mut change, &cloud.seal, new.id, access_key::ROOT, now)?;
        state_publicly(cx, new.id);
        cx.audit_detail("AccessKeyId", &key.id);
        Ok(CreateAccountResponse { account: new.into(), access_key: key.into() })
    }
}

/// Lists all accounts by name.
pub(super) struct ListAccounts;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAccountsRequest {
    marker: Option<String>,
    max_items: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAccountsResponse {
    accounts: List<View>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl Action for ListAccounts {
    const META: Meta = awan_read("ListAccounts");
    type Request = ListAccountsRequest;
    type Response = ListAccountsResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: ListAccountsRequest,
    ) -> Result<ListAccountsResponse, ApiError> {
        let window = Window::new(request.marker.as_deref(), request.max_items)?;
        require_operator(cx, "*")?;
        let rows = account::list(cx.tx(), &window.after, window.fetch())?;
        let page = window.cut(rows, |account| account.name.clone());
        Ok(ListAccountsResponse {
            accounts: list("Account", page.rows.into_iter().map(View::from)),
            is_truncated: page.next.is_some(),
            marker: page.next,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfAccount {
    account_id: AccountId,
}

/// Requires the operator and finds the account, in whose own audit trail the entry will stand.
fn find(cx: &mut Cx<'_>, id: AccountId) -> Result<Account, ApiError> {
    require_operator(cx, &id.to_string())?;
    concerning(cx, id)
}

/// Finds the account that an action is about, and says in public that it is.
fn concerning(cx: &mut Cx<'_>, id: AccountId) -> Result<Account, ApiError> {
    let account = account::find(cx.tx(), id)?.ok_or_else(|| ApiError::new(&NO_ACCOUNT))?;
    state_publicly(cx, id);
    Ok(account)
}

/// What the operator does to an account stands in that account's trail, and in public.
fn state_publicly(cx: &mut Cx<'_>, id: AccountId) {
    cx.audit_account(id);
    cx.public("tenant", id.to_string());
}

/// Makes a new root key for an account that lost its own, or that wants nobody else to know one. Since a
/// root key is the account, one that has (or had) an agreement gets it only by a signature with the
/// tenant's key, and all its older root keys go.
pub(super) struct CreateAccountAccessKey;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateAccountAccessKeyRequest {
    account_id: AccountId,
    /// `— <key name> <base64>`, over [`statement::account_key`].
    signature_line: Option<String>,
    /// When the tenant signed, as 2026-01-02T03:04:05Z: within fifteen minutes, and later than any before.
    signed_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateAccountAccessKeyResponse {
    access_key: Created,
}

impl Action for CreateAccountAccessKey {
    const META: Meta = awan_write("CreateAccountAccessKey");
    type Request = CreateAccountAccessKeyRequest;
    type Response = CreateAccountAccessKeyResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: CreateAccountAccessKeyRequest,
    ) -> Result<CreateAccountAccessKeyResponse, ApiError> {
        let account = find_for_key(cx, request.account_id)?;
        let (now, cloud) = (cx.now, cx.cloud);
        if !account.operator && signed_by_tenant(cx, account.id, &request)? {
            access_key::delete_all(&mut Change::of(cx), account.id, access_key::ROOT)?;
        }
        if access_key::count_of(cx.tx(), account.id, access_key::ROOT)? >= ROOT_KEYS_MAX {
            return Err(TOO_MANY_KEYS.into());
        }
        let key = access_key::create(
            &mut Change::of(cx),
            &cloud.seal,
            account.id,
            access_key::ROOT,
            now,
        )?;
        cx.audit_detail("AccessKeyId", &key.id);
        Ok(CreateAccountAccessKeyResponse { access_key: key.into() })
    }
}

/// Requires the operator, or the account itself.
fn find_for_key(cx: &mut Cx<'_>, id: AccountId) -> Result<Account, ApiError> {
    let own = cx.caller.kind == CallerKind::Root && cx.account() == id;
    if !own || cx.caller.operator {
        return find(cx, id);
    }
    cx.authorize(&format!("acs:awan:*:{id}:account/{id}"))?;
    concerning(cx, id)
}

/// Requires the tenant's signature, and uses it up. False where there is no tenant's key yet: before its
/// first agreement an account has nothing that the operator could read.
fn signed_by_tenant(
    cx: &mut Cx<'_>,
    id: AccountId,
    request: &CreateAccountAccessKeyRequest,
) -> Result<bool, ApiError> {
    let (now, cloud) = (cx.now, cx.cloud);
    let refused = |error: ApiError| {
        let facts = serde_json::json!({ "tenant": id.to_string() });
        error.public(facts.to_string())
    };
    let line = request.signature_line.as_deref().unwrap_or_default();
    let signed = request.signed_at.as_deref().and_then(Time::parse_iso);
    let text = statement::account_key(id, signed.unwrap_or(now));
    match cloud.covenant.tenant_signed(cx.tx(), id, &text, line, now) {
        Ok(()) => {}
        Err(error) if error.code() == code::NO_AGREEMENT.name && cx.caller.operator => {
            return Ok(false);
        }
        Err(error) => return Err(refused(error)),
    }
    let fresh = |signed: &Time| signed.distance(now) <= SIGNATURE_LIFE;
    let Some(signed) = signed.filter(fresh) else {
        let error = code::TENANT_SIGNATURE.error("The signature is not of the last 15 minutes.");
        return Err(refused(error));
    };
    if account::use_signature(&mut Change::of(cx), id, signed)? {
        return Ok(true);
    }
    Err(refused(code::TENANT_SIGNATURE.error("That signature, or a later one, was used before.")))
}

fn set_suspended(cx: &mut Cx<'_>, id: AccountId, suspended: bool) -> Result<Empty, ApiError> {
    let account = find(cx, id)?;
    if account.operator {
        return Err(invalid(
            "AccountId",
            "The operator's own account cannot be suspended or resumed.",
        ));
    }
    account::set_suspended(&mut Change::of(cx), id, suspended)?;
    Ok(Empty {})
}

/// Refuses all keys and sessions of an account from now on. What it has stays.
pub(super) struct SuspendAccount;

impl Action for SuspendAccount {
    const META: Meta = awan_write("SuspendAccount");
    type Request = OfAccount;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: OfAccount) -> Result<Empty, ApiError> {
        set_suspended(cx, request.account_id, true)
    }
}

/// Lets a suspended account in again.
pub(super) struct ResumeAccount;

impl Action for ResumeAccount {
    const META: Meta = awan_write("ResumeAccount");
    type Request = OfAccount;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: OfAccount) -> Result<Empty, ApiError> {
        set_suspended(cx, request.account_id, false)
    }
}
