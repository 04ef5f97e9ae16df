//! awan 2026-01-01 `ForecastBill`: what the current month may come to, and how that was reckoned.

use base::{AccountId, ApiError};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};
use terms::clauses::Text;
use terms::prices;

use super::{awan_read, own_bills};
use crate::estimate::{self, Outlook};

pub struct ForecastBill;

#[derive(Deserialize)]
pub struct Request {}

/// Amounts are integers of micro-units, quantities decimal digits in the meter's own units.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    account_id: AccountId,
    month: String,
    currency: String,
    amount_micro: i64,
    forecast_micro: i64,
    /// The tax on the forecast, by the agreement in force now.
    forecast_tax_micro: i64,
    method: Method,
    meters: Meters,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Method {
    indonesian: String,
    english: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Meters {
    meter: Vec<View>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    meter: String,
    /// `Level`, taken to stay as it is; or `Count`, taken to go on at its rate.
    kind: &'static str,
    quantity: String,
    forecast_quantity: String,
    amount_micro: i64,
    forecast_micro: i64,
}

/// How a forecast is made, for people.
fn method() -> Text {
    Text {
        id: "Jumlah yang tersimpan dianggap tetap sampai akhir bulan; yang dihitung per kejadian \
             dianggap berlanjut dengan laju rata-rata sejak pemakaian pertama bulan ini; harga \
             menurut perjanjian yang berlaku sekarang."
            .to_owned(),
        en: "What is stored is taken to stay as it is until the end of the month; what is counted is \
             taken to go on at the average rate since the month's first use; prices are those of the \
             agreement in force now."
            .to_owned(),
    }
}

impl Action for ForecastBill {
    const META: Meta = awan_read("ForecastBill");
    type Request = Request;
    type Response = Response;

    fn run(cx: &mut Cx<'_>, _: Request) -> Result<Response, ApiError> {
        let account = own_bills(cx)?;
        let (covenant, now) = (cx.cloud.covenant.clone(), cx.now);
        let (estimate, outlooks) = estimate::forecast(cx.tx(), &*covenant, account, now)?;
        let forecast: i64 = outlooks.iter().map(|outlook| outlook.forecast).sum();
        let in_force = covenant.in_force(cx.tx(), account, now)?;
        let percent = in_force.map_or(0, |in_force| in_force.terms.price_book.tax_percent);
        let tax = prices::tax(&[(forecast.into(), percent)]);
        let Text { id, en } = method();
        Ok(Response {
            account_id: account,
            month: estimate.month.text(),
            currency: estimate.currency,
            amount_micro: estimate.amount,
            forecast_micro: forecast,
            forecast_tax_micro: i64::try_from(tax).unwrap_or(i64::MAX),
            method: Method { indonesian: id, english: en },
            meters: Meters { meter: outlooks.into_iter().map(view).collect() },
        })
    }
}

fn view(outlook: Outlook) -> View {
    View {
        meter: outlook.meter,
        kind: if outlook.level { "Level" } else { "Count" },
        quantity: outlook.used.to_string(),
        forecast_quantity: outlook.expected.to_string(),
        amount_micro: outlook.amount,
        forecast_micro: outlook.forecast,
    }
}
