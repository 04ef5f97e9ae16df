"""Object storage through `alibabacloud-oss-v2`, the current Python SDK, with signatures V1 and V4."""

import base64
import hashlib
import os

import alibabacloud_oss_v2 as oss
import pytest
import requests

from support import Key, unique


@pytest.fixture(params=["v1", "v4"])
def version(request):
    return request.param


@pytest.fixture
def client(clients, version):
    return clients.oss_v2(version)


def refused(call):
    """The service's own words on a call that it refuses."""
    with pytest.raises(oss.exceptions.OperationError) as error:
        call()
    told = error.value.unwrap()
    assert isinstance(told, oss.exceptions.ServiceError), told
    return told


def test_an_object_is_read_back_with_its_meaning(client, bucket):
    body = os.urandom(70_000)
    put = client.put_object(
        oss.PutObjectRequest(
            bucket=bucket, key="data/ü 31.json", body=body, content_type="text/x-tps",
            metadata={"province": "papua"},
        )
    )
    assert put.etag == f'"{hashlib.md5(body).hexdigest().upper()}"'
    got = client.get_object(oss.GetObjectRequest(bucket=bucket, key="data/ü 31.json"))
    assert got.body.content == body
    assert (got.content_type, got.metadata["province"]) == ("text/x-tps", "papua")
    assert got.hash_crc64 == put.hash_crc64
    head = client.head_object(oss.HeadObjectRequest(bucket=bucket, key="data/ü 31.json"))
    assert (head.content_length, head.object_type) == (len(body), "Normal")
    meta = client.get_object_meta(oss.GetObjectMetaRequest(bucket=bucket, key="data/ü 31.json"))
    assert (meta.content_length, meta.etag) == (len(body), put.etag)
    assert len(head.request_id) == 24


def test_what_is_not_there_is_told(client, bucket):
    told = refused(lambda: client.get_object(oss.GetObjectRequest(bucket=bucket, key="gone")))
    assert (told.status_code, told.code) == (404, "NoSuchKey")
    assert told.request_id and told.ec
    # A HEAD has no body: its error travels in a header.
    told = refused(lambda: client.head_object(oss.HeadObjectRequest(bucket=bucket, key="gone")))
    assert (told.status_code, told.code) == (404, "NoSuchKey")
    assert not client.is_object_exist(bucket, "gone")
    assert client.is_bucket_exist(bucket)
    assert not client.is_bucket_exist(unique("nowhere"))


def test_a_missing_bucket_is_told_before_a_wrong_key(clients, version):
    stranger = clients.oss_v2(version, Key("nobody", "x"))
    told = refused(
        lambda: stranger.get_object(oss.GetObjectRequest(bucket=unique("nowhere"), key="a"))
    )
    assert (told.status_code, told.code) == (404, "NoSuchBucket")


def test_wrong_keys_are_refused(clients, cloud, version, bucket):
    request = oss.GetObjectRequest(bucket=bucket, key="a")
    told = refused(lambda: clients.oss_v2(version, Key("nobody", "x")).get_object(request))
    assert (told.status_code, told.code) == (403, "InvalidAccessKeyId")
    wrong = clients.oss_v2(version, cloud.root.with_secret("wrong"))
    told = refused(lambda: wrong.get_object(request))
    assert (told.status_code, told.code) == (403, "SignatureDoesNotMatch")


def test_ranges_and_conditions(client, bucket):
    put = client.put_object(oss.PutObjectRequest(bucket=bucket, key="r", body=b"0123456789"))

    def get(**more):
        return client.get_object(oss.GetObjectRequest(bucket=bucket, key="r", **more))

    part = get(range_header="bytes=2-4")
    assert (part.status_code, part.body.content) == (206, b"234")
    assert part.content_range == "bytes 2-4/10"
    told = refused(lambda: get(range_header="bytes=20-", range_behavior="standard"))
    assert told.status_code == 416
    assert get(if_match=put.etag).body.content == b"0123456789"
    assert refused(lambda: get(if_none_match=put.etag)).status_code == 304
    assert refused(lambda: get(if_match='"0"')).code == "PreconditionFailed"


def test_overwriting_can_be_forbidden(client, bucket):
    request = oss.PutObjectRequest(bucket=bucket, key="once", body=b"x", forbid_overwrite=True)
    client.put_object(request)
    told = refused(lambda: client.put_object(request))
    assert (told.status_code, told.code) == (409, "FileAlreadyExists")


def test_a_wrong_digest_is_refused(client, bucket):
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    told = refused(
        lambda: client.put_object(
            oss.PutObjectRequest(bucket=bucket, key="d", body=b"body", content_md5=wrong)
        )
    )
    assert told.code == "InvalidDigest"
    assert not client.is_object_exist(bucket, "d")


def test_a_copy_has_the_bytes_and_the_wanted_meaning(client, bucket):
    client.put_object(
        oss.PutObjectRequest(bucket=bucket, key="a +%ü", body=b"copied", metadata={"a": "1"})
    )
    client.copy_object(
        oss.CopyObjectRequest(
            bucket=bucket, key="b", source_key="a +%ü", metadata_directive="REPLACE",
            metadata={"b": "2"},
        )
    )
    got = client.get_object(oss.GetObjectRequest(bucket=bucket, key="b"))
    assert got.body.content == b"copied"
    assert got.metadata.get("b") == "2" and "a" not in got.metadata


