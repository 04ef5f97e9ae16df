"""A cloud whose bytes are in a store of others: the same answers, and nothing left there in the end.

Clients are unmodified. The store and the cloud are ended without warning in the middle of it.
"""

import concurrent.futures
import hashlib
import io
import os
import threading
import time

import oss2
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from rig import SECRET, wait_for

MIB = 1 << 20


@pytest.fixture
def bucket(awan):
    name = f"far-{os.urandom(4).hex()}"
    awan.s3.create_bucket(Bucket=name)
    yield name
    empty(awan, name)
    awan.s3.delete_bucket(Bucket=name)


def empty(awan, bucket):
    for upload in awan.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        awan.s3.abort_multipart_upload(
            Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
        )
    for page in awan.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for item in page.get("Versions", []) + page.get("DeleteMarkers", []):
            awan.s3.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])


def assert_empty(awan, peer):
    if awan.s3.list_buckets()["Buckets"]:
        return
    # What a crash left is swept at the start, and what was on its way then, a minute later.
    left = lambda: not peer.objects()  # noqa: E731
    try:
        wait_for("an empty store", left, 90)
    except TimeoutError:
        raise AssertionError(f"left over: {peer.objects()}") from None


def get(awan, bucket, key, **options):
    return awan.s3.get_object(Bucket=bucket, Key=key, **options)["Body"].read()


