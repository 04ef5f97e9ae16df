//! Accounts: tenants' roles in an instance. What is asked becomes rows; the instance's task has its nodes do it.

use std::time::Duration;

use base::{ApiError, Secret, Time, code};
use engine::page::ByNumber;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Done, ask, owned, read, write};
use crate::errors::{ACCOUNT_EXISTS, ACCOUNT_OWNS, ACCOUNT_PASSWORD, ACCOUNT_STATUS, NO_ACCOUNT};
use crate::machine::parts;
use crate::model::{Engine, Status};
use crate::node::api::Grant;
use crate::requests::within::{Page, cut, invalid, writable};
use crate::tables::account::{self, Account};
use crate::tables::instance::Instance;
use crate::tables::{backup, database, grant};
use crate::{names, password};

/// The most accounts of an instance.
const ACCOUNTS_MAX: usize = 500;

#[derive(Deserialize)]
pub(super) struct OneAccount {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(rename = "AccountName")]
    name: String,
}

/// The account of a name that is not going.
pub(super) fn find(cx: &mut Cx<'_>, instance: &str, name: &str) -> Result<Account, ApiError> {
    if !names::is_account(name) {
        return Err(ApiError::new(&NO_ACCOUNT));
    }
    let found = account::find(cx.tx(), instance, name)?.filter(|account| account.wanted);
    found.ok_or_else(|| ApiError::new(&NO_ACCOUNT))
}

/// As [`find`], and settled: what is on its way is waited for.
fn settled(
    cx: &mut Cx<'_>,
    instance: &str,
    name: &str,
    allowed: &[account::Status],
) -> Result<Account, ApiError> {
    let account = find(cx, instance, name)?;
    if allowed.contains(&account.status) {
        return Ok(account);
    }
    let message = format!("The account is {}.", account.status.as_str());
    Err(ACCOUNT_STATUS.error(message))
}

/// The verifier of a password that is fit for an account. It costs 4096 rounds, a millisecond or two, within the
/// transaction: the engine runs actions there, and passwords are set too seldom for that to be felt.
fn verifier(
    cx: &Cx<'_>,
    engine: Engine,
    name: &str,
    secret: &Secret<String>,
) -> Result<String, ApiError> {
    check_password(name, secret)?;
    Ok(password::verifier(engine, secret.expose(), cx.rng()))
}

fn check_password(name: &str, secret: &Secret<String>) -> Result<(), ApiError> {
    if password::acceptable(secret.expose(), name) {
        return Ok(());
    }
    Err(ACCOUNT_PASSWORD.error(
        "A password has 8 to 32 visible ASCII characters, of three at least of upper case, lower case, digits and \
         others, and is not the account's name.",
    ))
}

/// Makes an account, which may log in and nothing else until a right is given, or `Super` is asked for.
pub(super) struct CreateAccount;

#[derive(Deserialize)]
pub(super) struct CreateAccountRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(rename = "AccountName")]
    name: String,
    #[serde(rename = "AccountPassword")]
    password: Secret<String>,
    #[serde(rename = "AccountType", default)]
    kind: String,
    #[serde(rename = "AccountDescription", default)]
    description: String,
    #[serde(rename = "CheckPolicy", default)]
    check_policy: bool,
}

impl Action for CreateAccount {
    const META: Meta = write("CreateAccount");
    type Request = CreateAccountRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: CreateAccountRequest) -> Result<Done, ApiError> {
        names::account(&request.name)?;
        names::description("AccountDescription", &request.description)?;
        check_password(&request.name, &request.password)?;
        let privileged = match request.kind.as_str() {
            "" | "Normal" => false,
            "Super" => true,
            _ => return Err(invalid("AccountType", "AccountType is Normal or Super.")),
        };
        if request.check_policy {
            let message = "CheckPolicy is not available: passwords here do not expire.";
            return Err(invalid("CheckPolicy", message));
        }
        let mut instance = writable(cx, &request.instance)?;
        refuse_taken(cx, &instance, &request.name)?;
        let verifier = verifier(cx, instance.engine, &request.name, &request.password)?;
        let new = account::New {
            instance: &instance.id,
            name: &request.name,
            privileged,
            description: &request.description,
            verifier: &verifier,
        };
        let (cloud, now) = (cx.cloud, cx.now);
        account::insert(cx.tx(), &cloud.seal, &new, now)?;
        cx.audit_detail("AccountName", &request.name);
        ask(cx, &mut instance, Status::Running)?;
        Ok(Done {})
    }
}

