//! Access records: what one request to a logged bucket becomes, in the forms of both protocols, and the
//! memory in which records wait for the next second, when they are written down.
//!
//! Not here: which buckets are logged and where records go (`ops::logging`), and reading a record off a
//! request (`http::access`).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use base::text::percent_encode_keeping;
use base::{AccountId, Time};
use serde::{Deserialize, Serialize};
use wire::object::Dialect;

use crate::config::logging::{Fields, Logging};

/// Records in memory, bytes at most. What comes beyond, while the database does not take them, is lost: of the
/// account of which most waits.
const PENDING_BYTES_MAX: usize = 16 << 20;
/// What is dropped at a time, bytes, so that it is not looked for anew with each record.
const DROPPED_BYTES: usize = 64 << 10;

/// A bucket whose requests are recorded, and where the records go. It is kept with them, so that they go
/// where the configuration said when they were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) bucket: String,
    /// The number of the account that owns it.
    pub(crate) account: i64,
    pub(crate) logging: Logging,
}

/// What is recorded of a bucket's requests.
#[derive(Debug)]
pub(crate) struct Source {
    /// The [`Route`] as JSON.
    pub(crate) route: Arc<str>,
    pub(crate) account: AccountId,
    pub(crate) dialect: Dialect,
    pub(crate) fields: Fields,
}

/// The buckets that are logged, and the records that are not written down yet.
#[derive(Default)]
pub(crate) struct AccessLog {
    sources: RwLock<Arc<HashMap<String, Arc<Source>>>>,
    pending: Mutex<Pending>,
    lost: AtomicU64,
}

/// The records of one account that wait.
#[derive(Default)]
struct Held {
    lines: HashMap<Arc<str>, Vec<u8>>,
    bytes: usize,
}

impl Held {
    /// The route of which most waits, and how much.
    fn fullest(&self) -> Option<(Arc<str>, usize)> {
        let fullest = self.lines.iter().max_by_key(|(_, lines)| lines.len());
        fullest.map(|(route, lines)| (Arc::clone(route), lines.len()))
    }
}

/// Records that wait for one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lines {
    /// Who owns the bucket that they are of.
    pub(crate) account: AccountId,
    /// The [`Route`] as JSON.
    pub(crate) route: Arc<str>,
    pub(crate) lines: Vec<u8>,
}

#[derive(Default)]
struct Pending {
    accounts: HashMap<AccountId, Held>,
    bytes: usize,
    /// Records that were lost since it was last asked, by account.
    lost: HashMap<AccountId, u64>,
}

impl Pending {
    /// Makes room for a record of a route by dropping the newest of whom most waits, so that a flood of requests to
    /// one account loses that account's records only, and one to a bucket that bucket's. False where that is this
    /// route itself.
    fn make_room(&mut self, (account, route): (AccountId, &str), len: usize) -> bool {
        while self.bytes + len > PENDING_BYTES_MAX {
            let mine = self.accounts.get(&account).map_or(0, |held| held.bytes);
            let fullest = self.accounts.iter().max_by_key(|(_, held)| held.bytes);
            let Some((of, held)) = fullest.map(|(of, held)| (*of, held)) else { return false };
            let of = if held.bytes > mine + len { of } else { account };
            let Some((victim, waits)) = self.accounts.get(&of).and_then(Held::fullest) else {
                return false;
            };
            let own = self.accounts.get(&of).and_then(|held| held.lines.get(route));
            if of == account && waits <= own.map_or(0, Vec::len) + len {
                return false;
            }
            self.drop_newest(of, &victim, len.max(DROPPED_BYTES));
        }
        true
    }

    /// Drops so many bytes of a route's records, in whole lines and the newest first.
    fn drop_newest(&mut self, account: AccountId, route: &Arc<str>, bytes: usize) {
        let Some(held) = self.accounts.get_mut(&account) else { return };
        let Some(lines) = held.lines.get_mut(route) else { return };
        let keep = lines.len().saturating_sub(bytes);
        let end = lines[..keep].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lost = count(&lines[end..]);
        let freed = lines.len() - end;
        lines.truncate(end);
        if lines.is_empty() {
            held.lines.remove(route);
        }
        held.bytes -= freed;
        self.bytes -= freed;
        *self.lost.entry(account).or_default() += lost;
    }

