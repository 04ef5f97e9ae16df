//! Another class, more or less storage, another version.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::catalogue::{STORAGE_TYPES, storage};
use super::create::class;
use super::lifecycle::refuse_followed;
use super::paying::postpaid;
use super::{ask, running, write};
use crate::errors::{NO_VERSION, STORAGE_IN_USE, UP_TO_DATE};
use crate::model::{Engine, Status};
use crate::requests::forms::{
    Rest, immediately, invalid, major, not_supported, one_of, ordered, refuse_unprovided, version,
};
use crate::requests::make::order;
use crate::tables;
use crate::tables::instance::{self, Instance};
use crate::tables::member::{self, Member};

/// What may be asked for at the real service and is not there here, with the values that ask for nothing.
const UNPROVIDED: &[(&str, &[&str])] = &[
    ("AllocateStrategy", &[]),
    ("AllowMajorVersionUpgrade", &["false"]),
    ("BurstingEnabled", &["false"]),
    ("ColdDataEnabled", &["false"]),
    ("CompressionMode", &["off"]),
    ("DedicatedHostGroupId", &[]),
    ("IoAccelerationEnabled", &["0", "false", "off"]),
    ("OptimizedWrites", &["none"]),
    ("PromotionCode", &[]),
    ("ReadOnlyDBInstanceClass", &[]),
    ("ServerlessConfiguration", &[]),
    ("SwitchTime", &[]),
    ("TargetMinorVersion", &[]),
];

/// Gives an instance another class, or other storage, or both.
pub(super) struct ModifyDBInstanceSpec;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SpecRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(rename = "DBInstanceClass", default)]
    class: String,
    #[serde(rename = "DBInstanceStorage")]
    storage: Option<i64>,
    #[serde(rename = "DBInstanceStorageType", default)]
    storage_type: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    engine_version: String,
    #[serde(default)]
    pay_type: String,
    #[serde(default)]
    zone_id: String,
    #[serde(default)]
    zone_id_slave1: String,
    #[serde(rename = "VSwitchId", default)]
    vswitch: String,
    effective_time: Option<String>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SpecResponse {
    #[serde(rename = "DBInstanceId")]
    id: String,
    order_id: i64,
}

impl Action for ModifyDBInstanceSpec {
    const META: Meta = write("ModifyDBInstanceSpec");
    type Request = SpecRequest;
    type Response = SpecResponse;

    fn run(cx: &mut Cx<'_>, request: SpecRequest) -> Result<SpecResponse, ApiError> {
        let mut instance = running(cx, &request.id)?;
        refuse_unprovided(&request.rest, UNPROVIDED)?;
        immediately("EffectiveTime", request.effective_time.as_deref())?;
        postpaid(&request.pay_type)?;
        let members = member::of(cx.tx(), &instance.id)?;
        refuse_moved(&instance, &members, &request)?;
        if !request.class.is_empty() || !request.category.is_empty() {
            let name = if request.class.is_empty() { &instance.class } else { &request.class };
            let class = class(instance.engine, name, &request.category)?;
            if class.category != instance.category {
                return Err(not_supported(
                    "A change of the category (a clone can have another) is",
                ));
            }
            // What a server takes of memory, and how many connections, it decides when it starts.
            if instance.class != class.name {
                instance.restarts += 1;
            }
            instance.class.clone_from(&class.name);
        }
        if let Some(gib) = request.storage.filter(|gib| *gib != instance.storage_gib) {
            storage("DBInstanceStorage", gib)?;
            refuse_too_small(gib, &members)?;
            refuse_less_than_followed(cx, &instance, gib)?;
            instance.storage_gib = gib;
        }
        if !request.storage_type.is_empty() {
            let known = one_of("DBInstanceStorageType", &request.storage_type, &STORAGE_TYPES)?;
            known.clone_into(&mut instance.options.storage_type);
        }
        ask(cx, &mut instance, Status::ClassChanging)?;
        let order_id = order(cx);
        cx.audit_detail("OrderId", &order_id);
        cx.audit_detail("DBInstanceClass", &instance.class);
        cx.audit_detail("DBInstanceStorage", instance.storage_gib.to_string());
        Ok(SpecResponse { id: instance.id, order_id: order_id.parse().unwrap_or_default() })
    }
}

/// Refuses another zone, another network, another version: none of that is this action's here.
fn refuse_moved(
    instance: &Instance,
    members: &[Member],
    request: &SpecRequest,
) -> Result<(), ApiError> {
    let stays = |asked: &str, is: &str| asked.is_empty() || asked == is;
    let zone = |at: usize| members.get(at).map_or("", |member| member.zone.as_str());
    if !stays(&request.zone_id, zone(0))
        || !stays(&request.zone_id_slave1, zone(1))
        || !stays(&request.vswitch, &instance.options.vswitch)
    {
        return Err(not_supported("A move to another zone or network is"));
    }
    let asked = major(instance.engine, &request.engine_version);
    if !stays(asked, &instance.major) {
        return Err(not_supported("Another version along with another class is"));
    }
    Ok(())
}

