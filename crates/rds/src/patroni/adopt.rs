//! The rows of an instance whose servers Patroni keeps: taken in once its cluster is heard of, brought to what the
//! configuration says since, and let go when it is not there any more. Asks no cluster.

use std::collections::{BTreeMap, BTreeSet};

use base::{ApiError, Time};
use engine::places::{self, Placement, Want};
use engine::{Cloud, Cx};
use store::Tx;

use super::Cluster;
use crate::actions::arn;
use crate::classes::{self, Class};
use crate::errors::{HOST_TAKEN, NO_CLASS};
use crate::machine::{self, parts, usage};
use crate::model::{Engine, Keeper, Options, Origin, Secrets, Status};
use crate::node::api::Observed;
use crate::requests::make::DEFAULT_ARRAY;
use crate::requests::networks::NOBODY;
use crate::tables::instance::{self, Instance, New};
use crate::tables::ip_array::{self, IpArray};
use crate::tables::member::Member;
use crate::tables::patroni;

/// The data centres of a cluster, each once.
fn sites(cluster: &Cluster) -> Vec<String> {
    let sites: BTreeSet<&String> = cluster.members.iter().map(|seat| &seat.site).collect();
    sites.into_iter().cloned().collect()
}

/// Whether a cluster may be an instance: its name is free, and the agreement of its account lets it stand where it
/// stands.
///
/// # Errors
/// `RESIDENCY` and the others of [`places::decide`]; [`HOST_TAKEN`]; [`NO_CLASS`].
pub(super) fn judge(
    tx: &mut Tx<'_>,
    cloud: &Cloud,
    cluster: &Cluster,
) -> Result<(&'static Class, Placement), ApiError> {
    if instance::named(tx, &cluster.name)?.is_some() {
        return Err(HOST_TAKEN.into());
    }
    Ok((class(cluster)?, place(tx, cloud, cluster)?))
}

fn place(tx: &mut Tx<'_>, cloud: &Cloud, cluster: &Cluster) -> Result<Placement, ApiError> {
    let sites = sites(cluster);
    let want = Want { account: cluster.account, class: cluster.data_class, sites: &sites };
    places::decide(tx, cloud, &want, cloud.clock.now())
}

fn class(cluster: &Cluster) -> Result<&'static Class, ApiError> {
    let found = classes::find(&cluster.class).filter(|class| class.engine == Engine::Postgres);
    found.ok_or(ApiError::new(&NO_CLASS))
}

/// Makes a cluster an instance.
///
/// # Errors
/// Those of [`judge`].
pub(super) fn adopt(cx: &mut Cx<'_>, cluster: &Cluster, major: &str) -> Result<(), ApiError> {
    let (cloud, now) = (cx.cloud, cx.now);
    if patroni::instance(cx.tx(), &cluster.name)?.is_some() {
        return Ok(()); // another process was first
    }
    cx.audit_account(cluster.account);
    let (class, placement) = judge(cx.tx(), cloud, cluster)?;
    let alphabet = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let id = format!("pgm-{}", cx.rng().string(alphabet, 17));
    let first = placement.places().first().and_then(|place| cloud.region.centre(place.site()));
    let region = first.map(|centre| centre.region.clone()).filter(|region| !region.is_empty());
    let new = New {
        id: id.clone(),
        account: cluster.account,
        region: region.unwrap_or_else(|| cloud.region.id.clone()),
        engine: Engine::Postgres,
        major: major.to_owned(),
        class: class.name.clone(),
        storage_gib: cluster.storage_gib,
        category: class.category,
        data_class: cluster.data_class,
        parent: None,
        keeper: Keeper::Patroni,
        status: Status::Running,
        name: cluster.name.clone(),
        origin: Origin::Template, // nobody asks where the data of others came from
        options: Options {
            description: cluster.name.clone(),
            storage_type: String::new(),
            ..Options::default()
        },
        secrets: Secrets::default(),
    };
    instance::insert(cx.tx(), &cloud.seal, &new, now)?;
    patroni::insert(cx.tx(), &cluster.name, &id)?;
    seat(cx, cluster, &id)?;
    let nobody = IpArray {
        name: DEFAULT_ARRAY.to_owned(),
        attribute: String::new(),
        addresses: NOBODY.to_owned(),
    };
    ip_array::put(cx.tx(), &id, &nobody)?;
    places::state(cx, &placement, "instances", 1);
    let resource = arn(cx, cluster.account, &id);
    cx.audit_resource(resource);
    cx.audit_detail("DBInstanceId", &id);
    cx.audit_detail("Cluster", &cluster.name);
    cx.audit_detail("Engine", format!("{} {major}", new.engine.as_str()));
    cx.audit_detail("class", cluster.data_class.as_str());
    cx.audit_detail("site", sites(cluster).join(" "));
    let Some(mut instance) = instance::find(cx.tx(), &id)? else { return Ok(()) };
    instance.settled = instance.generation;
    usage::keep(cx, &mut instance);
    instance::save(cx.tx(), &instance)
}