def test_listings_agree(client, bucket):
    names = ["a/1", "a/2", "b b", "b+b", "ü", "<&>"]
    for name in names:
        client.put_object(oss.PutObjectRequest(bucket=bucket, key=name, body=b"x"))
    ordered = sorted(names, key=str.encode)
    for paginator, request in (
        (client.list_objects_paginator, oss.ListObjectsRequest),
        (client.list_objects_v2_paginator, oss.ListObjectsV2Request),
    ):
        pages = list(paginator().iter_page(request(bucket=bucket, max_keys=2)))
        assert [item.key for page in pages for item in page.contents or []] == ordered
        assert len(pages) == 3
    folded = client.list_objects_v2(oss.ListObjectsV2Request(bucket=bucket, delimiter="/"))
    assert [item.prefix for item in folded.common_prefixes] == ["a/"]
    assert [item.key for item in folded.contents] == [n for n in ordered if "/" not in n]


def test_many_objects_are_deleted_at_once(client, bucket):
    names = ["plain", "with space", "ü&<>"]
    for name in names:
        client.put_object(oss.PutObjectRequest(bucket=bucket, key=name, body=b"x"))
    done = client.delete_multiple_objects(
        oss.DeleteMultipleObjectsRequest(
            bucket=bucket, encoding_type="url", objects=[oss.DeleteObject(key=n) for n in names]
        )
    )
    assert sorted(item.key for item in done.deleted_objects) == sorted(names)
    assert not client.list_objects_v2(oss.ListObjectsV2Request(bucket=bucket)).contents


def test_a_multipart_upload_becomes_one_object(client, bucket):
    parts = [os.urandom(100 * 1024), os.urandom(77)]
    upload = client.initiate_multipart_upload(
        oss.InitiateMultipartUploadRequest(bucket=bucket, key="m/ü")
    ).upload_id
    common = {"bucket": bucket, "key": "m/ü", "upload_id": upload}
    done = [
        oss.UploadPart(
            part_number=number,
            etag=client.upload_part(
                oss.UploadPartRequest(part_number=number, body=body, **common)
            ).etag,
        )
        for number, body in enumerate(parts, 1)
    ]
    listed = client.list_parts(oss.ListPartsRequest(**common)).parts
    assert [(part.part_number, part.size) for part in listed] == [(1, 100 * 1024), (2, 77)]
    client.complete_multipart_upload(
        oss.CompleteMultipartUploadRequest(
            complete_multipart_upload=oss.CompleteMultipartUpload(parts=done), **common
        )
    )
    got = client.get_object(oss.GetObjectRequest(bucket=bucket, key="m/ü"))
    assert got.body.content == b"".join(parts)
    assert got.object_type == "Multipart"
    told = refused(lambda: client.abort_multipart_upload(oss.AbortMultipartUploadRequest(**common)))
    assert told.code == "NoSuchUpload"


@pytest.mark.slow
def test_the_uploader_and_downloader_agree(client, bucket, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(12 << 20))
    client.uploader(part_size=2 << 20).upload_file(
        oss.PutObjectRequest(bucket=bucket, key="big"), filepath=str(source)
    )
    client.downloader(part_size=3 << 20).download_file(
        oss.GetObjectRequest(bucket=bucket, key="big"), filepath=str(target)
    )
    assert target.read_bytes() == source.read_bytes()


def test_a_presigned_url_opens_to_anybody(client, cloud, bucket):
    put = client.presign(oss.PutObjectRequest(bucket=bucket, key="p/ü +"))
    answer = requests.request(
        put.method, put.url, headers=put.signed_headers, data=b"given",
        verify=cloud.ca_cert, timeout=30,
    )
    assert answer.status_code == 200, answer.text
    get = client.presign(oss.GetObjectRequest(bucket=bucket, key="p/ü +"))
    answer = requests.get(get.url, headers=get.signed_headers, verify=cloud.ca_cert, timeout=30)
    assert answer.content == b"given"


def test_buckets_are_made_listed_and_removed(client):
    name = unique("bucket")
    client.put_bucket(oss.PutBucketRequest(bucket=name))
    info = client.get_bucket_info(oss.GetBucketInfoRequest(bucket=name)).bucket_info
    assert (info.name, info.acl) == (name, "private")
    listed = client.list_buckets(oss.ListBucketsRequest(prefix=name)).buckets
    assert [item.name for item in listed] == [name]
    client.delete_bucket(oss.DeleteBucketRequest(bucket=name))
    assert not client.is_bucket_exist(name)


def test_the_bucket_may_be_in_the_host_name(clients, version, bucket):
    for host in ("localhost", "oss.localhost"):
        client = clients.oss_v2(version, host=host)
        client.put_object(oss.PutObjectRequest(bucket=bucket, key="v/ü", body=host.encode()))
        got = client.get_object(oss.GetObjectRequest(bucket=bucket, key="v/ü"))
        assert got.body.content == host.encode()
