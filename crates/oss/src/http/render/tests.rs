#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use base::ApiError;
use expect_test::{Expect, expect};
use terms::clauses::DataClass;
use wire::object::error;

use super::*;
use crate::digest::{Algorithm, Checksum, Coverage};
use crate::model::{Acl, Bucket, BucketStat, Etag, Redundancy, StorageClass, Stored, VersionId};
use crate::ops::{
    BucketPage, ListPage, ListQuery, ListedObject, ListedPart, ListedUpload, ListedVersion,
    PartPage, PartStored, UploadPage, UploadQuery, VersionPage, VersionQuery,
};

const OSS: Style = Style::plain(Dialect::Oss);
const S3: Style = Style::plain(Dialect::S3);
const ACCOUNT: AccountId = AccountId::new(1_000_000_000_000_001);
const PLACE: Place<'_> = Place { region: "ap-southeast-5", endpoint: "http://127.0.0.1:7101" };

const ABROAD: Place<'_> = Place { region: "ap-southeast-1", ..PLACE };

/// A moment with a fraction, which no document tells.
fn now() -> Time {
    Time::from_micros(1_767_323_045_678_901)
}

fn tag(parts: u32) -> Etag {
    Etag { md5: [0xab; 16], parts }
}

fn a_bucket() -> Bucket {
    Bucket {
        id: 1,
        name: "pemilu".to_owned(),
        owner: ACCOUNT,
        sites: vec!["jkt-1".to_owned(), "jkt-2".to_owned()],
        class: DataClass::Personal,
        created: now(),
        acl: Acl::PublicRead,
        storage_class: StorageClass::InfrequentAccess,
        settings: crate::model::Settings::default(),
        redundancy: Redundancy::Zones,
    }
}

/// Compares a document, with a line for each element that ends.
fn check(document: Vec<u8>, expect: Expect) {
    let text = String::from_utf8(document).unwrap();
    let text = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").unwrap();
    expect.assert_eq(&text.replace("><", ">\n<"));
}

fn listed(key: &str, parts: u32) -> ListedObject {
    let storage_class = StorageClass::InfrequentAccess;
    ListedObject {
        key: key.to_owned(),
        size: 5,
        etag: tag(parts),
        modified: now(),
        storage_class,
        restored: None,
        kind: 0,
    }
}

fn page() -> ListPage {
    ListPage {
        bucket: a_bucket(),
        objects: vec![listed("a &+\u{fc}", 0)],
        prefixes: vec!["b/".to_owned()],
        next: Some("b/".to_owned()),
    }
}

fn version_query() -> VersionQuery {
    let (delimiter, after_key) = ("/".to_owned(), "A".to_owned());
    VersionQuery { delimiter, after_key, limit: 3, ..VersionQuery::default() }
}

fn version_page() -> VersionPage {
    let version = |number, marker| ListedVersion {
        object: listed("a &+\u{fc}", 0),
        version: VersionId::of(number),
        latest: marker,
        marker,
    };
    VersionPage {
        bucket: a_bucket(),
        versions: vec![version(0x65, true), version(0, false)],
        prefixes: vec!["b/".to_owned()],
        next: Some(("b/".to_owned(), None)),
    }
}

fn query() -> ListQuery {
    ListQuery { prefix: String::new(), delimiter: "/".to_owned(), after: "A".to_owned(), limit: 2 }
}

