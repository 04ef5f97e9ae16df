//! Where data may be. The one door: whatever writes bytes of a tenant (objects, parts, replicas,
//! backups, caches, disks, scratch) takes a [`Placement`], and only [`decide`] makes one.
//!
//! The data centres themselves are configuration; what changes about them between two starts is
//! recorded by [`declare`], so that the log knows every place that ever was one.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::region::{DataCentre, Region};
use base::{AccountId, ApiError, Code, RequestId, Time, code};
use serde_json::{Value, json};
use store::{Tx, params};
use terms::clauses::DataClass;

use crate::{Caller, Cloud, Cx, Meta, RequestInfo, Session};

/// The decision that data of one tenant may be written in one or more data centres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    account: AccountId,
    class: DataClass,
    places: Vec<Place>,
}

/// One data centre of a placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    site: String,
    zone: String,
    country: String,
}

impl Place {
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

impl Placement {
    /// The tenant whose data it is.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The class of the data.
    pub fn class(&self) -> DataClass {
        self.class
    }

    /// The data centres, each of which gets a whole copy; never empty.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// What of this decision concerns one of its data centres; `None` where that is not one of them.
    pub fn at(&self, site: &str) -> Option<Self> {
        let places: Vec<_> =
            self.places.iter().filter(|place| place.site == site).cloned().collect();
        (!places.is_empty()).then_some(Self { places, ..*self })
    }
}

/// What is to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Want<'a> {
    /// The tenant whose data it is.
    pub account: AccountId,
    /// The class of the data.
    pub class: DataClass,
    /// The data centres that are to hold a copy each.
    pub sites: &'a [String],
}

/// Decides whether data may be written where it is wanted: every data centre must be declared, its
/// permit must hold, the tenant's agreement must allow it for that class of data, and there must be as
/// many zones as the agreement demands.
///
/// # Errors
/// `RESIDENCY`, `PERMIT_LAPSED`, `ZONES_REQUIRED` with public facts for the log; `UNAVAILABLE` where the
/// operator no longer declares a data centre; those of the agreement.
pub fn decide(
    tx: &mut Tx<'_>,
    cloud: &Cloud,
    want: &Want<'_>,
    now: Time,
) -> Result<Placement, ApiError> {
    let mut places = Vec::with_capacity(want.sites.len());
    for site in want.sites {
        let Some(centre) = cloud.region.centre(site) else {
            return Err(ApiError::new(&code::UNAVAILABLE)
                .detail(format!("data is wanted at {site}, which is not declared")));
        };
        if centre.permit_lapsed(now) {
            let lapsed = code::PERMIT_LAPSED.error(format!(
                "The permit of the data centre {site} ran out on {}: it takes nothing new.",
                centre.permit_until
            ));
            return Err(refused(lapsed, want, &[centre]));
        }
        cloud
            .covenant
            .may_place(tx, want.account, want.class, centre, now)
            .map_err(|error| refused(error, want, &[centre]))?;
        places.push(Place {
            site: centre.site.clone(),
            zone: centre.zone.clone(),
            country: centre.country.clone(),
        });
    }
    enough_zones(tx, cloud, want, &places, now)?;
    Ok(Placement { account: want.account, class: want.class, places })
}

/// Decides whether a copy of data that belongs to `account` and is of `class` may go where `target` is: the
/// agreement of its owner binds it there too, and what is sensitive does not become less so by being copied.
///
/// # Errors
/// `DATA_CLASS`, and as [`decide`], with public facts about the data's owner.
pub fn decide_copy(
    tx: &mut Tx<'_>,
    cloud: &Cloud,
    (account, class): (AccountId, DataClass),
    target: &Placement,
    now: Time,
) -> Result<(), ApiError> {
    if (account, class) == (target.account, target.class) {
        return Ok(()); // the target's own decision is this one
    }
    let sites: Vec<String> = target.places.iter().map(|place| place.site.clone()).collect();
    let want = Want { account, class, sites: &sites };
    if target.class < class {
        let error = code::DATA_CLASS.error(format!(
            "This is {} data, and the bucket is for {} data: copy it into one for {0} data or for more sensitive data.",
            class.as_str(),
            target.class.as_str()
        ));
        let centres: Vec<_> = sites.iter().filter_map(|site| cloud.region.centre(site)).collect();
        return Err(refused(error, &want, &centres));
    }
    decide(tx, cloud, &want, now).map(drop)
}

