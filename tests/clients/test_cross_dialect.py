"""One store behind two dialects: what goes in through one comes out of the other, byte for byte,
under exactly the same key."""

import hashlib
import os

import alibabacloud_oss_v2 as oss
import oss2
import pytest

KEYS = [
    "plain",
    "with space",
    "a+b",
    "100%",
    "%41 is not A",
    "%2F",
    "a//b",
    "a/",
    "dir/file.json",
    "ünïcödé",
    "u\u0308 is not ü",
    "東京/渋谷",
    "🗳️/suara.json",
    "&<>\"'",
    "a?b=c&d#e",
    "semi;colon,comma:colon",
    "[brackets]{braces}|^`\\",
    "~tilde-_.!*'()",
    "=$@",
    "k" * 1023,
]


@pytest.fixture(params=KEYS, ids=lambda key: ascii(key[:20]))
def key(request):
    return request.param


def test_what_oss_writes_s3_reads(clients, bucket, key):
    body = os.urandom(1000)
    for version in ("v1", "v4"):
        clients.oss2(bucket, version).put_object(key, body + version.encode())
        got = clients.s3().get_object(Bucket=bucket, Key=key)["Body"].read()
        assert got == body + version.encode()
    listed = clients.s3().list_objects_v2(Bucket=bucket)["Contents"]
    assert [item["Key"] for item in listed] == [key]


def test_what_s3_writes_oss_reads(clients, bucket, key):
    body = os.urandom(1000)
    clients.s3().put_object(Bucket=bucket, Key=key, Body=body)
    for version in ("v1", "v4"):
        assert clients.oss2(bucket, version).get_object(key).read() == body
        request = oss.GetObjectRequest(bucket=bucket, key=key)
        assert clients.oss_v2(version).get_object(request).body.content == body
    assert [item.key for item in oss2.ObjectIterator(clients.oss2(bucket))] == [key]


def test_both_dialects_list_the_same_in_the_same_order(clients, bucket):
    s3, store = clients.s3(), clients.oss2(bucket)
    for number, key in enumerate(KEYS):
        if number % 2:
            s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        else:
            store.put_object(key, b"x")
    ordered = sorted(KEYS, key=str.encode)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 3}
    )
    assert [item["Key"] for page in pages for item in page["Contents"]] == ordered
    assert [item.key for item in oss2.ObjectIterator(store, max_keys=3)] == ordered
    assert [item.key for item in oss2.ObjectIteratorV2(store, max_keys=3)] == ordered


def test_meaning_crosses_over(clients, bucket):
    store, s3 = clients.oss2(bucket), clients.s3()
    headers = {
        "Content-Type": "application/x-tps",
        "Cache-Control": "no-store",
        "Content-Encoding": "identity",
        "x-oss-meta-kelurahan": "Gambir",
    }
    put = store.put_object("meaning", b"body", headers=headers)
    head = s3.head_object(Bucket=bucket, Key="meaning")
    assert (head["ContentType"], head["CacheControl"]) == ("application/x-tps", "no-store")
    assert head["Metadata"] == {"kelurahan": "Gambir"}
    # The same digest, in the case that each dialect's clients compare with.
    assert put.etag == hashlib.md5(b"body").hexdigest().upper()
    assert head["ETag"] == f'"{hashlib.md5(b"body").hexdigest()}"'
    s3.put_object(Bucket=bucket, Key="other", Body=b"body", Metadata={"kecamatan": "Gambir"})
    head = store.head_object("other")
    assert head.headers["x-oss-meta-kecamatan"] == "Gambir"
    assert head.server_crc == put.crc


def test_a_condition_of_one_dialect_sees_the_other(clients, bucket):
    store, s3 = clients.oss2(bucket), clients.s3()
    s3.put_object(Bucket=bucket, Key="once", Body=b"s3")
    with pytest.raises(oss2.exceptions.ServerError) as error:
        store.put_object("once", b"oss", headers={"x-oss-forbid-overwrite": "true"})
    assert error.value.code == "FileAlreadyExists"
    store.put_object("twice", b"oss")
    with pytest.raises(s3.exceptions.ClientError) as error:
        s3.put_object(Bucket=bucket, Key="twice", Body=b"s3", IfNoneMatch="*")
    assert error.value.response["Error"]["Code"] == "PreconditionFailed"


def test_buckets_are_the_same_buckets(clients, bucket):
    assert clients.oss2(bucket).get_bucket_info().name == bucket
    clients.oss2(bucket).put_object("a", b"x")
    s3 = clients.s3()
    assert bucket in [item["Name"] for item in s3.list_buckets()["Buckets"]]
    with pytest.raises(oss2.exceptions.BucketNotEmpty):
        clients.oss2(bucket).delete_bucket()


def test_an_upload_begun_in_one_dialect_is_seen_in_the_other(clients, bucket):
    store, s3 = clients.oss2(bucket), clients.s3()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="shared")["UploadId"]
    assert [item.upload_id for item in store.list_multipart_uploads().upload_list] == [upload]
    body = os.urandom(200 * 1024)
    done = store.upload_part("shared", upload, 1, body)
    store.complete_multipart_upload("shared", upload, [oss2.models.PartInfo(1, done.etag)])
    assert s3.get_object(Bucket=bucket, Key="shared")["Body"].read() == body
