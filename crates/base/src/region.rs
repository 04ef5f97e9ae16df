//! Places: regions, zones and the data centres that stand behind them.
//!
//! A region name proves nothing about a country (`ap-southeast-5` is Jakarta at one provider and
//! Malaysia at another), so everything that decides about a place decides on the data centre.

use serde::{Deserialize, Serialize};

/// A building with machines in it, as the operator declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataCentre {
    /// Short name, unique in this cloud, for example `jkt-1`.
    pub site: String,
    /// The zone it serves, for example `ap-southeast-5a`.
    pub zone: String,
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
    /// The zones, in order of declaration, each once.
    pub fn zones(&self) -> Vec<String> {
        let mut zones: Vec<String> = Vec::new();
        for centre in &self.data_centres {
            if !zones.contains(&centre.zone) {
                zones.push(centre.zone.clone());
            }
        }
        zones
    }
}
