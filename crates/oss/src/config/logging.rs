//! Access logging of a bucket: where its records are delivered to, and under which names.
//!
//! Not here: who may have records delivered where (`ops::logging`), and what is in a record
//! ([`crate::access_log`]).

use base::{AccountId, ApiError, Time};
use serde::{Deserialize, Serialize};
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::xml::{self, Element};
use wire::object::{Dialect, error};

use super::{Config, malformed, root};
use crate::ops::Document;

/// The longest prefix of the objects that records are delivered as, bytes.
const PREFIX_BYTES_MAX: usize = 512;

/// Where the records of a bucket go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Logging {
    /// The bucket that takes them.
    pub(crate) target: String,
    /// What the keys of the objects there begin with.
    pub(crate) prefix: String,
    /// What follows it.
    pub(crate) names: Names,
    /// Whom the objects are to be given to, by id. All they can be is their owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) grantees: Vec<String>,
}

/// How delivered objects are called after the prefix. Also says whose form the records have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Names {
    /// OSS: the bucket and the time.
    Oss,
    /// S3: the time.
    Simple,
    /// S3: account, region, bucket and day as folders; the day that of the delivery.
    ByDelivery,
    /// As [`Self::ByDelivery`], the day that of the requests.
    ByEvent,
}

impl Names {
    /// The protocol whose form the records have.
    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::Oss => Dialect::Oss,
            Self::Simple | Self::ByDelivery | Self::ByEvent => Dialect::S3,
        }
    }
}

/// What the name of a delivered object is made of.
pub(crate) struct Delivery<'a> {
    pub(crate) account: AccountId,
    pub(crate) region: &'a str,
    pub(crate) bucket: &'a str,
    /// When it is delivered.
    pub(crate) now: Time,
    /// When the oldest of its records was made.
    pub(crate) began: Time,
    /// What tells it from others of the same second.
    pub(crate) unique: &'a str,
}

impl Logging {
    /// The key of an object that records are delivered as.
    pub(crate) fn key(&self, delivery: &Delivery<'_>) -> String {
        let Delivery { account, region, bucket, now, began, unique } = delivery;
        let prefix = &self.prefix;
        match self.names {
            Names::Oss => format!("{prefix}{bucket}{}-{unique}", stamp(*now)),
            Names::Simple => format!("{prefix}{}-{unique}", stamp(*now)),
            Names::ByDelivery | Names::ByEvent => {
                let at = if self.names == Names::ByEvent { day_of(*began) } else { *now };
                let stamp = stamp(at);
                let day = stamp[..10].replace('-', "/");
                format!("{prefix}{account}/{region}/{bucket}/{day}/{stamp}-{unique}")
            }
        }
    }
}

/// A time as `2026-01-02-03-04-05`.
fn stamp(time: Time) -> String {
    time.iso().trim_end_matches('Z').replace(['T', ':'], "-")
}

/// The start of the day that a moment is in.
fn day_of(time: Time) -> Time {
    const DAY: i64 = 86_400;
    Time::from_secs(time.secs().div_euclid(DAY) * DAY)
}

/// The document that switches logging off is one without a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status(pub(crate) Option<Logging>);

impl Config for Status {
    const DOCUMENT: Document = Document::Logging;

    /// Errors: `MalformedXML`; `NotImplemented` for grants that are no account's.
    fn parse(body: &[u8], dialect: Dialect) -> Result<Self, ApiError> {
        let status = xml::read(body, "BucketLoggingStatus", SMALL_BYTES_MAX)?;
        let Some(enabled) = status.child("LoggingEnabled") else { return Ok(Self(None)) };
        let target = enabled.word_of("TargetBucket");
        let target = target.ok_or_else(|| malformed("The element TargetBucket is missing."))?;
        let prefix = enabled.text_of("TargetPrefix").unwrap_or_default();
        if prefix.len() > PREFIX_BYTES_MAX || prefix.contains('\0') {
            return Err(malformed("The element TargetPrefix is too long."));
        }
        let names = match dialect {
            Dialect::Oss => Names::Oss,
            Dialect::S3 => names(enabled)?,
        };
        let grantees = match enabled.child("TargetGrants") {
            Some(grants) => grants.all("Grant").map(grantee).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        let (target, prefix) = (target.to_owned(), prefix.to_owned());
        Ok(Self(Some(Logging { target, prefix, names, grantees })))
    }

    fn render(&self, dialect: Dialect) -> Vec<u8> {
        let mut xml = root("BucketLoggingStatus", dialect);
        let Some(logging) = &self.0 else { return xml.finish() };
        xml.open("LoggingEnabled").text("TargetBucket", &logging.target);
        xml.text("TargetPrefix", &logging.prefix);
        if dialect == Dialect::S3 {
            xml.open("TargetObjectKeyFormat");
            let source = match logging.names {
                Names::ByDelivery => Some("DeliveryTime"),
                Names::ByEvent => Some("EventTime"),
                Names::Simple | Names::Oss => None,
            };
            match source {
                Some(source) => {
                    xml.open("PartitionedPrefix").text("PartitionDateSource", source);
                    xml.close();
                }
                None => {
                    xml.text("SimplePrefix", "");
                }
            }
            xml.close();
        }
        xml.close();
        xml.finish()
    }
}

fn names(enabled: &Element<'_>) -> Result<Names, ApiError> {
    let Some(format) = enabled.child("TargetObjectKeyFormat") else { return Ok(Names::Simple) };
    match (format.child("SimplePrefix"), format.child("PartitionedPrefix")) {
        (Some(_), None) => Ok(Names::Simple),
        (None, Some(partitioned)) => match partitioned.word_of("PartitionDateSource") {
            None | Some("DeliveryTime") => Ok(Names::ByDelivery),
            Some("EventTime") => Ok(Names::ByEvent),
            Some(_) => Err(malformed("There is no such PartitionDateSource.")),
        },
        _ => Err(malformed("TargetObjectKeyFormat takes one kind of prefix.")),
    }
}

fn grantee(grant: &Element<'_>) -> Result<String, ApiError> {
    let word = grant.word_of("Permission").unwrap_or_default();
    if !matches!(word, "FULL_CONTROL" | "READ" | "WRITE") {
        return Err(malformed("There is no such Permission."));
    }
    let id = grant.child("Grantee").and_then(|grantee| grantee.word_of("ID"));
    let unknown = || error::NOT_IMPLEMENTED.error("Delivered objects can be given to nobody else.");
    id.map(str::to_owned).ok_or_else(unknown)
}

/// Further headers and parameters that the records of a bucket have (OSS).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fields {
    pub(crate) headers: Vec<String>,
    pub(crate) parameters: Vec<String>,
}

