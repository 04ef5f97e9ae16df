//! `awan bill page`: a bill as one HTML file without scripts and without anything from outside, in
//! Indonesian or English, that prints on A4. Whatever comes from the cloud is escaped.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use base::{Clock, SystemClock, Time};
use clap::{Args, ValueEnum};
use serde_json::Value;
use terms::Release;

use super::money::decimal;
use super::month::Month;
use super::{Account, integer};
use crate::output::{self, plain};

/// Arguments of `awan bill page`.
#[derive(Clone, Debug, Args)]
pub(super) struct PageArgs {
    /// The month; the current one unless given
    #[arg(long, value_name = "MONTH", value_parser = Month::parse)]
    month: Option<Month>,
    /// In which language
    #[arg(long, value_enum, default_value = "id")]
    lang: Lang,
    /// The file to write
    #[arg(short, long, value_name = "FILE", default_value = "bill.html")]
    output: PathBuf,
}

/// The language of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Lang {
    /// Indonesian
    Id,
    /// English
    En,
}

const STYLE: &str = "\
@page{size:A4;margin:16mm}\
*{box-sizing:border-box}\
body{font:14px/1.45 system-ui,sans-serif;color:#111;background:#fff;margin:0 auto;padding:1rem;max-width:60rem}\
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.05rem;margin:1.5rem 0 .4rem}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.75rem 0}dt{color:#444}dd{margin:0;overflow-wrap:anywhere}\
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}\
th,td{padding:.3rem .5rem;border-bottom:1px solid #bbb;text-align:left;vertical-align:top}\
th{border-bottom:2px solid #111}.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\
.sums{margin:1rem 0 0 auto;width:min(100%,24rem)}.sums td,.sums th{border-bottom:0}\
.sums tr:last-child{font-weight:700;border-top:2px solid #111}\
code{font-size:.8rem;overflow-wrap:anywhere}.note{color:#444;font-size:.85rem}\
@media print{body{padding:0;max-width:none;font-size:10pt}.scroll{overflow:visible}tr{break-inside:avoid}thead{display:table-header-group}}";

/// Writes the page.
///
/// # Errors
/// Where the cloud refuses, or the file cannot be written.
pub(super) fn run(args: &PageArgs, account: &Account) -> Result<()> {
    let bill = account.bill(args.month.as_ref().map(Month::as_str), "Product,Item,Resource")?;
    let mut releases = Vec::new();
    for named in bill["Releases"]["Release"].as_array().into_iter().flatten() {
        if let (Some(ocid), Some(id)) = (named["Ocid"].as_str(), named["ReleaseId"].as_str()) {
            releases.extend(account.release(ocid, id).ok());
        }
    }
    let html = render(&bill, &releases, args.lang, SystemClock.now());
    std::fs::write(&args.output, html)
        .with_context(|| format!("write {}", args.output.display()))?;
    output::talk(format_args!("the bill is in {}", args.output.display()));
    Ok(())
}

/// The page.
fn render(bill: &Value, releases: &[Release], lang: Lang, now: Time) -> String {
    let page = Page { bill, releases, lang };
    let (code, title) = match lang {
        Lang::Id => ("id", "Tagihan"),
        Lang::En => ("en", "Bill"),
    };
    let heading = format!("{title} {}", plain(&bill["Month"]));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"{code}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{0}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{0}</h1>\n",
        escape(&heading)
    );
    page.head(&mut html);
    page.lines(&mut html);
    page.basis(&mut html, now);
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

struct Page<'a> {
    bill: &'a Value,
    releases: &'a [Release],
    lang: Lang,
}

