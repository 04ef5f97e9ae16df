//! Whether clauses make sense: what the types alone cannot say.

use std::collections::HashSet;

use tlog::Verifier;

use super::{
    Disclosed, Equipment, Keys, PrivilegedAccess, Residency, ServiceLevel, Side, Terms, Text,
    VERSION,
};
use crate::iso;

/// A breach is told within three times 24 hours (UU 27/2022, article 46).
const NOTICE_HOURS_MAX: u32 = 72;
/// More zones than any cloud has in a region.
const ZONES_MAX: u32 = 16;
const WHOLE_PPM: u32 = 1_000_000;

/// `Ok` where `holds`, else which field is wrong and how.
fn demand(holds: bool, field: &str, rule: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{field}: {rule}")) }
}

/// A name without spaces, control characters or upper case, as sites, products and meters have.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed)
}

impl Terms {
    /// Checks everything that the types cannot.
    ///
    /// # Errors
    /// The field, and the rule that it breaks.
    pub fn check(&self) -> Result<(), String> {
        demand(self.version == VERSION, "version", "this program reads version 1")?;
        services(&self.services)?;
        self.residency.check()?;
        self.price_book.check().map_err(|rule| format!("priceBook: {rule}"))?;
        demand(
            iso::is_currency(&self.price_book.currency),
            "priceBook.currency",
            "it is a current ISO 4217 code",
        )?;
        demand(
            self.spending_limit.is_none_or(|limit| limit > 0),
            "spendingLimit",
            "it is above 0",
        )?;
        service_levels(&self.service_levels)?;
        demand(self.retention.audit_days > 0, "retention.auditDays", "it is above 0")?;
        demand(self.retention.billing_days > 0, "retention.billingDays", "it is above 0")?;
        demand(!self.exit.formats.is_empty(), "exit.formats", "there is a way out")?;
        names("exit.formats", &self.exit.formats)?;
        self.breach.check()?;
        sentences("audit.by", &self.audit.by)?;
        self.privileged_access.check()?;
        self.infrastructure.iter().try_for_each(Equipment::check)?;
        self.provider.check("provider")?;
        self.tenant.check("tenant")?;
        self.keys()
    }

    fn keys(&self) -> Result<(), String> {
        let log = verifier("log.key", &self.log.key)?;
        demand(log.name() == self.log.origin, "log.key", "its name is the log's origin")?;
        let Keys { provider, tenant } = &self.keys;
        let key = verifier("keys.provider", provider)?;
        let name = format!("{}/provider", self.log.origin);
        demand(key.name() == name, "keys.provider", &format!("its name is {name}"))?;
        let key = verifier("keys.tenant", tenant)?;
        let name = format!("{}/tenant/{}", self.log.origin, self.account);
        demand(key.name() == name, "keys.tenant", &format!("its name is {name}"))?;
        demand(
            public_part(provider) != public_part(tenant),
            "keys.tenant",
            "it is not the provider's key under another name",
        )
    }
}

fn verifier(field: &str, text: &str) -> Result<Verifier, String> {
    text.parse().map_err(|error: tlog::note::Error| format!("{field}: {error}"))
}

/// The key of `<name>+<id>+<key>`, without the name that it goes by.
fn public_part(verifier_key: &str) -> Option<&str> {
    verifier_key.splitn(3, '+').nth(2)
}

fn services(services: &[String]) -> Result<(), String> {
    let known = |name: &String| name == "*" || is_name(name);
    demand(
        !services.is_empty() && services.iter().all(known),
        "services",
        "it has product names, or *",
    )?;
    unique("services", services)
}

fn unique(field: &str, all: &[String]) -> Result<(), String> {
    let mut seen = HashSet::new();
    demand(all.iter().all(|one| seen.insert(one)), field, "nothing is in it twice")
}

