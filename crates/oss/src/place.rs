//! Where bytes may be. The one door: the byte store takes no bytes without a [`Placement`], and only
//! [`decide`] makes one.

use base::region::Region;
use base::{ApiError, code};

use crate::model::Bucket;

/// The decision that a bucket's bytes may be written in a data centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    site: String,
    zone: String,
    country: String,
}

impl Placement {
    /// The data centre's name.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// The zone that it serves.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// The country that it stands in (ISO 3166-1 alpha-2).
    pub fn country(&self) -> &str {
        &self.country
    }
}

/// Decides where a bucket's bytes are written: in the data centre that the bucket was made in.
///
/// # Errors
/// `ServiceUnavailable` where the operator no longer declares that data centre: writing elsewhere
/// would move data without anybody having agreed.
pub fn decide(region: &Region, bucket: &Bucket) -> Result<Placement, ApiError> {
    let found = region.data_centres.iter().find(|centre| centre.site == bucket.site);
    let Some(centre) = found else {
        return Err(ApiError::new(&code::UNAVAILABLE).detail(format!(
            "bucket {} is at {}, which is not declared",
            bucket.name, bucket.site
        )));
    };
    Ok(Placement {
        site: centre.site.clone(),
        zone: centre.zone.clone(),
        country: centre.country.clone(),
    })
}

/// The data centre of a new bucket: the first of the region.
///
/// # Errors
/// `ServiceUnavailable` where the region has none.
pub(crate) fn home(region: &Region) -> Result<String, ApiError> {
    let first = region.data_centres.first();
    let none = || {
        ApiError::new(&code::UNAVAILABLE).detail(format!("region {} has no data centre", region.id))
    };
    first.map(|centre| centre.site.clone()).ok_or_else(none)
}