impl Page<'_> {
    fn say<'t>(&self, id: &'t str, en: &'t str) -> &'t str {
        if self.lang == Lang::Id { id } else { en }
    }

    fn text(&self, name: &str) -> String {
        plain(&self.bill[name])
    }

    /// An amount with its currency, as the language writes numbers.
    fn amount(&self, micro: i64) -> String {
        format!("{} {}", escape(&self.text("Currency")), self.number(micro))
    }

    fn number(&self, micro: i64) -> String {
        match self.lang {
            Lang::Id => decimal(micro.into(), '.', ','),
            Lang::En => decimal(micro.into(), ',', '.'),
        }
    }

    fn head(&self, html: &mut String) {
        let mut facts: Vec<(&str, String)> = Vec::new();
        if let Some(release) = self.releases.last() {
            facts.push((self.say("Penyedia", "Provider"), release.provider().name.clone()));
            facts.push((self.say("Kepada", "To"), release.tenant().name.clone()));
        }
        let status = if self.text("Status") == "Final" {
            self.say("final", "final").to_owned()
        } else {
            self.say(
                "sementara: baris masih dapat bertambah",
                "provisional: lines can still be added",
            )
            .to_owned()
        };
        facts.extend([
            (self.say("Akun", "Account"), self.text("AccountId")),
            (self.say("Masa", "Period"), self.text("Month")),
            (self.say("Nomor", "Number"), self.text("InvoiceId")),
            (self.say("Keadaan", "Status"), status),
            (self.say("Ditagih sampai", "Billed until"), self.text("BilledUntil")),
        ]);
        html.push_str("<dl>\n");
        for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
            write(html, format_args!("<dt>{name}</dt><dd>{}</dd>\n", escape(value)));
        }
        html.push_str("</dl>\n");
    }

    fn lines(&self, html: &mut String) {
        let heads = [
            (self.say("Produk", "Product"), ""),
            (self.say("Sumber daya", "Resource"), ""),
            (self.say("Butir", "Item"), ""),
            (self.say("Pemakaian", "Usage"), " class=\"n\""),
            (self.say("Satuan", "Unit"), ""),
            (self.say("Jumlah", "Amount"), " class=\"n\""),
        ];
        html.push_str("<div class=\"scroll\" tabindex=\"0\">\n<table>\n<thead><tr>");
        for (name, class) in heads {
            write(html, format_args!("<th scope=\"col\"{class}>{name}</th>"));
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for group in self.bill["Groups"]["Group"].as_array().into_iter().flatten() {
            let cell = |name: &str| escape(&plain(&group[name]));
            let usage = self.point(&plain(&group["Usage"]));
            let amount = self.number(integer(&group["AmountMicro"]));
            write(
                html,
                format_args!(
                    "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{usage}</td><td>{}</td><td class=\"n\">{amount}</td></tr>\n",
                    cell("Product"),
                    cell("Resource"),
                    self.item(group),
                    cell("Unit")
                ),
            );
        }
        html.push_str("</tbody>\n</table>\n</div>\n");
        self.sums(html);
    }

    /// The sums, in a table of their own: they must be seen on a narrow screen, too.
    fn sums(&self, html: &mut String) {
        html.push_str("<table class=\"sums\">\n<tbody>\n");
        let micro = |name: &str| integer(&self.bill[name]);
        let left = micro("PayableMicro").saturating_sub(micro("PaidMicro"));
        for (name, amount) in [
            (self.say("Jumlah", "Sum"), micro("AmountMicro")),
            (self.say("Pajak (PPN)", "Tax (VAT)"), micro("TaxMicro")),
            (self.say("Total", "Total"), micro("PayableMicro")),
            (self.say("Sudah dibayar", "Paid"), micro("PaidMicro")),
            (self.say("Harus dibayar", "To be paid"), left),
        ] {
            let amount = self.amount(amount);
            write(
                html,
                format_args!(
                    "<tr><th scope=\"row\">{name}</th><td class=\"n\">{amount}</td></tr>\n"
                ),
            );
        }
        html.push_str("</tbody>\n</table>\n");
    }

    /// The item's name in the page's language, where a release has one.
    fn item(&self, group: &Value) -> String {
        let meter = plain(&group["Meter"]);
        let mut prices =
            self.releases.iter().filter_map(|release| release.terms().price_book.price(&meter));
        match prices.next() {
            Some(price) => escape(self.say(&price.name.id, &price.name.en)),
            None => escape(&plain(&group["Item"])),
        }
    }

    /// A decimal of the cloud in the page's language; anything else escaped.
    fn point(&self, text: &str) -> String {
        let digits = text.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '-');
        if digits && self.lang == Lang::Id { text.replace('.', ",") } else { escape(text) }
    }

    /// What the bill rests on, and how anybody checks it.
    fn basis(&self, html: &mut String, now: Time) {
        write(html, format_args!("<h2>{}</h2>\n<dl>\n", self.say("Dasar", "Basis")));
        for release in self.releases {
            let book = &release.terms().price_book;
            write(
                html,
                format_args!(
                    "<dt>{}</dt><dd>{} · {} · {} · {} {} %<br><code>SHA-256 {}</code></dd>\n",
                    self.say("Perjanjian", "Agreement"),
                    escape(release.ocid()),
                    escape(release.id()),
                    escape(&book.id),
                    self.say("PPN", "tax"),
                    book.tax_percent,
                    escape(release.digest())
                ),
            );
        }
        if let Some(release) = self.releases.last() {
            let log = &release.terms().log;
            write(
                html,
                format_args!(
                    "<dt>{}</dt><dd>{}<br><code>{}</code></dd>\n",
                    self.say("Log publik", "Public log"),
                    escape(&log.origin),
                    escape(&log.key)
                ),
            );
        }
        html.push_str("</dl>\n");
        let month = escape(&self.text("Month"));
        write(html, format_args!(
            "<p class=\"note\">{} <code>awan verify --bill {month}</code></p>\n",
            self.say(
                "Setiap jumlah mengikuti dari pemakaian dan daftar harga dalam perjanjian yang diterbitkan, dibulatkan ke bawah satu kali ke sepersejuta satuan mata uang; siapa pun yang memegang pemakaiannya dapat menghitungnya ulang:",
                "Every amount follows from the usage and from the price book of the published agreement, rounded down once to the micro-unit; whoever holds the usage can reckon it again:"
            )
        ));
        write(
            html,
            format_args!("<p class=\"note\">{} {}</p>\n", self.say("Dibuat", "Made"), now.iso()),
        );
    }
}

