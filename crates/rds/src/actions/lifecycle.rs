//! Restart, stop, start, delete, and what became of that.

use base::{ApiError, Time};
use engine::page::ByNumber;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Done, ask, expect, owned, read, running, write};
use crate::errors::{HAS_FOLLOWERS, INSTANCE_STATUS, PROTECTED};
use crate::machine::restore_table::Wish;
use crate::model::{Status, Wanted};
use crate::requests::forms::{
    List, Named, Rest, invalid, list, not_supported, one_of, refuse_unprovided,
};
use crate::tables::instance::{self, Instance};
use crate::tables::{job, member};

/// Restarts an instance.
pub(super) struct RestartDBInstance;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RestartRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(default)]
    node_id: String,
}

impl Action for RestartDBInstance {
    const META: Meta = write("RestartDBInstance").replay_by("ClientToken");
    type Request = RestartRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: RestartRequest) -> Result<Done, ApiError> {
        let mut instance = running(cx, &request.id)?;
        if !request.node_id.is_empty() {
            return Err(not_supported(
                "A restart of one node (the whole instance is restarted) is",
            ));
        }
        instance.restarts += 1;
        ask(cx, &mut instance, Status::Rebooting)?;
        Ok(Done {})
    }
}

/// Starts an instance that was stopped.
pub(super) struct StartDBInstance;

#[derive(Deserialize)]
pub(super) struct StartRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Serialize)]
pub(super) struct StartResponse {
    #[serde(rename = "TaskId")]
    task: i64,
}

/// What the real service does on the way, and is done here by other actions.
const ON_THE_WAY: &[(&str, &[&str])] = &[
    ("DBInstanceTransType", &["0"]),
    ("DedicatedHostGroupId", &[]),
    ("EffectiveTime", &["Immediate"]),
    ("EngineVersion", &[]),
    ("SpecifiedTime", &[]),
    ("Storage", &["0"]),
    ("TargetDBInstanceClass", &[]),
    ("TargetDedicatedHostIdForLog", &[]),
    ("TargetDedicatedHostIdForMaster", &[]),
    ("TargetDedicatedHostIdForSlave", &[]),
    ("VSwitchId", &[]),
    ("ZoneId", &[]),
];

impl Action for StartDBInstance {
    const META: Meta = write("StartDBInstance");
    type Request = StartRequest;
    type Response = StartResponse;

    fn run(cx: &mut Cx<'_>, request: StartRequest) -> Result<StartResponse, ApiError> {
        let mut instance = owned(cx, &request.id)?;
        expect(&instance, &[Status::Stopped])?;
        refuse_unprovided(&request.rest, ON_THE_WAY)?;
        instance.wanted = Wanted::Running;
        ask(cx, &mut instance, Status::Starting)?;
        Ok(StartResponse { task: instance.generation })
    }
}

/// Stops an instance: it keeps its data and serves nobody.
pub(super) struct StopDBInstance;

impl Action for StopDBInstance {
    const META: Meta = write("StopDBInstance");
    type Request = Named;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<Done, ApiError> {
        let mut instance = running(cx, &request.id)?;
        refuse_followed(cx, &instance, "The instance has read-only instances that follow it.")?;
        instance.wanted = Wanted::Stopped;
        ask(cx, &mut instance, Status::Stopping)?;
        Ok(Done {})
    }
}

/// Refuses what must not be done to an instance that others follow.
pub(super) fn refuse_followed(
    cx: &mut Cx<'_>,
    instance: &Instance,
    message: &str,
) -> Result<(), ApiError> {
    if instance::followers(cx.tx(), &instance.id)?.is_empty() {
        return Ok(());
    }
    Err(HAS_FOLLOWERS.error(message))
}

/// Deletes an instance, in whatever state it is.
pub(super) struct DeleteDBInstance;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(default)]
    released_keep_policy: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteResponse {
    region_id: String,
}

impl Action for DeleteDBInstance {
    const META: Meta = write("DeleteDBInstance");
    type Request = DeleteRequest;
    type Response = DeleteResponse;

    fn run(cx: &mut Cx<'_>, request: DeleteRequest) -> Result<DeleteResponse, ApiError> {
        let mut instance = owned(cx, &request.id)?;
        if instance.status == Status::Deleting {
            return Err(INSTANCE_STATUS.into());
        }
        if instance.options.deletion_protection {
            return Err(PROTECTED.into());
        }
        refuse_followed(cx, &instance, HAS_FOLLOWERS.message)?;
        if !request.released_keep_policy.is_empty() {
            let words = ["None", "Lastest", "All"];
            let policy = one_of("ReleasedKeepPolicy", &request.released_keep_policy, &words)?;
            policy.clone_into(&mut instance.options.released_keep_policy);
        }
        instance.wanted = Wanted::Gone;
        ask(cx, &mut instance, Status::Deleting)?;
        cx.audit_detail("ReleasedKeepPolicy", &instance.options.released_keep_policy);
        Ok(DeleteResponse { region_id: instance.region })
    }
}

