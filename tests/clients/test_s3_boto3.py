"""Object storage through `boto3`, over S3: signed, presigned, chunked and checked in every way."""

import base64
import hashlib
import io
import os
import zlib

import pytest
import requests
from botocore.exceptions import ClientError

from support import Key, unique


@pytest.fixture
def s3(clients):
    return clients.s3()


def refused(call):
    with pytest.raises(ClientError) as error:
        call()
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_an_object_is_read_back_with_its_meaning(s3, bucket):
    body = os.urandom(70_000)
    meaning = {
        "ContentType": "text/x-tps",
        "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="tps.json"',
        "ContentLanguage": "id",
        "Metadata": {"province": "papua barat daya"},
    }
    put = s3.put_object(Bucket=bucket, Key="data/31.json", Body=body, **meaning)
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="data/31.json")
    assert got["Body"].read() == body
    head = s3.head_object(Bucket=bucket, Key="data/31.json")
    for name, value in meaning.items():
        assert got[name] == head[name] == value
    assert head["ContentLength"] == len(body)
    assert head["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize("sha256", [True, False])
def test_a_payload_may_be_signed_or_not(clients, bucket, sha256):
    s3 = clients.s3(s3={"payload_signing_enabled": sha256})
    body = os.urandom(10_000)
    s3.put_object(Bucket=bucket, Key="signed", Body=body)
    assert s3.get_object(Bucket=bucket, Key="signed")["Body"].read() == body


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_in_headers_and_trailers_are_kept(s3, bucket, algorithm):
    """Over TLS this client streams the body in chunks with the checksum in a trailer."""
    body = os.urandom(200_000)
    put = s3.put_object(
        Bucket=bucket, Key="sum", Body=io.BytesIO(body), ChecksumAlgorithm=algorithm
    )
    name = f"Checksum{algorithm}"
    got = s3.get_object(Bucket=bucket, Key="sum", ChecksumMode="ENABLED")
    assert got["Body"].read() == body
    assert put[name] == got[name]
    if algorithm == "CRC32":
        assert got[name] == base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def test_a_wrong_checksum_is_refused_and_stores_nothing(s3, bucket):
    wrong = base64.b64encode(zlib.crc32(b"other").to_bytes(4, "big")).decode()
    status, code = refused(
        lambda: s3.put_object(Bucket=bucket, Key="wrong", Body=b"body", ChecksumCRC32=wrong)
    )
    assert (status, code) == (400, "BadDigest")
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    assert refused(
        lambda: s3.put_object(Bucket=bucket, Key="wrong", Body=b"body", ContentMD5=md5)
    ) == (400, "BadDigest")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_what_is_not_there_is_told(s3, bucket):
    assert refused(lambda: s3.get_object(Bucket=bucket, Key="gone")) == (404, "NoSuchKey")
    assert refused(lambda: s3.head_object(Bucket=bucket, Key="gone")) == (404, "404")
    nowhere = unique("nowhere")
    assert refused(lambda: s3.get_object(Bucket=nowhere, Key="a")) == (404, "NoSuchBucket")
    assert refused(lambda: s3.head_bucket(Bucket=nowhere)) == (404, "404")
    s3.delete_object(Bucket=bucket, Key="gone")


def test_wrong_keys_are_refused(clients, cloud, bucket):
    for key, code in (
        (Key("nobody", "x"), "InvalidAccessKeyId"),
        (cloud.root.with_secret("wrong"), "SignatureDoesNotMatch"),
    ):
        s3 = clients.s3(key)
        assert refused(lambda: s3.get_object(Bucket=bucket, Key="a")) == (403, code)


@pytest.mark.parametrize(
    "wanted, expect",
    [("bytes=0-0", slice(0, 1)), ("bytes=10-19", slice(10, 20)), ("bytes=90-", slice(90, None)),
     ("bytes=-7", slice(-7, None)), ("bytes=50-1000", slice(50, None))],
)
def test_ranges_are_cut_out(s3, bucket, wanted, expect):
    body = bytes(range(100))
    s3.put_object(Bucket=bucket, Key="range", Body=body)
    got = s3.get_object(Bucket=bucket, Key="range", Range=wanted)
    assert got["Body"].read() == body[expect]
    first = expect.start if expect.start >= 0 else 100 + expect.start
    last = min(expect.stop or 100, 100) - 1
    assert got["ContentRange"] == f"bytes {first}-{last}/100"
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_a_range_outside_is_refused(s3, bucket):
    s3.put_object(Bucket=bucket, Key="range", Body=b"0123456789")
    status, code = refused(
        lambda: s3.get_object(Bucket=bucket, Key="range", Range="bytes=20-30")
    )
    assert (status, code) == (416, "InvalidRange")


def test_conditions_are_weighed(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="c", Body=b"one")["ETag"]

    def get(**condition):
        return s3.get_object(Bucket=bucket, Key="c", **condition)["Body"].read()

    assert get(IfMatch=etag) == b"one"
    assert refused(lambda: get(IfNoneMatch=etag))[0] == 304
    assert refused(lambda: get(IfMatch='"0"')) == (412, "PreconditionFailed")
    assert refused(lambda: get(IfUnmodifiedSince="2001-01-01")) == (412, "PreconditionFailed")
    assert get(IfModifiedSince="2001-01-01") == b"one"


def test_a_put_may_depend_on_what_is_there(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="once", Body=b"one", IfNoneMatch="*")["ETag"]
    assert refused(
        lambda: s3.put_object(Bucket=bucket, Key="once", Body=b"two", IfNoneMatch="*")
    ) == (412, "PreconditionFailed")
    assert refused(
        lambda: s3.put_object(Bucket=bucket, Key="once", Body=b"two", IfMatch='"0"')
    ) == (412, "PreconditionFailed")
    s3.put_object(Bucket=bucket, Key="once", Body=b"two", IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="once")["Body"].read() == b"two"


def test_a_copy_has_the_bytes_and_the_wanted_meaning(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a +%ü", Body=b"copied", Metadata={"a": "1"})
    source = {"Bucket": bucket, "Key": "a +%ü"}
    s3.copy_object(Bucket=bucket, Key="b", CopySource=source)
    assert s3.head_object(Bucket=bucket, Key="b")["Metadata"] == {"a": "1"}
    s3.copy_object(
        Bucket=bucket, Key="b", CopySource=source, MetadataDirective="REPLACE",
        Metadata={"b": "2"},
    )
    got = s3.get_object(Bucket=bucket, Key="b")
    assert (got["Body"].read(), got["Metadata"]) == (b"copied", {"b": "2"})
    etag = got["ETag"]
    assert refused(
        lambda: s3.copy_object(
            Bucket=bucket, Key="c", CopySource=source, CopySourceIfNoneMatch=etag
        )
    ) == (412, "PreconditionFailed")


NAMES = ["a", "a/1", "a/2", "a/b/1", "b/1", "c c", "c+c", "ü/1", "z"]


@pytest.fixture
def listed(s3, bucket):
    for name in NAMES:
        s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
    return s3


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_a_listing_is_ordered_and_complete_page_by_page(listed, bucket, operation):
    pages = list(
        listed.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
    )
    seen = [item["Key"] for page in pages for item in page["Contents"]]
    assert seen == sorted(NAMES, key=str.encode)
    assert len(pages) == 5


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_delimiter_folds_what_is_below(listed, bucket, operation, size):
    pages = list(
        listed.get_paginator(operation).paginate(
            Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size}
        )
    )
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    folds = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
    assert (keys, folds) == (["a", "c c", "c+c", "z"], ["a/", "b/", "ü/"])


def test_a_listing_may_begin_after_a_key(listed, bucket):
    after = listed.list_objects_v2(Bucket=bucket, StartAfter="b/1", FetchOwner=True)
    assert [item["Key"] for item in after["Contents"]] == ["c c", "c+c", "z", "ü/1"]
    assert after["KeyCount"] == 4
    assert after["Contents"][0]["Owner"]["ID"]
    assert refused(lambda: listed.list_objects_v2(Bucket=bucket, ContinuationToken="nonsense"))[
        0
    ] == 400


PART = 5 << 20


def test_a_multipart_upload_becomes_one_object(s3, bucket):
    parts = [os.urandom(PART), os.urandom(PART), os.urandom(17)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m/ü", Metadata={"a": "1"})["UploadId"]
    common = {"Bucket": bucket, "Key": "m/ü", "UploadId": upload}
    done = [
        {"PartNumber": n, "ETag": s3.upload_part(PartNumber=n, Body=body, **common)["ETag"]}
        for n, body in enumerate(parts, 1)
    ]
    assert [part["Size"] for part in s3.list_parts(**common)["Parts"]] == [PART, PART, 17]
    assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    joined = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    answer = s3.complete_multipart_upload(MultipartUpload={"Parts": done}, **common)
    assert answer["ETag"] == f'"{joined}-3"'
    got = s3.get_object(Bucket=bucket, Key="m/ü")
    assert got["Body"].read() == b"".join(parts)
    assert (got["Metadata"], got["ETag"]) == ({"a": "1"}, f'"{joined}-3"')
    middle = s3.get_object(Bucket=bucket, Key="m/ü", Range=f"bytes={PART - 3}-{PART + 2}")
    assert middle["Body"].read() == parts[0][-3:] + parts[1][:3]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_multipart_upload_is_refused_when_it_is_not_whole(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    common = {"Bucket": bucket, "Key": "m", "UploadId": upload}
    small = [
        {"PartNumber": n, "ETag": s3.upload_part(PartNumber=n, Body=b"small", **common)["ETag"]}
        for n in (1, 2)
    ]

    def complete(parts):
        return lambda: s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **common)

    assert refused(complete(small)) == (400, "EntityTooSmall")
    assert refused(complete(small[::-1])) == (400, "InvalidPartOrder")
    assert refused(complete([{"PartNumber": 1, "ETag": '"0"'}])) == (400, "InvalidPart")
    s3.abort_multipart_upload(**common)
    assert refused(complete(small)) == (404, "NoSuchUpload")
    assert refused(lambda: s3.head_object(Bucket=bucket, Key="m"))[0] == 404


@pytest.mark.slow
def test_the_transfer_manager_agrees_with_itself(s3, bucket, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(20 << 20))
    s3.upload_file(str(source), bucket, "big")
    s3.download_file(bucket, "big", str(target))
    assert target.read_bytes() == source.read_bytes()
    s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "copy")
    assert s3.head_object(Bucket=bucket, Key="copy")["ContentLength"] == 20 << 20


def test_many_objects_are_deleted_at_once(s3, bucket):
    names = ["plain", "with space", "ü&<>\"'"]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    asked = [{"Key": name} for name in [*names, "never-there"]]
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": asked})
    assert {item["Key"] for item in done["Deleted"]} == {*names, "never-there"}
    assert "Errors" not in done
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("signature", ["s3v4", "s3"])
def test_a_presigned_url_opens_to_anybody(clients, cloud, bucket, signature):
    s3 = clients.s3(signature_version=signature)
    target = {"Bucket": bucket, "Key": "pre signed/ü+%"}
    url = s3.generate_presigned_url("put_object", Params=target, ExpiresIn=60)
    put = requests.put(url, data=b"given", verify=cloud.ca_cert, timeout=30)
    assert put.status_code == 200, put.text
    url = s3.generate_presigned_url("get_object", Params=target, ExpiresIn=60)
    assert requests.get(url, verify=cloud.ca_cert, timeout=30).content == b"given"
    changed = requests.get(url.replace("signed", "sighed", 1), verify=cloud.ca_cert, timeout=30)
    assert changed.status_code == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in changed.content


def test_buckets_are_made_listed_and_removed(s3, cloud):
    name = unique("bucket")
    s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": cloud.region}
    )
    s3.head_bucket(Bucket=name)
    assert name in [item["Name"] for item in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == cloud.region
    assert refused(lambda: s3.create_bucket(Bucket=name)) == (409, "BucketAlreadyOwnedByYou")
    s3.put_object(Bucket=name, Key="a", Body=b"x")
    assert refused(lambda: s3.delete_bucket(Bucket=name)) == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=name, Key="a")
    s3.delete_bucket(Bucket=name)
    assert refused(lambda: s3.head_bucket(Bucket=name))[0] == 404