fn refuse_taken(cx: &mut Cx<'_>, instance: &Instance, name: &str) -> Result<(), ApiError> {
    let rows = account::of(cx.tx(), &instance.id)?;
    match rows.iter().find(|row| row.name == name) {
        Some(row) if !row.wanted => Err(ACCOUNT_EXISTS
            .error("An account of this name is being deleted: wait until it is gone.")),
        Some(_) => Err(ApiError::new(&ACCOUNT_EXISTS)),
        None if rows.len() >= ACCOUNTS_MAX => Err(code::QUOTA_EXCEEDED
            .error(format!("An instance has at most {ACCOUNTS_MAX} accounts."))
            .suffix("Account")),
        None => Ok(()),
    }
}

/// Says whether an account could be called so.
pub(super) struct CheckAccountNameAvailable;

impl Action for CheckAccountNameAvailable {
    const META: Meta = read("CheckAccountNameAvailable");
    type Request = OneAccount;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: OneAccount) -> Result<Done, ApiError> {
        names::account(&request.name)?;
        let instance = owned(cx, &request.instance)?;
        refuse_taken(cx, &instance, &request.name)?;
        Ok(Done {})
    }
}

/// Lists accounts by name, with their rights.
pub(super) struct DescribeAccounts;

#[derive(Deserialize)]
pub(super) struct DescribeAccountsRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(rename = "AccountName", default)]
    name: String,
    #[serde(flatten)]
    page: ByNumber,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeAccountsResponse {
    accounts: Accounts,
    page_number: u32,
    total_record_count: usize,
    resource_group_id: String,
}

#[derive(Serialize)]
struct Accounts {
    #[serde(rename = "DBInstanceAccount")]
    rows: Vec<View>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    account_name: String,
    account_status: &'static str,
    account_type: &'static str,
    account_description: String,
    database_privileges: Privileges,
    priv_exceeded: &'static str,
    #[serde(rename = "CreateDB")]
    create_db: &'static str,
    create_role: &'static str,
    #[serde(rename = "BypassRLS")]
    bypass_rls: &'static str,
    replication: &'static str,
    valid_until: &'static str,
    check_policy: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Privileges {
    database_privilege: Vec<Right>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Right {
    #[serde(rename = "DBName")]
    database: String,
    account_privilege: &'static str,
    account_privilege_detail: &'static str,
}

impl View {
    fn of(instance: &str, account: Account, grants: &[Grant]) -> Self {
        let own = grants.iter().filter(|grant| grant.wanted && grant.account == account.name);
        let rights = own.map(|grant| Right {
            database: grant.database.clone(),
            account_privilege: grant::word(grant.privilege),
            account_privilege_detail: "",
        });
        let may = if account.privileged { "t" } else { "f" };
        Self {
            instance: instance.to_owned(),
            account_status: account.status.as_str(),
            account_type: if account.privileged { "Super" } else { "Normal" },
            account_description: account.description,
            database_privileges: Privileges { database_privilege: rights.collect() },
            account_name: account.name,
            priv_exceeded: "0",
            create_db: may,
            create_role: may,
            bypass_rls: "f",
            replication: "f",
            valid_until: "infinity",
            check_policy: false,
        }
    }
}

impl Action for DescribeAccounts {
    const META: Meta = read("DescribeAccounts");
    type Request = DescribeAccountsRequest;
    type Response = DescribeAccountsResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: DescribeAccountsRequest,
    ) -> Result<DescribeAccountsResponse, ApiError> {
        let instance = owned(cx, &request.instance)?;
        let of = parts::source(&instance);
        let mut rows = account::of(cx.tx(), of)?;
        rows.retain(|row| request.name.is_empty() || row.name == request.name);
        let grants = grant::of(cx.tx(), of)?;
        let Page { rows, total, number } = cut(rows, &request.page)?;
        let views = rows.into_iter().map(|row| View::of(&instance.id, row, &grants));
        Ok(DescribeAccountsResponse {
            accounts: Accounts { rows: views.collect() },
            page_number: number,
            total_record_count: total,
            resource_group_id: instance.options.resource_group,
        })
    }
}

/// Changes what its owner says of an account.
pub(super) struct ModifyAccountDescription;

#[derive(Deserialize)]
pub(super) struct ModifyAccountDescriptionRequest {
    #[serde(flatten)]
    account: OneAccount,
    #[serde(rename = "AccountDescription")]
    description: String,
}

impl Action for ModifyAccountDescription {
    const META: Meta = write("ModifyAccountDescription");
    type Request = ModifyAccountDescriptionRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: ModifyAccountDescriptionRequest) -> Result<Done, ApiError> {
        names::description("AccountDescription", &request.description)?;
        let OneAccount { instance, name } = request.account;
        let instance = owned(cx, &instance)?;
        find(cx, &instance.id, &name)?;
        account::describe(cx.tx(), &instance.id, &name, &request.description)?;
        Ok(Done {})
    }
}

