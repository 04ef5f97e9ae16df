//! FOCUS 1.2, the FinOps Foundation's columns for cost and usage. A line of a bill is a row for each
//! price that applied to it, so that price × quantity is the cost, up to the one rounding of the month;
//! the tax is a row of its own.
//!
//! What readers of such files guess types from: an identifier has a letter in it, and every amount and
//! quantity has a decimal point. A provisional bill has no `InvoiceId` in any row, a final one in all.

use crate::money::{decimal, ratio};
use crate::month::{HOUR, Month, iso};
use crate::statement::Statement;
use crate::tables::line::Line;

/// The columns, in the order of the specification.
pub const COLUMNS: [&str; 57] = [
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "CapacityReservationId",
    "CapacityReservationStatus",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "CommitmentDiscountUnit",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingCurrency",
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
];

/// Decimal places of a quantity in a price's unit; what is behind them is cut off.
const PLACES: usize = 15;

/// Writes the rows of one bill.
pub struct Writer<'a> {
    /// The bill.
    pub statement: &'a Statement,
    /// Who provides, publishes and bills.
    pub provider: &'a str,
    /// The region, its id and a name.
    pub region: (&'a str, &'a str),
}

/// One row; what is not set stays empty, which is how the file says null.
struct Row(Vec<String>);

impl Row {
    fn set(&mut self, column: &str, value: impl Into<String>) {
        if let Some(at) = COLUMNS.iter().position(|known| *known == column) {
            self.0[at] = value.into();
        }
    }

    fn all<const N: usize>(&mut self, columns: [&str; N], value: &str) {
        for column in columns {
            self.set(column, value);
        }
    }

    fn write(&self, out: &mut String) {
        for (at, value) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            quote(out, value);
        }
        out.push_str("\r\n");
    }
}

/// A field of RFC 4180.
fn quote(out: &mut String, value: &str) {
    if !value.contains([',', '"', '\r', '\n']) {
        out.push_str(value);
        return;
    }
    out.push('"');
    out.push_str(&value.replace('"', "\"\""));
    out.push('"');
}

/// With a decimal point, always.
fn pointed(text: String) -> String {
    if text.contains('.') { text } else { format!("{text}.0") }
}

/// The first line.
pub fn header() -> String {
    format!("{}\r\n", COLUMNS.join(","))
}

impl Writer<'_> {
    /// The rows of a line.
    pub fn line(&self, out: &mut String, line: &Line) {
        if line.slices.is_empty() {
            // Without a price, without an agreement, or only moved within the tiers.
            self.charge(out, line, (line.quantity, 0, line.amount));
        }
        for slice in &line.slices {
            self.charge(out, line, *slice);
        }
    }

    fn charge(&self, out: &mut String, line: &Line, (quantity, price, amount): (i64, i64, i64)) {
        let mut row = self.row(amount, (line.hour, line.hour + HOUR));
        let moved = line.quantity == 0;
        row.set("ChargeCategory", if moved { "Adjustment" } else { "Usage" });
        let invoiced_before = Month::of(line.hour) != self.statement.month;
        row.set("ChargeClass", if invoiced_before { "Correction" } else { "" });
        row.set("ChargeFrequency", if moved { "One-Time" } else { "Usage-Based" });
        row.set("ChargeDescription", describe(line, quantity, price));
        let unit = if line.unit.is_empty() { "Units".to_owned() } else { unit(&line.unit) };
        if !moved {
            let quantity = pointed(ratio(quantity.into(), line.unit_size.into(), PLACES));
            row.all(["ConsumedQuantity", "PricingQuantity"], &quantity);
            row.all(["ConsumedUnit", "PricingUnit"], &unit);
            row.set("PricingCategory", "Standard");
            let price = pointed(decimal(price));
            row.all(["ListUnitPrice", "ContractedUnitPrice"], &price);
            let in_currency =
                ["PricingCurrencyContractedUnitPrice", "PricingCurrencyListUnitPrice"];
            row.all(in_currency, &price);
            row.set("SkuId", format!("{}/{}", line.product, line.item));
            row.set("SkuMeter", &*line.meter);
            row.set("SkuPriceId", format!("{}/{}/{}", line.product, line.item, line.under.release));
        }
        row.set("RegionId", self.region.0);
        row.set("RegionName", self.region.1);
        row.set("ResourceId", &*line.resource);
        row.set("ResourceName", line.resource.rsplit(':').next().unwrap_or_default());
        let (category, service, subcategory, kind) = service(&line.product);
        row.set("ResourceType", kind);
        row.set("ServiceCategory", category);
        row.set("ServiceName", service);
        row.set("ServiceSubcategory", subcategory);
        row.write(out);
    }

    /// The row of the tax, where there is any.
    pub fn tax(&self, out: &mut String) {
        if self.statement.tax == 0 {
            return;
        }
        let month = self.statement.month;
        let mut row = self.row(self.statement.tax, (month.start(), month.end()));
        row.set("ChargeCategory", "Tax");
        row.set("ChargeFrequency", "One-Time");
        row.set("ChargeDescription", "Tax on the sum of the bill");
        row.set("ServiceCategory", "Other");
        row.set("ServiceName", "Tax");
        row.set("ServiceSubcategory", "Other (Other)");
        row.write(out);
    }

    /// What every row has.
    fn row(&self, amount: i64, (from, until): (i64, i64)) -> Row {
        let statement = self.statement;
        let account = statement.account;
        let mut row = Row(vec![String::new(); COLUMNS.len()]);
        let cost = pointed(decimal(amount));
        row.all(["BilledCost", "EffectiveCost", "ListCost", "ContractedCost"], &cost);
        row.set("PricingCurrencyEffectiveCost", cost);
        row.all(["BillingCurrency", "PricingCurrency"], &statement.currency);
        row.set("BillingAccountId", format!("acs:ram::{account}:root"));
        row.set("BillingAccountName", format!("Account {account}"));
        row.set("BillingAccountType", "Account");
        row.set("BillingPeriodStart", iso(statement.month.start()));
        row.set("BillingPeriodEnd", iso(statement.month.end()));
        row.set("ChargePeriodStart", iso(from));
        row.set("ChargePeriodEnd", iso(until));
        let invoice = statement.invoice().map(|number| format!("INV-{number}"));
        row.set("InvoiceId", invoice.unwrap_or_default());
        row.all(["InvoiceIssuerName", "ProviderName", "PublisherName"], self.provider);
        row
    }
}

