//! Lists as CSV (RFC 4180), for those who count in a spreadsheet: UTF-8, one header line, CRLF, column
//! names in English in every language.
//!
//! A field that a spreadsheet would take for a formula gets an apostrophe in front.

use base::{AccountId, Time};

use crate::documents::Documents;
use crate::model::Model;
use crate::source::Source;
use crate::standing::{Standing, State};

/// Writes one line.
fn line(out: &mut String, fields: &[&str]) {
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let formula = is_formula(field);
        let guard = if formula { "'" } else { "" };
        if formula || field.contains([',', '"', '\n', '\r']) {
            out.push_str(&format!("\"{guard}{}\"", field.replace('"', "\"\"")));
        } else {
            out.push_str(field);
        }
    }
    out.push_str("\r\n");
}

/// Whether a spreadsheet may take a field for a formula: programs skip blanks and what is not seen.
fn is_formula(field: &str) -> bool {
    let skipped = |c: char| c.is_whitespace() || terms::text::deceives(c);
    let shown = field.trim_start_matches(skipped);
    shown.starts_with(['=', '+', '@'])
        || field.starts_with(['\t', '\r'])
        || (shown.starts_with('-') && field.parse::<i64>().is_err())
}

/// The data centres, and how many objects each holds.
pub fn places(model: &Model, now: Time) -> String {
    let mut out = String::new();
    line(
        &mut out,
        &[
            "site",
            "zone",
            "country",
            "city",
            "operator",
            "owner",
            "permit",
            "permit_until",
            "permit_lapsed",
            "certificates",
            "objects",
            "declared_at",
            "declared_log_index",
            "removed_at",
        ],
    );
    for (site, centre) in &model.centres {
        let certificates: Vec<&str> = centre.certificates.iter().map(|it| it.as_str()).collect();
        line(
            &mut out,
            &[
                site,
                &centre.zone,
                &centre.country,
                &centre.city,
                &centre.operator,
                &centre.owner,
                &centre.permit,
                &centre.permit_until,
                if centre.lapsed(now) { "yes" } else { "no" },
                &certificates.join("; "),
                &model.objects_at(site).to_string(),
                &centre.declared.at.iso(),
                &centre.declared.index.to_string(),
                &centre.removed.map(|removed| removed.at.iso()).unwrap_or_default(),
            ],
        );
    }
    out
}

/// The refusals that are kept, newest first, a line for each place that was asked for.
pub fn refusals(model: &Model) -> String {
    let mut out = String::new();
    line(
        &mut out,
        &["log_index", "at", "code", "action", "tenant", "class", "wanted_site", "wanted_country"],
    );
    for refusal in model.refusals.recent.iter().rev() {
        let spots: Vec<(&str, &str)> = if refusal.wanted.is_empty() {
            vec![("", "")]
        } else {
            refusal.wanted.iter().map(|spot| (spot.site.as_str(), spot.country.as_str())).collect()
        };
        for (site, country) in spots {
            line(
                &mut out,
                &[
                    &refusal.stamp.index.to_string(),
                    &refusal.stamp.at.iso(),
                    &refusal.code,
                    &refusal.action,
                    refusal.tenant.as_deref().unwrap_or_default(),
                    refusal.class.as_deref().unwrap_or_default(),
                    site,
                    country,
                ],
            );
        }
    }
    out
}

/// The columns of [`agreements`].
const AGREEMENTS: [&str; 17] = [
    "ocid",
    "tenant",
    "tenant_name",
    "provider_name",
    "release",
    "tag",
    "in_force",
    "one_operator_for_both",
    "published_at",
    "published_log_index",
    "activated_at",
    "activated_log_index",
    "ended_at",
    "binds_from",
    "binds_until",
    "document_sha256",
    "signatures_sha256",
];

/// Every release of every agreement.
pub fn agreements(
    model: &Model,
    documents: &Documents,
    source: &dyn Source,
    (operator, now): (Option<AccountId>, Time),
) -> String {
    let mut out = String::new();
    line(&mut out, &AGREEMENTS);
    for (ocid, agreement) in &model.agreements {
        let standing = Standing::of(model, (documents, source, operator), &agreement.tenant);
        let ended = match standing.state((ocid, agreement), now) {
            State::Ended(at) | State::Over(at) => at.iso(),
            _ => String::new(),
        };
        for release in &agreement.releases {
            let period = standing.period(ocid, &release.id);
            let binds = period.is_some_and(|period| period.covers(now));
            let summary = documents.summary(source, release, operator);
            let (at, index) = (
                |stamp: Option<crate::model::Stamp>| {
                    stamp.map(|it| it.at.iso()).unwrap_or_default()
                },
                |stamp: Option<crate::model::Stamp>| {
                    stamp.map(|it| it.index.to_string()).unwrap_or_default()
                },
            );
            line(
                &mut out,
                &[
                    ocid,
                    &agreement.tenant,
                    summary.as_ref().map_or("", |it| &it.tenant),
                    summary.as_ref().map_or("", |it| &it.provider),
                    &release.id,
                    &release.tag,
                    if binds { "yes" } else { "no" },
                    summary.as_ref().map_or("", |it| if it.one_sided { "yes" } else { "no" }),
                    &at(release.published),
                    &index(release.published),
                    &at(release.activated),
                    &index(release.activated),
                    &ended,
                    &period.map(|period| period.from.iso()).unwrap_or_default(),
                    &period.and_then(|it| it.until).map(|it| it.iso()).unwrap_or_default(),
                    &release.document,
                    &release.signatures,
                ],
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_mean_something_to_csv_or_to_a_spreadsheet_are_held_down() {
        let mut out = String::new();
        line(&mut out, &["plain", "a,b", "say \"x\"", "=1+1", "-5", "-cmd", "@x", ""]);
        assert_eq!(out, "plain,\"a,b\",\"say \"\"x\"\"\",\"'=1+1\",-5,\"'-cmd\",\"'@x\",\r\n");
        for hidden in [" =1", "\u{200b}=1", "\u{feff}\u{202e} @x", "\u{a0}+1", "\n-cmd"] {
            let mut out = String::new();
            line(&mut out, &[hidden]);
            assert_eq!(out, format!("\"'{hidden}\"\r\n"));
        }
    }
}
