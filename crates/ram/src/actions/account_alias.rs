//! The alias of an account: a name for people, unique in this cloud.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Empty, read, write};
use crate::errors::{ALIAS_EXISTS, NO_ALIAS};
use crate::tables::{Change, account};
use crate::{check, ids};

/// Shows the alias.
pub(super) struct GetAccountAlias;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Alias {
    account_alias: String,
}

impl Action for GetAccountAlias {
    const META: Meta = read("GetAccountAlias");
    type Request = Empty;
    type Response = Alias;

    fn run(cx: &mut Cx<'_>, _: Empty) -> Result<Alias, ApiError> {
        let id = cx.account();
        cx.authorize(&ids::account_arn(id))?;
        let account_alias = account::alias(cx.tx(), id)?.ok_or_else(|| ApiError::new(&NO_ALIAS))?;
        Ok(Alias { account_alias })
    }
}

/// Sets the alias, whatever it was.
pub(super) struct SetAccountAlias;

impl Action for SetAccountAlias {
    const META: Meta = write("SetAccountAlias");
    type Request = Alias;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: Alias) -> Result<Empty, ApiError> {
        check::alias(&request.account_alias)?;
        let id = cx.account();
        cx.authorize(&ids::account_arn(id))?;
        if account::of_alias(cx.tx(), &request.account_alias)?.is_some_and(|owner| owner != id) {
            return Err(ALIAS_EXISTS.into());
        }
        account::set_alias(&mut Change::of(cx), id, Some(&request.account_alias))?;
        cx.audit_detail("AccountAlias", request.account_alias);
        Ok(Empty {})
    }
}

/// Removes the alias.
pub(super) struct ClearAccountAlias;

impl Action for ClearAccountAlias {
    const META: Meta = write("ClearAccountAlias");
    type Request = Empty;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, _: Empty) -> Result<Empty, ApiError> {
        let id = cx.account();
        cx.authorize(&ids::account_arn(id))?;
        account::set_alias(&mut Change::of(cx), id, None)?;
        Ok(Empty {})
    }
}
