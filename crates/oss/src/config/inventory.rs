//! Inventories of a bucket: what a report lists, how often it is written, and where.
//!
//! Not here: the reports themselves (`ops::report`).

use base::ApiError;
use serde::{Deserialize, Serialize};
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::xml::{self, Element, Writer};
use wire::object::{Dialect, error};

use super::{flag, malformed, word};
use crate::model::StorageClass;

/// The longest id and the longest prefix, bytes.
const ID_BYTES_MAX: usize = 64;
const PREFIX_BYTES_MAX: usize = 512;

/// One inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inventory {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    /// True where it lists every version, false where the current objects only.
    pub(crate) versions: bool,
    pub(crate) weekly: bool,
    pub(crate) fields: Vec<Field>,
    pub(crate) filter: Filter,
    pub(crate) destination: Destination,
    /// The protocol whose form the reports have.
    pub(crate) form: Form,
}

/// The protocol that an inventory was set in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Form {
    Oss,
    S3,
}

/// What a report tells of each object besides its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Field {
    Size,
    LastModifiedDate,
    StorageClass,
    ETag,
    IsMultipartUploaded,
    EncryptionStatus,
}

impl Field {
    const ALL: [Self; 6] = [
        Self::Size,
        Self::LastModifiedDate,
        Self::StorageClass,
        Self::ETag,
        Self::IsMultipartUploaded,
        Self::EncryptionStatus,
    ];

    /// Its name in both protocols.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Size => "Size",
            Self::LastModifiedDate => "LastModifiedDate",
            Self::StorageClass => "StorageClass",
            Self::ETag => "ETag",
            Self::IsMultipartUploaded => "IsMultipartUploaded",
            Self::EncryptionStatus => "EncryptionStatus",
        }
    }
}

/// What a report lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Filter {
    pub(crate) prefix: Option<String>,
    /// Seconds of Unix time, both inclusive.
    pub(crate) begin: Option<i64>,
    pub(crate) end: Option<i64>,
    /// Bytes, both inclusive.
    pub(crate) lower: Option<u64>,
    pub(crate) upper: Option<u64>,
    /// Classes with commas between, in the order of their names as OSS tells them, or `All`.
    pub(crate) classes: Option<String>,
}

impl Filter {
    /// Whether a report lists an object. (Its prefix is looked at first, where the rows are read.)
    pub(crate) fn lists(&self, secs: i64, size: u64, class: StorageClass) -> bool {
        self.begin.is_none_or(|begin| secs >= begin)
            && self.end.is_none_or(|end| secs <= end)
            && self.lower.is_none_or(|lower| size >= lower)
            && self.upper.is_none_or(|upper| size <= upper)
            && self.classes.as_ref().is_none_or(|classes| {
                let named = |word: &str| word == class.as_str() || word == "All";
                classes.split(',').map(str::trim).any(named)
            })
    }
}

/// Where reports are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Destination {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    /// Told back as sent: the bucket's owner says who may write there.
    pub(crate) account: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) encryption: Option<Encryption>,
}

/// How the objects of a report are to be sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Encryption {
    Managed,
    Key(String),
}

/// The names in a document that the protocols have different.
struct Names {
    destination: &'static str,
    bucket: &'static str,
    managed: &'static str,
}

const fn names(dialect: Dialect) -> Names {
    match dialect {
        Dialect::Oss => {
            Names { destination: "OSSBucketDestination", bucket: "acs:oss:::", managed: "SSE-OSS" }
        }
        Dialect::S3 => {
            Names { destination: "S3BucketDestination", bucket: "arn:aws:s3:::", managed: "SSE-S3" }
        }
    }
}

impl Inventory {
    /// Reads the body of a request that sets one.
    ///
    /// Errors: `MalformedXML`; `NotImplemented` for a format or a field that is not written here.
    pub(crate) fn parse(body: &[u8], dialect: Dialect) -> Result<Self, ApiError> {
        let root = xml::read(body, "InventoryConfiguration", SMALL_BYTES_MAX)?;
        let need = |name: &str| {
            word(&root, name)?.ok_or_else(|| malformed(format!("The element {name} is missing.")))
        };
        let id = need("Id")?;
        check_id(&id)?;
        let versions = match need("IncludedObjectVersions")?.as_str() {
            "All" => true,
            "Current" => false,
            _ => return Err(malformed("IncludedObjectVersions is neither All nor Current.")),
        };
        let schedule = root.child("Schedule").and_then(|schedule| schedule.word_of("Frequency"));
        let weekly = match schedule {
            Some("Daily") => false,
            Some("Weekly") => true,
            _ => return Err(malformed("The Frequency is neither Daily nor Weekly.")),
        };
        let incremental = root.child("IncrementalInventory");
        if incremental
            .is_some_and(|more| !matches!(flag(more, "IsEnabled"), Ok(None | Some(false))))
        {
            return Err(error::NOT_IMPLEMENTED.error("There are no incremental inventories here."));
        }
        let names = names(dialect);
        let destination = root.child("Destination").and_then(|all| all.child(names.destination));
        let destination = destination.ok_or_else(|| malformed("There is no destination."))?;
        Ok(Self {
            id,
            enabled: flag(&root, "IsEnabled")?
                .ok_or_else(|| malformed("The element IsEnabled is missing."))?,
            versions,
            weekly,
            fields: fields(root.child("OptionalFields"))?,
            filter: root.child("Filter").map_or_else(|| Ok(Filter::default()), filter)?,
            destination: read_destination(destination, &names)?,
            form: match dialect {
                Dialect::Oss => Form::Oss,
                Dialect::S3 => Form::S3,
            },
        })
    }

