//! What there is: instances, how one is reached, its backups and its logs.

use std::time::Duration;

use anyhow::{Context, Result};
use base::{Clock, SystemClock, Time};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::connect::Target;
use super::{Cloud, Step, text, wait};
use crate::api::items;
use crate::error::advise;
use crate::output::{self, Format};

/// Lines of logs asked for at once.
const LINES: &str = "100";

/// Arguments of `awan rds list`.
#[derive(Clone, Debug, Args)]
pub(super) struct ListArgs {
    /// Those that were deleted and can still be restored
    #[arg(long)]
    deleted: bool,
    /// How the listing is written; JSON has every field
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}

/// Arguments of `awan rds show`.
#[derive(Clone, Debug, Args)]
pub(super) struct ShowArgs {
    /// The instance, by its name or id
    #[arg(value_name = "NAME")]
    name: String,
    /// How it is written; JSON has every field
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}

/// Arguments of `awan rds backup`.
#[derive(Clone, Debug, Args)]
pub(super) struct BackupArgs {
    /// The instance, by its name or id
    #[arg(value_name = "NAME")]
    name: String,
    /// Only list those that there are
    #[arg(long)]
    list: bool,
    /// How the listing is written
    #[arg(long, value_enum, default_value = "table", requires = "list")]
    output: Format,
    /// How long to wait for it
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    wait_minutes: u64,
}

/// Arguments of `awan rds logs`.
#[derive(Clone, Debug, Args)]
pub(super) struct LogsArgs {
    /// The instance, by its name or id
    #[arg(value_name = "NAME")]
    name: String,
    /// Which log
    #[arg(long, value_enum, default_value = "error")]
    kind: Kind,
    /// Of the last so many hours
    #[arg(long, value_name = "HOURS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=744))]
    hours: u32,
    /// How the listing is written; JSON has every field
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}

/// Which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// What went wrong
    Error,
    /// Statements that took long
    Slow,
}

impl Kind {
    /// The action, and the fields that a person reads.
    const fn asked(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Error => ("DescribeErrorLogs", &["CreateTime", "Database", "User", "ErrorInfo"]),
            Self::Slow => (
                "DescribeSlowLogRecords",
                &["ExecutionStartTime", "DBName", "UserName", "QueryTimeMS", "SQLText"],
            ),
        }
    }
}

pub(super) fn list(cloud: &Cloud, args: &ListArgs) -> Result<()> {
    let fields = [
        "DBInstanceId",
        "DBInstanceDescription",
        "Engine",
        "EngineVersion",
        "DBInstanceStatus",
        "DBInstanceClass",
        "ZoneId",
    ];
    let found = if args.deleted { cloud.deleted()? } else { cloud.instances()? };
    Ok(output::listing(args.output, &fields, &found)?)
}

pub(super) fn show(cloud: &Cloud, args: &ShowArgs) -> Result<()> {
    let id = cloud.id(&args.name)?;
    let attribute = cloud.attribute(&id).with_context(|| format!("look at {id}"))?;
    let net = cloud.call("DescribeDBInstanceNetInfo", &[("DBInstanceId", &id)]);
    let net = net.with_context(|| format!("look how {id} is reached"))?;
    if args.output == Format::Json {
        return Ok(output::json(&json!({"Attribute": attribute, "NetInfo": items(&net)}))?);
    }
    let line = |name: &str, value: &str| output::line(format_args!("{name:<12}{value}"));
    line("instance", &id)?;
    line("name", text(&attribute, "DBInstanceDescription"))?;
    line("status", text(&attribute, "DBInstanceStatus"))?;
    line(
        "engine",
        &format!("{} {}", text(&attribute, "Engine"), text(&attribute, "EngineVersion")),
    )?;
    let storage = output::plain(&attribute["DBInstanceStorage"]);
    line("class", &format!("{}, {storage} GiB", text(&attribute, "DBInstanceClass")))?;
    line("zone", text(&attribute, "ZoneId"))?;
    for door in items(&net) {
        let address = match text(door, "IPAddress") {
            "" => String::new(),
            address => format!(" ({address})"),
        };
        line(
            "reached at",
            &format!("{}:{}{address}", text(door, "ConnectionString"), text(door, "Port")),
        )?;
    }
    let target = Target::of(&cloud.profile, &attribute, None)?;
    if text(&attribute, "Engine") == "PostgreSQL" {
        line("psql", &format!("psql \"{}\"", target.conninfo("ACCOUNT", "DATABASE")))?;
    }
    Ok(())
}