/// Adds to a page.
fn write(html: &mut String, what: std::fmt::Arguments<'_>) {
    html.write_fmt(what).expect("a string takes everything");
}

/// Text as it may stand in HTML, in elements and in attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn bill(resource: &str) -> Value {
        json!({
            "AccountId": "1234567890123456", "Month": "2026-11", "Currency": "IDR", "Status": "Open",
            "AmountMicro": 1_234_567_890_000_i64, "TaxMicro": 135_802_467_900_i64,
            "PayableMicro": 1_370_370_357_900_i64, "PaidMicro": 0,
            "Groups": {"Group": [{
                "Product": "oss", "Resource": resource, "Item": "Storage", "Meter": "oss.storage",
                "Usage": "12.5", "Unit": "GB-month", "AmountMicro": 1_234_567_890_000_i64,
            }]},
        })
    }

    fn page(lang: Lang, resource: &str) -> String {
        render(&bill(resource), &[], lang, Time::from_secs(0))
    }

    #[test]
    fn each_language_has_its_words_and_its_numbers() {
        let id = page(Lang::Id, "pemilu");
        for said in [
            "<html lang=\"id\">",
            "<h1>Tagihan 2026-11</h1>",
            ">12,5<",
            "IDR 1.370.370,3579",
            "Harus dibayar",
            "sementara",
        ] {
            assert!(id.contains(said), "lacks {said}");
        }
        let en = page(Lang::En, "pemilu");
        for said in [
            "<html lang=\"en\">",
            "<h1>Bill 2026-11</h1>",
            ">12.5<",
            "IDR 1,370,370.3579",
            "To be paid",
            "provisional",
        ] {
            assert!(en.contains(said), "lacks {said}");
        }
        assert!(!en.contains("http://") && !en.contains("https://") && !en.contains("<script"));
    }

    proptest! {
        #[test]
        fn nothing_that_the_cloud_says_becomes_markup(resource: String) {
            let tags = |html: &str| html.matches('<').count();
            prop_assert_eq!(tags(&page(Lang::Id, &resource)), tags(&page(Lang::Id, "")));
            prop_assert!(!escape(&resource).contains(['<', '>', '"', '\'']));
        }
    }
}