fn names(field: &str, all: &[String]) -> Result<(), String> {
    demand(all.iter().all(|name| is_name(name)), field, "a name has a-z, 0-9, '-', '.' and '_'")?;
    unique(field, all)
}

fn sentences(field: &str, all: &[String]) -> Result<(), String> {
    demand(
        !all.is_empty() && all.iter().all(|text| !text.trim().is_empty()),
        field,
        "it is not empty, and nothing in it is",
    )
}

impl Residency {
    fn check(&self) -> Result<(), String> {
        let mut classes = HashSet::new();
        for rule in &self.rules {
            let field = format!("residency.rules ({})", rule.class.as_str());
            demand(classes.insert(rule.class), &field, "a class has one rule")?;
            demand(!rule.countries.is_empty(), &field, "at least one country is named")?;
            for country in &rule.countries {
                demand(
                    iso::is_country(country),
                    &field,
                    "countries are ISO 3166-1 alpha-2 codes, as ID",
                )?;
            }
            unique(&field, &rule.countries)?;
            names(&field, &rule.sites)?;
            let zones = (1..=ZONES_MAX).contains(&rule.zones_min);
            demand(zones, &field, "zonesMin is 1 to 16")?;
        }
        demand(
            classes.contains(&self.default_class),
            "residency.defaultClass",
            "that class has a rule",
        )
    }
}

fn service_levels(levels: &[ServiceLevel]) -> Result<(), String> {
    let mut ids = HashSet::new();
    for level in levels {
        let field = format!("serviceLevels ({})", level.id);
        demand(is_name(&level.id) && ids.insert(&level.id), &field, "ids are names, each once")?;
        level.name.check(&field)?;
        demand(level.target_ppm <= WHOLE_PPM, &field, "targetPpm is at most 1000000")?;
        let (mut below, mut percent) = (level.target_ppm, 0);
        for (at, credit) in level.credits.iter().enumerate() {
            let falls = credit.below_ppm < below || at == 0 && credit.below_ppm == below;
            demand(
                falls,
                &field,
                "credits begin at the target or lower, and each is below the last",
            )?;
            demand(
                credit.percent > percent && credit.percent <= 100,
                &field,
                "each credit is more than the last, and none is above 100 percent",
            )?;
            (below, percent) = (credit.below_ppm, credit.percent);
        }
    }
    Ok(())
}

impl super::Breach {
    fn check(&self) -> Result<(), String> {
        demand(
            (1..=NOTICE_HOURS_MAX).contains(&self.notice_hours),
            "breach.noticeHours",
            "the law allows 1 to 72",
        )?;
        demand(!self.authority.trim().is_empty(), "breach.authority", "it is not empty")
    }
}

impl PrivilegedAccess {
    fn check(&self) -> Result<(), String> {
        demand(
            !self.permitted || self.hours_max > 0,
            "privilegedAccess.hoursMax",
            "it is above 0 where access is permitted",
        )
    }
}

impl Equipment {
    fn check(&self) -> Result<(), String> {
        let field = "infrastructure";
        demand(is_name(&self.site), field, "site is the name of a data centre")?;
        self.name.check(field)?;
        let empty = matches!(&self.addresses, Disclosed::Shown(addresses) if addresses.is_empty());
        demand(!empty, field, "addresses are not empty")
    }
}

impl Side {
    fn check(&self, field: &str) -> Result<(), String> {
        demand(!self.rights.is_empty(), field, "it has rights")?;
        demand(!self.duties.is_empty(), field, "it has duties")?;
        self.rights.iter().chain(&self.duties).try_for_each(|text| text.check(field))
    }
}

impl Text {
    /// # Errors
    /// Where one of the languages says nothing.
    pub(crate) fn check(&self, field: &str) -> Result<(), String> {
        let said = !self.id.trim().is_empty() && !self.en.trim().is_empty();
        demand(said, field, "every text is in both languages, id and en")
    }
}

#[cfg(test)]
mod tests;
