#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use proptest::prelude::*;

use super::*;

fn malformed<T: std::fmt::Debug>(answer: Result<T, ApiError>) {
    assert_eq!(answer.unwrap_err().code(), "MalformedXML");
}

#[test]
fn parts_are_read_with_etags_and_checksums() {
    let body = b"<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
        <Part><ETag>&quot;ab&quot;</ETag><PartNumber>1</PartNumber><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>\
        <Part><PartNumber> 10000 </PartNumber><ETag>\"cd\"</ETag></Part></CompleteMultipartUpload>";
    let part = |number, etag: &str, checksums: &[(Algorithm, &str)]| Part {
        number,
        etag: etag.to_owned(),
        checksums: checksums
            .iter()
            .map(|(algorithm, value)| (*algorithm, (*value).to_owned()))
            .collect(),
    };
    assert_eq!(
        complete_multipart_upload(body).unwrap(),
        [part(1, "ab", &[(Algorithm::Crc32, "AAAAAA==")]), part(10_000, "cd", &[])]
    );
    malformed(complete_multipart_upload(b""));
    malformed(complete_multipart_upload(b"<CompleteMultipartUpload/>"));
    malformed(complete_multipart_upload(
        b"<CompleteMultipartUpload><Part><ETag>a</ETag></Part></CompleteMultipartUpload>",
    ));
    malformed(complete_multipart_upload(
        b"<CompleteMultipartUpload><Part><PartNumber>x</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>",
    ));
    let many = "<Part><PartNumber>1</PartNumber><ETag>a</ETag></Part>".repeat(PARTS_MAX + 1);
    malformed(complete_multipart_upload(
        format!("<CompleteMultipartUpload>{many}</CompleteMultipartUpload>").as_bytes(),
    ));
}

#[test]
fn keys_to_delete_keep_their_spaces() {
    let body = b"<Delete><Quiet>true</Quiet><Object><Key> a&amp;b </Key></Object>\
        <Object><Key>c</Key><VersionId>v1</VersionId></Object></Delete>";
    let object = |key: &str, version: Option<&str>| DeleteObject {
        key: key.to_owned(),
        version_id: version.map(str::to_owned),
        ..DeleteObject::default()
    };
    assert_eq!(
        delete(body).unwrap(),
        Delete { quiet: true, objects: vec![object(" a&b ", None), object("c", Some("v1"))] }
    );
    let object = "<Object><Key>k</Key></Object>";
    assert!(
        delete(format!("<Delete>{}</Delete>", object.repeat(DELETE_KEYS_MAX)).as_bytes()).is_ok()
    );
    malformed(delete(
        format!("<Delete>{}</Delete>", object.repeat(DELETE_KEYS_MAX + 1)).as_bytes(),
    ));
    malformed(delete(b"<Delete><Quiet>true</Quiet></Delete>"));
    malformed(delete(b"<Delete><Quiet>maybe</Quiet><Object><Key>k</Key></Object></Delete>"));
    malformed(delete(b"<Delete><Object><VersionId>k</VersionId></Object></Delete>"));
}

#[test]
fn a_bucket_is_made_as_its_dialect_asks() {
    let body = b"<CreateBucketConfiguration><StorageClass>IA</StorageClass><DataRedundancyType>ZRS</DataRedundancyType>\
        <LocationConstraint>eu</LocationConstraint></CreateBucketConfiguration>";
    let oss = create_bucket(body, Dialect::Oss).unwrap();
    assert_eq!(
        (oss.storage_class.as_deref(), oss.redundancy.as_deref(), oss.location.as_deref()),
        (Some("IA"), Some("ZRS"), Some("eu"))
    );
    let s3 = create_bucket(body, Dialect::S3).unwrap();
    assert_eq!((s3.storage_class, s3.redundancy, s3.location.as_deref()), (None, None, Some("eu")));
    assert_eq!(create_bucket(b" \n", Dialect::S3).unwrap(), CreateBucket::default());
    malformed(create_bucket(b"<Other/>", Dialect::S3));
}

#[test]
fn tags_versioning_and_grants_are_read() {
    let body = b"<Tagging><TagSet><Tag><Key>a</Key><Value/></Tag><Tag><Key>b</Key><Value>2</Value></Tag></TagSet></Tagging>";
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(tagging(body).unwrap(), [pair("a", ""), pair("b", "2")]);
    malformed(tagging(b"<Tagging/>"));
    malformed(tagging(b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>"));

    let status = |word: &str| {
        format!("<VersioningConfiguration><Status>{word}</Status></VersioningConfiguration>")
    };
    assert_eq!(versioning(status("Enabled").as_bytes()).unwrap(), Versioning::Enabled);
    assert_eq!(versioning(status("Suspended").as_bytes()).unwrap(), Versioning::Suspended);
    malformed(versioning(status("enabled").as_bytes()));
    malformed(versioning(b"<VersioningConfiguration/>"));

    let acl = |grantee: &str, permission: &str| {
        access_control(
            format!(
                "<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList><Grant><Grantee \
                 xmlns:xsi=\"x\" xsi:type=\"y\">{grantee}</Grantee><Permission>{permission}</Permission></Grant>\
                 </AccessControlList></AccessControlPolicy>"
            )
            .as_bytes(),
        )
    };
    let read = acl("<URI>all</URI>", "READ").unwrap();
    assert_eq!(read.owner.as_deref(), Some("o"));
    assert_eq!(
        read.grants,
        [Grant { grantee: Grantee::Group("all".to_owned()), permission: "READ".to_owned() }]
    );
    assert_eq!(acl("<ID>1</ID>", "WRITE").unwrap().grants[0].grantee, Grantee::Id("1".to_owned()));
    malformed(acl("<ID>1</ID>", "EVERYTHING"));
    malformed(acl("", "READ"));
}

#[test]
fn a_copy_source_names_bucket_key_and_version() {
    let check = |value: &str, bucket: &str, key: &str, version: Option<&str>| {
        let (found, object) = copy_source(value, Dialect::S3).unwrap();
        assert_eq!(
            (found.as_str(), object.key.as_str(), object.version_id.as_deref()),
            (bucket, key, version)
        );
    };
    check("/b/dir/k%20%3F", "b", "dir/k ?", None);
    check("b/k?versionId=a%2Bb", "b", "k", Some("a+b"));
    check("%2Fb%2Fdir%2Fk", "b", "dir/k", None);
    for value in ["", "/", "b", "/b/", "//k", "%FF/x"] {
        assert_eq!(
            copy_source(value, Dialect::Oss).unwrap_err().code(),
            "InvalidArgument",
            "{value}"
        );
    }
    assert_eq!(copy_source("/b/../k", Dialect::Oss).unwrap_err().code(), "InvalidObjectName");
}

proptest! {
    #[test]
    fn any_bytes_are_taken_without_panic(body: Vec<u8>, text: String) {
        let _ = (complete_multipart_upload(&body), delete(&body), create_bucket(&body, Dialect::S3));
        let _ = (tagging(&body), versioning(&body), access_control(&body), copy_source(&text, Dialect::Oss));
    }
}
