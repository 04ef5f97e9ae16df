#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use expect_test::{Expect, expect};
use proptest::prelude::*;
use wire::object::Dialect;

use super::*;

/// Finds the operation of each line `METHOD target`, in one dialect.
fn check(dialect: Dialect, lines: &str, expect: Expect) {
    let mut told = String::new();
    for line in lines.split('\n').map(str::trim).filter(|line| !line.is_empty()) {
        let (method, target) = line.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let scope = match path.trim_start_matches('/').split_once('/') {
            None if path == "/" => Scope::Service,
            None | Some((_, "")) => Scope::Bucket,
            Some(_) => Scope::Object,
        };
        let found = parse(dialect, method, scope, &Query::parse(query), false);
        let found = found.map_or_else(
            |refused| refused.code().to_owned(),
            |operation| operation.name().to_owned(),
        );
        told.push_str(&format!("{line:<40} {found}\n"));
    }
    expect.assert_eq(&told);
}

#[test]
fn oss_requests_find_their_operation() {
    check(
        Dialect::Oss,
        "GET /
         GET /?regions
         GET /?prefix=a&max-keys=1
         PUT /b
         GET /b?bucketInfo
         GET /b?stat
         GET /b?list-type=2&prefix=x
         GET /b?prefix=acl
         GET /b?live
         POST /b?delete&encoding-type=url
         POST /b?cname&comp=add
         POST /b?cname&comp=token
         GET /b?lifecycle
         PUT /b?lifecycle
         POST /b
         GET /b/k?x-oss-process=style
         HEAD /b/k?objectMeta
         POST /b?worm
         POST /b?wormId=W
         POST /b?wormId=W&wormExtend
         POST /b?wormExtend&wormId=W
         PUT /b/k?legalHold
         POST /b/k?append&position=1
         PUT /b/k?symlink
         PUT /b/k?partNumber=1&uploadId=U
         PUT /b/k?uploadId=U
         PUT /b/k?partNumber=1
         GET /b/k?uploadId=U&max-parts=1
         POST /b/k?uploads&sequential
         DELETE /b/k?versionId=null
         GET /b/k?unknown=1",
        expect![[r#"
            GET /                                    ListBuckets
            GET /?regions                            DescribeRegions
            GET /?prefix=a&max-keys=1                ListBuckets
            PUT /b                                   PutBucket
            GET /b?bucketInfo                        GetBucketInfo
            GET /b?stat                              GetBucketStat
            GET /b?list-type=2&prefix=x              ListObjectsV2
            GET /b?prefix=acl                        ListObjects
            GET /b?live                              ListLiveChannel
            POST /b?delete&encoding-type=url         DeleteMultipleObjects
            POST /b?cname&comp=add                   PutCname
            POST /b?cname&comp=token                 CreateCnameToken
            GET /b?lifecycle                         GetBucketConfiguration
            PUT /b?lifecycle                         PutBucketConfiguration
            POST /b                                  PostObject
            GET /b/k?x-oss-process=style             GetObject
            HEAD /b/k?objectMeta                     GetObjectMeta
            POST /b?worm                             InitiateBucketWorm
            POST /b?wormId=W                         CompleteBucketWorm
            POST /b?wormId=W&wormExtend              ExtendBucketWorm
            POST /b?wormExtend&wormId=W              ExtendBucketWorm
            PUT /b/k?legalHold                       PutObjectLegalHold
            POST /b/k?append&position=1              AppendObject
            PUT /b/k?symlink                         PutSymlink
            PUT /b/k?partNumber=1&uploadId=U         UploadPart
            PUT /b/k?uploadId=U                      InvalidArgument
            PUT /b/k?partNumber=1                    NotImplemented
            GET /b/k?uploadId=U&max-parts=1          ListParts
            POST /b/k?uploads&sequential             InitiateMultipartUpload
            DELETE /b/k?versionId=null               DeleteObject
            GET /b/k?unknown=1                       GetObject
        "#]],
    );
}

#[test]
fn s3_requests_find_their_operation() {
    check(
        Dialect::S3,
        "GET /?x-id=ListBuckets
         PUT /
         HEAD /b
         GET /b?location
         GET /b?versions
         GET /b?bucketInfo
         GET /b?object-lock
         DELETE /b?policy
         GET /b?metrics&id=1
         PATCH /b
         HEAD /b?acl
         GET /b/k?attributes
         PUT /b/k?tagging
         PUT /b/k?x-id=PutObject
         PUT /b/k?retention
         POST /b/k?select&select-type=2
         OPTIONS /b/k",
        expect![[r#"
            GET /?x-id=ListBuckets                   ListBuckets
            PUT /                                    MethodNotAllowed
            HEAD /b                                  HeadBucket
            GET /b?location                          GetBucketLocation
            GET /b?versions                          ListObjectVersions
            GET /b?bucketInfo                        ListObjects
            GET /b?object-lock                       GetObjectLock
            DELETE /b?policy                         DeleteBucketPolicy
            GET /b?metrics&id=1                      GetBucketConfiguration
            PATCH /b                                 MethodNotAllowed
            HEAD /b?acl                              NotImplemented
            GET /b/k?attributes                      GetObjectAttributes
            PUT /b/k?tagging                         PutObjectTagging
            PUT /b/k?x-id=PutObject                  PutObject
            PUT /b/k?retention                       PutObjectRetention
            POST /b/k?select&select-type=2           NotImplemented
            OPTIONS /b/k                             OptionObject
        "#]],
    );
}

#[test]
fn a_source_makes_a_put_a_copy() {
    let found =
        |query: &str| parse(Dialect::S3, "PUT", Scope::Object, &Query::parse(query), true).unwrap();
    assert_eq!(found(""), Operation::CopyObject);
    assert_eq!(found("partNumber=1&uploadId=U"), Operation::UploadPartCopy);
}

proptest! {
    /// Whatever the query says, a request that stores or deletes is never taken for another one of
    /// an object: a sub-resource that is not known to the method is refused.
    #[test]
    fn a_sub_resource_never_falls_back_to_the_object(name in proptest::sample::select(SHARED), method in "PUT|DELETE") {
        let found = parse(Dialect::Oss, &method, Scope::Object, &Query::parse(name), false);
        let plain = matches!(found, Ok(Operation::PutObject | Operation::DeleteObject));
        prop_assert!(!plain);
    }

    #[test]
    fn any_query_is_taken(query: String, method in "GET|PUT|POST|DELETE|HEAD|[A-Z]{1,8}") {
        for dialect in [Dialect::Oss, Dialect::S3] {
            for scope in [Scope::Service, Scope::Bucket, Scope::Object] {
                let _ = parse(dialect, &method, scope, &Query::parse(&query), false);
            }
        }
    }
}
