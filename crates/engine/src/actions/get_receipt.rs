//! awan 2026-01-01 `GetReceipt`: what the public log says of one request, and what opens it. The id of
//! a request, which every answer carries, is the receipt's id.

use base::ApiError;
use base::text::hex;
use serde::{Deserialize, Serialize};

use crate::{Action, Cx, Meta, audit};

/// A request leaves one entry, or a few where it acts for several resources.
const RECEIPTS_MAX: usize = 1000;

pub struct GetReceipt;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    /// The id of the request that is asked about.
    receipt_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    receipts: Receipts,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Receipts {
    receipt: Vec<Receipt>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Receipt {
    /// The entry's place in the log, once it has one; it is published within seconds then.
    #[serde(skip_serializing_if = "Option::is_none")]
    log_index: Option<i64>,
    /// The public leaf, byte for byte.
    leaf: String,
    /// What the leaf's commitment is to: hex SHA-256(salt ‖ statement).
    statement: String,
    salt: String,
}

impl Action for GetReceipt {
    const META: Meta = Meta::read("awan", "2026-01-01", "GetReceipt");
    type Request = Request;
    type Response = Response;

    /// Answers the entries of the caller's account, and those that the caller itself made on another's.
    /// A request of somebody else has no receipts, as one that never was.
    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Response, ApiError> {
        let account = cx.account();
        cx.authorize(&format!("acs:awan:*:{account}:audit"))?;
        let principal = cx.caller.arn();
        let mut entries = audit::of_request(cx.tx(), &request.receipt_id, RECEIPTS_MAX)?;
        entries.retain(|entry| entry.account == account || entry.principal == principal);
        let receipt = |entry: audit::Entry| {
            let leaf = String::from_utf8(entry.leaf())
                .map_err(|_| ApiError::internal("a leaf is JSON, and so UTF-8"))?;
            let (statement, salt) = (entry.statement(), hex(&entry.salt));
            Ok(Receipt { log_index: entry.log_index, leaf, statement, salt })
        };
        let receipts = entries.into_iter().map(receipt).collect::<Result<_, ApiError>>()?;
        Ok(Response { receipts: Receipts { receipt: receipts } })
    }
}
