//! Figures of instances: over time, and what they take now.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::parameters::OneInstance;
use super::{owned, read};
use crate::monitor::{KEYS, Key, Size, Span};
use crate::node::api::Figures;
use crate::requests::within::{invalid, minute, moment, span};
use crate::tables::{backup, figure, wal};

/// The points that one answer has at most, before they are thinned to [`POINTS_SHOWN`].
const POINTS_MAX: usize = 50_000;
/// The points of a key in one answer, about.
const POINTS_SHOWN: usize = 1500;
/// The most keys of one request.
const KEYS_MAX: usize = 30;

/// Shows figures over time.
pub(super) struct DescribeDBInstancePerformance;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeDBInstancePerformanceRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    key: String,
    start_time: String,
    end_time: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeDBInstancePerformanceResponse {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    engine: &'static str,
    start_time: String,
    end_time: String,
    performance_keys: Keys,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    performance_key: Vec<OneKey>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OneKey {
    key: &'static str,
    unit: &'static str,
    value_format: &'static str,
    values: Values,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Values {
    performance_value: Vec<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Value {
    date: String,
    value: String,
}

impl Action for DescribeDBInstancePerformance {
    const META: Meta = read("DescribeDBInstancePerformance");
    type Request = DescribeDBInstancePerformanceRequest;
    type Response = DescribeDBInstancePerformanceResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: DescribeDBInstancePerformanceRequest,
    ) -> Result<DescribeDBInstancePerformanceResponse, ApiError> {
        let (from, until) = span(&request.start_time, &request.end_time)?;
        let instance = owned(cx, &request.instance)?;
        let find = |name: &str| {
            Key::find(instance.engine, name.trim()).ok_or_else(|| {
                let known: Vec<_> = KEYS
                    .iter()
                    .map(|key| key.name)
                    .filter(|name| Key::find(instance.engine, name).is_some())
                    .collect();
                invalid("Key", format!("Key is one or more of {}.", known.join(", ")))
            })
        };
        let names: Vec<&str> = request.key.split(',').collect();
        if names.len() > KEYS_MAX {
            return Err(invalid("Key", format!("There are at most {KEYS_MAX} keys.")));
        }
        let keys = names.into_iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let mut points: Vec<Figures> =
            figure::before(cx.tx(), &instance.id, from)?.into_iter().collect();
        let led = points.len();
        points.extend(figure::between(cx.tx(), &instance.id, (from, until), POINTS_MAX)?);
        let points = thinned(points, led);
        let size = Size::of_class(&instance.class);
        let performance_key = keys.into_iter().map(|key| shown(key, &points, led, size)).collect();
        Ok(DescribeDBInstancePerformanceResponse {
            instance: instance.id,
            engine: instance.engine.as_str(),
            start_time: minute(from),
            end_time: minute(until),
            performance_keys: Keys { performance_key },
        })
    }
}

/// Every n-th of the points after the first `led`, so that an answer stays within bounds. Rates are then over as
/// many points more, and none is lost.
fn thinned(points: Vec<Figures>, led: usize) -> Vec<Figures> {
    let every = points.len().div_ceil(POINTS_SHOWN).max(1);
    let kept =
        |(count, _): &(usize, Figures)| *count < led || (count - led + 1).is_multiple_of(every);
    points.into_iter().enumerate().filter(kept).map(|(_, point)| point).collect()
}

/// The values of a key at each of the points after the first `led`, which only the first rate is counted from.
fn shown(key: &'static Key, points: &[Figures], led: usize, size: Option<Size>) -> OneKey {
    let value = |(count, now): (usize, &Figures)| {
        let before = count.checked_sub(1).and_then(|count| points.get(count));
        let value = key.value(&Span { before, now, size })?;
        Some(Value { date: base::Time::from_micros(now.at).iso(), value })
    };
    let performance_value = points.iter().enumerate().skip(led).filter_map(value).collect();
    OneKey {
        key: key.name,
        unit: key.unit,
        value_format: key.format,
        values: Values { performance_value },
    }
}

/// Shows what an instance takes of disks and of the archive now.
pub(super) struct DescribeResourceUsage;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeResourceUsageResponse {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    engine: &'static str,
    disk_used: i64,
    data_size: i64,
    log_size: i64,
    backup_size: i64,
    backup_data_size: i64,
    backup_log_size: i64,
}

impl Action for DescribeResourceUsage {
    const META: Meta = read("DescribeResourceUsage");
    type Request = OneInstance;
    type Response = DescribeResourceUsageResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: OneInstance,
    ) -> Result<DescribeResourceUsageResponse, ApiError> {
        let instance = owned(cx, &request.instance)?;
        let end = moment("EndTime", "9999-12-31Z")?;
        let last = figure::before(cx.tx(), &instance.id, end)?.unwrap_or_default();
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let backups = backup::of_instance(cx.tx(), &instance.id)?;
        let backup_data_size = backups.iter().map(|backup| backup.bytes).sum();
        let backup_log_size =
            wal::of_instance(cx.tx(), &instance.id)?.iter().map(|it| it.bytes).sum();
        Ok(DescribeResourceUsageResponse {
            instance: instance.id,
            engine: instance.engine.as_str(),
            disk_used: bytes(last.data_bytes.saturating_add(last.log_bytes)),
            data_size: bytes(last.data_bytes),
            log_size: bytes(last.log_bytes),
            backup_size: backup_data_size + backup_log_size,
            backup_data_size,
            backup_log_size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_points_are_thinned_evenly_and_the_one_before_them_stays() {
        let points = |count: usize| -> Vec<Figures> {
            let at = |at| Figures { at: i64::try_from(at).unwrap_or(0), ..Figures::default() };
            (0..count).map(at).collect()
        };
        assert_eq!(thinned(points(100), 1).len(), 100);
        let thin = thinned(points(10 * POINTS_SHOWN), 1);
        assert_eq!(thin[0].at, 0);
        assert_eq!((thin[1].at, thin[2].at), (10, 20));
        assert!(thin.len() <= POINTS_SHOWN + 1);
    }
}