#[derive(Deserialize)]
pub(super) struct NewPassword {
    #[serde(flatten)]
    account: OneAccount,
    #[serde(rename = "AccountPassword")]
    password: Secret<String>,
}

impl NewPassword {
    /// Stores what the server is to check, of an account that is there; `privileged` ones only where asked.
    fn store(self, cx: &mut Cx<'_>, privileged: bool) -> Result<Instance, ApiError> {
        let OneAccount { instance, name } = self.account;
        check_password(&name, &self.password)?;
        let mut instance = writable(cx, &instance)?;
        let there = [account::Status::Available, account::Status::Locked];
        let account = settled(cx, &instance.id, &name, &there)?;
        if privileged && !account.privileged {
            return Err(ACCOUNT_STATUS.error("Only an account of the type Super can be reset."));
        }
        let verifier = verifier(cx, instance.engine, &name, &self.password)?;
        let cloud = cx.cloud;
        account::set_verifier(cx.tx(), &cloud.seal, (&instance.id, &name), &verifier)?;
        if privileged {
            account::set_status(cx.tx(), &instance.id, &name, account::Status::Available)?;
        }
        cx.audit_detail("AccountName", &name);
        ask(cx, &mut instance, Status::Running)?;
        Ok(instance)
    }
}

/// Gives an account another password.
pub(super) struct ResetAccountPassword;

impl Action for ResetAccountPassword {
    const META: Meta = write("ResetAccountPassword");
    type Request = NewPassword;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: NewPassword) -> Result<Done, ApiError> {
        request.store(cx, false).map(|_| Done {})
    }
}

/// Gives a `Super` account back what it had when it was made, under another password: it may log in again, and its
/// nodes give it the rights of its type as often as they are told of it.
pub(super) struct ResetAccount;

impl Action for ResetAccount {
    const META: Meta = write("ResetAccount");
    type Request = NewPassword;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: NewPassword) -> Result<Done, ApiError> {
        request.store(cx, true).map(|_| Done {})
    }
}

fn set_status(
    cx: &mut Cx<'_>,
    request: &OneAccount,
    from: account::Status,
    to: account::Status,
) -> Result<Done, ApiError> {
    let mut instance = writable(cx, &request.instance)?;
    let account = settled(cx, &instance.id, &request.name, &[from, to])?;
    if account.status != to {
        account::set_status(cx.tx(), &instance.id, &request.name, to)?;
        ask(cx, &mut instance, Status::Running)?;
    }
    Ok(Done {})
}

/// An account may not log in any more.
pub(super) struct LockAccount;

impl Action for LockAccount {
    const META: Meta = write("LockAccount");
    type Request = OneAccount;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: OneAccount) -> Result<Done, ApiError> {
        set_status(cx, &request, account::Status::Available, account::Status::Locked)
    }
}

/// An account may log in again.
pub(super) struct UnlockAccount;

impl Action for UnlockAccount {
    const META: Meta = write("UnlockAccount");
    type Request = OneAccount;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: OneAccount) -> Result<Done, ApiError> {
        set_status(cx, &request, account::Status::Locked, account::Status::Available)
    }
}

/// Removes an account that owns no database.
pub(super) struct DeleteAccount;

impl Action for DeleteAccount {
    const META: Meta = write("DeleteAccount");
    type Request = OneAccount;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: OneAccount) -> Result<Done, ApiError> {
        let mut instance = writable(cx, &request.instance)?;
        find(cx, &instance.id, &request.name)?;
        let databases = database::of(cx.tx(), &instance.id)?;
        if databases.iter().any(|database| database.owner == request.name) {
            return Err(ApiError::new(&ACCOUNT_OWNS));
        }
        grant::retire_account(cx.tx(), &instance.id, &request.name)?;
        account::retire(cx.tx(), &instance.id, &request.name)?;
        note_deleted(cx, &mut instance, &request.name)?;
        cx.audit_detail("AccountName", &request.name);
        ask(cx, &mut instance, Status::Running)?;
        Ok(Done {})
    }
}

/// An account of which the server had been rid for so long when a backup began is not in it.
const DELETED_FOR: Duration = Duration::from_secs(86_400);

/// Notes an account that goes: backups have it still, and what is made of them is not to.
fn note_deleted(cx: &mut Cx<'_>, instance: &mut Instance, name: &str) -> Result<(), ApiError> {
    let backups = backup::of_instance(cx.tx(), &instance.id)?;
    let deleted = &mut instance.options.deleted_accounts;
    if let Some(oldest) = backups.first().map(|it| it.started) {
        deleted.retain(|_, at| Time::from_micros(*at).plus(DELETED_FOR) > oldest);
    }
    deleted.insert(name.to_owned(), cx.now.micros());
    Ok(())
}