#[test]
fn a_listing_in_oss() {
    let asked = Listed {
        query: &query(),
        after: "A",
        token: None,
        next_token: None,
        owners: true,
        now: now(),
    };
    check(
        list_objects(Style { encoded: true, ..OSS }, &asked, &page()),
        expect![[r#"
        <ListBucketResult>
        <Name>pemilu</Name>
        <Prefix>
        </Prefix>
        <MaxKeys>2</MaxKeys>
        <Delimiter>%2F</Delimiter>
        <EncodingType>url</EncodingType>
        <IsTruncated>true</IsTruncated>
        <Marker>A</Marker>
        <NextMarker>b%2F</NextMarker>
        <Contents>
        <Key>a%20%26%2B%C3%BC</Key>
        <LastModified>2026-01-02T03:04:05.000Z</LastModified>
        <ETag>&quot;ABABABABABABABABABABABABABABABAB&quot;</ETag>
        <Type>Normal</Type>
        <Size>5</Size>
        <StorageClass>IA</StorageClass>
        <Owner>
        <ID>1000000000000001</ID>
        <DisplayName>1000000000000001</DisplayName>
        </Owner>
        </Contents>
        <CommonPrefixes>
        <Prefix>b%2F</Prefix>
        </CommonPrefixes>
        </ListBucketResult>"#]],
    );
}

#[test]
fn a_listing_of_version_two_in_s3() {
    let asked = Listed {
        query: &query(),
        after: "A",
        token: Some("dG9rZW4"),
        next_token: Some("bmV4dA".to_owned()),
        owners: false,
        now: now(),
    };
    check(
        list_objects_v2(S3, &asked, &page()),
        expect![[r#"
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Name>pemilu</Name>
        <Prefix>
        </Prefix>
        <MaxKeys>2</MaxKeys>
        <Delimiter>/</Delimiter>
        <IsTruncated>true</IsTruncated>
        <StartAfter>A</StartAfter>
        <ContinuationToken>dG9rZW4</ContinuationToken>
        <NextContinuationToken>bmV4dA</NextContinuationToken>
        <KeyCount>2</KeyCount>
        <Contents>
        <Key>a &amp;+ü</Key>
        <LastModified>2026-01-02T03:04:05.000Z</LastModified>
        <ETag>&quot;abababababababababababababababab&quot;</ETag>
        <Size>5</Size>
        <StorageClass>STANDARD_IA</StorageClass>
        </Contents>
        <CommonPrefixes>
        <Prefix>b/</Prefix>
        </CommonPrefixes>
        </ListBucketResult>"#]],
    );
}

#[test]
fn a_listing_of_versions() {
    check(
        list_versions(OSS, &version_query(), &version_page(), now()),
        expect![[r#"
            <ListVersionsResult>
            <Name>pemilu</Name>
            <Prefix>
            </Prefix>
            <MaxKeys>3</MaxKeys>
            <Delimiter>/</Delimiter>
            <IsTruncated>true</IsTruncated>
            <KeyMarker>A</KeyMarker>
            <VersionIdMarker>
            </VersionIdMarker>
            <NextKeyMarker>b/</NextKeyMarker>
            <NextVersionIdMarker>
            </NextVersionIdMarker>
            <DeleteMarker>
            <Key>a &amp;+ü</Key>
            <LastModified>2026-01-02T03:04:05.000Z</LastModified>
            <VersionId>0000000000000065</VersionId>
            <IsLatest>true</IsLatest>
            <Owner>
            <ID>1000000000000001</ID>
            <DisplayName>1000000000000001</DisplayName>
            </Owner>
            </DeleteMarker>
            <Version>
            <Key>a &amp;+ü</Key>
            <LastModified>2026-01-02T03:04:05.000Z</LastModified>
            <ETag>&quot;ABABABABABABABABABABABABABABABAB&quot;</ETag>
            <Type>Normal</Type>
            <Size>5</Size>
            <StorageClass>IA</StorageClass>
            <VersionId>null</VersionId>
            <IsLatest>false</IsLatest>
            <Owner>
            <ID>1000000000000001</ID>
            <DisplayName>1000000000000001</DisplayName>
            </Owner>
            </Version>
            <CommonPrefixes>
            <Prefix>b/</Prefix>
            </CommonPrefixes>
            </ListVersionsResult>"#]],
    );
}

#[test]
fn a_listing_of_uploads() {
    let upload = ListedUpload {
        key: "k".to_owned(),
        upload_id: "U1".to_owned(),
        initiated: now(),
        storage_class: StorageClass::Standard,
        owner: AccountId::new(1_000_000_000_000_002),
    };
    let uploads = UploadPage {
        bucket: a_bucket(),
        uploads: vec![upload],
        prefixes: Vec::new(),
        next: Some(("k".to_owned(), "U1".to_owned())),
    };
    let asked = UploadQuery { limit: 1, ..UploadQuery::default() };
    check(
        list_uploads(S3, &asked, &uploads),
        expect![[r#"
        <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Bucket>pemilu</Bucket>
        <KeyMarker>
        </KeyMarker>
        <UploadIdMarker>
        </UploadIdMarker>
        <NextKeyMarker>k</NextKeyMarker>
        <NextUploadIdMarker>U1</NextUploadIdMarker>
        <Prefix>
        </Prefix>
        <MaxUploads>1</MaxUploads>
        <IsTruncated>true</IsTruncated>
        <Upload>
        <Key>k</Key>
        <UploadId>U1</UploadId>
        <StorageClass>STANDARD</StorageClass>
        <Initiated>2026-01-02T03:04:05.000Z</Initiated>
        <Initiator>
        <ID>1000000000000002</ID>
        <DisplayName>1000000000000002</DisplayName>
        </Initiator>
        <Owner>
        <ID>1000000000000002</ID>
        <DisplayName>1000000000000002</DisplayName>
        </Owner>
        </Upload>
        </ListMultipartUploadsResult>"#]],
    );
}

#[test]
fn a_listing_of_parts() {
    let checksums = vec![Checksum::whole(Algorithm::Crc32, vec![0, 0, 0, 1])];
    let (etag, modified, encryption) = (tag(0), now(), None);
    let part = PartStored { etag, crc64: 7, size: 5, modified, checksums, encryption };
    let parts = PartPage {
        bucket: a_bucket(),
        owner: ACCOUNT,
        storage_class: StorageClass::Standard,
        checksum: Some((Algorithm::Crc32, Coverage::Composite)),
        user: vec![("client-side-encryption-cek-alg".to_owned(), "AES/CTR".to_owned())],
        parts: vec![ListedPart { number: 3, part }],
        next: None,
    };
    check(
        list_parts(OSS, ("k", "U1"), (0, 1000), &parts),
        expect![[r#"
            <ListPartsResult>
            <Bucket>pemilu</Bucket>
            <Key>k</Key>
            <UploadId>U1</UploadId>
            <StorageClass>Standard</StorageClass>
            <PartNumberMarker>0</PartNumberMarker>
            <NextPartNumberMarker>3</NextPartNumberMarker>
            <MaxParts>1000</MaxParts>
            <IsTruncated>false</IsTruncated>
            <ClientEncryptionCekAlg>AES/CTR</ClientEncryptionCekAlg>
            <Part>
            <PartNumber>3</PartNumber>
            <LastModified>2026-01-02T03:04:05.000Z</LastModified>
            <ETag>&quot;ABABABABABABABABABABABABABABABAB&quot;</ETag>
            <Size>5</Size>
            <HashCrc64ecma>7</HashCrc64ecma>
            </Part>
            </ListPartsResult>"#]],
    );
    check(
        list_parts(S3, ("k", "U1"), (0, 1000), &parts),
        expect![[r#"
        <ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Bucket>pemilu</Bucket>
        <Key>k</Key>
        <UploadId>U1</UploadId>
        <StorageClass>STANDARD</StorageClass>
        <PartNumberMarker>0</PartNumberMarker>
        <NextPartNumberMarker>3</NextPartNumberMarker>
        <MaxParts>1000</MaxParts>
        <IsTruncated>false</IsTruncated>
        <Initiator>
        <ID>1000000000000001</ID>
        <DisplayName>1000000000000001</DisplayName>
        </Initiator>
        <Owner>
        <ID>1000000000000001</ID>
        <DisplayName>1000000000000001</DisplayName>
        </Owner>
        <ChecksumAlgorithm>CRC32</ChecksumAlgorithm>
        <ChecksumType>COMPOSITE</ChecksumType>
        <Part>
        <PartNumber>3</PartNumber>
        <LastModified>2026-01-02T03:04:05.000Z</LastModified>
        <ETag>&quot;abababababababababababababababab&quot;</ETag>
        <Size>5</Size>
        <ChecksumCRC32>AAAAAQ==</ChecksumCRC32>
        </Part>
        </ListPartsResult>"#]],
    );
}

#[test]
fn a_listing_of_buckets() {
    let page = BucketPage { buckets: vec![a_bucket()], next: None };
    check(
        list_buckets(OSS, &|_| PLACE, ACCOUNT, ("p", "", 100), &page),
        expect![[r#"
            <ListAllMyBucketsResult>
            <Prefix>p</Prefix>
            <Marker>
            </Marker>
            <MaxKeys>100</MaxKeys>
            <IsTruncated>false</IsTruncated>
            <Owner>
            <ID>1000000000000001</ID>
            <DisplayName>1000000000000001</DisplayName>
            </Owner>
            <Buckets>
            <Bucket>
            <Name>pemilu</Name>
            <CreationDate>2026-01-02T03:04:05.000Z</CreationDate>
            <Location>oss-ap-southeast-5</Location>
            <Region>ap-southeast-5</Region>
            <StorageClass>IA</StorageClass>
            <Comment>
            </Comment>
            <ResourceGroupId>rg-default</ResourceGroupId>
            <ExtranetEndpoint>http://127.0.0.1:7101</ExtranetEndpoint>
            <IntranetEndpoint>http://127.0.0.1:7101</IntranetEndpoint>
            </Bucket>
            </Buckets>
            </ListAllMyBucketsResult>"#]],
    );
    check(
        list_buckets(S3, &|_| PLACE, ACCOUNT, ("", "", 1000), &page),
        expect![[r#"
        <ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Owner>
        <ID>1000000000000001</ID>
        <DisplayName>1000000000000001</DisplayName>
        </Owner>
        <Buckets>
        <Bucket>
        <Name>pemilu</Name>
        <CreationDate>2026-01-02T03:04:05.000Z</CreationDate>
        <BucketRegion>ap-southeast-5</BucketRegion>
        </Bucket>
        </Buckets>
        </ListAllMyBucketsResult>"#]],
    );
}

#[test]
fn what_a_bucket_is() {
    check(
        bucket_info(&PLACE, &a_bucket()),
        expect![[r#"
            <BucketInfo>
            <Bucket>
            <Name>pemilu</Name>
            <CreationDate>2026-01-02T03:04:05.000Z</CreationDate>
            <Location>oss-ap-southeast-5</Location>
            <Region>ap-southeast-5</Region>
            <ExtranetEndpoint>http://127.0.0.1:7101</ExtranetEndpoint>
            <IntranetEndpoint>http://127.0.0.1:7101</IntranetEndpoint>
            <StorageClass>IA</StorageClass>
            <DataRedundancyType>ZRS</DataRedundancyType>
            <DataClass>personal</DataClass>
            <Comment>
            </Comment>
            <ResourceGroupId>rg-default</ResourceGroupId>
            <Owner>
            <ID>1000000000000001</ID>
            <DisplayName>1000000000000001</DisplayName>
            </Owner>
            <AccessControlList>
            <Grant>public-read</Grant>
            </AccessControlList>
            <ServerSideEncryptionRule>
            <SSEAlgorithm>None</SSEAlgorithm>
            </ServerSideEncryptionRule>
            <AccessMonitor>Disabled</AccessMonitor>
            <TransferAcceleration>Disabled</TransferAcceleration>
            <CrossRegionReplication>Disabled</CrossRegionReplication>
            <BlockPublicAccess>false</BlockPublicAccess>
            </Bucket>
            </BucketInfo>"#]],
    );
    let stat =
        BucketStat { objects: 2, uploads: 1, bytes: 30, part_bytes: 10, ..BucketStat::default() };
    check(
        bucket_stat(&stat),
        expect![[r#"
            <BucketStat>
            <Storage>30</Storage>
            <ObjectCount>2</ObjectCount>
            <MultipartUploadCount>1</MultipartUploadCount>
            <MultipartPartCount>0</MultipartPartCount>
            <DeleteMarkerCount>0</DeleteMarkerCount>
            <LiveChannelCount>0</LiveChannelCount>
            <LastModifiedTime>0</LastModifiedTime>
            <StandardStorage>20</StandardStorage>
            <StandardObjectCount>2</StandardObjectCount>
            <InfrequentAccessStorage>0</InfrequentAccessStorage>
            <InfrequentAccessRealStorage>0</InfrequentAccessRealStorage>
            <InfrequentAccessObjectCount>0</InfrequentAccessObjectCount>
            <ArchiveStorage>0</ArchiveStorage>
            <ArchiveRealStorage>0</ArchiveRealStorage>
            <ArchiveObjectCount>0</ArchiveObjectCount>
            <ColdArchiveStorage>0</ColdArchiveStorage>
            <ColdArchiveRealStorage>0</ColdArchiveRealStorage>
            <ColdArchiveObjectCount>0</ColdArchiveObjectCount>
            <DeepColdArchiveStorage>0</DeepColdArchiveStorage>
            <DeepColdArchiveRealStorage>0</DeepColdArchiveRealStorage>
            <DeepColdArchiveObjectCount>0</DeepColdArchiveObjectCount>
            </BucketStat>"#]],
    );
}

#[test]
fn where_buckets_are() {
    check(
        location(OSS, &PLACE),
        expect!["<LocationConstraint>oss-ap-southeast-5</LocationConstraint>"],
    );
    check(location(S3, &PLACE), expect!["<LocationConstraint>ap-southeast-5</LocationConstraint>"]);
    check(
        regions(&[PLACE, ABROAD], ""),
        expect![[r#"
        <RegionInfoList>
        <RegionInfo>
        <Region>oss-ap-southeast-5</Region>
        <InternetEndpoint>http://127.0.0.1:7101</InternetEndpoint>
        <InternalEndpoint>http://127.0.0.1:7101</InternalEndpoint>
        <AccelerateEndpoint>http://127.0.0.1:7101</AccelerateEndpoint>
        </RegionInfo>
        <RegionInfo>
        <Region>oss-ap-southeast-1</Region>
        <InternetEndpoint>http://127.0.0.1:7101</InternetEndpoint>
        <InternalEndpoint>http://127.0.0.1:7101</InternalEndpoint>
        <AccelerateEndpoint>http://127.0.0.1:7101</AccelerateEndpoint>
        </RegionInfo>
        </RegionInfoList>"#]],
    );
    check(
        regions(&[PLACE, ABROAD], "oss-elsewhere"),
        expect![[r#"
        <RegionInfoList>
        </RegionInfoList>"#]],
    );
}

#[test]
fn acls() {
    check(
        acl(OSS, ACCOUNT, "default", &[]),
        expect![[r#"
        <AccessControlPolicy>
        <Owner>
        <ID>1000000000000001</ID>
        <DisplayName>1000000000000001</DisplayName>
        </Owner>
        <AccessControlList>
        <Grant>default</Grant>
        </AccessControlList>
        </AccessControlPolicy>"#]],
    );
    check(
        acl(S3, ACCOUNT, "public-read", &Acl::PublicRead.grants(ACCOUNT, ACCOUNT)),
        expect![[r#"
        <AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Owner>
        <ID>1000000000000001</ID>
        <DisplayName>1000000000000001</DisplayName>
        </Owner>
        <AccessControlList>
        <Grant>
        <Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">
        <URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>
        </Grantee>
        <Permission>READ</Permission>
        </Grant>
        <Grant>
        <Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">
        <ID>1000000000000001</ID>
        <DisplayName>1000000000000001</DisplayName>
        </Grantee>
        <Permission>FULL_CONTROL</Permission>
        </Grant>
        </AccessControlList>
        </AccessControlPolicy>"#]],
    );
}

#[test]
fn tags_and_host_names() {
    check(
        tagging(S3, &[("a".to_owned(), "<1>".to_owned())]),
        expect![[r#"
        <Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <TagSet>
        <Tag>
        <Key>a</Key>
        <Value>&lt;1&gt;</Value>
        </Tag>
        </TagSet>
        </Tagging>"#]],
    );
    check(
        cnames(&a_bucket(), &[("data.kpu.example".to_owned(), now())]),
        expect![[r#"
        <ListCnameResult>
        <Bucket>pemilu</Bucket>
        <Owner>1000000000000001</Owner>
        <Cname>
        <Domain>data.kpu.example</Domain>
        <LastModified>2026-01-02T03:04:05.000Z</LastModified>
        <Status>Enabled</Status>
        </Cname>
        </ListCnameResult>"#]],
    );
}

#[test]
fn what_there_is_none_of() {
    check(
        live_channels("", "", 100),
        expect![[r#"
        <ListLiveChannelResult>
        <Prefix>
        </Prefix>
        <Marker>
        </Marker>
        <MaxKeys>100</MaxKeys>
        <IsTruncated>false</IsTruncated>
        </ListLiveChannelResult>"#]],
    );
    check(
        default_configuration(S3, "RequestPaymentConfiguration", &[("Payer", "BucketOwner")]),
        expect![[r#"
        <RequestPaymentConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Payer>BucketOwner</Payer>
        </RequestPaymentConfiguration>"#]],
    );
}

#[test]
fn what_writes_answer() {
    let stored = Stored {
        etag: tag(2),
        crc64: 7,
        size: 5,
        modified: now(),
        checksums: vec![Checksum {
            algorithm: Algorithm::Crc32,
            value: vec![0, 0, 0, 1],
            parts: 2,
        }],
        encryption: None,
        expires: None,
        version: None,
    };
    check(
        copy(OSS, &stored),
        expect![[r#"
        <CopyObjectResult>
        <LastModified>2026-01-02T03:04:05.000Z</LastModified>
        <ETag>&quot;ABABABABABABABABABABABABABABABAB-2&quot;</ETag>
        </CopyObjectResult>"#]],
    );
    check(
        complete(S3, "http://h/pemilu/k", "pemilu", "k", &stored),
        expect![[r#"
        <CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Location>http://h/pemilu/k</Location>
        <Bucket>pemilu</Bucket>
        <Key>k</Key>
        <ETag>&quot;abababababababababababababababab-2&quot;</ETag>
        <ChecksumCRC32>AAAAAQ==-2</ChecksumCRC32>
        <ChecksumType>COMPOSITE</ChecksumType>
        </CompleteMultipartUploadResult>"#]],
    );
    check(
        initiate(Style { encoded: true, ..OSS }, "pemilu", "a/b", "U1"),
        expect![[r#"
        <InitiateMultipartUploadResult>
        <EncodingType>url</EncodingType>
        <Bucket>pemilu</Bucket>
        <Key>a%2Fb</Key>
        <UploadId>U1</UploadId>
        </InitiateMultipartUploadResult>"#]],
    );
}

#[test]
fn what_deleting_many_answers() {
    let outcome =
        |key: &str, refused| Outcome { key: key.to_owned(), version: None, marker: None, refused };
    let outcomes =
        [outcome("gone", None), outcome("kept", Some(ApiError::new(&error::ACCESS_DENIED)))];
    check(
        deleted(S3, false, &outcomes),
        expect![[r#"
        <DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Deleted>
        <Key>gone</Key>
        </Deleted>
        <Error>
        <Key>kept</Key>
        <Code>AccessDenied</Code>
        <Message>You have no right to access this object.</Message>
        </Error>
        </DeleteResult>"#]],
    );
    check(
        deleted(S3, true, &outcomes),
        expect![[r#"
        <DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Error>
        <Key>kept</Key>
        <Code>AccessDenied</Code>
        <Message>You have no right to access this object.</Message>
        </Error>
        </DeleteResult>"#]],
    );
}
