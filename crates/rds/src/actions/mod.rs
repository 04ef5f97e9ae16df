//! The RDS API, 2014-08-15: validates, writes what is wanted, and wakes the task of the instance. What every action
//! shares is here; each noun has a file.

mod access;
mod accounts;
mod attributes;
mod auditing;
mod availability;
mod backup_policy;
mod backups;
mod catalogue;
mod create;
mod databases;
mod encryption;
mod extensions;
mod lifecycle;
mod logs;
mod monitoring;
mod network;
mod parameter_groups;
mod parameters;
mod paying;
mod pg_hba;
mod privileges;
mod read_only;
mod resize;
mod restores;
mod show;
mod tags;

use base::{AccountId, ApiError, code};
use engine::{Cx, Entry, Meta, action};
use serde::Serialize;

use crate::errors::{INSTANCE_STATUS, NO_INSTANCE};
use crate::machine;
use crate::model::{Keeper, Status};
use crate::patroni;
use crate::tables::instance::{self, Instance};

/// Every action of this service.
pub const ACTIONS: &[Entry] = &[
    action::<catalogue::DescribeRegions>(),
    action::<catalogue::DescribeAvailableZones>(),
    action::<catalogue::DescribeAvailableClasses>(),
    action::<catalogue::ListClasses>(),
    action::<catalogue::DescribePrice>(),
    action::<create::CreateDBInstance>(),
    action::<show::DescribeDBInstances>(),
    action::<show::DescribeDBInstanceAttribute>(),
    action::<lifecycle::RestartDBInstance>(),
    action::<lifecycle::StartDBInstance>(),
    action::<lifecycle::StopDBInstance>(),
    action::<lifecycle::DeleteDBInstance>(),
    action::<lifecycle::DescribeTasks>(),
    action::<resize::ModifyDBInstanceSpec>(),
    action::<resize::UpgradeDBInstanceKernelVersion>(),
    action::<resize::UpgradeDBInstanceEngineVersion>(),
    action::<attributes::ModifyDBInstanceDescription>(),
    action::<attributes::ModifyDBInstanceMaintainTime>(),
    action::<attributes::ModifyDBInstanceDeletionProtection>(),
    action::<attributes::ModifyDBInstanceAutoUpgradeMinorVersion>(),
    action::<attributes::ModifyDBInstanceConfig>(),
    action::<attributes::ModifyResourceGroup>(),
    action::<attributes::DescribeDBInstanceMonitor>(),
    action::<attributes::ModifyDBInstanceMonitor>(),
    action::<attributes::ModifyCollationTimeZone>(),
    action::<paying::TransformDBInstancePayType>(),
    action::<paying::RenewInstance>(),
    action::<paying::DescribeInstanceAutoRenewalAttribute>(),
    action::<paying::ModifyInstanceAutoRenewalAttribute>(),
    action::<network::DescribeDBInstanceNetInfo>(),
    action::<network::AllocateInstancePublicConnection>(),
    action::<network::ModifyDBInstanceConnectionString>(),
    action::<network::ReleaseInstancePublicConnection>(),
    action::<access::DescribeDBInstanceIPArrayList>(),
    action::<access::ModifySecurityIps>(),
    action::<access::DescribeSecurityGroupConfiguration>(),
    action::<access::ModifySecurityGroupConfiguration>(),
    action::<access::DescribeInstanceLinkedWhitelistTemplate>(),
    action::<access::MigrateSecurityIPMode>(),
    action::<read_only::CreateReadOnlyDBInstance>(),
    action::<read_only::DescribeReadDBInstanceDelay>(),
    action::<availability::DescribeDBInstanceHAConfig>(),
    action::<availability::ModifyDBInstanceHAConfig>(),
    action::<availability::SwitchDBInstanceHA>(),
    action::<availability::DescribeHASwitchConfig>(),
    action::<availability::ModifyHASwitchConfig>(),
    action::<availability::DescribeHADiagnoseConfig>(),
    action::<availability::ModifyHADiagnoseConfig>(),
    action::<encryption::DescribeDBInstanceSSL>(),
    action::<encryption::ModifyDBInstanceSSL>(),
    action::<encryption::DescribeDBInstanceTDE>(),
    action::<encryption::ModifyDBInstanceTDE>(),
    action::<encryption::DescribeDBInstanceEncryptionKey>(),
    action::<auditing::DescribeSQLCollectorPolicy>(),
    action::<auditing::ModifySQLCollectorPolicy>(),
    action::<auditing::DescribeSQLCollectorRetention>(),
    action::<auditing::ModifySQLCollectorRetention>(),
    action::<auditing::ModifyDasInstanceConfig>(),
    action::<tags::DescribeTags>(),
    action::<tags::TagResources>(),
    action::<tags::UntagResources>(),
    action::<tags::ListTagResources>(),
    action::<tags::AddTagsToResource>(),
    action::<tags::RemoveTagsFromResource>(),
    action::<accounts::CreateAccount>(),
    action::<accounts::DescribeAccounts>(),
    action::<accounts::ModifyAccountDescription>(),
    action::<accounts::ResetAccountPassword>(),
    action::<accounts::ResetAccount>(),
    action::<accounts::LockAccount>(),
    action::<accounts::UnlockAccount>(),
    action::<accounts::DeleteAccount>(),
    action::<accounts::CheckAccountNameAvailable>(),
    action::<databases::CreateDatabase>(),
    action::<databases::DescribeDatabases>(),
    action::<databases::ModifyDBDescription>(),
    action::<databases::DeleteDatabase>(),
    action::<databases::CheckDBNameAvailable>(),
    action::<extensions::CreatePostgresExtensions>(),
    action::<extensions::DescribePostgresExtensions>(),
    action::<extensions::UpdatePostgresExtensions>(),
    action::<extensions::DeletePostgresExtensions>(),
    action::<privileges::GrantAccountPrivilege>(),
    action::<privileges::RevokeAccountPrivilege>(),
    action::<parameters::DescribeParameters>(),
    action::<parameters::DescribeParameterTemplates>(),
    action::<parameters::ModifyParameter>(),
    action::<parameter_groups::CreateParameterGroup>(),
    action::<parameter_groups::ModifyParameterGroup>(),
    action::<parameter_groups::DeleteParameterGroup>(),
    action::<parameter_groups::CloneParameterGroup>(),
    action::<parameter_groups::DescribeParameterGroups>(),
    action::<parameter_groups::DescribeParameterGroup>(),
    action::<pg_hba::DescribePGHbaConfig>(),
    action::<pg_hba::ModifyPGHbaConfig>(),
    action::<backup_policy::DescribeBackupPolicy>(),
    action::<backup_policy::ModifyBackupPolicy>(),
    action::<backups::CreateBackup>(),
    action::<backups::DescribeBackups>(),
    action::<backups::DescribeBackupTasks>(),
    action::<backups::DeleteBackup>(),
    action::<restores::CloneDBInstance>(),
    action::<restores::RestoreTable>(),
    action::<restores::DescribeLocalAvailableRecoveryTime>(),
    action::<restores::DescribeAvailableRecoveryTime>(),
    action::<monitoring::DescribeDBInstancePerformance>(),
    action::<monitoring::DescribeResourceUsage>(),
    action::<logs::DescribeErrorLogs>(),
    action::<logs::DescribeSlowLogs>(),
    action::<logs::DescribeSlowLogRecords>(),
];