/// Shows what was asked of an instance last, and the tables that were to come back, and whether that is done.
pub(super) struct DescribeTasks;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TasksRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    task_action: String,
    #[serde(default)]
    start_time: String,
    #[serde(default)]
    end_time: String,
    #[serde(flatten)]
    page: ByNumber,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TasksResponse {
    items: List<Task>,
    page_number: u32,
    page_record_count: usize,
    total_record_count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Task {
    task_id: String,
    task_action: String,
    status: &'static str,
    begin_time: String,
    finish_time: &'static str,
    progress: &'static str,
    progress_info: String,
    task_error_message: String,
    #[serde(rename = "DBName")]
    db_name: String,
}

impl Action for DescribeTasks {
    const META: Meta = read("DescribeTasks");
    type Request = TasksRequest;
    type Response = TasksResponse;

    fn run(cx: &mut Cx<'_>, request: TasksRequest) -> Result<TasksResponse, ApiError> {
        let (from, until) =
            (moment("StartTime", &request.start_time)?, moment("EndTime", &request.end_time)?);
        let instance = owned(cx, &request.id)?;
        let size = request.page.size(30, 100)?;
        let asked = |asked: &str, is: &str| asked.is_empty() || asked.eq_ignore_ascii_case(is);
        let fits = |(begun, task): &(Time, Task)| {
            from.is_none_or(|from| from <= *begun)
                && until.is_none_or(|until| begun.secs() <= until.secs() + 59)
                && asked(&request.status, task.status)
                && asked(&request.task_action, &task.task_action)
        };
        let all = tasks(cx, &instance)?;
        let tasks: Vec<Task> = all.into_iter().filter(fits).map(|(_, task)| task).collect();
        let total_record_count = tasks.len();
        let skip = (request.page.number() as usize - 1).saturating_mul(size);
        let shown: Vec<Task> = tasks.into_iter().skip(skip).collect();
        Ok(TasksResponse {
            page_number: request.page.number(),
            page_record_count: shown.len(),
            total_record_count,
            items: list("TaskProgressInfo", shown),
        })
    }
}

/// Everything that was asked of an instance and is still known, newest first.
fn tasks(cx: &mut Cx<'_>, instance: &Instance) -> Result<Vec<(Time, Task)>, ApiError> {
    let mut tasks = Vec::new();
    if !instance.options.asked.is_empty() {
        let begun = Time::from_micros(instance.options.asked_at);
        tasks.push((begun, task(cx, instance, begun)?));
    }
    for job in job::of_instance(cx.tx(), &instance.id)? {
        let wish: Wish = serde_json::from_str(&job.wish).map_err(ApiError::internal)?;
        let (status, progress) = match job.status.as_str() {
            "Success" => ("Finished", "100.0"),
            "Failed" => ("Failed", "100.0"),
            _ => ("Processing", "0.0"),
        };
        let task = Task {
            task_id: job.id,
            task_action: "RestoreTable".to_owned(),
            status,
            begin_time: job.created.iso(),
            finish_time: "",
            progress,
            progress_info: wish.failed.clone(),
            task_error_message: wish.failed,
            db_name: wish.databases.first().map(|it| it.new_name.clone()).unwrap_or_default(),
        };
        tasks.push((job.created, task));
    }
    tasks.sort_by_key(|(begun, _)| std::cmp::Reverse(*begun));
    Ok(tasks)
}

/// A generation of wishes, as a task. What holds it up is told in general words: nodes tell the rest to the operator.
fn task(cx: &mut Cx<'_>, instance: &Instance, begun: Time) -> Result<Task, ApiError> {
    let done = instance.settled >= instance.generation;
    let members = member::shown(cx.tx(), instance)?;
    let held_up = !done && members.iter().any(|member| !member.observed.trouble.is_empty());
    let info = if held_up { "It is held up, and tried again." } else { "" };
    Ok(Task {
        task_id: instance.generation.to_string(),
        task_action: instance.options.asked.clone(),
        status: if done { "Finished" } else { "Processing" },
        begin_time: begun.iso(),
        finish_time: "",
        progress: if done { "100.0" } else { "0.0" },
        progress_info: info.to_owned(),
        task_error_message: String::new(),
        db_name: String::new(),
    })
}

/// A moment as this API writes it: with or without seconds.
pub(super) fn moment(name: &str, text: &str) -> Result<Option<Time>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let whole = text.strip_suffix('Z').map(|minute| format!("{minute}:00Z"));
    let time = Time::parse_iso(text).or_else(|| Time::parse_iso(&whole?));
    time.map(Some).ok_or_else(|| {
        invalid(name, format!("The specified {name} must be a time as 2026-11-23T18:00Z."))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_moment_is_read_with_and_without_seconds() {
        let read = |text| moment("StartTime", text).ok().flatten().map(Time::iso);
        for text in ["2026-11-23T18:00Z", "2026-11-23T18:00:00Z"] {
            assert_eq!(read(text).as_deref(), Some("2026-11-23T18:00:00Z"));
        }
        assert!(moment("StartTime", "today").is_err());
    }

    proptest! {
        #[test]
        fn every_minute_is_read_back(minute in 0i64..4_000_000_000 / 60) {
            let time = Time::from_secs(minute * 60);
            let short = time.iso().replace(":00Z", "Z");
            prop_assert_eq!(moment("StartTime", &short).ok().flatten(), Some(time));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}") {
            drop(moment("StartTime", &text));
        }
    }
}
