//! Read-only instances: made, and how far behind they are.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::catalogue::{STORAGE_TYPES, port, storage};
use super::create::class;
use super::paying::postpaid;
use super::{arn, owned, read, running, write};
use crate::model::{Category, Options, Origin, Status};
use crate::node::api::Phase;
use crate::requests::forms::{
    List, Rest, description, invalid, list, major, not_supported, one_of, refuse_unprovided, word,
};
use crate::requests::make::{Made, Plan, make};
use crate::requests::place::{Spot, place};
use crate::tables::instance::{self, Instance};
use crate::tables::ip_array;
use crate::tables::member::{self, Member};

/// Instances that follow one, at most.
const FOLLOWERS_MAX: usize = 32;

/// What may be asked for at the real service and is not there here, with the values that ask for nothing.
const UNPROVIDED: &[(&str, &[&str])] = &[
    ("AutoCreateProxy", &["false"]),
    ("AutoRenew", &["false"]),
    ("BpeEnabled", &["0", "false"]),
    ("BurstingEnabled", &["false"]),
    ("DedicatedHostGroupId", &[]),
    ("GdnInstanceName", &[]),
    ("IoAccelerationEnabled", &["0", "false", "off"]),
    ("IsAnalyticReadOnlyIns", &["false"]),
    ("PrivateIpAddress", &[]),
    ("PromotionCode", &[]),
    ("TargetDedicatedHostIdForMaster", &[]),
    ("TddlBizType", &[]),
    ("TddlRegionConfig", &[]),
];

/// Makes an instance that follows another and may be read.
pub(super) struct CreateReadOnlyDBInstance;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Request {
    #[serde(rename = "DBInstanceId")]
    parent: String,
    #[serde(default)]
    region_id: String,
    #[serde(default)]
    zone_id: String,
    #[serde(default)]
    engine_version: String,
    #[serde(rename = "DBInstanceClass")]
    class: String,
    #[serde(rename = "DBInstanceStorage")]
    storage: i64,
    #[serde(rename = "DBInstanceStorageType", default)]
    storage_type: String,
    #[serde(rename = "DBInstanceDescription", default)]
    description: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    pay_type: String,
    #[serde(default)]
    port: String,
    #[serde(rename = "VPCId", default)]
    vpc: String,
    #[serde(rename = "VSwitchId", default)]
    vswitch: String,
    #[serde(default)]
    resource_group_id: String,
    #[serde(default)]
    deletion_protection: bool,
    #[serde(flatten)]
    rest: Rest,
}

impl Action for CreateReadOnlyDBInstance {
    const META: Meta = write("CreateReadOnlyDBInstance").replay_by("ClientToken");
    type Request = Request;
    type Response = Made;

    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Made, ApiError> {
        let parent = running(cx, &request.parent)?;
        let all = arn(cx, cx.account(), "*");
        cx.authorize(&all)?;
        refuse_unprovided(&request.rest, UNPROVIDED)?;
        refuse_parent(cx, &parent, &request)?;
        let class = class(parent.engine, &request.class, &request.category)?;
        if class.category != Category::Basic {
            return Err(invalid(
                "DBInstanceClass",
                "A read-only instance has no standby: its class must be a Basic one.",
            ));
        }
        storage("DBInstanceStorage", request.storage)?;
        if request.storage < parent.storage_gib {
            let message =
                "A read-only instance needs as much storage as the instance that it follows.";
            return Err(invalid("DBInstanceStorage", message));
        }
        postpaid(&request.pay_type)?;
        port(parent.engine, &request.port)?;
        let options = options(&parent, &request)?;
        let members = member::of(cx.tx(), &parent.id)?;
        let beside: Vec<String> = members.into_iter().map(|member| member.site).collect();
        let spot = Spot {
            region: &parent.region,
            zone: &request.zone_id,
            standby_zone: "",
            category: Category::Basic,
            beside: &beside,
        };
        let placement = place(cx, parent.data_class, (parent.engine, &parent.major), &spot)?;
        // Who reads the primary reads this one, until the owner says otherwise.
        let arrays = ip_array::of(cx.tx(), &parent.id)?;
        cx.audit_detail("MasterInstanceId", &parent.id);
        let plan = Plan {
            region: parent.region.clone(),
            engine: parent.engine,
            major: parent.major.clone(),
            class,
            storage_gib: request.storage,
            data_class: parent.data_class,
            placement,
            parent: Some(parent.id.clone()),
            status: Status::Creating,
            origin: Origin::Follow { instance: parent.id },
            options,
            tags: Vec::new(),
            arrays,
        };
        make(cx, plan)
    }
}

