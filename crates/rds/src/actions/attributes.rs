//! Settings of instances one by one: description, window of maintenance, protection, monitoring, time zone.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Done, ask, owned, read, running, write};
use crate::errors::INSTANCE_STATUS;
use crate::model::{Engine, Options, Status};
use crate::requests::forms::{
    Named, description, immediately, invalid, not_supported, one_of, word,
};
use crate::tables::instance;
use crate::values::text::TIME_ZONES;

/// A time zone of a server: a name for PostgreSQL; `UTC` or a distance from it (`+07:00`) for MariaDB, which knows
/// names only after tables of them were loaded.
pub(super) fn time_zone(name: &str, engine: Engine, zone: &str) -> Result<String, ApiError> {
    match engine {
        Engine::Postgres => Ok(one_of(name, zone, &TIME_ZONES)?.to_owned()),
        Engine::MariaDb if zone == "UTC" || is_distance(zone) => Ok(zone.to_owned()),
        Engine::MariaDb => {
            Err(invalid(name, format!("The specified {name} must be UTC or a distance as +07:00.")))
        }
    }
}

/// `-12:59` to `+13:00`, which is what MariaDB takes.
fn is_distance(zone: &str) -> bool {
    let Some((sign, clock)) = zone.split_at_checked(1) else { return false };
    let Some(minutes) = clock_minutes(clock) else { return false };
    match sign {
        "+" => minutes <= 13 * 60,
        "-" => minutes < 13 * 60,
        _ => false,
    }
}

/// The minutes of `hh:mm`.
fn clock_minutes(text: &str) -> Option<u32> {
    let two = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u32>().ok().filter(|_| digits)
    };
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// Changes options that no server has to be told of.
fn change(cx: &mut Cx<'_>, id: &str, change: impl FnOnce(&mut Options)) -> Result<Done, ApiError> {
    let mut instance = owned(cx, id)?;
    if instance.status == Status::Deleting {
        return Err(INSTANCE_STATUS.into());
    }
    change(&mut instance.options);
    instance::save(cx.tx(), &instance)?;
    Ok(Done {})
}

/// Changes what its owner calls an instance.
pub(super) struct ModifyDBInstanceDescription;

#[derive(Deserialize)]
pub(super) struct DescriptionRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(rename = "DBInstanceDescription")]
    description: String,
}

impl Action for ModifyDBInstanceDescription {
    const META: Meta = write("ModifyDBInstanceDescription");
    type Request = DescriptionRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: DescriptionRequest) -> Result<Done, ApiError> {
        description("DBInstanceDescription", &request.description)?;
        cx.audit_detail("DBInstanceDescription", &request.description);
        change(cx, &request.id, |options| options.description = request.description)
    }
}

/// Changes when maintenance may disturb.
pub(super) struct ModifyDBInstanceMaintainTime;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MaintainRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    maintain_time: String,
}

impl Action for ModifyDBInstanceMaintainTime {
    const META: Meta = write("ModifyDBInstanceMaintainTime").replay_by("ClientToken");
    type Request = MaintainRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: MaintainRequest) -> Result<Done, ApiError> {
        if !is_window(&request.maintain_time) {
            let message =
                "The specified MaintainTime must be two times of day (UTC) as 18:00Z-22:00Z.";
            return Err(invalid("MaintainTime", message));
        }
        cx.audit_detail("MaintainTime", &request.maintain_time);
        change(cx, &request.id, |options| options.maintain_time = request.maintain_time)
    }
}

/// `18:00Z-22:00Z`: some time, perhaps over midnight.
fn is_window(text: &str) -> bool {
    let time = |text: &str| clock_minutes(text.strip_suffix('Z')?);
    let Some((from, until)) = text.split_once('-') else { return false };
    matches!((time(from), time(until)), (Some(from), Some(until)) if from != until)
}

/// Protects an instance against deletion, or no longer.
pub(super) struct ModifyDBInstanceDeletionProtection;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ProtectionRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    deletion_protection: bool,
}

impl Action for ModifyDBInstanceDeletionProtection {
    const META: Meta = write("ModifyDBInstanceDeletionProtection").replay_by("ClientToken");
    type Request = ProtectionRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: ProtectionRequest) -> Result<Done, ApiError> {
        let protected = request.deletion_protection;
        cx.audit_detail("DeletionProtection", protected.to_string());
        change(cx, &request.id, |options| options.deletion_protection = protected)
    }
}

/// Says whether minor versions come by themselves.
pub(super) struct ModifyDBInstanceAutoUpgradeMinorVersion;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AutoUpgradeRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    auto_upgrade_minor_version: String,
}

impl Action for ModifyDBInstanceAutoUpgradeMinorVersion {
    const META: Meta = write("ModifyDBInstanceAutoUpgradeMinorVersion").replay_by("ClientToken");
    type Request = AutoUpgradeRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: AutoUpgradeRequest) -> Result<Done, ApiError> {
        let sent = &request.auto_upgrade_minor_version;
        let word = one_of("AutoUpgradeMinorVersion", sent, &["Auto", "Manual"])?;
        cx.audit_detail("AutoUpgradeMinorVersion", word);
        change(cx, &request.id, |options| word.clone_into(&mut options.auto_upgrade_minor_version))
    }
}

/// Refuses what the real service switches by this name; says yes to what is off anyway.
pub(super) struct ModifyDBInstanceConfig;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConfigRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    config_name: String,
    config_value: String,
    switch_time_mode: Option<String>,
}