    /// Adds what it says to a document whose element for it is open.
    pub(crate) fn render_into(&self, xml: &mut Writer, dialect: Dialect) {
        let names = names(dialect);
        xml.text("Id", &self.id).value("IsEnabled", self.enabled);
        xml.text("IncludedObjectVersions", if self.versions { "All" } else { "Current" });
        if self.filter != Filter::default() {
            let filter = &self.filter;
            xml.open("Filter").text_opt("Prefix", filter.prefix.as_deref());
            for (name, number) in [
                ("LastModifyBeginTimeStamp", filter.begin.map(|number| number.to_string())),
                ("LastModifyEndTimeStamp", filter.end.map(|number| number.to_string())),
                ("LowerSizeBound", filter.lower.map(|number| number.to_string())),
                ("UpperSizeBound", filter.upper.map(|number| number.to_string())),
            ] {
                xml.text_opt(name, number.as_deref());
            }
            xml.text_opt("StorageClass", filter.classes.as_deref()).close();
        }
        xml.open("Schedule")
            .text("Frequency", if self.weekly { "Weekly" } else { "Daily" })
            .close();
        if !self.fields.is_empty() {
            xml.open("OptionalFields");
            for field in &self.fields {
                xml.text("Field", field.name());
            }
            xml.close();
        }
        xml.open("Destination").open(names.destination).text("Format", "CSV");
        let to = &self.destination;
        xml.text_opt("AccountId", to.account.as_deref()).text_opt("RoleArn", to.role.as_deref());
        xml.text("Bucket", &format!("{}{}", names.bucket, to.bucket)).text("Prefix", &to.prefix);
        match &to.encryption {
            None => {}
            Some(Encryption::Managed) => {
                xml.open("Encryption").text(names.managed, "").close();
            }
            Some(Encryption::Key(id)) => {
                xml.open("Encryption").open("SSE-KMS").text("KeyId", id).close().close();
            }
        }
        xml.close().close();
    }
}

/// Errors: `MalformedXML`.
fn check_id(id: &str) -> Result<(), ApiError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if id.len() <= ID_BYTES_MAX && id.bytes().all(plain) {
        return Ok(());
    }
    Err(malformed(
        "The Id has other characters than letters, digits, dots and hyphens, or too many.",
    ))
}