    fn add(&mut self, account: AccountId, route: &Arc<str>, lines: &[u8]) {
        let held = self.accounts.entry(account).or_default();
        held.lines.entry(Arc::clone(route)).or_default().extend_from_slice(lines);
        held.bytes += lines.len();
        self.bytes += lines.len();
    }
}

/// How many records these are.
pub(crate) fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

impl AccessLog {
    /// What is recorded of a bucket's requests, if anything is.
    pub(crate) fn source(&self, bucket: &str) -> Option<Arc<Source>> {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        sources.get(bucket).map(Arc::clone)
    }

    /// Takes over which buckets are logged.
    pub(crate) fn set_sources(&self, sources: HashMap<String, Arc<Source>>) {
        *self.sources.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(sources);
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record to those that wait.
    pub(crate) fn add(&self, source: &Source, record: &Record<'_>) {
        let mut line = match source.dialect {
            Dialect::Oss => record.oss(),
            Dialect::S3 => record.s3(),
        };
        line.push('\n');
        let (account, route) = (source.account, &source.route);
        let mut pending = self.pending();
        if pending.make_room((account, route), line.len()) {
            pending.add(account, route, line.as_bytes());
        } else {
            *pending.lost.entry(account).or_default() += 1;
        }
    }

    /// Takes what waits.
    pub(crate) fn take(&self) -> Vec<Lines> {
        let mut pending = self.pending();
        pending.bytes = 0;
        let accounts = std::mem::take(&mut pending.accounts).into_iter();
        let lines = |(account, held): (AccountId, Held)| {
            let lines = held.lines.into_iter();
            lines.map(move |(route, lines)| Lines { account, route, lines })
        };
        accounts.flat_map(lines).collect()
    }

    /// Counts records of an account that were lost.
    pub(crate) fn lose(&self, account: AccountId, records: u64) {
        *self.pending().lost.entry(account).or_default() += records;
    }

    /// How many records were lost since this was last asked, by account; and since the program began.
    pub(crate) fn lost(&self) -> (HashMap<AccountId, u64>, u64) {
        let lost = std::mem::take(&mut self.pending().lost);
        let more = lost.values().sum::<u64>();
        (lost, self.lost.fetch_add(more, Relaxed) + more)
    }

    /// Puts back what could not be written down, before what came since. Where both are too much, the newest of
    /// whom most waits go.
    pub(crate) fn put_back(&self, kept: Vec<Lines>) {
        let mut pending = self.pending();
        for Lines { account, route, lines } in kept {
            let held = pending.accounts.entry(account).or_default();
            let since = held.lines.insert(Arc::clone(&route), lines.clone()).unwrap_or_default();
            held.lines.entry(route).or_default().extend_from_slice(&since);
            held.bytes += lines.len();
            pending.bytes += lines.len();
        }
        while pending.bytes > PENDING_BYTES_MAX {
            let over = pending.bytes - PENDING_BYTES_MAX;
            let fullest = pending.accounts.iter().max_by_key(|(_, held)| held.bytes);
            let fullest = fullest.and_then(|(of, held)| Some((*of, held.fullest()?.0)));
            let Some((account, route)) = fullest else { return };
            pending.drop_newest(account, &route, over.min(DROPPED_BYTES));
        }
    }
}

/// One request as it is recorded. Where a text is empty or a number is not known, a hyphen stands.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    /// When the request came.
    pub(crate) at: Time,
    pub(crate) owner: AccountId,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) source_ip: &'a str,
    /// The account that asked; `None` for nobody who signed.
    pub(crate) requester: Option<AccountId>,
    pub(crate) access_key: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) host_id: &'a str,
    /// What OSS calls the operation.
    pub(crate) operation: &'a str,
    pub(crate) method: &'a str,
    /// The path and the query as sent.
    pub(crate) target: &'a str,
    pub(crate) status: u16,
    /// The error code; empty where there is none.
    pub(crate) code: &'a str,
    /// Bytes of the answer's body.
    pub(crate) sent: Option<u64>,
    /// Bytes of the request's body.
    pub(crate) received: Option<u64>,
    /// Bytes of the object.
    pub(crate) size: Option<u64>,
    pub(crate) took: Duration,
    pub(crate) referer: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) host: &'a str,
    pub(crate) version: &'a str,
    pub(crate) storage_class: &'a str,
    /// `SigV2` or `SigV4`.
    pub(crate) signature: &'a str,
    /// `AuthHeader` or `QueryString`.
    pub(crate) authentication: &'a str,
    /// Whether an ACL let the request in that no policy did.
    pub(crate) by_acl: bool,
    /// The bucket's own fields (OSS) as JSON; empty for none.
    pub(crate) fields: &'a str,
}