/// Chooses data centres of a region for new data: the first that may take it, and for `zones` of more
/// than one the first in each further zone.
///
/// # Errors
/// As [`decide`]: the first data centre's refusal where none may take it.
pub fn choose(
    tx: &mut Tx<'_>,
    cloud: &Cloud,
    account: AccountId,
    class: DataClass,
    (region, zones): (&str, usize),
    now: Time,
) -> Result<Vec<String>, ApiError> {
    spread(tx, cloud, (account, class), (region, zones), Vec::new(), now)
}

/// As [`choose`], with one data centre named: it comes first, the others are in other zones of its region.
///
/// # Errors
/// As [`decide`].
pub fn choose_beside(
    tx: &mut Tx<'_>,
    cloud: &Cloud,
    account: AccountId,
    class: DataClass,
    (site, zones): (&str, usize),
    now: Time,
) -> Result<Vec<String>, ApiError> {
    let Some(named) = cloud.region.centre(site) else {
        return Err(ApiError::new(&code::UNAVAILABLE)
            .detail(format!("data is wanted at {site}, which is not declared")));
    };
    may_take(tx, cloud, account, class, named, now)?;
    let region = if named.region.is_empty() { &cloud.region.id } else { &named.region };
    spread(tx, cloud, (account, class), (region, zones), vec![named], now)
}

/// Adds data centres of further zones to those that are chosen, until there are enough.
fn spread<'c>(
    tx: &mut Tx<'_>,
    cloud: &'c Cloud,
    (account, class): (AccountId, DataClass),
    (region, zones): (&'c str, usize),
    mut chosen: Vec<&'c DataCentre>,
    now: Time,
) -> Result<Vec<String>, ApiError> {
    let mut refusal = None;
    for centre in cloud.region.centres(region) {
        if chosen.len() == zones {
            break;
        }
        if chosen.iter().any(|other| other.zone == centre.zone) {
            continue;
        }
        match may_take(tx, cloud, account, class, centre, now) {
            Ok(()) => chosen.push(centre),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    if chosen.len() == zones {
        return Ok(chosen.into_iter().map(|centre| centre.site.clone()).collect());
    }
    let none = || code::UNAVAILABLE.error(format!("Region {region} has not {zones} zones."));
    Err(refusal.unwrap_or_else(none))
}

fn may_take(
    tx: &mut Tx<'_>,
    cloud: &Cloud,
    account: AccountId,
    class: DataClass,
    centre: &DataCentre,
    now: Time,
) -> Result<(), ApiError> {
    let want = Want { account, class, sites: &[] };
    if centre.permit_lapsed(now) {
        return Err(refused(ApiError::new(&code::PERMIT_LAPSED), &want, &[centre]));
    }
    let asked = cloud.covenant.may_place(tx, account, class, centre, now);
    asked.map_err(|error| refused(error, &want, &[centre]))
}

fn enough_zones(
    tx: &mut Tx<'_>,
    cloud: &Cloud,
    want: &Want<'_>,
    places: &[Place],
    now: Time,
) -> Result<(), ApiError> {
    let in_force = cloud.covenant.in_force(tx, want.account, now)?;
    let rule = in_force.as_ref().and_then(|it| it.terms.residency.rule(want.class));
    let least = rule.map_or(1, |rule| rule.zones_min.max(1)) as usize;
    let mut zones: Vec<_> = places.iter().map(Place::zone).collect();
    zones.sort_unstable();
    zones.dedup();
    if zones.len() >= least {
        return Ok(());
    }
    let error = code::ZONES_REQUIRED.error(format!(
        "The agreement demands that {} data is kept in {least} zones, not {}.",
        want.class.as_str(),
        zones.len()
    ));
    let centres: Vec<_> =
        places.iter().filter_map(|place| cloud.region.centre(place.site())).collect();
    Err(refused(error, want, &centres))
}

/// A refusal whose leaf says which tenant's data was kept from which place.
fn refused(error: ApiError, want: &Want<'_>, centres: &[&DataCentre]) -> ApiError {
    let wanted: Vec<Value> = centres
        .iter()
        .map(|centre| json!({ "site": centre.site, "country": centre.country }))
        .collect();
    let facts = json!({
        "tenant": want.account.to_string(),
        "class": want.class.as_str(),
        "wanted": wanted,
    });
    error.public(facts.to_string()).about(want.account)
}

/// States a placement in the leaf of the write that made it: `objects` (or `parts`) is by how many their
/// number at those places changed. What one write states more than once is added up.
pub fn state(cx: &mut Cx<'_>, placement: &Placement, what: &'static str, change: i64) {
    let places: Vec<_> = placement
        .places
        .iter()
        .map(|place| (place.site.as_str(), place.country.as_str()))
        .collect();
    state_at(cx, (placement.account, placement.class), &places, what, change);
}

/// States a removal as [`state`] does a placement. Nobody has to decide about one: data may always be taken
/// away from where it is.
pub fn state_removed(
    cx: &mut Cx<'_>,
    account: AccountId,
    class: DataClass,
    sites: &[String],
    what: &'static str,
    change: i64,
) {
    let cloud = cx.cloud;
    let places: Vec<_> = sites.iter().map(|site| (site.as_str(), country(cloud, site))).collect();
    state_at(cx, (account, class), &places, what, change);
}

/// The country of a data centre; `ZZ`, which ISO 3166-1 leaves to its users, where the operator no longer
/// declares it.
pub fn country<'c>(cloud: &'c Cloud, site: &str) -> &'c str {
    cloud.region.centre(site).map_or("ZZ", |centre| centre.country.as_str())
}