const fn read(name: &'static str) -> Meta {
    Meta::read("rds", "2014-08-15", name).denied_as(&code::FORBIDDEN_RAM)
}

const fn write(name: &'static str) -> Meta {
    Meta::write("rds", "2014-08-15", name).denied_as(&code::FORBIDDEN_RAM)
}

/// An answer that says nothing but that it was done.
#[derive(Serialize)]
pub(super) struct Done {}

/// The ARN of an instance; of all of them where `id` is `*`.
pub(crate) fn arn(cx: &Cx<'_>, account: AccountId, id: &str) -> String {
    format!("acs:rds:{}:{account}:dbinstance/{id}", cx.cloud.region.id)
}

/// The caller's own instance of that id, after the policies were asked. Another account's is not found.
pub(crate) fn owned(cx: &mut Cx<'_>, id: &str) -> Result<Instance, ApiError> {
    let account = cx.account();
    let arn = arn(cx, account, id);
    cx.authorize(&arn)?;
    if !is_plain(id) {
        return Err(ApiError::new(&NO_INSTANCE));
    }
    let found = instance::find(cx.tx(), id)?.filter(|instance| instance.account == account);
    let instance = found.ok_or_else(|| ApiError::new(&NO_INSTANCE))?;
    if instance.keeper == Keeper::Patroni {
        patroni::offers::check(cx.meta.name)?;
    }
    Ok(instance)
}

/// Whether an id may be one that this service gave out. The store takes no zero byte in text, so that what clients
/// send as an id is looked at before it is looked for.
pub(crate) fn is_plain(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// As [`owned`], and running: anything else is refused so that clients try again later.
pub(crate) fn running(cx: &mut Cx<'_>, id: &str) -> Result<Instance, ApiError> {
    let instance = owned(cx, id)?;
    expect(&instance, &[Status::Running])?;
    Ok(instance)
}

/// Refuses what its present status does not allow.
pub(crate) fn expect(instance: &Instance, allowed: &[Status]) -> Result<(), ApiError> {
    if allowed.contains(&instance.status) {
        return Ok(());
    }
    let message = format!(
        "The instance is {}; the operation is not permitted then.",
        instance.status.as_str()
    );
    Err(INSTANCE_STATUS.error(message))
}

/// Stores what is wanted of an instance now and wakes its task: what its nodes are told is made of the rows as this
/// commit leaves them. Where Patroni keeps it, its watch looks every second. `status` is what clients see until that
/// is done.
pub(crate) fn ask(
    cx: &mut Cx<'_>,
    instance: &mut Instance,
    status: Status,
) -> Result<(), ApiError> {
    instance.status = status;
    instance.generation += 1;
    instance.options.asked = cx.meta.name.to_owned();
    instance.options.asked_at = cx.now.micros();
    instance.options.given_up = String::new();
    cx.audit_detail("DBInstanceStatus", status.as_str());
    instance::save(cx.tx(), instance)?;
    if instance.keeper == Keeper::Awan {
        let now = cx.now;
        cx.spawn(machine::KIND, instance.id.clone(), machine::CONVERGE, now);
    }
    Ok(())
}
