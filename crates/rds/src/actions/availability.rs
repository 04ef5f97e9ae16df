//! High availability: how a standby follows, when it takes over, and that it do so now.

use base::{ApiError, Time};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Done, ask, owned, read, running, write};
use crate::errors::{INSTANCE_STATUS, NO_STANDBY};
use crate::model::{Category, Status};
use crate::node::api::Phase;
use crate::requests::forms::{List, Named, immediately, invalid, list, not_supported, one_of};
use crate::tables::instance::{self, Instance};
use crate::tables::member::{self, Member};

/// Where [`ModifyHADiagnoseConfig`]'s word is kept.
const TCP: &str = "HADiagnose.TcpConnectionType";

fn refuse_without_standby(instance: &Instance) -> Result<(), ApiError> {
    if instance.category == Category::HighAvailability {
        return Ok(());
    }
    Err(NO_STANDBY.into())
}

/// Shows the nodes of an instance and how they follow each other.
pub(super) struct DescribeDBInstanceHAConfig;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConfigResponse {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(rename = "HAMode")]
    ha_mode: String,
    sync_mode: String,
    host_instance_infos: List<Node>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Node {
    node_id: String,
    node_type: &'static str,
    region_id: String,
    zone_id: String,
    sync_status: &'static str,
    log_sync_time: String,
    data_sync_time: String,
}

impl Action for DescribeDBInstanceHAConfig {
    const META: Meta = read("DescribeDBInstanceHAConfig");
    type Request = Named;
    type Response = ConfigResponse;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<ConfigResponse, ApiError> {
        let instance = owned(cx, &request.id)?;
        let members = member::named(cx.tx(), &instance)?;
        let nodes: Vec<Node> =
            members.into_iter().map(|(name, it)| node(&instance, name, it)).collect();
        Ok(ConfigResponse {
            ha_mode: instance.options.ha_mode,
            sync_mode: instance.options.sync_mode,
            host_instance_infos: list("NodeInfo", nodes),
            id: instance.id,
        })
    }
}

/// A member as a node. Times are told of standbys that follow: up to when they have what the primary wrote.
fn node(instance: &Instance, name: String, member: Member) -> Node {
    let follows = !member.primary && member.observed.phase == Phase::Serving;
    let lag = std::time::Duration::try_from_secs_f64(member.observed.lag_seconds);
    let told = |time: Time| if follows { time.iso() } else { String::new() };
    Node {
        node_type: if member.primary { "Master" } else { "Slave" },
        region_id: instance.region.clone(),
        sync_status: match (member.primary, follows) {
            (true, _) => "NotAvailable",
            (false, true) => "Synchronized",
            (false, false) => "Syncing",
        },
        log_sync_time: told(member.seen),
        data_sync_time: told(member.seen.minus(lag.unwrap_or_default())),
        node_id: name,
        zone_id: member.zone,
    }
}

/// Says whether commits wait for the standby, and what a failover prefers.
pub(super) struct ModifyDBInstanceHAConfig;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConfigRequest {
    /// This one action spells it so.
    #[serde(alias = "DBInstanceId")]
    db_instance_id: String,
    #[serde(rename = "HAMode")]
    ha_mode: String,
    sync_mode: String,
}

impl Action for ModifyDBInstanceHAConfig {
    const META: Meta = write("ModifyDBInstanceHAConfig");
    type Request = ConfigRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: ConfigRequest) -> Result<Done, ApiError> {
        let ha_mode = one_of("HAMode", &request.ha_mode, &["RPO", "RTO"])?;
        let sync_mode = one_of("SyncMode", &request.sync_mode, &["Sync", "Async", "Semi-sync"])?;
        let mut instance = running(cx, &request.db_instance_id)?;
        // Without a standby commits can wait for the archive.
        let archived = crate::backup::is_archived(&instance);
        if !archived {
            refuse_without_standby(&instance)?;
        }
        if sync_mode == "Semi-sync" {
            return Err(not_supported("A mode in which commits wait only sometimes is"));
        }
        ha_mode.clone_into(&mut instance.options.ha_mode);
        sync_mode.clone_into(&mut instance.options.sync_mode);
        ask(cx, &mut instance, Status::Running)?;
        cx.audit_detail("HAMode", ha_mode);
        cx.audit_detail("SyncMode", sync_mode);
        Ok(Done {})
    }
}

/// Makes the standby the primary, now and in an orderly way.
pub(super) struct SwitchDBInstanceHA;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SwitchRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    node_id: String,
    effective_time: Option<String>,
    #[serde(default)]
    force: String,
}

