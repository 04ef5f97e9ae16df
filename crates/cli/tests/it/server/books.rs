//! The billing actions, as far as the client's verbs need them: one line of usage, billed once.

use base::{ApiError, Code};
use serde_json::{Value, json};

const WRONG: Code = Code::new("InvalidParameter.Amount", 400, "No.");

/// Does what the action says; `None` where it is none of these.
pub fn act<'p>(action: &str, get: &dyn Fn(&str) -> &'p str) -> Option<Result<Value, ApiError>> {
    Some(Ok(match action {
        "GetBill" => json!({
            "AccountId": "1234567890123456", "Month": month(get), "Currency": "IDR", "Status": "Open",
            "BilledUntil": "2026-11-22T04:00:00Z", "AmountMicro": 2_560_000, "TaxMicro": 281_600,
            "PayableMicro": 2_841_600, "PaidMicro": 0, "OpenMicro": 0,
            "Groups": {"Group": [{
                "Product": "oss", "Resource": "<b>&", "Item": "PutRequest", "Meter": "oss.requests.put",
                "Usage": "0.0001", "Unit": "10,000 requests", "AmountMicro": 2_560_000,
            }]},
        }),
        // Two pages, so that a listing has to go on.
        "ListBillLines" if month(get) == "2026-11" && get("NextToken").is_empty() => {
            json!({"Lines": {"Line": [line(1)]}, "NextToken": "2"})
        }
        "ListBillLines" if month(get) == "2026-11" => json!({"Lines": {"Line": [line(2)]}}),
        "ListBillLines" => json!({"Lines": {"Line": []}}),
        "ForecastBill" => json!({"ForecastMicro": 5_000_000, "ForecastTaxMicro": 550_000}),
        "ExportFocus" if get("NextToken").is_empty() => {
            json!({"Csv": "A,B\r\n1,2\r\n", "NextToken": "2"})
        }
        "ExportFocus" => json!({"Csv": "3,4\r\n"}),
        "SetBudget" => json!({"Budget": {"Name": get("Name")}}),
        "ListBudgets" | "ListBudgetAlarms" => json!({"Budgets": {"Budget": []}}),
        "DeleteBudget" => json!({}),
        "RecordPayment" if get("Amount") == "0" => return Some(Err(WRONG.into())),
        "RecordPayment" => json!({"Recorded": true, "Balance": "1", "Currency": "IDR"}),
        _ => return None,
    }))
}

fn month<'p>(get: &dyn Fn(&str) -> &'p str) -> &'p str {
    match get("Month") {
        "" => "2026-11",
        month => month,
    }
}

fn line(number: i64) -> Value {
    json!({
        "LineId": number, "Hour": "2026-11-22T03:00:00Z", "Resource": "b", "Meter": "oss.requests.put",
        "Product": "oss", "Item": "PutRequest", "Correction": false, "Revision": 0, "Quantity": 1,
        "Unit": "10,000 requests", "UnitSize": 10_000, "AmountMicro": 2_560_000, "Currency": "IDR",
        "Ocid": "o", "ReleaseId": "r", "Note": "", "Tiers": {"Tier": [
            {"Quantity": 1, "PriceMicro": 25_600_000_000_i64, "AmountMicro": 2_560_000},
        ]},
    })
}
