//! Rights of accounts in databases.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::Deserialize;

use super::{Done, accounts, ask, databases, write};
use crate::errors::{ACCOUNT_OWNS, ACCOUNT_STATUS};
use crate::model::{Engine, Status};
use crate::node::api::Privilege;
use crate::requests::within::{invalid, writable};
use crate::tables::{account, grant, read as from_json};

/// A privilege by its name; MariaDB's databases have no owner.
pub(super) fn privilege(engine: Engine, word: &str) -> Result<Privilege, ApiError> {
    let quoted = serde_json::Value::String(word.to_owned()).to_string();
    from_json::<Privilege>(&quoted)
        .ok()
        .filter(|found| engine == Engine::Postgres || *found != Privilege::Owner)
        .ok_or_else(|| {
            let owner = if engine == Engine::Postgres { ", DBOwner" } else { "" };
            let message =
                format!("AccountPrivilege is one of ReadWrite, ReadOnly, DDLOnly, DMLOnly{owner}.");
            invalid("AccountPrivilege", message)
        })
}

/// Owners have every right in what they own: none is given or taken beside that.
fn owner() -> ApiError {
    ACCOUNT_OWNS.error("The account owns the database, and has every right in it.")
}

/// Gives an account a right in a database, in place of the one that it had there.
pub(super) struct GrantAccountPrivilege;

#[derive(Deserialize)]
pub(super) struct GrantAccountPrivilegeRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(rename = "AccountName")]
    account: String,
    #[serde(rename = "DBName")]
    database: String,
    #[serde(rename = "AccountPrivilege")]
    privilege: String,
}

impl Action for GrantAccountPrivilege {
    const META: Meta = write("GrantAccountPrivilege");
    type Request = GrantAccountPrivilegeRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: GrantAccountPrivilegeRequest) -> Result<Done, ApiError> {
        let mut instance = writable(cx, &request.instance)?;
        let wanted = privilege(instance.engine, &request.privilege)?;
        let account = accounts::find(cx, &instance.id, &request.account)?;
        if account.status == account::Status::Unavailable {
            return Err(ACCOUNT_STATUS.error("The account is not there yet."));
        }
        let database = databases::find(cx, &instance.id, &request.database)?;
        if database.owner == request.account {
            return if wanted == Privilege::Owner { Ok(Done {}) } else { Err(owner()) };
        }
        grant::put(cx.tx(), &instance.id, (&request.account, &request.database), wanted)?;
        cx.audit_detail("AccountName", &request.account);
        cx.audit_detail("DBName", &request.database);
        cx.audit_detail("AccountPrivilege", grant::word(wanted));
        ask(cx, &mut instance, Status::Running)?;
        Ok(Done {})
    }
}

/// Takes an account's right in a database back; none is taken back as well.
pub(super) struct RevokeAccountPrivilege;

#[derive(Deserialize)]
pub(super) struct RevokeAccountPrivilegeRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(rename = "AccountName")]
    account: String,
    #[serde(rename = "DBName")]
    database: String,
}

impl Action for RevokeAccountPrivilege {
    const META: Meta = write("RevokeAccountPrivilege");
    type Request = RevokeAccountPrivilegeRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: RevokeAccountPrivilegeRequest) -> Result<Done, ApiError> {
        let mut instance = writable(cx, &request.instance)?;
        accounts::find(cx, &instance.id, &request.account)?;
        if databases::find(cx, &instance.id, &request.database)?.owner == request.account {
            return Err(owner());
        }
        if grant::retire(cx.tx(), &instance.id, &request.account, &request.database)? {
            cx.audit_detail("AccountName", &request.account);
            cx.audit_detail("DBName", &request.database);
            ask(cx, &mut instance, Status::Running)?;
        }
        Ok(Done {})
    }
}
