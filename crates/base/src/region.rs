//! Places: regions, zones and the data centres that stand behind them.
//!
//! A region name proves nothing about a country (`ap-southeast-5` is Jakarta at one provider and
//! Malaysia at another), so everything that decides about a place decides on the data centre.

use serde::{Deserialize, Serialize};

use crate::Time;

/// A building with machines in it, as the operator declares it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataCentre {
    /// Short name, unique in this cloud, for example `jkt-1`.
    pub site: String,
    /// The zone it serves, for example `ap-southeast-5a`.
    pub zone: String,
    /// The region that the zone belongs to; empty for the cloud's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// ISO 3166-1 alpha-2 code of the country it stands in, for example `ID`.
    pub country: String,
    /// The city it stands in.
    pub city: String,
    /// Who runs it.
    #[serde(default)]
    pub operator: String,
    /// Who owns it.
    #[serde(default)]
    pub owner: String,
    /// The number of the permit under which it runs.
    #[serde(default)]
    pub permit: String,
    /// The last day of the permit, `YYYY-MM-DD`; empty where it has no end.
    #[serde(default)]
    pub permit_until: String,
    /// Certificates that it holds, as `SNI ISO/IEC 27001:2022`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
}

impl DataCentre {
    /// Whether its permit had run out before the day (UTC) of `now`. A date that cannot be read counts as run
    /// out: nobody can say that the permit still holds.
    pub fn permit_lapsed(&self, now: Time) -> bool {
        if self.permit_until.is_empty() {
            return false;
        }
        let end = Time::parse_iso(&format!("{}T00:00:00Z", self.permit_until));
        end.is_none_or(|last_day| now.secs() >= last_day.secs() + 86_400)
    }
}

/// One region and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The region id that clients name.
    pub id: String,
    /// Its data centres, at least one for each zone.
    pub data_centres: Vec<DataCentre>,
}

impl Region {
    /// The data centres of a region of this cloud, in order of declaration.
    pub fn centres<'a>(&'a self, region: &'a str) -> impl Iterator<Item = &'a DataCentre> {
        let of = move |centre: &&DataCentre| {
            let own = if centre.region.is_empty() { &self.id } else { &centre.region };
            own == region
        };
        self.data_centres.iter().filter(of)
    }

    /// The data centre of that name.
    pub fn centre(&self, site: &str) -> Option<&DataCentre> {
        self.data_centres.iter().find(|centre| centre.site == site)
    }

    /// The zones of the cloud's own region, in order of declaration, each once.
    pub fn zones(&self) -> Vec<String> {
        let mut zones: Vec<String> = Vec::new();
        for centre in self.centres(&self.id) {
            if !zones.contains(&centre.zone) {
                zones.push(centre.zone.clone());
            }
        }
        zones
    }
}
