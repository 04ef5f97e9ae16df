//! Logs of instances: errors, slow statements, and what they come to.

use std::collections::BTreeMap;
use std::time::Duration;

use base::text::hex;
use base::{ApiError, Time};
use engine::page::ByNumber;
use engine::{Action, Cx, Meta};
use ring::digest;
use serde::{Deserialize, Serialize};

use super::{owned, read};
use crate::monitor::normalized;
use crate::node::api::LogLine;
use crate::requests::within::{Page, cut, invalid, minute, span, window};
use crate::tables::log::{self, Kind};

/// The longest time that one request covers.
const SPAN_MAX: Duration = Duration::from_secs(31 * 24 * 3600);
/// Lines that are read at once where all of a time are looked through.
const CHUNK: usize = 1000;
/// Lines that one request looks through at most: the newest.
const LINES_MAX: usize = 50_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LogRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    start_time: String,
    end_time: String,
    #[serde(rename = "DBName", default)]
    database: String,
    #[serde(rename = "SQLHASH", default)]
    hash: String,
    #[serde(default)]
    sort_key: String,
    #[serde(flatten)]
    page: ByNumber,
}

fn asked_span(request: &LogRequest) -> Result<(Time, Time), ApiError> {
    let (from, until) = span(&request.start_time, &request.end_time)?;
    if until.since(from) > SPAN_MAX {
        return Err(invalid("EndTime", "The time is at most 31 days."));
    }
    Ok((from, until))
}

/// What a statement is told apart by, whatever its literals are.
fn hash(database: &str, statement: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(database.as_bytes());
    context.update(&[0]);
    context.update(statement.as_bytes());
    hex(&context.finish().as_ref()[..16])
}

/// The slow statements of a time, newest first, those of the request's database only.
fn slow(cx: &mut Cx<'_>, instance: &str, request: &LogRequest) -> Result<Vec<LogLine>, ApiError> {
    let span = asked_span(request)?;
    let mut lines = Vec::new();
    for skip in (0..LINES_MAX).step_by(CHUNK) {
        let chunk = log::between(cx.tx(), (instance, Kind::Slow), span, (skip, CHUNK))?;
        let last = chunk.len() < CHUNK;
        lines.extend(chunk);
        if last {
            break;
        }
    }
    lines.retain(|line| request.database.is_empty() || line.database == request.database);
    Ok(lines)
}