/// Headers and parameters together, at most.
const FIELDS_MAX: usize = 6;

impl Config for Fields {
    const DOCUMENT: Document = Document::LogFields;

    /// Errors: `MalformedXML`, also for more than six fields.
    fn parse(body: &[u8], _: Dialect) -> Result<Self, ApiError> {
        let all = xml::read(body, "UserDefinedLogFieldsConfiguration", SMALL_BYTES_MAX)?;
        let list = |set: &str, name: &str| {
            all.child(set).map_or_else(|| Ok(Vec::new()), |set| super::words(set, name))
        };
        let fields = Self {
            headers: list("HeaderSet", "header")?,
            parameters: list("ParamSet", "parameter")?,
        };
        if fields.headers.len() + fields.parameters.len() > FIELDS_MAX {
            return Err(malformed(format!("There are more than {FIELDS_MAX} fields.")));
        }
        Ok(fields)
    }

    fn render(&self, dialect: Dialect) -> Vec<u8> {
        let mut xml = root("UserDefinedLogFieldsConfiguration", dialect);
        xml.open("HeaderSet");
        for name in &self.headers {
            xml.text("header", name);
        }
        xml.close().open("ParamSet");
        for name in &self.parameters {
            xml.text("parameter", name);
        }
        xml.close();
        xml.finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn parse(body: &str, dialect: Dialect) -> Result<Status, ApiError> {
        Status::parse(body.as_bytes(), dialect)
    }

    fn s3(format: &str) -> Result<Status, ApiError> {
        let body = format!(
            "<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>a/</TargetPrefix>\
             {format}</LoggingEnabled></BucketLoggingStatus>"
        );
        parse(&body, Dialect::S3)
    }

    fn key(status: &Status) -> String {
        let delivery = Delivery {
            account: AccountId::new(1),
            region: "r",
            bucket: "b",
            now: Time::from_secs(86_400 * 3 + 3_723),
            began: Time::from_secs(86_400 * 2 + 5),
            unique: "U",
        };
        status.0.as_ref().unwrap().key(&delivery)
    }

    #[test]
    fn objects_are_called_as_the_configuration_says() {
        let partitioned = |source: &str| {
            let format = "<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>";
            let end = "</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat>";
            s3(&format!("{format}{source}{end}"))
        };
        assert_eq!(key(&s3("").unwrap()), "a/1970-01-04-01-02-03-U");
        let by_delivery = partitioned("DeliveryTime").unwrap();
        assert_eq!(key(&by_delivery), "a/0000000000000001/r/b/1970/01/04/1970-01-04-01-02-03-U");
        let by_event = partitioned("EventTime").unwrap();
        assert_eq!(key(&by_event), "a/0000000000000001/r/b/1970/01/03/1970-01-03-00-00-00-U");
        assert!(partitioned("kaboom").unwrap_err().is(&error::MALFORMED_XML));
        let mut oss = s3("").unwrap();
        oss.0.as_mut().unwrap().names = Names::Oss;
        assert_eq!(key(&oss), "a/b1970-01-04-01-02-03-U");
    }

    #[test]
    fn a_status_without_a_target_is_off() {
        for dialect in [Dialect::Oss, Dialect::S3] {
            assert_eq!(parse("<BucketLoggingStatus/>", dialect).unwrap(), Status(None));
            let headless = "<BucketLoggingStatus><LoggingEnabled/></BucketLoggingStatus>";
            assert!(parse(headless, dialect).unwrap_err().is(&error::MALFORMED_XML));
        }
    }

    proptest! {
        #[test]
        fn what_is_told_reads_as_what_was_set(body in ".{0,200}", target in "[a-z]{3,9}", prefix in "[ -~]{0,20}") {
            let _ = parse(&body, Dialect::S3);
            for (dialect, names) in [(Dialect::Oss, Names::Oss), (Dialect::S3, Names::ByEvent), (Dialect::S3, Names::Simple)] {
                let logging = Logging { target: target.clone(), prefix: prefix.clone(), names, grantees: Vec::new() };
                let status = Status(Some(logging));
                prop_assert_eq!(Status::parse(&status.render(dialect), dialect).unwrap(), status);
            }
        }

        #[test]
        fn fields_read_as_what_was_set(headers in proptest::collection::vec("[a-z]{1,9}", 0..4), parameters in proptest::collection::vec("[a-z]{1,9}", 0..3)) {
            let fields = Fields { headers, parameters };
            prop_assert_eq!(Fields::parse(&fields.render(Dialect::Oss), Dialect::Oss).unwrap(), fields);
        }
    }
}