fn state_at(
    cx: &mut Cx<'_>,
    (account, class): (AccountId, DataClass),
    places: &[(&str, &str)],
    what: &'static str,
    change: i64,
) {
    cx.public("tenant", account.to_string());
    cx.public("class", class.as_str());
    let placed = cx.audit.public.entry("placed").or_insert_with(|| json!([]));
    let Some(placed) = placed.as_array_mut() else { return };
    for (site, country) in places {
        match placed.iter_mut().find(|stated| stated["site"] == *site) {
            Some(stated) => {
                let before = stated.get(what).and_then(Value::as_i64).unwrap_or_default();
                stated[what] = json!(before + change);
            }
            None => placed.push(json!({ "site": site, "country": country, what: change })),
        }
    }
}

const DECLARE: Meta = Meta::write("awan", "2026-01-01", "DeclareDataCentre");
const REMOVE: Meta = Meta::write("awan", "2026-01-01", "RemoveDataCentre");
const DECLARE_KEY: Meta = Meta::write("awan", "2026-01-01", "DeclareKey");

/// `OperationConflict.DataCentre`, status 409: a data centre that holds data is not where it was, or is gone.
/// The operator reads it, at a start.
pub const DATA_CENTRE_IN_USE: Code =
    Code::new("OperationConflict.DataCentre", 409, "The data centre holds data.");

/// Records what differs from the data centres that were declared at the last start; each change is an
/// audit row, and so a leaf. `held` says how many buckets have data in each: the log says of every one of them
/// in which country it is, so that no data centre takes its data to another country, or away, by a change of
/// the configuration.
///
/// # Errors
/// `DATA_CENTRE_IN_USE`, before anything is recorded; those of the database.
pub async fn declare(cloud: &Arc<Cloud>, held: &BTreeMap<String, u64>) -> Result<(), ApiError> {
    let known: Vec<(String, String)> = cloud
        .db
        .read(|tx| {
            let sql = "SELECT site, declared FROM data_centre ORDER BY site";
            tx.query(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))
        })
        .await
        .map_err(|error: store::Error| ApiError::from(error))?;
    stay(&cloud.region, &known, held)?;
    for centre in &cloud.region.data_centres {
        let declared = serde_json::to_string(centre).map_err(ApiError::internal)?;
        let same = |(site, text): &(String, String)| *site == centre.site && *text == declared;
        if !known.iter().any(same) {
            let centre = centre.clone();
            cloud
                .write(system(cloud, DECLARE), move |cx| state_centre(cx, &centre, &declared))
                .await?;
        }
    }
    for (site, _) in known {
        if cloud.region.centre(&site).is_none() {
            cloud.write(system(cloud, REMOVE), move |cx| remove_centre(cx, &site)).await?;
        }
    }
    Ok(())
}