fn refuse_parent(cx: &mut Cx<'_>, parent: &Instance, request: &Request) -> Result<(), ApiError> {
    if parent.is_read_only() {
        return Err(not_supported("A read-only instance of a read-only instance is"));
    }
    if !request.region_id.is_empty() && request.region_id != parent.region {
        return Err(not_supported("A read-only instance in another region than its primary's is"));
    }
    let version = major(parent.engine, &request.engine_version);
    if !version.is_empty() && version != parent.major {
        let message = "The version must be that of the instance that is followed.";
        return Err(invalid("EngineVersion", message));
    }
    if instance::followers(cx.tx(), &parent.id)?.len() >= FOLLOWERS_MAX {
        let message = format!("An instance has at most {FOLLOWERS_MAX} read-only instances.");
        return Err(base::code::QUOTA_EXCEEDED.error(message).suffix("ReadDBInstance"));
    }
    Ok(())
}

fn options(parent: &Instance, request: &Request) -> Result<Options, ApiError> {
    description("DBInstanceDescription", &request.description)?;
    word("VPCId", &request.vpc)?;
    word("VSwitchId", &request.vswitch)?;
    word("ResourceGroupId", &request.resource_group_id)?;
    let storage_type = match request.storage_type.as_str() {
        "" => parent.options.storage_type.clone(),
        sent => one_of("DBInstanceStorageType", sent, &STORAGE_TYPES)?.to_owned(),
    };
    Ok(Options {
        description: request.description.clone(),
        deletion_protection: request.deletion_protection,
        vpc: request.vpc.clone(),
        vswitch: request.vswitch.clone(),
        resource_group: request.resource_group_id.clone(),
        time_zone: parent.options.time_zone.clone(),
        storage_type,
        ..Options::default()
    })
}

/// Shows how far behind the read-only instances of an instance are, as far as their nodes know. One that does not serve
/// is left out: nobody knows.
pub(super) struct DescribeReadDBInstanceDelay;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DelayRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(default)]
    read_instance_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DelayResponse {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(rename = "ReadDBInstanceId")]
    read_only: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_time: Option<i64>,
    items: List<DelayItem>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DelayItem {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(rename = "ReadDBInstanceNames")]
    names: List<String>,
    read_delay_times: List<String>,
    readonly_instance_delay: List<Delay>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Delay {
    #[serde(rename = "ReadDBInstanceName")]
    name: String,
    /// Seconds.
    replay_lag: String,
    /// MB that were written and not yet flushed there.
    flush_latency: String,
    /// MB that were written and not yet replayed there.
    replay_latency: String,
}

impl Action for DescribeReadDBInstanceDelay {
    const META: Meta = read("DescribeReadDBInstanceDelay");
    type Request = DelayRequest;
    type Response = DelayResponse;

    fn run(cx: &mut Cx<'_>, request: DelayRequest) -> Result<DelayResponse, ApiError> {
        let instance = owned(cx, &request.id)?;
        let followers = instance::followers(cx.tx(), &instance.id)?;
        let asked = &request.read_instance_id;
        if !asked.is_empty() && !followers.iter().any(|follower| follower.id == *asked) {
            return Err(crate::errors::NO_INSTANCE.into());
        }
        let members = member::of(cx.tx(), &instance.id)?;
        let written = members.first().map_or(0, |primary| primary.observed.lsn);
        let mut delays = Vec::new();
        let mut worst = None;
        for follower in followers {
            if !asked.is_empty() && follower.id != *asked {
                continue;
            }
            let member = member::of(cx.tx(), &follower.id)?.into_iter().next();
            let Some(member) = member.filter(|it| it.observed.phase == Phase::Serving) else {
                continue;
            };
            let seconds = member.observed.lag_seconds.ceil() as i64;
            worst = worst.max(Some(seconds));
            delays.push((seconds, delay(follower.id, &member, written)));
        }
        let names = delays.iter().map(|(_, delay)| delay.name.clone());
        let item = DelayItem {
            id: instance.id.clone(),
            names: list("ReadDBInstanceName", names),
            read_delay_times: list("ReadDelayTime", delays.iter().map(|(s, _)| s.to_string())),
            readonly_instance_delay: list(
                "ReadonlyInstanceDelay",
                delays.into_iter().map(|(_, delay)| delay),
            ),
        };
        Ok(DelayResponse {
            id: instance.id,
            read_only: request.read_instance_id,
            delay_time: worst,
            items: list("Items", [item]),
        })
    }
}

fn delay(name: String, member: &Member, written: u64) -> Delay {
    let mb = |reached: u64| format!("{:.2}", written.saturating_sub(reached) as f64 / 1_048_576.0);
    Delay {
        name,
        replay_lag: format!("{:.3}", member.observed.lag_seconds),
        flush_latency: mb(member.observed.lsn),
        replay_latency: mb(member.observed.replayed),
    }
}