/// Shows the server's log, newest first.
pub(super) struct DescribeErrorLogs;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeErrorLogsResponse {
    items: Errors,
    page_number: u32,
    page_record_count: usize,
    total_record_count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Errors {
    error_log: Vec<ErrorLine>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorLine {
    create_time: String,
    error_info: String,
    database: String,
    user: String,
    user_ip: String,
}

impl From<LogLine> for ErrorLine {
    fn from(line: LogLine) -> Self {
        Self {
            create_time: Time::from_micros(line.at).iso(),
            error_info: format!("{}: {}", line.severity, line.text),
            database: line.database,
            user: line.account,
            user_ip: line.client,
        }
    }
}

impl Action for DescribeErrorLogs {
    const META: Meta = read("DescribeErrorLogs");
    type Request = LogRequest;
    type Response = DescribeErrorLogsResponse;

    fn run(cx: &mut Cx<'_>, request: LogRequest) -> Result<DescribeErrorLogsResponse, ApiError> {
        let asked = asked_span(&request)?;
        let window = window(&request.page)?;
        let instance = owned(cx, &request.instance)?;
        let total = log::count(cx.tx(), &instance.id, Kind::Error, asked)?;
        let rows = log::between(cx.tx(), (&instance.id, Kind::Error), asked, window)?;
        let error_log: Vec<_> = rows.into_iter().map(ErrorLine::from).collect();
        Ok(DescribeErrorLogsResponse {
            page_number: request.page.number(),
            page_record_count: error_log.len(),
            total_record_count: total,
            items: Errors { error_log },
        })
    }
}

/// Shows slow statements one by one, newest first.
pub(super) struct DescribeSlowLogRecords;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeSlowLogRecordsResponse {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    engine: &'static str,
    items: Records,
    page_number: u32,
    page_record_count: usize,
    total_record_count: usize,
}

#[derive(Serialize)]
struct Records {
    #[serde(rename = "SQLSlowRecord")]
    rows: Vec<Record>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    execution_start_time: String,
    host_address: String,
    user_name: String,
    #[serde(rename = "DBName")]
    database: String,
    #[serde(rename = "SQLText")]
    text: String,
    #[serde(rename = "SQLHash")]
    hash: String,
    query_times: u64,
    #[serde(rename = "QueryTimeMS")]
    query_time_ms: u64,
}

impl From<LogLine> for Record {
    fn from(line: LogLine) -> Self {
        let began = line.at.saturating_sub(i64::try_from(line.duration_us).unwrap_or(i64::MAX));
        Self {
            execution_start_time: Time::from_micros(began).iso(),
            host_address: format!("{}[{}] @ [{}]", line.account, line.account, line.client),
            hash: hash(&line.database, &normalized(&line.text)),
            user_name: line.account,
            database: line.database,
            text: line.text,
            query_times: line.duration_us / 1_000_000,
            query_time_ms: line.duration_us / 1000,
        }
    }
}

impl Action for DescribeSlowLogRecords {
    const META: Meta = read("DescribeSlowLogRecords");
    type Request = LogRequest;
    type Response = DescribeSlowLogRecordsResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: LogRequest,
    ) -> Result<DescribeSlowLogRecordsResponse, ApiError> {
        let instance = owned(cx, &request.instance)?;
        let mut records: Vec<_> =
            slow(cx, &instance.id, &request)?.into_iter().map(Record::from).collect();
        records.retain(|record| request.hash.is_empty() || record.hash == request.hash);
        let Page { rows, total, number } = cut(records, &request.page)?;
        Ok(DescribeSlowLogRecordsResponse {
            instance: instance.id,
            engine: instance.engine.as_str(),
            page_number: number,
            page_record_count: rows.len(),
            total_record_count: total,
            items: Records { rows },
        })
    }
}

/// Shows which statements were slow how often, the longest together first.
pub(super) struct DescribeSlowLogs;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeSlowLogsResponse {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    engine: &'static str,
    start_time: String,
    end_time: String,
    items: Summaries,
    page_number: u32,
    page_record_count: usize,
    total_record_count: usize,
}

#[derive(Serialize)]
struct Summaries {
    #[serde(rename = "SQLSlowLog")]
    rows: Vec<Summary>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    #[serde(rename = "SQLHASH")]
    hash: String,
    #[serde(rename = "SQLText")]
    text: String,
    #[serde(rename = "DBName")]
    database: String,
    create_time: String,
    #[serde(rename = "MySQLTotalExecutionCounts")]
    count: u64,
    #[serde(rename = "MySQLTotalExecutionTimes")]
    total_seconds: u64,
    avg_execution_time: u64,
    max_execution_time: u64,
    #[serde(rename = "MaxExecutionTimeMS")]
    max_ms: u64,
    #[serde(skip)]
    total_us: u64,
}

/// What the lines come to, by database and statement.
fn summaries(lines: Vec<LogLine>) -> Vec<Summary> {
    let mut by_hash: BTreeMap<String, Summary> = BTreeMap::new();
    for line in lines {
        let text = normalized(&line.text);
        let hash = hash(&line.database, &text);
        let summary = by_hash.entry(hash.clone()).or_insert_with(|| Summary {
            hash,
            text,
            database: line.database,
            create_time: String::new(),
            count: 0,
            total_seconds: 0,
            avg_execution_time: 0,
            max_execution_time: 0,
            max_ms: 0,
            total_us: 0,
        });
        summary.count += 1;
        summary.total_us = summary.total_us.saturating_add(line.duration_us);
        summary.max_ms = summary.max_ms.max(line.duration_us / 1000);
        // Lines come newest first: the last that is seen is the first that was.
        let day = Time::from_micros(line.at).iso();
        summary.create_time = format!("{}Z", day.get(..10).unwrap_or_default());
    }
    let mut all: Vec<Summary> = by_hash.into_values().collect();
    for summary in &mut all {
        summary.total_seconds = summary.total_us / 1_000_000;
        summary.avg_execution_time = summary.total_us / summary.count / 1_000_000;
        summary.max_execution_time = summary.max_ms / 1000;
    }
    all
}

impl Action for DescribeSlowLogs {
    const META: Meta = read("DescribeSlowLogs");
    type Request = LogRequest;
    type Response = DescribeSlowLogsResponse;

    fn run(cx: &mut Cx<'_>, request: LogRequest) -> Result<DescribeSlowLogsResponse, ApiError> {
        let (from, until) = asked_span(&request)?;
        let instance = owned(cx, &request.instance)?;
        let mut all = summaries(slow(cx, &instance.id, &request)?);
        match request.sort_key.as_str() {
            "TotalExecutionCounts" => all.sort_by_key(|it| std::cmp::Reverse(it.count)),
            "" | "TotalQueryTimes" | "TotalExecutionTimes" => {
                all.sort_by_key(|it| std::cmp::Reverse(it.total_us));
            }
            _ => {
                let message = "SortKey is TotalExecutionCounts or TotalQueryTimes.";
                return Err(invalid("SortKey", message));
            }
        }
        let Page { rows, total, number } = cut(all, &request.page)?;
        Ok(DescribeSlowLogsResponse {
            instance: instance.id,
            engine: instance.engine.as_str(),
            start_time: minute(from),
            end_time: minute(until),
            page_number: number,
            page_record_count: rows.len(),
            total_record_count: total,
            items: Summaries { rows },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_statements_are_added_up_by_what_they_have_in_common() {
        let line = |at: i64, seconds: u64, text: &str| LogLine {
            at: at * 1_000_000,
            severity: "LOG".to_owned(),
            database: "toko".to_owned(),
            account: "app".to_owned(),
            client: String::new(),
            text: text.to_owned(),
            duration_us: seconds * 1_000_000,
        };
        let all = summaries(vec![
            line(30, 5, "SELECT 3"),
            line(20, 1, "SELECT 1"),
            line(10, 9, "DELETE FROM t"),
        ]);
        let select = all
            .iter()
            .find(|it| it.text == "SELECT ?")
            .map(|it| (it.count, it.total_seconds, it.avg_execution_time, it.max_execution_time));
        assert_eq!(select, Some((2, 6, 3, 5)));
        assert_eq!(all.len(), 2);
    }
}
