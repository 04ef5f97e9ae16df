//! Backups: the policy, making one, the list, removing one. The bytes are the business of [`crate::backup`].

use ::base::{ApiError, Time};
use engine::page::ByNumber;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Done, is_plain, owned, read, write};
use crate::backup::{base, schedule};
use crate::errors::{BACKUP_NEEDED, BACKUP_RUNNING, NO_BACKUP, NO_INSTANCE};
use crate::requests::within::{Page, cut, invalid, moment, writable};
use crate::tables::backup::{self as rows, Backup, State};
use crate::tables::instance;

/// Begins a backup of an instance.
pub(super) struct CreateBackup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateBackupRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(default)]
    backup_method: String,
    #[serde(default)]
    backup_type: String,
    #[serde(rename = "DBName", default)]
    database: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateBackupResponse {
    backup_job_id: String,
}

impl Action for CreateBackup {
    const META: Meta = write("CreateBackup");
    type Request = CreateBackupRequest;
    type Response = CreateBackupResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: CreateBackupRequest,
    ) -> Result<CreateBackupResponse, ApiError> {
        if !matches!(request.backup_method.as_str(), "" | "Physical")
            || !request.database.is_empty()
        {
            let message = "BackupMethod is Physical: a backup is of the whole instance.";
            return Err(invalid("BackupMethod", message));
        }
        if !matches!(request.backup_type.as_str(), "" | "Auto" | "FullBackup") {
            return Err(invalid("BackupType", "BackupType is FullBackup or Auto."));
        }
        let instance = writable(cx, &request.instance)?;
        let made = rows::of_instance(cx.tx(), &instance.id)?;
        if made.iter().any(|backup| backup.status == State::Running) {
            return Err(ApiError::new(&BACKUP_RUNNING));
        }
        let id = base::begin(cx, &instance, "Manual")?;
        cx.audit_detail("BackupId", &id);
        Ok(CreateBackupResponse { backup_job_id: id })
    }
}

/// Lists backups that have ended, newest first: also those of an instance that is gone.
pub(super) struct DescribeBackups;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeBackupsRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(default)]
    backup_id: String,
    #[serde(default)]
    backup_status: String,
    #[serde(default)]
    backup_mode: String,
    #[serde(default)]
    start_time: String,
    #[serde(default)]
    end_time: String,
    #[serde(flatten)]
    page: ByNumber,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeBackupsResponse {
    items: Items,
    page_number: String,
    page_record_count: String,
    total_record_count: String,
    total_ecs_snapshot_size: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    backup: Vec<View>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    backup_id: String,
    #[serde(rename = "DBInstanceId")]
    instance: String,
    backup_status: &'static str,
    backup_mode: String,
    backup_method: &'static str,
    backup_type: &'static str,
    backup_initiator: &'static str,
    backup_start_time: String,
    backup_end_time: String,
    backup_size: i64,
    consistent_time: i64,
    engine: &'static str,
    engine_version: String,
    is_avail: i32,
    store_status: &'static str,
    #[serde(rename = "HostInstanceID")]
    host_instance: String,
}

impl From<Backup> for View {
    fn from(row: Backup) -> Self {
        let manual = row.mode == "Manual";
        Self {
            backup_method: "Physical",
            backup_type: "FullBackup",
            backup_initiator: if manual { "User" } else { "System" },
            backup_start_time: row.started.iso(),
            backup_end_time: row.ended.map(Time::iso).unwrap_or_default(),
            backup_size: row.bytes,
            consistent_time: row.ended.map_or(0, Time::secs),
            is_avail: i32::from(row.status == State::Success),
            store_status: "Disabled",
            host_instance: row.instance.clone(),
            backup_id: row.id,
            instance: row.instance,
            backup_status: row.status.as_str(),
            backup_mode: row.mode,
            engine: row.engine.as_str(),
            engine_version: row.build,
        }
    }
}

/// The backups of an instance of the caller, whether it is still there or not.
fn archive(cx: &mut Cx<'_>, id: &str) -> Result<Vec<Backup>, ApiError> {
    let account = cx.account();
    let arn = super::arn(cx, account, id);
    cx.authorize(&arn)?;
    if !is_plain(id) {
        return Err(ApiError::new(&NO_INSTANCE));
    }
    let mut all = rows::of_instance(cx.tx(), id)?;
    all.reverse();
    all.retain(|backup| backup.account == account);
    let there = instance::find(cx.tx(), id)?.is_some_and(|found| found.account == account);
    if there || !all.is_empty() { Ok(all) } else { Err(ApiError::new(&NO_INSTANCE)) }
}