def test_bodies_of_every_size_are_in_the_store_and_only_sealed(awan, peer, bucket):
    word = b"suara sah "
    sizes = [0, 1, 65_536, 65_537, MIB, MIB + 1, 9 * MIB + 3]
    bodies = {f"tps/{size}": (word * (size // len(word) + 1))[:size] for size in sizes}
    for key, body in bodies.items():
        awan.s3.put_object(Bucket=bucket, Key=key, Body=body)
    stored = peer.objects()
    extents = sum(-(-size // MIB) for size in sizes)
    assert len(stored) == extents
    # A salt and a tag go with each.
    assert sum(stored.values()) == sum(sizes) + 32 * extents
    assert all(name.startswith("awan/test/") for name in stored)
    assert not any(word * 2 in peer.read(name) for name in stored)
    assert awan.files() == 0
    for key, body in bodies.items():
        assert get(awan, bucket, key) == body
    large = bodies[f"tps/{sizes[-1]}"]
    for first, last in [(0, 0), (MIB - 5, MIB + 5), (3, 8 * MIB), (9 * MIB, 9 * MIB + 2)]:
        ranged = get(awan, bucket, f"tps/{sizes[-1]}", Range=f"bytes={first}-{last}")
        assert ranged == large[first : last + 1]


def test_parts_copies_and_what_is_written_over(awan, peer, bucket):
    body = os.urandom(13 * MIB + 7)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    awan.s3.upload_fileobj(io.BytesIO(body), bucket, "big", Config=config)
    assert get(awan, bucket, "big") == body
    seam = get(awan, bucket, "big", Range=f"bytes={5 * MIB - 9}-{5 * MIB + 9}")
    assert seam == body[5 * MIB - 9 : 5 * MIB + 10]
    source = {"Bucket": bucket, "Key": "big"}
    awan.s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    upload = awan.s3.create_multipart_upload(Bucket=bucket, Key="cut")["UploadId"]
    part = awan.s3.upload_part_copy(
        Bucket=bucket,
        Key="cut",
        UploadId=upload,
        PartNumber=1,
        CopySource=source,
        CopySourceRange=f"bytes=100-{6 * MIB}",
    )
    parts = [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]
    awan.s3.complete_multipart_upload(
        Bucket=bucket, Key="cut", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    awan.s3.put_object(Bucket=bucket, Key="big", Body=b"small")
    assert get(awan, bucket, "copy") == body
    assert get(awan, bucket, "cut") == body[100 : 6 * MIB + 1]
    assert get(awan, bucket, "big") == b"small"
    given_up = awan.s3.create_multipart_upload(Bucket=bucket, Key="never")["UploadId"]
    awan.s3.upload_part(
        Bucket=bucket, Key="never", UploadId=given_up, PartNumber=1, Body=os.urandom(MIB)
    )
    awan.s3.abort_multipart_upload(Bucket=bucket, Key="never", UploadId=given_up)
    left = 14 + 6 + 1
    wait_for("what was replaced to go", lambda: len(peer.objects()) <= left + 1, 30)


def test_versions_stay_until_they_are_deleted(awan, peer, bucket):
    awan.s3.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    bodies = [os.urandom(MIB + 10) for _ in range(3)]
    versions = [
        awan.s3.put_object(Bucket=bucket, Key="c1", Body=body)["VersionId"] for body in bodies
    ]
    awan.s3.delete_object(Bucket=bucket, Key="c1")
    for version, body in zip(versions, bodies, strict=True):
        assert get(awan, bucket, "c1", VersionId=version) == body
    awan.s3.delete_object(Bucket=bucket, Key="c1", VersionId=versions[1])
    wait_for("the version's bytes to go", lambda: len(peer.objects()) == 4, 30)
    assert get(awan, bucket, "c1", VersionId=versions[2]) == bodies[2]


def test_the_other_dialect_sees_the_same_and_usage_is_exact(awan, bucket):
    oss = awan.oss(bucket)
    body = os.urandom(2 * MIB + 1)
    oss.put_object("a/satu", body)
    oss.put_object("a/dua", b"22")
    assert oss.get_object("a/satu").read() == body
    assert oss.get_object("a/satu", byte_range=(MIB - 1, MIB)).read() == body[MIB - 1 : MIB + 1]
    assert get(awan, bucket, "a/satu") == body
    stat = oss.get_bucket_stat()
    assert (stat.object_count, stat.storage_size_in_bytes) == (2, len(body) + 2)
    oss.delete_object("a/satu")
    assert oss.get_bucket_stat().storage_size_in_bytes == 2


def test_what_was_acknowledged_survives_a_cloud_that_is_killed(awan, peer, bucket):
    acknowledged, attempted, stop = {}, set(), threading.Event()

    def write(worker):
        number = 0
        while not stop.is_set():
            key, body = f"{worker}/{number}", os.urandom([700, 80_000, 3 * MIB][number % 3])
            attempted.add(key)
            try:
                awan.s3.put_object(Bucket=bucket, Key=key, Body=body)
            except (BotoCoreError, ClientError):
                continue
            acknowledged[key] = hashlib.md5(body).hexdigest()
            if number % 4 == 3:
                # Bytes that are freed while the program dies.
                awan.s3.put_object(Bucket=bucket, Key=key, Body=body)
            number += 1

    for _ in range(3):
        stop.clear()
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            writers = [pool.submit(write, f"{time.time_ns()}-{n}") for n in range(6)]
            time.sleep(2.5)
            awan.program.kill()
            stop.set()
            concurrent.futures.wait(writers)
        awan.start()
    assert len(acknowledged) > 30
    listed = set()
    for page in awan.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            listed.add(item["Key"])
            body = get(awan, bucket, item["Key"])
            assert len(body) == item["Size"]
            assert hashlib.md5(body).hexdigest() == item["ETag"].strip('"')
            assert acknowledged.get(item["Key"], item["ETag"].strip('"')) == item["ETag"].strip('"')
    assert acknowledged.keys() <= listed <= attempted
    # As many bytes as the rows say, once what the crashes left is gone.
    size = awan.oss(bucket).get_bucket_stat().storage_size_in_bytes
    assert len(listed) < 3000

    def exact():
        objects = peer.objects()
        return sum(objects.values()) == size + 32 * len(objects)

    wait_for("what the crashes left to go", exact, 90)


def test_a_store_that_is_away_is_said_so_and_nothing_is_half_there(awan, peer, bucket):
    body = os.urandom(2 * MIB)
    awan.s3.put_object(Bucket=bucket, Key="kept", Body=body)
    awan.s3.put_object(Bucket=bucket, Key="doomed", Body=body)
    peer.program.kill()
    for size in [10, 2 * MIB]:
        with pytest.raises(ClientError) as refused:
            awan.s3.put_object(Bucket=bucket, Key="new", Body=os.urandom(size))
        assert refused.value.response["Error"]["Code"] == "ServiceUnavailable"
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        awan.oss(bucket).get_object("kept")
    assert (refused.value.status, refused.value.code) == (503, "ServiceUnavailable")
    # What is no body goes on.
    names = [item["Key"] for item in awan.s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert names == ["doomed", "kept"]
    assert awan.s3.head_object(Bucket=bucket, Key="kept")["ContentLength"] == len(body)
    awan.s3.delete_object(Bucket=bucket, Key="doomed")
    failures = "awan_oss_backend_failures_total"
    wait_for("the failures to be counted", lambda: awan.metrics()[failures] > 0, 10)
    # A start does not need it either.
    awan.program.stop()
    awan.start()
    with pytest.raises(ClientError):
        get(awan, bucket, "kept")
    peer.start()
    wait_for("the store to be found again", lambda: readable(awan, bucket, "kept"), 30)
    assert get(awan, bucket, "kept") == body
    awan.s3.put_object(Bucket=bucket, Key="new", Body=b"again")
    assert get(awan, bucket, "new") == b"again"
    wait_for("what was deleted meanwhile to go", lambda: len(peer.objects()) == 3, 90)


def readable(awan, bucket, key):
    try:
        get(awan, bucket, key)
    except ClientError:
        return False
    return True


def test_the_metrics_count_and_no_log_shows_the_secret(awan, peer, bucket):
    before = awan.metrics()
    awan.s3.put_object(Bucket=bucket, Key="counted", Body=os.urandom(MIB))
    get(awan, bucket, "counted")
    sent = "awan_oss_backend_sent_bytes_total"
    wait_for("metrics", lambda: awan.metrics()[sent] >= before[sent] + MIB, 10)
    assert awan.metrics()["awan_oss_backend_fetched_bytes_total"] >= MIB
    assert SECRET not in awan.log.read_text(errors="replace")
