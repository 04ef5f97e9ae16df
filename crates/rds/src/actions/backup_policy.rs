//! When backups are made and how long they are kept. Nothing is switched off unless that very thing is asked for.

use base::{ApiError, Time};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{expect, owned, read, write};
use crate::model::{BackupPolicy, Options, Status};
use crate::requests::within::{invalid, minute};
use crate::tables::instance;

const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// For how many days backups may be kept.
const RETENTION: std::ops::RangeInclusive<u32> = 7..=730;
/// Days of the week on which a backup is made at least: the log between two has to be replayed.
const DAYS_MIN: usize = 2;
/// 1 January 1970 was a Thursday.
const EPOCH_DAY: i64 = 3;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeBackupPolicyRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
}

/// Shows the policy.
pub(super) struct DescribeBackupPolicy;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeBackupPolicyResponse {
    preferred_backup_period: String,
    preferred_backup_time: String,
    preferred_next_backup_time: String,
    backup_retention_period: u32,
    backup_log: &'static str,
    enable_backup_log: &'static str,
    log_backup_retention_period: u32,
    enable_pitr_protection: bool,
    pitr_retention_period: u32,
    backup_method: &'static str,
    backup_interval: &'static str,
    compress_type: &'static str,
    category: &'static str,
    released_keep_policy: String,
    support_released_keep: i32,
    high_space_usage_protection: String,
    local_log_retention_hours: i64,
    local_log_retention_space: String,
    enable_increment_data_backup: bool,
}

/// What clients read back and nothing acts on: nothing of the log stays on the node once it is archived.
const TOLD: [(&str, &str); 3] = [
    ("HighSpaceUsageProtection", "Enable"),
    ("LocalLogRetentionHours", "0"),
    ("LocalLogRetentionSpace", "30"),
];

fn told(options: &Options, name: &str) -> String {
    let default = TOLD.iter().find(|(it, _)| *it == name).map_or("", |(_, value)| value);
    let kept = options.told.get(&format!("ModifyBackupPolicy.{name}"));
    kept.cloned().unwrap_or_else(|| default.to_owned())
}

impl Action for DescribeBackupPolicy {
    const META: Meta = read("DescribeBackupPolicy");
    type Request = DescribeBackupPolicyRequest;
    type Response = DescribeBackupPolicyResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: DescribeBackupPolicyRequest,
    ) -> Result<DescribeBackupPolicyResponse, ApiError> {
        let options = owned(cx, &request.instance)?.options;
        let policy = &options.backup;
        Ok(DescribeBackupPolicyResponse {
            preferred_backup_period: policy.days.clone(),
            preferred_backup_time: policy.time.clone(),
            preferred_next_backup_time: next(policy, cx.now).map(minute).unwrap_or_default(),
            backup_retention_period: policy.retention_days,
            backup_log: if policy.log { "Enable" } else { "Disable" },
            enable_backup_log: if policy.log { "1" } else { "0" },
            log_backup_retention_period: policy.log_retention_days,
            enable_pitr_protection: policy.log,
            pitr_retention_period: policy.log_retention_days,
            backup_method: "Physical",
            backup_interval: "-1",
            compress_type: "4",
            category: "Standard",
            released_keep_policy: options.released_keep_policy.clone(),
            support_released_keep: 1,
            high_space_usage_protection: told(&options, "HighSpaceUsageProtection"),
            local_log_retention_hours: told(&options, "LocalLogRetentionHours")
                .parse()
                .unwrap_or(0),
            local_log_retention_space: told(&options, "LocalLogRetentionSpace"),
            enable_increment_data_backup: false,
        })
    }
}

/// When the next backup is due: the next beginning of the hour, on one of the days, after `now`.
fn next(policy: &BackupPolicy, now: Time) -> Option<Time> {
    const DAY: i64 = 24 * 3600;
    let hour: i64 = policy.time.get(..2)?.parse().ok()?;
    let today = now.secs().div_euclid(DAY);
    let days: Vec<&str> = policy.days.split(',').collect();
    (today..=today + 7)
        .filter(|day| {
            let name =
                usize::try_from((day + EPOCH_DAY).rem_euclid(7)).ok().and_then(|it| DAYS.get(it));
            name.is_some_and(|name| days.contains(name))
        })
        .map(|day| Time::from_secs(day * DAY + hour * 3600))
        .find(|time| *time > now)
}

