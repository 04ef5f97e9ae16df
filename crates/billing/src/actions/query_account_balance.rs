//! bssopenapi 2017-12-14 `QueryAccountBalance`: what the account has; less than zero where it owes.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::Deserialize;
use serde_json::{Value, json};

use super::bss_read;
use crate::money::decimal;
use crate::tables::ledger;
use crate::{bss, pricing};

pub struct QueryAccountBalance;

#[derive(Deserialize)]
pub struct Request {}

impl Action for QueryAccountBalance {
    const META: Meta = bss_read("QueryAccountBalance");
    type Request = Request;
    type Response = Value;

    fn run(cx: &mut Cx<'_>, _: Request) -> Result<Value, ApiError> {
        let account = bss::authorize(cx)?;
        let (covenant, now) = (cx.cloud.covenant.clone(), cx.now);
        let currency = pricing::currency(cx.tx(), &*covenant, account, now)?;
        let balance = decimal(ledger::balance(cx.tx(), account, &currency)?);
        Ok(bss::success(json!({
            "AvailableAmount": balance,
            "AvailableCashAmount": balance,
            "CreditAmount": "0",
            "MybankCreditAmount": "0",
            "QuotaLimit": "0",
            "Currency": currency,
        })))
    }
}
