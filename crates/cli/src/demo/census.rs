//! Counts the election from its own JSON: how many regions of each level, how many polling stations,
//! how many raw counts are complete and whether their votes add up. It stores nothing.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use super::archive::{Entry, Kind};
use crate::output;

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Files of the region tree.
    pub region_files: u64,
    /// Bytes of the region tree.
    pub region_bytes: u64,
    /// Level 1, one of them abroad.
    pub provinces: u64,
    /// Level 2.
    pub regencies: u64,
    /// Level 3.
    pub districts: u64,
    /// Level 4.
    pub villages: u64,
    /// Level 5.
    pub stations: u64,
    /// Raw files of polling stations.
    pub raw_files: u64,
    /// Bytes of the raw files.
    pub raw_bytes: u64,
    /// Raw files whose votes and administration are both final.
    pub raw_complete: u64,
    /// Complete ones whose votes do not add up to their valid votes.
    pub raw_differing: u64,
}

/// The whole data set, as its README says.
pub const EXPECTED: Census = Census {
    region_files: 91_879,
    region_bytes: 107_781_930,
    provinces: 39,
    regencies: 643,
    districts: 7_405,
    villages: 83_859,
    stations: 822_116,
    raw_files: 1_053,
    raw_bytes: 724_123,
    raw_complete: 376,
    raw_differing: 31,
};

/// One region in a file of the tree; its names and codes are of no matter here.
#[derive(Deserialize)]
struct Region {
    tingkat: u8,
}

/// The raw count of a polling station, as far as it is looked at.
#[derive(Deserialize)]
struct Station {
    status_suara: bool,
    status_adm: bool,
    chart: Option<serde_json::Map<String, Value>>,
    administrasi: Option<Administration>,
}

#[derive(Deserialize)]
struct Administration {
    suara_sah: Option<u64>,
}

impl Census {
    /// Counts one file.
    ///
    /// # Errors
    /// Where it is not the JSON that it should be.
    pub fn add(&mut self, entry: &Entry) -> Result<()> {
        let bytes = entry.body.len() as u64;
        match entry.kind {
            Kind::Regions => {
                self.region_files += 1;
                self.region_bytes += bytes;
                self.add_regions(&entry.body)
            }
            Kind::Station => {
                self.raw_files += 1;
                self.raw_bytes += bytes;
                self.add_station(&entry.body)
            }
        }
        .with_context(|| format!("count {}", entry.key))
    }

    fn add_regions(&mut self, body: &[u8]) -> Result<()> {
        let regions: Vec<Region> = serde_json::from_slice(body).context("not a list of regions")?;
        for region in regions {
            let level = match region.tingkat {
                1 => &mut self.provinces,
                2 => &mut self.regencies,
                3 => &mut self.districts,
                4 => &mut self.villages,
                5 => &mut self.stations,
                other => anyhow::bail!("there is no level {other}"),
            };
            *level += 1;
        }
        Ok(())
    }

    fn add_station(&mut self, body: &[u8]) -> Result<()> {
        let station: Station =
            serde_json::from_slice(body).context("not the count of a polling station")?;
        if !(station.status_suara && station.status_adm) {
            return Ok(());
        }
        self.raw_complete += 1;
        // The chart has a member "null" for votes of no candidate, which holds no number.
        let votes: u64 =
            station.chart.iter().flat_map(|chart| chart.values()).filter_map(Value::as_u64).sum();
        let valid = station.administrasi.and_then(|administration| administration.suara_sah);
        self.raw_differing += u64::from(valid != Some(votes));
        Ok(())
    }

    /// Adds what another thread counted.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            region_files: self.region_files + other.region_files,
            region_bytes: self.region_bytes + other.region_bytes,
            provinces: self.provinces + other.provinces,
            regencies: self.regencies + other.regencies,
            districts: self.districts + other.districts,
            villages: self.villages + other.villages,
            stations: self.stations + other.stations,
            raw_files: self.raw_files + other.raw_files,
            raw_bytes: self.raw_bytes + other.raw_bytes,
            raw_complete: self.raw_complete + other.raw_complete,
            raw_differing: self.raw_differing + other.raw_differing,
        }
    }

    /// What was counted, as rows of a table.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let rows = [
            ("files of the region tree", self.region_files),
            ("provinces (one abroad)", self.provinces),
            ("regencies and cities", self.regencies),
            ("districts", self.districts),
            ("villages", self.villages),
            ("polling stations", self.stations),
            ("raw polling-station files", self.raw_files),
            ("  complete", self.raw_complete),
            ("  not complete", self.raw_files - self.raw_complete),
            ("  complete, votes differ from valid votes", self.raw_differing),
            ("bytes", self.region_bytes + self.raw_bytes),
        ];
        rows.map(|(what, number)| vec![what.to_owned(), output::count(number)]).to_vec()
    }
}