/// Changes what is given of the policy.
pub(super) struct ModifyBackupPolicy;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ModifyBackupPolicyRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    backup_policy_mode: String,
    preferred_backup_period: String,
    preferred_backup_time: String,
    backup_retention_period: String,
    backup_log: String,
    enable_backup_log: String,
    log_backup_retention_period: String,
    released_keep_policy: String,
    enable_increment_data_backup: bool,
    backup_method: String,
    backup_interval: String,
    high_space_usage_protection: String,
    local_log_retention_hours: String,
    local_log_retention_space: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ModifyBackupPolicyResponse {
    #[serde(rename = "DBInstanceID")]
    instance: String,
    enable_backup_log: &'static str,
    enable_increment_data_backup: bool,
    enable_pitr_protection: bool,
    high_space_usage_protection: String,
    local_log_retention_hours: i64,
    local_log_retention_space: String,
    compress_type: &'static str,
}

impl Action for ModifyBackupPolicy {
    const META: Meta = write("ModifyBackupPolicy");
    type Request = ModifyBackupPolicyRequest;
    type Response = ModifyBackupPolicyResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: ModifyBackupPolicyRequest,
    ) -> Result<ModifyBackupPolicyResponse, ApiError> {
        request.refuse_unavailable()?;
        let mut instance = owned(cx, &request.instance)?;
        expect(&instance, &[Status::Running, Status::Stopped])?;
        request.apply(&mut instance.options)?;
        instance::save(cx.tx(), &instance)?;
        let (options, policy) = (&instance.options, &instance.options.backup);
        cx.audit_detail("BackupRetentionPeriod", policy.retention_days.to_string());
        cx.audit_detail("BackupLog", if policy.log { "Enable" } else { "Disable" });
        Ok(ModifyBackupPolicyResponse {
            enable_backup_log: if policy.log { "1" } else { "0" },
            enable_increment_data_backup: false,
            enable_pitr_protection: policy.log,
            high_space_usage_protection: told(options, "HighSpaceUsageProtection"),
            local_log_retention_hours: told(options, "LocalLogRetentionHours").parse().unwrap_or(0),
            local_log_retention_space: told(options, "LocalLogRetentionSpace"),
            compress_type: "4",
            instance: instance.id,
        })
    }
}

impl ModifyBackupPolicyRequest {
    fn refuse_unavailable(&self) -> Result<(), ApiError> {
        if !matches!(self.backup_policy_mode.as_str(), "" | "DataBackupPolicy" | "LogBackupPolicy")
        {
            let message = "BackupPolicyMode is DataBackupPolicy or LogBackupPolicy.";
            return Err(invalid("BackupPolicyMode", message));
        }
        if self.enable_increment_data_backup {
            let message = "Backups are whole; the log between them is archived.";
            return Err(invalid("EnableIncrementDataBackup", message));
        }
        if !matches!(self.backup_method.as_str(), "" | "Physical") {
            return Err(invalid("BackupMethod", "BackupMethod is Physical."));
        }
        if !matches!(self.backup_interval.as_str(), "" | "-1") {
            let message =
                "Backups are made on the days of PreferredBackupPeriod: BackupInterval is -1.";
            return Err(invalid("BackupInterval", message));
        }
        Ok(())
    }

    fn apply(&self, options: &mut Options) -> Result<(), ApiError> {
        let policy = &mut options.backup;
        if !self.preferred_backup_period.is_empty() {
            policy.days = days(&self.preferred_backup_period)?;
        }
        if !self.preferred_backup_time.is_empty() {
            policy.time = hour(&self.preferred_backup_time)?;
        }
        if !self.backup_retention_period.is_empty() {
            policy.retention_days =
                retention("BackupRetentionPeriod", &self.backup_retention_period)?;
            // The log is of no use without the backup before it.
            policy.log_retention_days = policy.log_retention_days.min(policy.retention_days);
        }
        if !self.log_backup_retention_period.is_empty() {
            let days = retention("LogBackupRetentionPeriod", &self.log_backup_retention_period)?;
            if days > policy.retention_days {
                let message = "LogBackupRetentionPeriod is at most BackupRetentionPeriod.";
                return Err(invalid("LogBackupRetentionPeriod", message));
            }
            policy.log_retention_days = days;
        }
        for (name, value) in
            [("BackupLog", &self.backup_log), ("EnableBackupLog", &self.enable_backup_log)]
        {
            match value.to_ascii_lowercase().as_str() {
                "" => {}
                "enable" | "1" | "true" => policy.log = true,
                "disable" | "disabled" | "0" | "false" => policy.log = false,
                _ => return Err(invalid(name, format!("{name} is Enable or Disable, or 1 or 0."))),
            }
        }
        match self.released_keep_policy.as_str() {
            "" => {}
            word @ ("None" | "Lastest" | "All") => {
                word.clone_into(&mut options.released_keep_policy)
            }
            _ => {
                let message = "ReleasedKeepPolicy is None, Lastest or All.";
                return Err(invalid("ReleasedKeepPolicy", message));
            }
        }
        self.tell(options)
    }