fn fields(list: Option<&Element<'_>>) -> Result<Vec<Field>, ApiError> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let mut fields = Vec::new();
    for name in super::words(list, "Field")? {
        let known = Field::ALL.into_iter().find(|field| field.name() == name);
        let field = known.ok_or_else(|| {
            let why = format!("Reports have no field {name} here.");
            error::NOT_IMPLEMENTED.error(why).field("Field", name.as_str())
        })?;
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    Ok(fields)
}

fn filter(element: &Element<'_>) -> Result<Filter, ApiError> {
    fn number<T: std::str::FromStr>(
        element: &Element<'_>,
        name: &str,
    ) -> Result<Option<T>, ApiError> {
        let read = |word: &str| {
            word.parse::<T>().map_err(|_| malformed(format!("The element {name} is no number.")))
        };
        element.word_of(name).map(read).transpose()
    }
    Ok(Filter {
        prefix: element.text_of("Prefix").filter(|prefix| !prefix.is_empty()).map(str::to_owned),
        begin: number(element, "LastModifyBeginTimeStamp")?,
        end: number(element, "LastModifyEndTimeStamp")?,
        lower: number(element, "LowerSizeBound")?,
        upper: number(element, "UpperSizeBound")?,
        classes: word(element, "StorageClass")?.map(|classes| sorted(&classes)),
    })
}

fn read_destination(element: &Element<'_>, names: &Names) -> Result<Destination, ApiError> {
    match element.word_of("Format") {
        Some("CSV") => {}
        Some("ORC" | "Parquet") => {
            return Err(error::NOT_IMPLEMENTED.error("Reports are written as CSV only."));
        }
        _ => return Err(malformed("There is no such Format.")),
    }
    let bucket = word(element, "Bucket")?.unwrap_or_default();
    let name = bucket.strip_prefix(names.bucket).filter(|name| !name.is_empty());
    let name =
        name.ok_or_else(|| malformed(format!("The Bucket is not {}<name>.", names.bucket)))?;
    let prefix = element.text_of("Prefix").unwrap_or_default();
    if prefix.len() > PREFIX_BYTES_MAX || prefix.contains('\0') || prefix.starts_with('/') {
        return Err(malformed("The Prefix of the destination is not valid."));
    }
    let encryption = match element.child("Encryption") {
        Some(all) => match (all.child("SSE-KMS"), all.child(names.managed)) {
            (Some(key), None) => Some(Encryption::Key(word(key, "KeyId")?.unwrap_or_default())),
            (None, Some(_)) => Some(Encryption::Managed),
            (None, None) => None,
            (Some(_), Some(_)) => return Err(malformed("There is more than one encryption.")),
        },
        None => None,
    };
    Ok(Destination {
        bucket: name.to_owned(),
        prefix: prefix.to_owned(),
        account: word(element, "AccountId")?,
        role: word(element, "RoleArn")?,
        encryption,
    })
}

/// Classes with commas between, in the order of their names.
fn sorted(classes: &str) -> String {
    let mut classes: Vec<&str> = classes.split(',').map(str::trim).collect();
    classes.sort_unstable();
    classes.join(",")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn render(inventory: &Inventory, dialect: Dialect) -> Vec<u8> {
        let mut xml = super::super::root("InventoryConfiguration", dialect);
        inventory.render_into(&mut xml, dialect);
        xml.finish()
    }

    fn sample() -> Inventory {
        Inventory {
            id: "daily-1".to_owned(),
            enabled: true,
            versions: true,
            weekly: false,
            fields: Field::ALL.to_vec(),
            filter: Filter { prefix: Some("a b/".to_owned()), lower: Some(3), ..Filter::default() },
            destination: Destination {
                bucket: "reports".to_owned(),
                prefix: "of".to_owned(),
                account: Some("7".to_owned()),
                role: None,
                encryption: Some(Encryption::Key("k".to_owned())),
            },
            form: Form::Oss,
        }
    }

    #[test]
    fn a_filter_lists_what_is_within_all_its_bounds() {
        let filter = Filter {
            begin: Some(10),
            end: Some(20),
            lower: Some(5),
            upper: Some(6),
            classes: Some("Standard,IA".to_owned()),
            ..Filter::default()
        };
        let standard = StorageClass::Standard;
        assert!(
            filter.lists(10, 5, standard) && filter.lists(20, 6, StorageClass::InfrequentAccess)
        );
        for (secs, size, class) in [
            (9, 5, standard),
            (21, 5, standard),
            (10, 4, standard),
            (10, 7, standard),
            (10, 5, StorageClass::Archive),
        ] {
            assert!(!filter.lists(secs, size, class));
        }
        assert!(Filter::default().lists(0, 0, StorageClass::Archive));
    }

    #[test]
    fn what_reports_cannot_tell_is_refused() {
        let body = String::from_utf8(render(&sample(), Dialect::Oss)).unwrap();
        let parse = |body: &str| Inventory::parse(body.as_bytes(), Dialect::Oss);
        for (from, to, code) in [
            ("<Field>Size</Field>", "<Field>ObjectOwner</Field>", &error::NOT_IMPLEMENTED),
            ("<Format>CSV", "<Format>ORC", &error::NOT_IMPLEMENTED),
            ("<Format>CSV", "<Format>TSV", &error::MALFORMED_XML),
            ("Daily", "Hourly", &error::MALFORMED_XML),
            ("<Id>daily-1", "<Id>a b", &error::MALFORMED_XML),
            ("acs:oss:::reports", "reports", &error::MALFORMED_XML),
        ] {
            assert!(body.contains(from), "{from}");
            assert!(parse(&body.replace(from, to)).unwrap_err().is(code), "{to}");
        }
    }

    proptest! {
        #[test]
        fn what_is_told_reads_as_what_was_set(
            body in ".{0,200}", versions: bool, weekly: bool, prefix in "[ -~]{0,20}", end in any::<Option<i64>>(), upper in any::<Option<u64>>(), fields in proptest::sample::subsequence(Field::ALL.to_vec(), 0..6)
        ) {
            let _ = Inventory::parse(body.as_bytes(), Dialect::Oss);
            for (dialect, form) in [(Dialect::Oss, Form::Oss), (Dialect::S3, Form::S3)] {
                let prefix = Some(prefix.clone()).filter(|prefix| !prefix.is_empty());
                let filter = Filter { prefix, end, upper, ..Filter::default() };
                let fields = fields.clone();
                let inventory = Inventory { versions, weekly, fields, filter, form, ..sample() };
                prop_assert_eq!(Inventory::parse(&render(&inventory, dialect), dialect).unwrap(), inventory);
            }
        }
    }
}