/// Adds the servers that have no row yet, and puts those that have one where they stand.
fn seat(cx: &mut Cx<'_>, cluster: &Cluster, id: &str) -> Result<(), ApiError> {
    let cloud = cx.cloud;
    let mut there: BTreeMap<_, _> = patroni::members(cx.tx(), id)?.into_iter().collect();
    for seat in &cluster.members {
        let zone = cloud.region.centre(&seat.site).map(|centre| centre.zone.clone());
        let new = || Member {
            instance: id.to_owned(),
            site: String::new(),
            zone: String::new(),
            primary: false,
            host: String::new(),
            port: 0,
            observed: Observed::default(),
            seen: Time::default(),
        };
        let mut member = there.remove(&seat.name).unwrap_or_else(new);
        (member.site, member.zone) = (seat.site.clone(), zone.unwrap_or_default());
        patroni::put(cx.tx(), &seat.name, &member)?;
    }
    Ok(())
}

/// Whether an instance is not what the configuration says of its cluster.
pub(super) fn differs(tx: &mut Tx<'_>, cluster: &Cluster, id: &str) -> Result<bool, ApiError> {
    let Some(instance) = instance::find(tx, id)? else { return Ok(false) };
    let members = patroni::members(tx, id)?;
    let there = members.iter().map(|(name, member)| (name.as_str(), member.site.as_str()));
    let told = cluster.members.iter().map(|seat| (seat.name.as_str(), seat.site.as_str()));
    Ok(is_anothers(cluster, &instance)
        || instance.class != cluster.class
        || instance.storage_gib != cluster.storage_gib
        || there.collect::<BTreeSet<_>>() != told.collect())
}

/// An instance never changes whose it is, nor the class of what is in it: it is let go, and another is made.
fn is_anothers(cluster: &Cluster, instance: &Instance) -> bool {
    instance.account != cluster.account || instance.data_class != cluster.data_class
}

/// Makes an instance what the configuration says of its cluster now.
///
/// # Errors
/// Those of [`places::decide`], where the cluster now stands where it may not.
pub(super) fn conform(cx: &mut Cx<'_>, cluster: &Cluster, id: &str) -> Result<(), ApiError> {
    let Some(mut instance) = instance::find(cx.tx(), id)? else { return Ok(()) };
    if is_anothers(cluster, &instance) {
        return let_go(cx, id);
    }
    let cloud = cx.cloud;
    let resource = arn(cx, instance.account, id);
    cx.audit_resource(resource);
    cx.audit_account(instance.account);
    let (before, after) = (sites_of(cx, id)?, sites(cluster));
    if before != after {
        let placement = place(cx.tx(), cloud, cluster)?;
        let left: Vec<_> = before.iter().filter(|it| !after.contains(it)).cloned().collect();
        let (account, class) = (instance.account, instance.data_class);
        places::state_removed(cx, account, class, &left, "instances", -1);
        for site in after.iter().filter(|it| !before.contains(it)) {
            if let Some(new) = placement.at(site) {
                places::state(cx, &new, "instances", 1);
            }
        }
        cx.audit_detail("site", after.join(" "));
    }
    for (name, _) in patroni::members(cx.tx(), id)? {
        if !cluster.members.iter().any(|seat| seat.name == name) {
            patroni::remove_member(cx.tx(), id, &name)?;
        }
    }
    seat(cx, cluster, id)?;
    let class = class(cluster)?;
    instance.class.clone_from(&class.name);
    (instance.category, instance.storage_gib) = (class.category, cluster.storage_gib);
    usage::keep(cx, &mut instance);
    instance::save(cx.tx(), &instance)
}

/// Ends an instance. Its servers know nothing of it, and go on.
///
/// # Errors
/// Those of the database.
pub(super) fn let_go(cx: &mut Cx<'_>, id: &str) -> Result<(), ApiError> {
    let Some(mut instance) = instance::find(cx.tx(), id)? else { return Ok(()) };
    let resource = arn(cx, instance.account, id);
    cx.audit_resource(resource);
    cx.audit_account(instance.account);
    cx.audit_detail("DBInstanceId", id);
    let sites = sites_of(cx, id)?;
    parts::remove(cx.tx(), id)?;
    machine::let_go(cx, &mut instance, &sites)?;
    patroni::remove(cx.tx(), id)
}

fn sites_of(cx: &mut Cx<'_>, id: &str) -> Result<Vec<String>, ApiError> {
    let members = patroni::members(cx.tx(), id)?;
    let sites: BTreeSet<String> = members.into_iter().map(|(_, member)| member.site).collect();
    Ok(sites.into_iter().collect())
}