impl Action for DescribeBackups {
    const META: Meta = read("DescribeBackups");
    type Request = DescribeBackupsRequest;
    type Response = DescribeBackupsResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: DescribeBackupsRequest,
    ) -> Result<DescribeBackupsResponse, ApiError> {
        let bound = |name, text: &str, open: i64| match text {
            "" => Ok(Time::from_micros(open)),
            text => moment(name, text),
        };
        let from = bound("StartTime", &request.start_time, 0)?;
        let until = bound("EndTime", &request.end_time, i64::MAX)?;
        let mut found = archive(cx, &request.instance)?;
        let asked = |asked: &str, is: &str| asked.is_empty() || asked == is;
        found.retain(|backup| {
            !matches!(backup.status, State::Running | State::Deleting)
                && (from..until).contains(&backup.started)
                && asked(&request.backup_id, &backup.id)
                && asked(&request.backup_status, backup.status.as_str())
                && asked(&request.backup_mode, &backup.mode)
        });
        let Page { rows, total, number } = cut(found, &request.page)?;
        let backup: Vec<View> = rows.into_iter().map(View::from).collect();
        Ok(DescribeBackupsResponse {
            page_number: number.to_string(),
            page_record_count: backup.len().to_string(),
            total_record_count: total.to_string(),
            total_ecs_snapshot_size: 0,
            items: Items { backup },
        })
    }
}

/// Lists backups as work: how far each is.
pub(super) struct DescribeBackupTasks;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeBackupTasksRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    backup_job_id: Option<String>,
    #[serde(default)]
    backup_job_status: String,
    #[serde(default)]
    backup_mode: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeBackupTasksResponse {
    items: Jobs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Jobs {
    backup_job: Vec<Job>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Job {
    backup_job_id: String,
    backup_id: String,
    backup_status: &'static str,
    backup_progress_status: &'static str,
    job_mode: String,
    task_action: &'static str,
}

impl Job {
    fn of(row: Backup) -> Option<Self> {
        let status = match row.status {
            State::Running => "Uploading",
            State::Success => "Finished",
            State::Failed => "Failed",
            State::Deleting => return None,
        };
        let manual = row.mode == "Manual";
        Some(Self {
            backup_job_id: row.id.clone(),
            backup_id: row.id,
            backup_status: status,
            backup_progress_status: status,
            job_mode: row.mode,
            task_action: if manual { "TempBackupTask" } else { "NormalBackupTask" },
        })
    }
}

impl Action for DescribeBackupTasks {
    const META: Meta = read("DescribeBackupTasks");
    type Request = DescribeBackupTasksRequest;
    type Response = DescribeBackupTasksResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: DescribeBackupTasksRequest,
    ) -> Result<DescribeBackupTasksResponse, ApiError> {
        let instance = owned(cx, &request.instance)?;
        let mut jobs: Vec<Job> = rows::of_instance(cx.tx(), &instance.id)?
            .into_iter()
            .rev()
            .filter_map(Job::of)
            .collect();
        let asked = |asked: &str, is: &str| asked.is_empty() || asked.eq_ignore_ascii_case(is);
        jobs.retain(|job| {
            request.backup_job_id.as_ref().is_none_or(|id| *id == job.backup_job_id)
                && asked(&request.backup_job_status, job.backup_status)
                && asked(&request.backup_mode, &job.job_mode)
        });
        Ok(DescribeBackupTasksResponse { items: Jobs { backup_job: jobs } })
    }
}

/// Removes a backup, but never the newest that can be restored.
pub(super) struct DeleteBackup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteBackupRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    backup_id: String,
}

impl Action for DeleteBackup {
    const META: Meta = write("DeleteBackup");
    type Request = DeleteBackupRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: DeleteBackupRequest) -> Result<Done, ApiError> {
        let instance = owned(cx, &request.instance)?;
        if !is_plain(&request.backup_id) {
            return Err(ApiError::new(&NO_BACKUP));
        }
        let found = rows::find(cx.tx(), &request.backup_id)?;
        let backup = found
            .filter(|backup| backup.instance == instance.id && backup.status != State::Deleting)
            .ok_or_else(|| ApiError::new(&NO_BACKUP))?;
        if backup.status == State::Running {
            return Err(ApiError::new(&BACKUP_RUNNING));
        }
        let newest = rows::newest_before(cx.tx(), &instance.id, Time::from_micros(i64::MAX))?;
        if newest.is_some_and(|newest| newest.id == backup.id) {
            return Err(ApiError::new(&BACKUP_NEEDED));
        }
        rows::retire(cx.tx(), &backup.id)?;
        cx.audit_detail("BackupId", &backup.id);
        let now = cx.now;
        cx.spawn(schedule::REMOVAL, backup.id, "null", now);
        Ok(Done {})
    }
}
