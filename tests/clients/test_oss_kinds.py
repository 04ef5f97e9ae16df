"""Limits on traffic, and the parts of an object, through unmodified clients."""

import io
import time

import pytest


@pytest.fixture(params=["v1", "v4"])
def store(clients, bucket, request):
    return clients.oss2(bucket, request.param)


def test_a_limit_on_traffic_slows_a_request_down(store):
    body = bytes(150_000)
    limit = {"x-oss-traffic-limit": "819200"}
    for act in (
        lambda: store.put_object("slow", body, headers=limit),
        lambda: store.get_object("slow", headers=limit).read(),
    ):
        began = time.monotonic()
        act()
        assert time.monotonic() - began > 1.2


def test_the_parts_of_an_object_are_known(clients, bucket):
    s3 = clients.s3()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", ChecksumAlgorithm="SHA256")
    bodies = [bytes(5 << 20), b"end"]
    parts = []
    for number, body in enumerate(bodies, 1):
        done = s3.upload_part(
            Bucket=bucket,
            Key="parts",
            UploadId=upload["UploadId"],
            PartNumber=number,
            Body=io.BytesIO(body),
            ChecksumAlgorithm="SHA256",
        )
        parts.append(
            {"PartNumber": number, "ETag": done["ETag"], "ChecksumSHA256": done["ChecksumSHA256"]}
        )
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="parts",
        UploadId=upload["UploadId"],
        MultipartUpload={"Parts": parts},
    )
    told = s3.get_object_attributes(
        Bucket=bucket, Key="parts", ObjectAttributes=["ObjectParts", "ObjectSize", "Checksum"]
    )
    assert told["ObjectSize"] == sum(map(len, bodies))
    assert told["ObjectParts"]["TotalPartsCount"] == 2
    known = told["ObjectParts"]["Parts"]
    assert [part["Size"] for part in known] == list(map(len, bodies))
    assert [part["ChecksumSHA256"] for part in known] == [
        part["ChecksumSHA256"] for part in parts
    ]
    last = s3.get_object(Bucket=bucket, Key="parts", PartNumber=2)
    assert (last["Body"].read(), last["PartsCount"]) == (b"end", 2)
    with pytest.raises(s3.exceptions.ClientError) as none:
        s3.get_object(Bucket=bucket, Key="parts", PartNumber=3)
    assert none.value.response["Error"]["Code"] == "InvalidPart"