    fn tell(&self, options: &mut Options) -> Result<(), ApiError> {
        let words = [
            &self.high_space_usage_protection,
            &self.local_log_retention_hours,
            &self.local_log_retention_space,
        ];
        for ((name, _), word) in TOLD.iter().zip(words) {
            if word.is_empty() {
                continue;
            }
            let number = word.parse::<u32>().is_ok_and(|number| number <= 7 * 24);
            let sound = match *name {
                "HighSpaceUsageProtection" => matches!(word.as_str(), "Enable" | "Disable"),
                _ => number,
            };
            if !sound {
                return Err(invalid(name, format!("{name} is not valid.")));
            }
            options.told.insert(format!("ModifyBackupPolicy.{name}"), word.clone());
        }
        Ok(())
    }
}

/// Days of the week, in their order and each once.
fn days(text: &str) -> Result<String, ApiError> {
    let asked: Vec<&str> = text.split(',').map(str::trim).collect();
    let known = asked.iter().all(|day| DAYS.contains(day));
    let days: Vec<&str> = DAYS.into_iter().filter(|day| asked.contains(day)).collect();
    if known && days.len() >= DAYS_MIN {
        return Ok(days.join(","));
    }
    let message = format!(
        "PreferredBackupPeriod is {DAYS_MIN} days of the week at least, as Monday,Thursday."
    );
    Err(invalid("PreferredBackupPeriod", message))
}

/// An hour: `23:00Z-00:00Z`.
fn hour(text: &str) -> Result<String, ApiError> {
    let whole = |text: &str| {
        let hour = text.strip_suffix(":00Z").filter(|hour| hour.len() == 2)?;
        hour.parse::<u32>().ok().filter(|it| *it < 24 && hour.bytes().all(|b| b.is_ascii_digit()))
    };
    let ends = text.split_once('-').and_then(|(from, to)| Some((whole(from)?, whole(to)?)));
    if ends.is_some_and(|(from, to)| (from + 1) % 24 == to) {
        return Ok(text.to_owned());
    }
    let message = "PreferredBackupTime is one whole hour, as 18:00Z-19:00Z.";
    Err(invalid("PreferredBackupTime", message))
}

fn retention(parameter: &'static str, text: &str) -> Result<u32, ApiError> {
    let days = text.parse::<u32>().ok().filter(|days| RETENTION.contains(days));
    days.ok_or_else(|| {
        let (least, most) = (RETENTION.start(), RETENTION.end());
        invalid(parameter, format!("{parameter} is between {least} and {most} days."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_next_backup_is_on_one_of_the_days_at_its_hour() {
        let policy = BackupPolicy {
            days: "Monday,Thursday".to_owned(),
            time: "18:00Z-19:00Z".to_owned(),
            ..BackupPolicy::default()
        };
        // 2026-11-23 is a Monday.
        for (now, then) in [
            ("2026-11-23T17:59:59Z", "2026-11-23T18:00:00Z"),
            ("2026-11-23T18:00:00Z", "2026-11-26T18:00:00Z"),
            ("2026-11-27T00:00:00Z", "2026-11-30T18:00:00Z"),
        ] {
            let found = Time::parse_iso(now).and_then(|now| next(&policy, now));
            assert_eq!(found.map(Time::iso).as_deref(), Some(then), "{now}");
        }
    }

    #[test]
    fn hours_and_days_are_those_of_a_clock_and_a_week() {
        assert!(hour("23:00Z-00:00Z").is_ok() && hour("00:00Z-01:00Z").is_ok());
        for bad in
            ["", "18:00Z", "18:00Z-20:00Z", "24:00Z-01:00Z", "18:30Z-19:30Z", "+1:00Z-02:00Z"]
        {
            assert!(hour(bad).is_err(), "{bad}");
        }
        assert_eq!(days("Sunday, Monday,Monday").ok().as_deref(), Some("Monday,Sunday"));
        assert!(days("Monday").is_err() && days("Monday,Someday").is_err());
        assert!(retention("X", "6").is_err() && retention("X", "731").is_err());
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_policy(period: String, time: String, number: String) {
            let request = ModifyBackupPolicyRequest {
                preferred_backup_period: period,
                preferred_backup_time: time,
                backup_retention_period: number,
                ..ModifyBackupPolicyRequest::default()
            };
            let mut options = Options::default();
            if request.apply(&mut options).is_ok() {
                prop_assert!(options.backup.log && RETENTION.contains(&options.backup.retention_days));
            }
        }
    }
}