impl Action for SwitchDBInstanceHA {
    const META: Meta = write("SwitchDBInstanceHA");
    type Request = SwitchRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: SwitchRequest) -> Result<Done, ApiError> {
        let mut instance = running(cx, &request.id)?;
        refuse_without_standby(&instance)?;
        immediately("EffectiveTime", request.effective_time.as_deref())?;
        if !request.force.is_empty() && one_of("Force", &request.force, &["Yes", "No"])? == "Yes" {
            return Err(not_supported("A switch that may lose what was committed is"));
        }
        let members = member::named(cx.tx(), &instance)?;
        let standby = members.iter().find(|(name, it)| !it.primary && *name == request.node_id);
        if standby.is_none() {
            return Err(invalid(
                "NodeId",
                "The specified NodeId is not a standby of the instance.",
            ));
        }
        instance.options.switch_to.clone_from(&request.node_id);
        ask(cx, &mut instance, Status::Switching)?;
        cx.audit_detail("NodeId", request.node_id);
        Ok(Done {})
    }
}

/// Shows whether a standby takes over by itself.
pub(super) struct DescribeHASwitchConfig;

#[derive(Serialize)]
pub(super) struct SwitchConfigResponse {
    #[serde(rename = "HAConfig")]
    config: String,
    #[serde(rename = "ManualHATime")]
    until: String,
}

impl Action for DescribeHASwitchConfig {
    const META: Meta = read("DescribeHASwitchConfig");
    type Request = Named;
    type Response = SwitchConfigResponse;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<SwitchConfigResponse, ApiError> {
        let options = owned(cx, &request.id)?.options;
        // What was put off until a moment goes on by itself after it.
        let over = Time::parse_iso(&options.manual_ha_until).is_some_and(|until| until <= cx.now);
        if over {
            return Ok(SwitchConfigResponse { config: "Auto".to_owned(), until: String::new() });
        }
        Ok(SwitchConfigResponse { config: options.ha_switch, until: options.manual_ha_until })
    }
}

/// Says whether a standby takes over by itself.
pub(super) struct ModifyHASwitchConfig;

#[derive(Deserialize)]
pub(super) struct SwitchConfigRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(rename = "HAConfig")]
    config: String,
    #[serde(rename = "ManualHATime", default)]
    until: String,
}

impl Action for ModifyHASwitchConfig {
    const META: Meta = write("ModifyHASwitchConfig");
    type Request = SwitchConfigRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: SwitchConfigRequest) -> Result<Done, ApiError> {
        let config = one_of("HAConfig", &request.config, &["Auto", "Manual"])?;
        let mut instance = owned(cx, &request.id)?;
        refuse_without_standby(&instance)?;
        if instance.status == Status::Deleting {
            return Err(INSTANCE_STATUS.into());
        }
        let mut until = String::new();
        if config == "Manual" {
            let time = super::lifecycle::moment("ManualHATime", &request.until)?;
            if time.is_some_and(|time| time <= cx.now) {
                return Err(invalid(
                    "ManualHATime",
                    "The specified ManualHATime must be later than now.",
                ));
            }
            until = time.map(Time::iso).unwrap_or_default();
        }
        config.clone_into(&mut instance.options.ha_switch);
        cx.audit_detail("HAConfig", config);
        cx.audit_detail("ManualHATime", &until);
        instance.options.manual_ha_until = until;
        instance::save(cx.tx(), &instance)?;
        Ok(Done {})
    }
}

/// Shows which kind of connections the real service would probe an instance with. Here leases tell who lives.
pub(super) struct DescribeHADiagnoseConfig;

#[derive(Serialize, Deserialize)]
pub(super) struct DiagnoseResponse {
    #[serde(rename = "TcpConnectionType")]
    kind: String,
}

impl Action for DescribeHADiagnoseConfig {
    const META: Meta = read("DescribeHADiagnoseConfig");
    type Request = Named;
    type Response = DiagnoseResponse;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<DiagnoseResponse, ApiError> {
        let told = owned(cx, &request.id)?.options.told.remove(TCP);
        Ok(DiagnoseResponse { kind: told.unwrap_or_else(|| "SHORT".to_owned()) })
    }
}

/// Keeps that word for clients that read it back; nothing here probes by connections.
pub(super) struct ModifyHADiagnoseConfig;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DiagnoseRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    tcp_connection_type: String,
}

impl Action for ModifyHADiagnoseConfig {
    const META: Meta = write("ModifyHADiagnoseConfig");
    type Request = DiagnoseRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: DiagnoseRequest) -> Result<Done, ApiError> {
        let kind = one_of("TcpConnectionType", &request.tcp_connection_type, &["SHORT", "LONG"])?;
        let mut instance = owned(cx, &request.id)?;
        if instance.status == Status::Deleting {
            return Err(INSTANCE_STATUS.into());
        }
        instance.options.told.insert(TCP.to_owned(), kind.to_owned());
        instance::save(cx.tx(), &instance)?;
        cx.audit_detail("TcpConnectionType", kind);
        Ok(Done {})
    }
}