/// Who follows an instance needs as much storage as it has.
fn refuse_less_than_followed(
    cx: &mut Cx<'_>,
    instance: &Instance,
    gib: i64,
) -> Result<(), ApiError> {
    let parent = match &instance.parent {
        Some(parent) => instance::find(cx.tx(), parent)?,
        None => None,
    };
    if parent.is_some_and(|parent| gib < parent.storage_gib) {
        let message = "A read-only instance needs as much storage as the instance that it follows.";
        return Err(invalid("DBInstanceStorage", message));
    }
    let followers = instance::followers(cx.tx(), &instance.id)?;
    if followers.iter().any(|follower| follower.storage_gib < gib) {
        let message = "Give the read-only instances that follow this one as much storage first.";
        return Err(invalid("DBInstanceStorage", message));
    }
    Ok(())
}

/// Less storage must leave a fifth of it free.
fn refuse_too_small(gib: i64, members: &[Member]) -> Result<(), ApiError> {
    let used = members.iter().map(|member| member.observed.storage_bytes).max().unwrap_or(0);
    let room = u64::try_from(gib).unwrap_or_default() << 30;
    if used > room / 5 * 4 {
        return Err(STORAGE_IN_USE.into());
    }
    Ok(())
}

/// Restarts an instance with the newest build of its major version that its data centre has.
pub(super) struct UpgradeDBInstanceKernelVersion;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KernelRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    upgrade_time: Option<String>,
    switch_time: Option<String>,
    #[serde(default)]
    target_minor_version: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KernelResponse {
    #[serde(rename = "DBInstanceName")]
    id: String,
    target_minor_version: String,
    task_id: String,
}

impl Action for UpgradeDBInstanceKernelVersion {
    const META: Meta = write("UpgradeDBInstanceKernelVersion");
    type Request = KernelRequest;
    type Response = KernelResponse;

    fn run(cx: &mut Cx<'_>, request: KernelRequest) -> Result<KernelResponse, ApiError> {
        let mut instance = running(cx, &request.id)?;
        immediately("UpgradeTime", request.upgrade_time.as_deref())?;
        immediately("SwitchTime", request.switch_time.as_deref())?;
        let members = member::of(cx.tx(), &instance.id)?;
        let mut newest = String::new();
        let mut newer = false;
        for member in &members {
            let (engine, major) = (instance.engine, &instance.major);
            let build = tables::engine::find(cx.tx(), &member.site, engine, major)?;
            let build = build.ok_or(ApiError::new(&NO_VERSION))?;
            newer |= ordered(&build.version) > ordered(&member.observed.build);
            if member.primary {
                newest = build.version;
            }
        }
        let target = &request.target_minor_version;
        if !target.is_empty() && *target != newest {
            return Err(NO_VERSION.error(format!("The newest version there is {newest}.")));
        }
        if !newer {
            return Err(UP_TO_DATE.into());
        }
        instance.restarts += 1;
        ask(cx, &mut instance, Status::EngineVersionUpgrading)?;
        cx.audit_detail("TargetMinorVersion", &newest);
        Ok(KernelResponse {
            task_id: instance.generation.to_string(),
            id: instance.id,
            target_minor_version: newest,
        })
    }
}

/// Takes an instance to a later major version.
pub(super) struct UpgradeDBInstanceEngineVersion;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EngineRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    engine_version: String,
    effective_time: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EngineResponse {
    task_id: String,
}

impl Action for UpgradeDBInstanceEngineVersion {
    const META: Meta = write("UpgradeDBInstanceEngineVersion").replay_by("ClientToken");
    type Request = EngineRequest;
    type Response = EngineResponse;

    fn run(cx: &mut Cx<'_>, request: EngineRequest) -> Result<EngineResponse, ApiError> {
        let mut instance = running(cx, &request.id)?;
        immediately("EffectiveTime", request.effective_time.as_deref())?;
        if instance.engine != Engine::Postgres {
            return Err(not_supported("An upgrade of MariaDB to another major version is"));
        }
        if instance.is_read_only() {
            return Err(not_supported("Another version than that of the instance it follows is"));
        }
        let major = major(instance.engine, &request.engine_version);
        let offers = tables::engine::of(cx.tx(), instance.engine, major)?;
        let members = member::of(cx.tx(), &instance.id)?;
        let has = |member: &Member| offers.iter().any(|offer| offer.site == member.site);
        if offers.is_empty() || !members.iter().all(has) {
            return Err(NO_VERSION.into());
        }
        if ordered(major) <= ordered(&instance.major) {
            return Err(UP_TO_DATE.into());
        }
        let message =
            "Read-only instances do not follow a primary of a later version: delete them first.";
        refuse_followed(cx, &instance, message)?;
        cx.audit_detail("From", version(instance.engine, &instance.major));
        cx.audit_detail("EngineVersion", version(instance.engine, major));
        major.clone_into(&mut instance.major);
        ask(cx, &mut instance, Status::EngineVersionUpgrading)?;
        Ok(EngineResponse { task_id: instance.generation.to_string() })
    }
}