impl Action for ModifyDBInstanceConfig {
    const META: Meta = write("ModifyDBInstanceConfig").replay_by("ClientToken");
    type Request = ConfigRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: ConfigRequest) -> Result<Done, ApiError> {
        owned(cx, &request.id)?;
        immediately("SwitchTimeMode", request.switch_time_mode.as_deref())?;
        match (request.config_name.as_str(), request.config_value.as_str()) {
            ("pgbouncer", "false") | ("encryptionKey", "") => {
                cx.audit_detail("ConfigName", request.config_name);
                Ok(Done {})
            }
            ("pgbouncer", _) => Err(not_supported("A pooler for each instance is")),
            ("encryptionKey", _) => Err(not_supported("Encryption of disks by a tenant's key is")),
            _ => Err(invalid("ConfigName", "There is no such configuration here.")),
        }
    }
}

/// Puts an instance into a resource group.
pub(super) struct ModifyResourceGroup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    resource_group_id: String,
}

impl Action for ModifyResourceGroup {
    const META: Meta = write("ModifyResourceGroup").replay_by("ClientToken");
    type Request = GroupRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: GroupRequest) -> Result<Done, ApiError> {
        word("ResourceGroupId", &request.resource_group_id)?;
        cx.audit_detail("ResourceGroupId", &request.resource_group_id);
        change(cx, &request.id, |options| options.resource_group = request.resource_group_id)
    }
}

/// Shows how far apart points of monitoring are.
pub(super) struct DescribeDBInstanceMonitor;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MonitorResponse {
    period: String,
}

impl Action for DescribeDBInstanceMonitor {
    const META: Meta = read("DescribeDBInstanceMonitor");
    type Request = Named;
    type Response = MonitorResponse;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<MonitorResponse, ApiError> {
        let instance = owned(cx, &request.id)?;
        Ok(MonitorResponse { period: instance.options.monitor_seconds.to_string() })
    }
}

/// Changes how far apart points of monitoring are.
pub(super) struct ModifyDBInstanceMonitor;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MonitorRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    period: String,
}

impl Action for ModifyDBInstanceMonitor {
    const META: Meta = write("ModifyDBInstanceMonitor").replay_by("ClientToken");
    type Request = MonitorRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: MonitorRequest) -> Result<Done, ApiError> {
        let period = request.period.parse().ok();
        let seconds = period.filter(|seconds| [5, 10, 60, 300].contains(seconds));
        let Some(seconds) = seconds else {
            return Err(invalid("Period", "The specified Period must be 5, 10, 60 or 300."));
        };
        cx.audit_detail("Period", seconds.to_string());
        change(cx, &request.id, |options| options.monitor_seconds = seconds)
    }
}

/// Changes the server's time zone. Its collation is what it was made with.
pub(super) struct ModifyCollationTimeZone;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ZoneRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(default)]
    collation: String,
    #[serde(default)]
    timezone: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ZoneResponse {
    #[serde(rename = "DBInstanceId")]
    id: String,
    timezone: String,
    task_id: String,
}

impl Action for ModifyCollationTimeZone {
    const META: Meta = write("ModifyCollationTimeZone");
    type Request = ZoneRequest;
    type Response = ZoneResponse;

    fn run(cx: &mut Cx<'_>, request: ZoneRequest) -> Result<ZoneResponse, ApiError> {
        let mut instance = running(cx, &request.id)?;
        if !request.collation.is_empty() {
            return Err(not_supported("A change of the collation of a whole server is"));
        }
        let zone = time_zone("Timezone", instance.engine, &request.timezone)?;
        instance.options.time_zone.clone_from(&zone);
        ask(cx, &mut instance, Status::Running)?;
        cx.audit_detail("Timezone", &zone);
        let task_id = instance.generation.to_string();
        Ok(ZoneResponse { id: instance.id, timezone: zone, task_id })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_window_is_two_times_of_day() {
        for window in ["18:00Z-22:00Z", "23:30Z-01:00Z"] {
            assert!(is_window(window), "{window}");
        }
        for window in ["", "18:00-22:00", "18:00Z", "24:00Z-01:00Z", "18:00Z-18:00Z", "8:00Z-9:00Z"]
        {
            assert!(!is_window(window), "{window}");
        }
    }

    #[test]
    fn each_engine_has_its_own_words_for_a_time_zone() {
        let read = |engine, zone| time_zone("Timezone", engine, zone).ok();
        assert_eq!(read(Engine::Postgres, "asia/jakarta").as_deref(), Some("Asia/Jakarta"));
        assert_eq!(read(Engine::Postgres, "Asia/Atlantis"), None);
        assert_eq!(read(Engine::Postgres, "+07:00"), None);
        for zone in ["UTC", "+07:00", "-12:59", "+13:00"] {
            assert_eq!(read(Engine::MariaDb, zone).as_deref(), Some(zone));
        }
        for zone in ["Asia/Jakarta", "+13:01", "-13:00", "+7:00", "+", "", "é07:00"] {
            assert_eq!(read(Engine::MariaDb, zone), None, "{zone}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_a_distance_is_one(text in "[+-]?[0-9é]{0,3}:?[0-9Z-]{0,12}") {
            let _ = is_window(&text);
            if is_distance(&text) {
                prop_assert_eq!(text.len(), "+07:00".len());
            }
        }

        #[test]
        fn a_window_has_two_times(from in 0u32..1440, until in 0u32..1440) {
            let text = format!("{:02}:{:02}Z-{:02}:{:02}Z", from / 60, from % 60, until / 60, until % 60);
            prop_assert_eq!(is_window(&text), from != until);
        }
    }
}
