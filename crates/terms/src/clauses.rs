//! The clauses of an agreement: the `sovereign` extension of an OCDS contract (docs/agreement/).

use base::AccountId;
use base::region::DataCentre;
use serde::{Deserialize, Serialize};

use crate::prices::PriceBook;

mod check;

/// The version of the extension that this program writes.
pub const VERSION: u32 = 1;

/// A sentence in both languages of the agreement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Indonesian; the binding one.
    pub id: String,
    /// English.
    pub en: String,
}

/// Everything that the cloud enforces, bills by or promises. Unknown fields are refused: a clause that
/// nobody reads must not look as if it bound anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Terms {
    /// [`VERSION`].
    pub version: u32,
    /// The tenant's account.
    #[serde(with = "account")]
    pub account: AccountId,
    /// Products granted, as `oss`; `*` grants every product.
    pub services: Vec<String>,
    /// Which data may be where.
    pub residency: Residency,
    /// What things cost.
    pub price_book: PriceBook,
    /// The most that a calendar month (UTC) may cost before new use is refused, micro-units of the
    /// price book's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spending_limit: Option<i64>,
    /// Service levels, with what is credited where they are missed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_levels: Vec<ServiceLevel>,
    /// How long what is kept.
    pub retention: Retention,
    /// How the tenant leaves, and with what.
    pub exit: Exit,
    /// How fast a breach is told.
    pub breach: Breach,
    /// Who may audit.
    pub audit: Audit,
    /// When the provider's people may read the tenant's data.
    pub privileged_access: PrivilegedAccess,
    /// Others who process the data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sub_processors: Vec<String>,
    /// The equipment that serves the tenant, where the parties list it. Nothing is enforced by it: it is
    /// here because the public may ask for it, and because some of it may be withheld.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub infrastructure: Vec<Equipment>,
    /// Rights and duties in plain words.
    pub provider: Side,
    /// Rights and duties in plain words.
    pub tenant: Side,
    /// The log in which this agreement and what is done under it are recorded.
    pub log: Log,
    /// Both parties' keys.
    pub keys: Keys,
}

/// Which data may be where. Bound to countries and data centres, never to region names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Residency {
    /// The class of data whose owner says nothing.
    pub default_class: DataClass,
    /// A rule for each class that may be stored at all.
    pub rules: Vec<Residence>,
}

/// How sensitive data is (after Perpres 95/2018 and the ministry's statement of March 2024).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataClass {
    /// Open to everybody.
    Public,
    /// For the tenant's own use.
    Internal,
    /// About persons (UU 27/2022).
    Personal,
    /// Strategic for the state.
    Strategic,
}

impl DataClass {
    /// All, least sensitive first.
    pub const ALL: [Self; 4] = [Self::Public, Self::Internal, Self::Personal, Self::Strategic];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Personal => "personal",
            Self::Strategic => "strategic",
        }
    }

    /// Reads it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }
}

/// Where data of one class may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Residence {
    /// The class.
    pub class: DataClass,
    /// ISO 3166-1 alpha-2 codes of the countries.
    pub countries: Vec<String>,
    /// Data centres; empty where any in those countries will do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<String>,
    /// In how many zones a copy must be.
    pub zones_min: u32,
}

impl Residence {
    /// Whether a data centre may hold this class.
    pub fn allows(&self, centre: &DataCentre) -> bool {
        self.countries.contains(&centre.country)
            && (self.sites.is_empty() || self.sites.contains(&centre.site))
    }
}

impl Residency {
    /// The rule for a class; without one, that class may be nowhere.
    pub fn rule(&self, class: DataClass) -> Option<&Residence> {
        self.rules.iter().find(|rule| rule.class == class)
    }
}

/// One promise about service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServiceLevel {
    /// What is measured, as `oss.availability`.
    pub id: String,
    /// In words.
    pub name: Text,
    /// The promise, in millionths of the month: 999000 is 99.9 %.
    pub target_ppm: u32,
    /// What is credited below a level: the steps, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credits: Vec<Credit>,
}

/// One step of credit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Credit {
    /// Below this, millionths.
    pub below_ppm: u32,
    /// Credited of the month's charge for the service, percent.
    pub percent: u32,
}

/// How long what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Retention {
    /// Audit entries, days.
    pub audit_days: u32,
    /// Usage and bills, days.
    pub billing_days: u32,
    /// Data after the end of the agreement, days; then it is deleted and that is recorded.
    pub after_end_days: u32,
}

/// How the tenant leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Exit {
    /// Notice by either party, days.
    pub notice_days: u32,
    /// The protocols in which everything can be taken out; at least one.
    pub formats: Vec<String>,
    /// Whether taking it out is free of egress charges after notice.
    pub free_egress: bool,
}

/// How fast a breach is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Breach {
    /// Hours until tenant and authority are told (UU 27/2022 art. 46: 72).
    pub notice_hours: u32,
    /// Whom the provider tells, besides the tenant.
    pub authority: String,
}

/// Who may audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Audit {
    /// The parties or bodies that may.
    pub by: Vec<String>,
    /// Notice, days.
    pub notice_days: u32,
}

/// When the provider's people may read the tenant's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PrivilegedAccess {
    /// Whether it can be had at all.
    pub permitted: bool,
    /// Whether the tenant must approve each.
    pub tenant_approval: bool,
    /// The longest that one lasts, hours.
    pub hours_max: u32,
}

/// One piece of equipment, or several alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Equipment {
    /// The data centre; always public.
    pub site: String,
    /// What it is.
    pub name: Text,
    /// Where exactly it stands, as room and rack.
    pub location: Disclosed<String>,
    /// Its IP addresses.
    pub addresses: Disclosed<Vec<String>>,
}

/// A value that the document shows, or withholds under a commitment ([`crate::redact`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Disclosed<T> {
    /// For everybody to read.
    Shown(T),
    /// For the parties only.
    Withheld(Withheld),
}

impl<T> Disclosed<T> {
    /// The value, unless it is withheld.
    pub const fn shown(&self) -> Option<&T> {
        match self {
            Self::Shown(value) => Some(value),
            Self::Withheld(_) => None,
        }
    }
}

/// What stands where a value is withheld.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withheld {
    /// Its only field, so that no value that is shown can look like it.
    pub withheld: Commitment,
}

/// Binds whoever withholds to the value, without showing it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitment {
    /// SHA-256 of salt and canonical value, lower-case hexadecimal.
    pub commitment: String,
    /// The legal ground.
    pub ground: Text,
}

/// What one side may and must do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Side {
    /// The rights.
    pub rights: Vec<Text>,
    /// The duties.
    pub duties: Vec<Text>,
}

/// The log of the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Log {
    /// Its origin line.
    pub origin: String,
    /// Its verifier key.
    pub key: String,
}

/// Both parties' keys, as note verifier keys (C2SP signed-note).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Keys {
    /// The provider's.
    pub provider: String,
    /// The tenant's.
    pub tenant: String,
}

/// An account as its sixteen digits: numbers of that size lose digits in JavaScript.
mod account {
    use base::AccountId;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(id: &AccountId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<AccountId, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|()| de::Error::custom("an account is up to 19 decimal digits"))
    }
}