fn describe(line: &Line, quantity: i64, price: i64) -> String {
    let Line { product, item, note, .. } = line;
    match note.as_str() {
        "" if price == 0 && quantity != 0 => format!("{product} {item} (free of charge)"),
        "" => format!("{product} {item}"),
        note => format!("{product} {item} ({note})"),
    }
}

/// A unit as the specification writes it: `GB-month` is `GB-Months`, `10,000 requests` is
/// `10000 Requests`.
fn unit(ours: &str) -> String {
    let plain = ours.replace(',', "");
    if let Some((what, time)) = plain.rsplit_once('-') {
        let time = match time {
            "month" => "Months",
            "day" => "Days",
            "hour" => "Hours",
            "second" => "Seconds",
            other => other,
        };
        return format!("{what}-{time}");
    }
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    plain.split(' ').map(capital).collect::<Vec<_>>().join(" ")
}

/// A product in the words of the specification: category, service, subcategory, type of resource.
fn service(product: &str) -> (&'static str, &str, &'static str, &'static str) {
    match product {
        "oss" => ("Storage", "Object Storage Service", "Object Storage", "Bucket"),
        "ecs" => ("Compute", "Elastic Compute Service", "Virtual Machines", "Instance"),
        "rds" => ("Databases", "ApsaraDB RDS", "Relational Databases", "Database Instance"),
        "odps" | "maxcompute" => ("Analytics", "MaxCompute", "Data Processing", "Project"),
        "cdn" => ("Networking", "CDN", "Content Delivery", "Domain"),
        "ddoscoo" => ("Security", "Anti-DDoS Proxy", "Threat Detection and Response", "Instance"),
        other => ("Other", other, "Other (Other)", "Resource"),
    }
}

#[cfg(test)]
mod tests {
    use super::{quote, unit};

    #[test]
    fn units_are_written_as_the_specification_does() {
        for (ours, theirs) in [
            ("GB-month", "GB-Months"),
            ("GB", "GB"),
            ("10,000 requests", "10000 Requests"),
            ("vCPU-hour", "vCPU-Hours"),
        ] {
            assert_eq!(unit(ours), theirs);
        }
    }

    #[test]
    fn a_field_that_could_be_taken_for_two_is_quoted() {
        for (value, written) in [
            ("plain text", "plain text"),
            ("a,b", "\"a,b\""),
            ("say \"b\"", "\"say \"\"b\"\"\""),
            ("a\nb", "\"a\nb\""),
        ] {
            let mut out = String::new();
            quote(&mut out, value);
            assert_eq!(out, written);
        }
    }
}
