//! `awan usage`: what the account used, by hour, resource and meter. Prices are no matter of this verb.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::api::{self, Api};
use crate::error::Error;
use crate::http::Http;
use crate::output::{self, Format};
use crate::profile::{PlaceArgs, Profile};

/// Arguments of `awan usage`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: awan usage --total --data-dir ./cloud")]
pub struct UsageArgs {
    /// Hours from this one on, as 2026-01-02T03:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Hours before this one
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Add the hours up
    #[arg(long)]
    total: bool,
    /// How the listing is written
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Shows the account's usage.
///
/// # Errors
/// Where the cloud refuses.
pub fn run(args: &UsageArgs) -> Result<()> {
    let profile = Profile::resolve(&args.place)?;
    let api = Api::new(&Http::new(&profile, 1)?, &profile)?;
    let mut params = Vec::new();
    params.extend(args.from.as_deref().map(|time| ("From", time)));
    params.extend(args.until.as_deref().map(|time| ("Until", time)));
    let items = read(&api, &params).context("list the usage")?;
    if args.total {
        let rows: Vec<Value> = totals(&items)
            .into_iter()
            .map(|((resource, meter), quantity)| json!({"Resource": resource, "Meter": meter, "Quantity": quantity}))
            .collect();
        return Ok(output::listing(args.output, &["Resource", "Meter", "Quantity"], &rows)?);
    }
    Ok(output::listing(args.output, &["Hour", "Resource", "Meter", "Quantity"], &items)?)
}

/// Every usage line of the account.
///
/// # Errors
/// As [`Error`].
pub fn read(api: &Api, params: api::Params<'_>) -> Result<Vec<Value>, Error> {
    let mut items = Vec::new();
    let params: Vec<_> = params.iter().copied().chain([("MaxResults", "1000")]).collect();
    api::pages(api, api::AWAN, "ListUsage", &params, |page| {
        items.extend(api::items(page).iter().cloned());
        ControlFlow::Continue(())
    })?;
    Ok(items)
}

/// Quantities added up over the hours, by resource and meter.
pub fn totals(items: &[Value]) -> BTreeMap<(String, String), i64> {
    let mut totals = BTreeMap::new();
    for item in items {
        let key = (output::plain(&item["Resource"]), output::plain(&item["Meter"]));
        let sum: &mut i64 = totals.entry(key).or_default();
        *sum = sum.saturating_add(item["Quantity"].as_i64().unwrap_or(0));
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_add_up_by_resource_and_meter() {
        let line = |resource: &str, meter: &str, hour: &str, quantity: i64| json!({"Resource": resource, "Meter": meter, "Hour": hour, "Quantity": quantity});
        let items = [
            line("a", "put", "1", 2),
            line("a", "put", "2", 3),
            line("a", "get", "1", 5),
            line("b", "put", "1", 7),
        ];
        let expected = [("a", "get", 5), ("a", "put", 5), ("b", "put", 7)];
        let expected =
            expected.map(|(resource, meter, sum)| ((resource.to_owned(), meter.to_owned()), sum));
        assert_eq!(totals(&items), BTreeMap::from(expected));
    }
}
