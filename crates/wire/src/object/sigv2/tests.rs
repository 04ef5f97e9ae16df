#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
//! The worked examples of the Amazon S3 developer guide ("Signing and authenticating REST requests").

use base::{Secret, Time};

use super::super::Resource;
use super::super::auth::{Auth, parse};
use super::super::tests::{head, headers};
use super::*;

#[test]
fn sub_resources_are_sorted_so_that_the_search_finds_each() {
    assert!(SUB_RESOURCES.is_sorted_by(|a, b| a < b));
}

fn check(
    method: &str,
    target: &str,
    resource: Resource<'_>,
    pairs: &[(&str, &str)],
    now: &str,
    signature: &str,
) {
    let value = format!("AWS AKIAIOSFODNN7EXAMPLE:{signature}");
    let mut pairs = pairs.to_vec();
    pairs.push(("authorization", &value));
    let headers = headers(&pairs);
    let now = Time::parse_http(now).unwrap();
    let auth =
        parse(&head(method, target, &headers), Dialect::S3, &resource, "us-east-1", now).unwrap();
    let Auth::Signed(signed) = auth else { panic!("the request is signed") };
    signed.verify(&Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned())).unwrap();
}

#[test]
fn the_examples_of_the_guide_are_verified() {
    let puppy = Resource { bucket: Some("awsexamplebucket1"), key: Some(b"photos/puppy.jpg") };
    let date = "Tue, 27 Mar 2007 19:36:42 +0000";
    let pairs = [("host", "awsexamplebucket1.us-west-1.s3.amazonaws.com"), ("date", date)];
    let now = "Tue, 27 Mar 2007 19:36:42 GMT";
    check("GET", "/photos/puppy.jpg", puppy, &pairs, now, "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=");
    let date = "Tue, 27 Mar 2007 21:15:45 +0000";
    let pairs = [("content-type", "image/jpeg"), ("content-length", "94328"), ("date", date)];
    let now = "Tue, 27 Mar 2007 21:15:45 GMT";
    check("PUT", "/photos/puppy.jpg", puppy, &pairs, now, "iqRzw+ileNPu1fhspnRs8nOjjIA=");
}

#[test]
fn the_bucket_is_added_to_the_path_only_where_it_stood_in_the_host() {
    let check = |path: &str, bucket: &str, key: Option<&[u8]>, expect: &[u8]| {
        let headers = http::HeaderMap::new();
        let asked = Asked {
            head: head("GET", path, &headers),
            pairs: super::super::canonical::Pairs::parse(""),
            resource: Resource { bucket: Some(bucket), key },
            region: "",
            now: Time::from_secs(0),
        };
        let mut text = Vec::new();
        push_resource(&mut text, &asked, "");
        assert_eq!(text, expect);
    };
    check("/b/k", "b", Some(b"k"), b"/b/k");
    check("/k", "b", Some(b"k"), b"/b/k");
    check("/b/k", "b", Some(b"b/k"), b"/b/b/k");
    check("/b", "b", None, b"/b");
    check("/b/", "b", None, b"/b/");
    check("/b", "b", Some(b"b"), b"/b/b");
    check("/", "b", None, b"/b/");
}

#[test]
fn a_signed_parameter_holds_no_control_characters() {
    let check = |query: &str| {
        let headers = headers(&[("host", "a")]);
        let target = format!("/b/k?AWSAccessKeyId=id&Expires=60&Signature=AAAA&{query}");
        let resource = Resource { bucket: Some("b"), key: Some(b"k") };
        let head = head("GET", &target, &headers);
        let read = parse(&head, Dialect::S3, &resource, "us-east-1", Time::from_secs(0));
        read.map(drop).map_err(|refused| refused.code().to_owned())
    };
    for query in ["x-amz-meta-a=b%20c", "response-content-type=text%2Fplain", "other=%0A"] {
        assert_eq!(check(query), Ok(()), "{query}");
    }
    for query in [
        "x-amz-meta-a=b%0Ax-amz-acl:public-read",
        "x-amz-meta-a%0Ab=c",
        "x-amz-meta-a=%0D",
        "response-content-type=a%0Ab",
        "uploadId=%00",
    ] {
        assert_eq!(check(query), Err("InvalidArgument".to_owned()), "{query}");
    }
}
