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

/// Records in memory, bytes at most. What comes beyond, while the database does not take them, is lost.
const PENDING_BYTES_MAX: usize = 16 << 20;

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

#[derive(Default)]
struct Pending {
    lines: HashMap<Arc<str>, Vec<u8>>,
    bytes: usize,
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
        let mut pending = self.pending();
        if pending.bytes + line.len() > PENDING_BYTES_MAX {
            self.lost(1);
            return;
        }
        pending.bytes += line.len();
        let lines = pending.lines.entry(Arc::clone(&source.route)).or_default();
        lines.extend_from_slice(line.as_bytes());
    }

    /// Takes what waits, by route.
    pub(crate) fn take(&self) -> HashMap<Arc<str>, Vec<u8>> {
        std::mem::take(&mut *self.pending()).lines
    }

    /// Counts records that were lost; says how many since the program began.
    pub(crate) fn lost(&self, more: u64) -> u64 {
        self.lost.fetch_add(more, Relaxed) + more
    }

    /// Puts back what could not be written down, before what came since.
    pub(crate) fn put_back(&self, kept: HashMap<Arc<str>, Vec<u8>>) {
        let mut pending = self.pending();
        for (route, mut lines) in kept {
            pending.bytes += lines.len();
            if let Some(since) = pending.lines.remove(&route) {
                lines.extend_from_slice(&since);
            }
            pending.lines.insert(route, lines);
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

    #[test]
    fn what_does_not_fit_into_memory_is_counted() {
        let log = AccessLog::default();
        let source = Source {
            route: "{}".into(),
            account: AccountId::new(7),
            dialect: Dialect::Oss,
            fields: Fields::default(),
        };
        let long = "x".repeat(PENDING_BYTES_MAX / 4);
        for _ in 0..5 {
            log.add(&source, &Record { user_agent: &long, ..record() });
        }
        let lines = log.take();
        assert_eq!(log.lost(0), 2);
        assert!(lines["{}"].len() <= PENDING_BYTES_MAX);
        log.add(&source, &record());
        log.put_back(lines);
        let lines = log.take();
        assert_eq!(log.lost(0), 2);
        assert!(lines["{}"].ends_with(b"\"LTAI1\"\n"));
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