pub(super) fn backup(cloud: &Cloud, args: &BackupArgs) -> Result<()> {
    // Backups outlive their instance.
    let id = if args.list { cloud.id_of_any(&args.name)? } else { cloud.id(&args.name)? };
    let fields = [
        "BackupId",
        "BackupStatus",
        "BackupMode",
        "BackupStartTime",
        "BackupEndTime",
        "BackupSize",
    ];
    let listed = |params: &[(&str, &str)], format| {
        let answer = cloud.call("DescribeBackups", params).context("list the backups")?;
        Ok(output::listing(format, &fields, items(&answer))?)
    };
    if args.list {
        return listed(&[("DBInstanceId", &id), ("PageSize", LINES)], args.output);
    }
    let made = cloud
        .call("CreateBackup", &[("DBInstanceId", &id), ("BackupMethod", "Physical")])
        .with_context(|| format!("back up {id}"))?;
    let job = output::plain(&made["BackupJobId"]);
    let asked = [("DBInstanceId", id.as_str()), ("BackupJobId", &job)];
    let mut found = Value::Null;
    wait(&format!("backup of {}", args.name), args.wait_minutes, || {
        let answer = cloud.call("DescribeBackupTasks", &asked)?;
        found = items(&answer).first().cloned().unwrap_or_default();
        Ok(match text(&found, "BackupStatus") {
            "Finished" | "Failed" => Step::Done,
            other => Step::Now(other.to_owned()),
        })
    })?;
    if text(&found, "BackupStatus") == "Failed" {
        return Err(advise(
            format!("the backup {job} failed"),
            "the operator finds out why in the log of the cloud; the next one is made by itself",
        ));
    }
    let backup = output::plain(&found["BackupId"]);
    listed(&[("DBInstanceId", &id), ("BackupId", &backup)], Format::Table)
}

pub(super) fn logs(cloud: &Cloud, args: &LogsArgs) -> Result<()> {
    let id = cloud.id(&args.name)?;
    let now = SystemClock.now();
    let span = Duration::from_secs(u64::from(args.hours) * 3600);
    // The API counts in minutes, and this one is not over.
    let (from, until) = (minute(now.minus(span)), minute(now.plus(Duration::from_secs(60))));
    let (action, fields) = args.kind.asked();
    let mut lines = Vec::new();
    for number in 1.. {
        let number = u32::to_string(&number);
        let params = [
            ("DBInstanceId", id.as_str()),
            ("StartTime", &from),
            ("EndTime", &until),
            ("PageSize", LINES),
            ("PageNumber", &number),
        ];
        let answer =
            cloud.call(action, &params).with_context(|| format!("read the log of {id}"))?;
        let page = items(&answer);
        lines.extend(page.iter().cloned());
        if page.is_empty() || lines.len() as u64 >= total(&answer) {
            break;
        }
    }
    lines.sort_by(|a, b| text(a, fields[0]).cmp(text(b, fields[0])));
    Ok(output::listing(args.output, fields, &lines)?)
}

/// How many there are in all: a number, or one in quotes.
fn total(answer: &Value) -> u64 {
    let total = &answer["TotalRecordCount"];
    total.as_u64().or_else(|| total.as_str()?.parse().ok()).unwrap_or(0)
}

/// To the minute: `2026-01-02T03:04Z`.
fn minute(time: Time) -> String {
    let text = time.iso();
    format!("{}Z", text.get(..16).unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_logs_are_written_to_the_minute() {
        assert_eq!(minute(Time::from_secs(1_767_323_045)), "2026-01-02T03:04Z");
        assert_eq!(total(&json!({"TotalRecordCount": "7"})), 7);
        assert_eq!(total(&json!({"TotalRecordCount": 8})), 8);
        assert_eq!(total(&json!({})), 0);
    }
}
