//! Where a new instance is: data centres that have its engine, in the zones that were asked for, and that the
//! agreement allows. The last word is [`engine::places::decide`]'s.

use base::region::DataCentre;
use base::{ApiError, Time, code};
use engine::Cx;
use engine::places::{self, Placement, Want};
use terms::clauses::DataClass;

use super::forms::version;
use crate::errors::{NO_REGION, NO_VERSION, NO_ZONE, OUT_OF_ZONES};
use crate::model::{Category, Engine};
use crate::tables;

/// What is to be placed, and where its owner wants it.
pub(crate) struct Spot<'a> {
    /// The region.
    pub(crate) region: &'a str,
    /// The primary's zone; empty where any will do.
    pub(crate) zone: &'a str,
    /// The standby's zone; empty where any other will do.
    pub(crate) standby_zone: &'a str,
    /// Whether there is a standby.
    pub(crate) category: Category,
    /// Data centres that hold a copy already: the agreement counts their zones too.
    pub(crate) beside: &'a [String],
}

/// Decides where; the primary's data centre comes first.
///
/// # Errors
/// [`NO_REGION`], [`NO_ZONE`], [`NO_VERSION`] where no data centre there has the engine, [`OUT_OF_ZONES`], and
/// those of [`places::decide`].
pub(crate) fn place(
    cx: &mut Cx<'_>,
    class: DataClass,
    (engine, major): (Engine, &str),
    spot: &Spot<'_>,
) -> Result<Placement, ApiError> {
    let cloud = cx.cloud;
    let there: Vec<&DataCentre> = cloud.region.centres(spot.region).collect();
    if there.is_empty() {
        return Err(NO_REGION.into());
    }
    for zone in [spot.zone, spot.standby_zone] {
        if !zone.is_empty() && !there.iter().any(|centre| centre.zone == zone) {
            return Err(NO_ZONE.into());
        }
    }
    let offers = tables::engine::of(cx.tx(), engine, major)?;
    let having: Vec<&DataCentre> = there
        .into_iter()
        .filter(|centre| offers.iter().any(|offer| offer.site == centre.site))
        .collect();
    let in_zone = |zone: &str| zone.is_empty() || having.iter().any(|centre| centre.zone == zone);
    if having.is_empty() || !in_zone(spot.zone) || !in_zone(spot.standby_zone) {
        let shown = version(engine, major);
        return Err(NO_VERSION.error(format!("{} {shown} is not offered there.", engine.as_str())));
    }
    let mut refusal = None;
    let now = cx.now;
    for sites in candidates(&having, spot) {
        match decide(cx, class, &sites, spot.beside, now) {
            Ok(placement) => return Ok(placement),
            // Where a place would do and only its number does not, that is what helps the tenant.
            Err(error) if error.is(&code::ZONES_REQUIRED) => refusal = Some(error),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.unwrap_or_else(|| OUT_OF_ZONES.into()))
}

fn decide(
    cx: &mut Cx<'_>,
    class: DataClass,
    sites: &[String],
    beside: &[String],
    now: Time,
) -> Result<Placement, ApiError> {
    let (cloud, account) = (cx.cloud, cx.account());
    let others = beside.iter().filter(|site| !sites.contains(site));
    let all: Vec<String> = sites.iter().chain(others).cloned().collect();
    let want = Want { account, class, sites: &all };
    let placement = places::decide(cx.tx(), cloud, &want, now)?;
    if beside.is_empty() {
        return Ok(placement);
    }
    // Only what is new is placed by this; one data centre, since nothing with a standby is placed beside another.
    let new = sites.first().and_then(|site| placement.at(site));
    new.ok_or_else(|| {
        ApiError::internal("a placement has not the data centre that was decided about")
    })
}

/// The data centres that would do, in order of declaration.
fn candidates(having: &[&DataCentre], spot: &Spot<'_>) -> Vec<Vec<String>> {
    let fits = |zone: &str, centre: &DataCentre| zone.is_empty() || centre.zone == zone;
    let primaries = having.iter().filter(|centre| fits(spot.zone, centre));
    match spot.category {
        Category::Basic => primaries.map(|centre| vec![centre.site.clone()]).collect(),
        Category::HighAvailability => primaries
            .flat_map(|primary| {
                let elsewhere = having.iter().filter(|standby| {
                    standby.zone != primary.zone && fits(spot.standby_zone, standby)
                });
                elsewhere.map(|standby| vec![primary.site.clone(), standby.site.clone()])
            })
            .collect(),
    }
}
