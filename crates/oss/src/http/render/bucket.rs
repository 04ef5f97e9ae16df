//! Documents about buckets, ACLs, tags and places.

use base::{AccountId, Time};
use wire::object::Dialect;
use wire::object::xml::Writer;

use super::{Style, moment, owner};
use crate::acl::{AccessBlock, Grant, Grantee};
use crate::model::{Bucket, BucketStat, Encryption, Versioning};
use crate::ops::BucketPage;

/// Where clients reach the service, as documents tell it.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Place<'a> {
    pub(in crate::http) region: &'a str,
    pub(in crate::http) endpoint: &'a str,
}

impl Place<'_> {
    /// The region in the form of OSS's locations.
    fn location(&self) -> String {
        format!("oss-{}", self.region)
    }

    fn endpoints(&self, xml: &mut Writer) {
        xml.text("ExtranetEndpoint", self.endpoint).text("IntranetEndpoint", self.endpoint);
    }
}

/// The parameters and the result of ListBuckets.
pub(in crate::http) fn list_buckets<'a>(
    style: Style,
    place_of: &dyn Fn(&Bucket) -> Place<'a>,
    account: AccountId,
    (prefix, after, limit): (&str, &str, usize),
    page: &BucketPage,
) -> Vec<u8> {
    let mut xml = style.root("ListAllMyBucketsResult");
    if style.is_oss() {
        xml.text("Prefix", prefix).text("Marker", after).value("MaxKeys", limit);
        xml.value("IsTruncated", page.next.is_some()).text_opt("NextMarker", page.next.as_deref());
    }
    owner(&mut xml, "Owner", account);
    xml.open("Buckets");
    for bucket in &page.buckets {
        let place = place_of(bucket);
        xml.open("Bucket").text("Name", &bucket.name).text("CreationDate", &moment(bucket.created));
        match style.dialect {
            Dialect::Oss => {
                xml.text("Location", &place.location()).text("Region", place.region);
                xml.text("StorageClass", bucket.storage_class.as_str());
                xml.text("Comment", "").text("ResourceGroupId", bucket.resource_group());
                place.endpoints(&mut xml);
            }
            Dialect::S3 => drop(xml.text("BucketRegion", place.region)),
        }
        xml.close();
    }
    xml.close();
    if !style.is_oss() {
        xml.text_opt("ContinuationToken", page.next.as_deref());
    }
    xml.finish()
}

/// OSS's GetBucketInfo.
pub(in crate::http) fn bucket_info(place: &Place<'_>, bucket: &Bucket) -> Vec<u8> {
    let mut xml = Writer::new();
    xml.open("BucketInfo").open("Bucket");
    xml.text("Name", &bucket.name).text("CreationDate", &moment(bucket.created));
    xml.text("Location", &place.location()).text("Region", place.region);
    place.endpoints(&mut xml);
    xml.text("StorageClass", bucket.storage_class.as_str())
        .text("DataRedundancyType", bucket.redundancy.as_str())
        .text("DataClass", bucket.class.as_str())
        .text("Comment", "")
        .text("ResourceGroupId", bucket.resource_group());
    owner(&mut xml, "Owner", bucket.owner);
    xml.open("AccessControlList").text("Grant", bucket.acl.plain().as_str()).close();
    let (algorithm, key_id) = match &bucket.settings.encryption {
        None => ("None", None),
        Some(Encryption::Kms(id)) => ("KMS", Some(id.as_str()).filter(|id| !id.is_empty())),
        Some(Encryption::Account | Encryption::Aes256 | Encryption::Customer { .. }) => {
            ("AES256", None)
        }
    };
    xml.open("ServerSideEncryptionRule").text("SSEAlgorithm", algorithm);
    xml.text_opt("KMSMasterKeyID", key_id).close();
    let word = |on: bool| if on { "Enabled" } else { "Disabled" };
    xml.text("AccessMonitor", word(bucket.settings.access_monitor.is_some()));
    xml.text("TransferAcceleration", word(bucket.settings.accelerated));
    match bucket.settings.versioning {
        Versioning::Unversioned => {}
        Versioning::Enabled => drop(xml.text("Versioning", "Enabled")),
        Versioning::Suspended => drop(xml.text("Versioning", "Suspended")),
    }
    xml.text("CrossRegionReplication", "Disabled")
        .value("BlockPublicAccess", bucket.settings.block == Some(AccessBlock::ALL));
    xml.finish()
}

/// OSS's GetBucketStat.
///
/// Bytes are metered as they are, so that what is billed and the real amount are the same. There are no live
/// channels.
pub(in crate::http) fn bucket_stat(stat: &BucketStat) -> Vec<u8> {
    let mut xml = Writer::new();
    xml.open("BucketStat").value("Storage", stat.bytes).value("ObjectCount", stat.objects);
    xml.value("MultipartUploadCount", stat.uploads).value("MultipartPartCount", stat.parts);
    xml.value("DeleteMarkerCount", stat.markers).value("LiveChannelCount", 0);
    xml.value("LastModifiedTime", stat.changed.secs());
    let standard = stat.standard();
    xml.value("StandardStorage", standard.bytes).value("StandardObjectCount", standard.objects);
    for ([billed, real, count], tier) in TIERS.iter().zip(stat.tiers) {
        xml.value(billed, tier.bytes).value(real, tier.bytes).value(count, tier.objects);
    }
    xml.finish()
}

/// What the statistics call the classes other than Standard: bytes as billed, real bytes, objects.
const TIERS: [[&str; 3]; 4] = [
    ["InfrequentAccessStorage", "InfrequentAccessRealStorage", "InfrequentAccessObjectCount"],
    ["ArchiveStorage", "ArchiveRealStorage", "ArchiveObjectCount"],
    ["ColdArchiveStorage", "ColdArchiveRealStorage", "ColdArchiveObjectCount"],
    ["DeepColdArchiveStorage", "DeepColdArchiveRealStorage", "DeepColdArchiveObjectCount"],
];