/// Refuses what would move data without a byte being moved.
fn stay(
    region: &Region,
    known: &[(String, String)],
    held: &BTreeMap<String, u64>,
) -> Result<(), ApiError> {
    for (site, buckets) in held {
        let declared = known.iter().find(|(named, _)| named == site);
        let before = declared
            .map(|(_, text)| serde_json::from_str::<DataCentre>(text))
            .transpose()
            .map_err(ApiError::internal)?
            .map(|centre| centre.country);
        let now = region.centre(site).map(|centre| &centre.country);
        let change = match (before, now) {
            (_, None) => "is no longer in the configuration".to_owned(),
            (Some(before), Some(now)) if before != *now => {
                format!("stood in {before} so far, and the configuration says {now}")
            }
            _ => continue,
        };
        return Err(DATA_CENTRE_IN_USE.error(format!(
            "The data centre {site} {change}, but {} there, and the log says in which country that is. \
             Put {site} back as it was; a place that is new takes a new site name.",
            holders(*buckets)
        )));
    }
    Ok(())
}

fn holders(buckets: u64) -> String {
    match buckets {
        1 => "1 bucket has data".to_owned(),
        more => format!("{more} buckets have data"),
    }
}

fn state_centre(cx: &mut Cx<'_>, centre: &DataCentre, declared: &str) -> Result<(), ApiError> {
    cx.tx().execute(
        "INSERT INTO data_centre (site, declared) VALUES (?1, ?2)
         ON CONFLICT (site) DO UPDATE SET declared = excluded.declared",
        params![&centre.site, declared],
    )?;
    cx.audit_resource(format!("acs:awan:*:*:datacentre/{}", centre.site));
    let facts: [(&'static str, &str); 8] = [
        ("site", &centre.site),
        ("zone", &centre.zone),
        ("country", &centre.country),
        ("city", &centre.city),
        ("operator", &centre.operator),
        ("owner", &centre.owner),
        ("permit", &centre.permit),
        ("permit_until", &centre.permit_until),
    ];
    for (key, value) in facts {
        cx.public(key, value);
    }
    cx.public("certificates", centre.certificates.clone());
    Ok(())
}

fn remove_centre(cx: &mut Cx<'_>, site: &str) -> Result<(), ApiError> {
    cx.tx().execute("DELETE FROM data_centre WHERE site = ?1", params![site])?;
    cx.audit_resource(format!("acs:awan:*:*:datacentre/{site}"));
    cx.public("site", site);
    Ok(())
}

/// Records a key of the cloud itself (`log`, `provider`) where it is not the one declared last.
///
/// # Errors
/// Those of the database.
pub async fn declare_key(
    cloud: &Arc<Cloud>,
    role: &'static str,
    verifier: &str,
) -> Result<(), ApiError> {
    let known: Option<String> = cloud
        .db
        .read(move |tx| {
            let sql = "SELECT verifier FROM declared_key WHERE role = ?1";
            tx.query_opt(sql, params![role], |row| row.get(0))
        })
        .await
        .map_err(|error: store::Error| ApiError::from(error))?;
    if known.as_deref() == Some(verifier) {
        return Ok(());
    }
    let verifier = verifier.to_owned();
    let declare = move |cx: &mut Cx<'_>| {
        cx.tx().execute(
            "INSERT INTO declared_key (role, verifier) VALUES (?1, ?2)
             ON CONFLICT (role) DO UPDATE SET verifier = excluded.verifier",
            params![role, &verifier],
        )?;
        cx.audit_resource(format!("acs:awan:*:*:key/{role}"));
        cx.public("role", role);
        cx.public("key", verifier.as_str());
        Ok(())
    };
    cloud.write(system(cloud, DECLARE_KEY), declare).await
}

/// A session of the cloud itself.
pub fn system(cloud: &Cloud, meta: Meta) -> Arc<Session> {
    let request = RequestInfo { id: RequestId::random(&*cloud.rng), ..RequestInfo::default() };
    Arc::new(Session { meta, caller: Caller::system(), request })
}
