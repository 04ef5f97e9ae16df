//! awan 2026-01-01 `RecordPayment` (operator): money that a tenant paid, or a credit that it is given.

use base::{AccountId, ApiError, Code};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::awan_write;
use crate::ledger::{Kind, Posting, post};
use crate::money::{decimal, parse};
use crate::month::Month;
use crate::pricing;
use crate::request::{invalid, word};
use crate::tables::ledger;

const REUSED: Code = Code::new(
    "PaymentReferenceReused",
    409,
    "A payment with this reference was recorded with another amount, currency or note.",
);

pub struct RecordPayment;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    /// Who paid.
    account_id: AccountId,
    /// The bank's reference; recording it again changes nothing.
    reference: String,
    /// A decimal above 0 with up to six places.
    amount: String,
    /// ISO 4217; the agreement's where it is left out.
    currency: Option<String>,
    /// `Payment` (where it is left out) or `Credit`.
    kind: Option<String>,
    /// For people.
    note: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    /// False where it had been recorded before.
    recorded: bool,
    /// What the tenant has now; less than zero where it owes.
    balance: String,
    currency: String,
}

impl Action for RecordPayment {
    const META: Meta = awan_write("RecordPayment");
    type Request = Request;
    type Response = Response;

    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Response, ApiError> {
        let reference = word("Reference", &request.reference, 128)?;
        let amount = parse(&request.amount)
            .filter(|amount| *amount > 0)
            .ok_or_else(|| invalid("Amount", "Amount must be a decimal above 0, as 1500000.50."))?;
        let kind = match request.kind.as_deref().unwrap_or("Payment") {
            "Payment" => Kind::Payment,
            "Credit" => Kind::Credit,
            _ => return Err(invalid("Kind", "Kind must be Payment or Credit.")),
        };
        let note = request.note.unwrap_or_default();
        if note.len() > 256 {
            return Err(invalid("Note", "Note may be 256 bytes long."));
        }
        let (operator, account) = (cx.account(), request.account_id);
        cx.require_operator(&format!("acs:awan:*:{operator}:payment/{account}"))?;
        let (covenant, now) = (cx.cloud.covenant.clone(), cx.now);
        let currency = match request.currency {
            Some(currency) if currency.len() == 3 => currency,
            Some(_) => return Err(invalid("Currency", "Currency must be an ISO 4217 code.")),
            None => pricing::currency(cx.tx(), &*covenant, account, now)?,
        };
        let before = ledger::find(cx.tx(), account, kind.as_str(), reference)?;
        let same = before.as_ref().map(|entry| {
            (entry.change, entry.currency.as_str(), entry.note.as_str())
                == (amount, currency.as_str(), note.as_str())
        });
        cx.audit_account(account);
        cx.audit_detail("reference", reference);
        cx.audit_detail("amount", amount.to_string());
        cx.audit_detail("currency", &currency);
        match same {
            Some(true) => {}
            Some(false) => return Err(REUSED.into()),
            None => {
                let (bill, note) = (Month::of(now.secs()), note.as_str());
                let currency = currency.as_str();
                let posting = Posting { account, kind, reference, amount, currency, bill, note };
                post(cx.tx(), &posting, now)?;
            }
        }
        let balance = decimal(ledger::balance(cx.tx(), account, &currency)?);
        Ok(Response { recorded: same.is_none(), balance, currency })
    }
}