def test_the_bucket_may_be_in_the_host_name(clients, bucket):
    for host in ("localhost", "s3.localhost"):
        s3 = clients.s3(host=host, addressing="virtual")
        s3.put_object(Bucket=bucket, Key="v/ü", Body=host.encode())
        assert s3.get_object(Bucket=bucket, Key="v/ü")["Body"].read() == host.encode()


@pytest.mark.parametrize("key", ["../up", "a/../b", "./a", "a/./b", "..", "a/.."])
def test_dots_in_a_key_never_leave_the_bucket(s3, bucket, key):
    """Either they are plain characters of the key or they are refused; they are never walked."""
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=b"dots")
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    else:
        assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"dots"
        s3.delete_object(Bucket=bucket, Key=key)


def test_a_key_beyond_the_limit_is_refused(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k" * 1023, Body=b"x")
    status, code = refused(lambda: s3.put_object(Bucket=bucket, Key="k" * 1025, Body=b"x"))
    assert (status, code) == (400, "KeyTooLongError")


def test_versions_are_kept_listed_and_deleted(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="v", Body=b"0")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    first = s3.put_object(Bucket=bucket, Key="v", Body=b"1")["VersionId"]
    deleted = s3.delete_object(Bucket=bucket, Key="v")
    assert deleted["DeleteMarker"] is True
    assert refused(lambda: s3.get_object(Bucket=bucket, Key="v")) == (404, "NoSuchKey")
    marker = deleted["VersionId"]
    assert refused(lambda: s3.get_object(Bucket=bucket, Key="v", VersionId=marker)) == (
        405,
        "MethodNotAllowed",
    )
    for version, body in (("null", b"0"), (first, b"1")):
        got = s3.get_object(Bucket=bucket, Key="v", VersionId=version)
        assert (got["VersionId"], got["Body"].read()) == (version, body)

    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 1}
    )
    lines = [
        (line["VersionId"], line["IsLatest"])
        for page in pages
        for line in page.get("DeleteMarkers", []) + page.get("Versions", [])
    ]
    assert lines == [(marker, True), (first, False), ("null", False)]
    done = s3.delete_objects(
        Bucket=bucket,
        Delete={"Objects": [{"Key": "v", "VersionId": version} for version, _ in lines]},
    )
    assert "Errors" not in done
    assert {line["VersionId"] for line in done["Deleted"]} == {version for version, _ in lines}
    left = s3.list_object_versions(Bucket=bucket)
    assert "Versions" not in left and "DeleteMarkers" not in left