/// GetBucketLocation.
pub(in crate::http) fn location(style: Style, place: &Place<'_>) -> Vec<u8> {
    let mut xml = Writer::new();
    match style.dialect {
        Dialect::Oss => xml.text("LocationConstraint", &place.location()),
        Dialect::S3 => xml.text("LocationConstraint", place.region),
    };
    xml.finish()
}

/// OSS's DescribeRegions.
pub(in crate::http) fn regions(places: &[Place<'_>], wanted: &str) -> Vec<u8> {
    let mut xml = Writer::new();
    xml.open("RegionInfoList");
    for place in places.iter().filter(|place| wanted.is_empty() || wanted == place.location()) {
        xml.open("RegionInfo")
            .text("Region", &place.location())
            .text("InternetEndpoint", place.endpoint);
        xml.text("InternalEndpoint", place.endpoint).text("AccelerateEndpoint", place.endpoint);
        xml.close();
    }
    xml.finish()
}

/// GetBucketVersioning: nothing is said of a bucket that never had versioning.
pub(in crate::http) fn versioning(style: Style, versioning: Versioning) -> Vec<u8> {
    let mut xml = style.root("VersioningConfiguration");
    match versioning {
        Versioning::Unversioned => {}
        Versioning::Enabled => drop(xml.text("Status", "Enabled")),
        Versioning::Suspended => drop(xml.text("Status", "Suspended")),
    }
    xml.finish()
}

/// A configuration that was never set and has a default.
pub(in crate::http) fn default_configuration(
    style: Style,
    root: &'static str,
    children: &[(&'static str, &'static str)],
) -> Vec<u8> {
    let mut xml = style.root(root);
    for (name, value) in children {
        xml.text(name, value);
    }
    xml.finish()
}

/// The ACL of a bucket or an object: the word of OSS, or the grants of S3, those of groups first, since some
/// clients order the others by a name that groups have not.
pub(in crate::http) fn acl(
    style: Style,
    account: AccountId,
    word: &str,
    grants: &[Grant],
) -> Vec<u8> {
    let mut xml = style.root("AccessControlPolicy");
    owner(&mut xml, "Owner", account);
    xml.open("AccessControlList");
    if style.is_oss() {
        xml.text("Grant", word);
        return xml.finish();
    }
    let is_group = |one: &&Grant| !matches!(one.to, Grantee::Account(_));
    let (groups, accounts): (Vec<&Grant>, Vec<&Grant>) = grants.iter().partition(is_group);
    for Grant { to, permission } in groups.into_iter().chain(accounts) {
        let permission = permission.as_str();
        match to {
            Grantee::Account(id) => {
                let id = id.to_string();
                let named = [("ID", id.as_str()), ("DisplayName", id.as_str())];
                grant(&mut xml, "CanonicalUser", &named, permission);
            }
            Grantee::Everybody => grant(&mut xml, "Group", &[("URI", ALL_USERS)], permission),
            Grantee::Authenticated => {
                grant(&mut xml, "Group", &[("URI", AUTHENTICATED_USERS)], permission);
            }
            Grantee::LogDelivery => grant(&mut xml, "Group", &[("URI", LOG_DELIVERY)], permission),
        }
    }
    xml.finish()
}

/// S3's name for everybody.
pub(in crate::http) const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
/// S3's name for everybody who signed.
pub(in crate::http) const AUTHENTICATED_USERS: &str =
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
/// S3's name for what writes access logs.
pub(in crate::http) const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

fn grant(xml: &mut Writer, kind: &str, grantee: &[(&str, &str)], permission: &str) {
    let schema = [("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"), ("xsi:type", kind)];
    xml.open("Grant").open_with("Grantee", &schema);
    for (name, value) in grantee {
        xml.text(name, value);
    }
    xml.close().text("Permission", permission).close();
}

/// Tags of an object or a bucket.
pub(in crate::http) fn tagging(style: Style, tags: &[(String, String)]) -> Vec<u8> {
    let mut xml = style.root("Tagging");
    xml.open("TagSet");
    for (key, value) in tags {
        xml.open("Tag").text("Key", key).text("Value", value).close();
    }
    xml.finish()
}

/// The host names that are bound to a bucket.
pub(in crate::http) fn cnames(bucket: &Bucket, bound: &[(String, Time)]) -> Vec<u8> {
    let mut xml = Writer::new();
    xml.open("ListCnameResult").text("Bucket", &bucket.name).value("Owner", bucket.owner);
    for (host, since) in bound {
        xml.open("Cname").text("Domain", host).text("LastModified", &moment(*since));
        xml.text("Status", "Enabled").close();
    }
    xml.finish()
}

/// There are no boxes.
pub(in crate::http) fn cloud_boxes(
    account: AccountId,
    (prefix, marker, limit): (&str, &str, usize),
) -> Vec<u8> {
    let mut xml = Writer::new();
    xml.open("ListCloudBoxResult").text("Prefix", prefix).text("Marker", marker);
    xml.value("MaxKeys", limit).value("IsTruncated", false);
    owner(&mut xml, "Owner", account);
    xml.open("CloudBoxes");
    xml.finish()
}

/// There are no live channels.
pub(in crate::http) fn live_channels(prefix: &str, marker: &str, limit: usize) -> Vec<u8> {
    let mut xml = Writer::new();
    xml.open("ListLiveChannelResult").text("Prefix", prefix).text("Marker", marker);
    xml.value("MaxKeys", limit).value("IsTruncated", false);
    xml.finish()
}
