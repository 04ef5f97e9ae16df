//! awan 2026-01-01 `GetAgreement`: what the calling account's agreement grants.

use base::{ApiError, Code};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use crate::tables;

const NONE: Code = Code::new("EntityNotExist.Agreement", 404, "This account has no agreement.");

pub struct GetAgreement;

#[derive(Deserialize)]
pub struct Request {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    agreement: Agreement,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Agreement {
    account_id: String,
    state: String,
    services: Vec<String>,
    active_since: String,
}

impl Action for GetAgreement {
    const META: Meta = Meta::read("awan", "2026-01-01", "GetAgreement");
    type Request = Request;
    type Response = Response;

    fn run(cx: &mut Cx<'_>, _: Request) -> Result<Response, ApiError> {
        let account = cx.account();
        cx.authorize(&format!("acs:awan:*:{account}:agreement"))?;
        let row = tables::agreement::find(cx.tx(), account)?.ok_or(ApiError::new(&NONE))?;
        let services = row.services.split(',').map(str::to_owned).collect();
        let (account_id, active_since) = (account.to_string(), row.active_since.iso());
        Ok(Response {
            agreement: Agreement { account_id, state: row.state, services, active_since },
        })
    }
}