impl Record<'_> {
    /// The line of an S3 server access log: 26 fields.
    fn s3(&self) -> String {
        let mut line = String::with_capacity(512);
        let requester = self.requester.map(|account| account.to_string());
        let took = self.took.as_millis();
        let _ = write!(line, "{} {} [{}]", self.owner, self.bucket, clf(self.at));
        for word in [self.source_ip, requester.as_deref().unwrap_or_default(), self.request_id] {
            push(&mut line, word);
        }
        push(&mut line, &s3_operation(self.method, self.operation));
        push(&mut line, &encoded(self.key));
        quote(&mut line, &format!("{} {} HTTP/1.1", self.method, self.target));
        let _ = write!(line, " {}", self.status);
        push(&mut line, self.code);
        number(&mut line, self.sent.filter(|sent| *sent > 0));
        number(&mut line, self.size);
        let _ = write!(line, " {took} {took}");
        quote(&mut line, self.referer);
        quote(&mut line, self.user_agent);
        push(&mut line, self.version);
        push(&mut line, self.host_id);
        push(&mut line, self.signature);
        // The door does not tell the cipher suite, nor (below) the version of TLS.
        push(&mut line, "");
        push(&mut line, self.authentication);
        push(&mut line, &encoded(self.host));
        // Nor are there access points.
        line.push_str(" - - ");
        line.push_str(if self.by_acl { "Yes" } else { "-" });
        line
    }

    /// The line of an OSS access log.
    fn oss(&self) -> String {
        let mut line = String::with_capacity(512);
        let requester = self.requester.map(|account| account.to_string());
        let took = self.took.as_millis();
        line.push_str(if self.source_ip.is_empty() { "-" } else { self.source_ip });
        let _ = write!(line, " - - [{}]", clf(self.at));
        quote(&mut line, &format!("{} {} HTTP/1.1", self.method, self.target));
        let _ = write!(line, " {}", self.status);
        number(&mut line, self.sent);
        let _ = write!(line, " {took}");
        for word in [self.referer, self.user_agent, self.host, self.request_id, "true"] {
            quote(&mut line, word);
        }
        quote(&mut line, requester.as_deref().unwrap_or_default());
        for word in [self.operation, self.bucket, &encoded(self.key)] {
            quote(&mut line, word);
        }
        number(&mut line, self.size);
        let _ = write!(line, " {took}");
        quote(&mut line, self.code);
        number(&mut line, self.received);
        quote(&mut line, &self.owner.to_string());
        // How many bytes more or fewer the bucket holds is in the usage, not here.
        line.push_str(" -");
        // Not asked by a CDN.
        quote(&mut line, "");
        quote(&mut line, &self.storage_class.to_ascii_lowercase());
        quote(&mut line, "");
        // No accelerated transfer.
        quote(&mut line, "");
        quote(&mut line, self.access_key);
        if !self.fields.is_empty() {
            quote(&mut line, &wire::object::checksum::base64(self.fields.as_bytes()));
        }
        line
    }
}

/// `06/Feb/2026:00:00:38 +0000`.
fn clf(time: Time) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let iso = time.iso();
    let month = iso[5..7].parse::<usize>().unwrap_or(1);
    format!("{}/{}/{}:{} +0000", &iso[8..10], MONTHS[month - 1], &iso[..4], &iso[11..19])
}

fn encoded(key: &str) -> String {
    percent_encode_keeping(key, b"/:")
}

/// A space and a word without white space.
fn push(line: &mut String, word: &str) {
    line.push(' ');
    line.push_str(if word.is_empty() { "-" } else { word });
}

fn number(line: &mut String, number: Option<u64>) {
    match number {
        Some(number) => {
            let _ = write!(line, " {number}");
        }
        None => line.push_str(" -"),
    }
}

/// A space and a text in quotation marks. What would end the text or the line, or begin an escape, is
/// percent-encoded: these texts are the client's.
fn quote(line: &mut String, text: &str) {
    line.push_str(" \"");
    if text.is_empty() {
        line.push('-');
    }
    for c in text.chars() {
        if c.is_control() || matches!(c, '"' | '\\') {
            line.push_str(&percent_encode_keeping(c.to_string(), b""));
        } else {
            line.push(c);
        }
    }
    line.push('"');
}

/// What S3 calls an operation.
fn s3_operation(method: &str, operation: &str) -> String {
    let resource = match operation {
        "CopyObject" => return "REST.COPY.OBJECT".to_owned(),
        "UploadPartCopy" => return "REST.COPY.PART".to_owned(),
        "OptionObject" => return "REST.OPTIONS.PREFLIGHT".to_owned(),
        "Website" => return format!("WEBSITE.{method}.OBJECT"),
        "ListObjects" | "ListObjectsV2" | "HeadBucket" | "PutBucket" | "DeleteBucket" => "BUCKET",
        "ListObjectVersions" => "BUCKETVERSIONS",
        "UploadPart" => "PART",
        "InitiateMultipartUpload" | "ListMultipartUploads" => "UPLOADS",
        "CompleteMultipartUpload" | "AbortMultipartUpload" | "ListParts" => "UPLOAD",
        "DeleteMultipleObjects" => "MULTI_OBJECT_DELETE",
        "GetObject" | "HeadObject" | "PutObject" | "DeleteObject" | "PostObject" => "OBJECT",
        "GetObjectAcl" | "PutObjectAcl" | "GetBucketAcl" | "PutBucketAcl" => "ACL",
        "GetObjectTagging" | "PutObjectTagging" | "DeleteObjectTagging" => "OBJECT_TAGGING",
        "GetBucketPolicy" | "PutBucketPolicy" | "DeleteBucketPolicy" => "BUCKETPOLICY",
        "GetBucketLogging" | "PutBucketLogging" => "LOGGING_STATUS",
        other => {
            let bare =
                ["Get", "Put", "Delete", "List"].iter().find_map(|verb| other.strip_prefix(verb));
            let bare = bare.unwrap_or(other);
            let bare = bare.strip_prefix("Bucket").unwrap_or(bare);
            return format!("REST.{method}.{}", bare.to_ascii_uppercase());
        }
    };
    format!("REST.{method}.{resource}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    fn record() -> Record<'static> {
        Record {
            at: Time::from_secs(1_770_000_038),
            owner: AccountId::new(7),
            bucket: "pemilu",
            key: "a b/c",
            source_ip: "192.0.2.3",
            requester: Some(AccountId::new(8)),
            access_key: "LTAI1",
            request_id: "R",
            host_id: "H",
            operation: "GetObject",
            method: "GET",
            target: "/pemilu/a%20b/c?x=\"",
            status: 206,
            sent: Some(12),
            received: None,
            size: Some(99),
            took: Duration::from_millis(5),
            user_agent: "curl/8 \"x\"\n",
            host: "oss.localhost:7101",
            storage_class: "Standard",
            signature: "SigV4",
            authentication: "AuthHeader",
            code: "",
            referer: "",
            version: "",
            by_acl: false,
            fields: "",
        }
    }

    #[test]
    fn a_record_has_the_fields_of_its_protocol() {
        expect![[r#"0000000000000007 pemilu [02/Feb/2026:02:40:38 +0000] 192.0.2.3 0000000000000008 R REST.GET.OBJECT a%20b/c "GET /pemilu/a%20b/c?x=%22 HTTP/1.1" 206 - 12 99 5 5 "-" "curl/8 %22x%22%0A" - H SigV4 - AuthHeader oss.localhost:7101 - - -"#]]
            .assert_eq(&record().s3());
        expect![[r#"192.0.2.3 - - [02/Feb/2026:02:40:38 +0000] "GET /pemilu/a%20b/c?x=%22 HTTP/1.1" 206 12 5 "-" "curl/8 %22x%22%0A" "oss.localhost:7101" "R" "true" "0000000000000008" "GetObject" "pemilu" "a%20b/c" 99 5 "-" - "0000000000000007" - "-" "standard" "-" "-" "LTAI1""#]]
            .assert_eq(&record().oss());
    }

    /// Splits a line as shells do: texts in quotation marks and brackets are one field.
    fn fields(line: &str) -> usize {
        let (mut count, mut inside) = (1, false);
        for c in line.chars() {
            match c {
                '"' | '[' | ']' => inside = !inside,
                ' ' if !inside => count += 1,
                _ => {}
            }
        }
        count
    }

    #[test]
    fn operations_have_the_names_of_s3() {
        for (method, operation, name) in [
            ("PUT", "PutObject", "REST.PUT.OBJECT"),
            ("PUT", "CopyObject", "REST.COPY.OBJECT"),
            ("GET", "ListObjectsV2", "REST.GET.BUCKET"),
            ("POST", "CompleteMultipartUpload", "REST.POST.UPLOAD"),
            ("GET", "GetBucketVersioning", "REST.GET.VERSIONING"),
            ("GET", "Website", "WEBSITE.GET.OBJECT"),
        ] {
            assert_eq!(s3_operation(method, operation), name);
        }
    }

    fn source(account: u64, route: &str) -> Source {
        Source {
            route: route.into(),
            account: AccountId::new(account),
            dialect: Dialect::Oss,
            fields: Fields::default(),
        }
    }

    fn waits(log: &AccessLog) -> HashMap<Arc<str>, u64> {
        let taken = log.take();
        let of = taken.iter().map(|it| (Arc::clone(&it.route), count(&it.lines))).collect();
        log.put_back(taken);
        of
    }

    #[test]
    fn what_does_not_fit_into_memory_is_counted() {
        let (log, source) = (AccessLog::default(), source(7, "{}"));
        let long = "x".repeat(PENDING_BYTES_MAX / 4);
        for _ in 0..5 {
            log.add(&source, &Record { user_agent: &long, ..record() });
        }
        let lines = log.take();
        assert_eq!(log.lost(), ([(AccountId::new(7), 2)].into(), 2));
        assert!(lines[0].lines.len() <= PENDING_BYTES_MAX);
        log.add(&source, &record());
        log.put_back(lines);
        let lines = log.take();
        assert_eq!(log.lost(), (HashMap::new(), 2));
        assert!(lines[0].lines.ends_with(b"\"LTAI1\"\n"));
    }

    #[test]
    fn a_flood_to_one_account_loses_only_its_records_and_one_to_a_bucket_only_the_buckets() {
        let log = AccessLog::default();
        let (flooded, beside) = (source(7, "flooded"), source(7, "beside"));
        let other = source(8, "other");
        let long = "x".repeat(20_000);
        let flood = |records: u32| {
            for _ in 0..records {
                log.add(&flooded, &Record { user_agent: &long, ..record() });
            }
        };
        flood(1000);
        for _ in 0..300 {
            log.add(&other, &record());
            log.add(&beside, &record());
            flood(2);
        }
        let waits = waits(&log);
        assert_eq!((waits["other"], waits["beside"]), (300, 300));
        let (lost, all) = log.lost();
        assert_eq!(lost.keys().copied().collect::<Vec<_>>(), [AccountId::new(7)]);
        assert_eq!(lost[&AccountId::new(7)] + waits["flooded"], 1600);
        assert_eq!(all, lost[&AccountId::new(7)]);
        // Also where what could not be written down comes back.
        let kept = log.take();
        flood(1000);
        log.add(&other, &record());
        log.put_back(kept);
        assert!(log.pending().bytes <= PENDING_BYTES_MAX);
        assert_eq!(log.lost().0.len(), 1);
        let kept = log.take();
        let of =
            |route: &str| kept.iter().find(|it| *it.route == *route).map(|it| count(&it.lines));
        assert_eq!((of("other"), of("beside")), (Some(301), Some(300)));
    }

    proptest! {
        #[test]
        fn whatever_clients_send_a_record_is_one_line_of_as_many_fields(
            key in "\\PC{0,20}", agent in ".{0,20}", target in ".{0,20}", host in "[ -~]{0,20}"
        ) {
            let record = Record { key: &key, user_agent: &agent, target: &target, host: &host, ..record() };
            for (line, count) in [(record.s3(), 26), (record.oss(), 28)] {
                prop_assert!(!line.contains(['\n', '\r']));
                prop_assert!(line.split('"').count() % 2 == 1);
                if !target.contains(['[', ']']) && !agent.contains(['[', ']']) && !host.contains(['[', ']']) {
                    prop_assert_eq!(fields(&line), count, "{}", line);
                }
            }
        }
    }
}
