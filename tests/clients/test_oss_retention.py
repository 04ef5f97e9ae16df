"""Retention with unmodified clients: object lock in both dialects, and the WORM of OSS's buckets."""

import datetime

import alibabacloud_oss_v2 as oss
import oss2
import pytest
import requests
from botocore.exceptions import ClientError

from support import policy, unique

UTC = datetime.timezone.utc
LATER = datetime.datetime(2040, 1, 1, tzinfo=UTC)
SOONER = datetime.datetime(2039, 1, 1, tzinfo=UTC)


def refused(call):
    """The code of a refusal, in whatever client."""
    errors = (ClientError, oss2.exceptions.ServerError, oss.exceptions.OperationError)
    with pytest.raises(errors) as caught:
        call()
    error = caught.value
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"]
    return error.unwrap().code if isinstance(error, oss.exceptions.OperationError) else error.code


@pytest.fixture
def locking(clients):
    """A bucket that locks its objects, emptied afterwards past governance."""
    s3 = clients.s3()
    name = unique("lock")
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    yield name
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for item in page.get("Versions", []) + page.get("DeleteMarkers", []):
            s3.delete_object(
                Bucket=name,
                Key=item["Key"],
                VersionId=item["VersionId"],
                BypassGovernanceRetention=True,
            )
    s3.delete_bucket(Bucket=name)


def test_s3_locks_versions(clients, locking):
    s3 = clients.s3()
    assert s3.get_bucket_versioning(Bucket=locking)["Status"] == "Enabled"
    off = {"Status": "Suspended"}
    suspend = lambda: s3.put_bucket_versioning(Bucket=locking, VersioningConfiguration=off)
    assert refused(suspend) == "InvalidBucketState"
    put = s3.put_object(
        Bucket=locking,
        Key="k",
        Body=b"x",
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=LATER,
        ObjectLockLegalHoldStatus="ON",
    )
    one = {"Bucket": locking, "Key": "k", "VersionId": put["VersionId"]}
    told = s3.head_object(**one)
    assert told["ObjectLockMode"] == "GOVERNANCE"
    assert told["ObjectLockRetainUntilDate"] == LATER
    assert told["ObjectLockLegalHoldStatus"] == "ON"
    assert refused(lambda: s3.delete_object(**one, BypassGovernanceRetention=True)) == "AccessDenied"
    s3.put_object_legal_hold(**one, LegalHold={"Status": "OFF"})
    assert s3.get_object_legal_hold(**one)["LegalHold"] == {"Status": "OFF"}
    shorter = {"Mode": "GOVERNANCE", "RetainUntilDate": SOONER}
    assert refused(lambda: s3.put_object_retention(**one, Retention=shorter)) == "AccessDenied"
    s3.put_object_retention(**one, Retention=shorter, BypassGovernanceRetention=True)
    assert s3.get_object_retention(**one)["Retention"] == shorter
    free = s3.put_object(Bucket=locking, Key="free", Body=b"x")["VersionId"]
    keys = [{"Key": "k", "VersionId": put["VersionId"]}, {"Key": "free", "VersionId": free}]
    done = s3.delete_objects(Bucket=locking, Delete={"Objects": keys})
    assert [(error["Key"], error["Code"]) for error in done["Errors"]] == [("k", "AccessDenied")]
    assert [item["Key"] for item in done["Deleted"]] == ["free"]
    assert s3.delete_object(Bucket=locking, Key="k")["DeleteMarker"]
    assert s3.get_object(**one)["Body"].read() == b"x"


def test_a_default_is_given_to_copies_and_uploads(clients, locking):
    s3 = clients.s3()
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Years": 1}}
    wanted = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    s3.put_object_lock_configuration(Bucket=locking, ObjectLockConfiguration=wanted)
    assert s3.get_object_lock_configuration(Bucket=locking)["ObjectLockConfiguration"] == wanted
    s3.put_object(Bucket=locking, Key="k", Body=b"x")
    s3.copy_object(Bucket=locking, Key="copy", CopySource={"Bucket": locking, "Key": "k"})
    upload = {"Bucket": locking, "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = s3.upload_part(**upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    form = s3.generate_presigned_post(
        locking,
        "form",
        Fields={"x-amz-object-lock-legal-hold": "ON"},
        Conditions=[{"x-amz-object-lock-legal-hold": "ON"}],
    )
    sent = requests.post(
        form["url"], data=form["fields"], files={"file": b"x"}, verify=clients.cloud.ca_cert
    )
    assert sent.status_code == 204, sent.text
    year = datetime.datetime.now(UTC) + datetime.timedelta(days=365)
    for key in ("k", "copy", "parts", "form"):
        told = s3.head_object(Bucket=locking, Key=key)
        assert told["ObjectLockMode"] == "GOVERNANCE", key
        assert told["ObjectLockRetainUntilDate"] >= year - datetime.timedelta(minutes=1)
    assert told["ObjectLockLegalHoldStatus"] == "ON"
    s3.put_object_legal_hold(Bucket=locking, Key="form", LegalHold={"Status": "OFF"})


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_oss_locks_versions(clients, version):
    client = clients.oss_v2(version)
    name = unique("worm")
    client.put_bucket(oss.PutBucketRequest(bucket=name))
    enabled = oss.VersioningConfiguration(status="Enabled")
    client.put_bucket_versioning(
        oss.PutBucketVersioningRequest(bucket=name, versioning_configuration=enabled)
    )
    client.put_bucket_object_worm_configuration(
        oss.PutBucketObjectWormConfigurationRequest(
            bucket=name,
            object_worm_configuration=oss.ObjectWormConfiguration(object_worm_enabled="Enabled"),
        )
    )
    until = "2040-01-01T00:00:00.000Z"
    put = client.put_object(
        oss.PutObjectRequest(
            bucket=name,
            key="k",
            body=b"x",
            object_worm_mode="GOVERNANCE",
            object_worm_retain_until_date=until,
            object_worm_legal_hold="OFF",
        )
    )
    head = client.head_object(oss.HeadObjectRequest(bucket=name, key="k"))
    assert head.object_worm_mode == "GOVERNANCE"
    assert head.object_worm_retain_until_date == until
    assert head.object_worm_legal_hold == "OFF"
    told = client.get_object_retention(oss.GetObjectRetentionRequest(bucket=name, key="k"))
    assert (told.retention.mode, told.retention.retain_until_date) == ("GOVERNANCE", until)
    one = {"bucket": name, "key": "k", "version_id": put.version_id}
    delete = lambda **more: client.delete_object(oss.DeleteObjectRequest(**one, **more))
    assert refused(delete) == "FileImmutable"
    client.put_object_legal_hold(
        oss.PutObjectLegalHoldRequest(**one, legal_hold=oss.LegalHold(status="ON"))
    )
    assert refused(lambda: delete(bypass_governance_retention=True)) == "FileImmutable"
    client.put_object_legal_hold(
        oss.PutObjectLegalHoldRequest(**one, legal_hold=oss.LegalHold(status="OFF"))
    )
    delete(bypass_governance_retention=True)
    client.delete_bucket(oss.DeleteBucketRequest(bucket=name))


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_the_worm_of_a_bucket_keeps_everybody_off(clients, version):
    name = unique("worm")
    store, s3 = clients.oss2(name, version), clients.s3()
    store.create_bucket()
    store.put_object("k", b"x")
    worm = store.init_bucket_worm(1).worm_id
    assert store.get_bucket_worm().state == "InProgress"
    assert refused(lambda: store.put_object("k", b"y")) == "FileImmutable"
    replace = {"x-oss-metadata-directive": "REPLACE"}
    assert refused(lambda: store.copy_object(name, "k", "k", replace)) == "FileImmutable"
    assert refused(lambda: store.delete_object("k")) == "FileImmutable"
    assert refused(lambda: s3.delete_object(Bucket=name, Key="k")) == "AccessDenied"
    assert refused(lambda: s3.put_object(Bucket=name, Key="k", Body=b"y")) == "AccessDenied"
    assert store.get_object("k").read() == b"x"
    store.abort_bucket_worm()
    store.delete_object("k")
    worm = store.init_bucket_worm(1).worm_id
    store.complete_bucket_worm(worm)
    store.extend_bucket_worm(worm, 2)
    told = store.get_bucket_worm()
    assert (told.worm_id, told.state, told.retention_period_days) == (worm, "Locked", 2)
    assert refused(lambda: store.extend_bucket_worm(worm, 1)) == "InvalidWORMConfiguration"
    assert refused(store.abort_bucket_worm) == "WORMConfigurationLocked"
    store.delete_bucket()


def test_locking_takes_permissions_of_its_own(clients, locking, make_user):
    resource = f"acs:oss:*:*:{locking}/*"
    actions = ["oss:PutObject", "oss:GetObject", "oss:DeleteObject", "oss:DeleteObjectVersion"]
    _, key = make_user(policy(("Allow", actions, resource)))
    s3, user = clients.s3(), clients.s3(key)
    locked = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": LATER}
    put = lambda client: client.put_object(Bucket=locking, Key="k", Body=b"x", **locked)
    assert refused(lambda: put(user)) == "AccessDenied"
    one = {"Bucket": locking, "Key": "k", "VersionId": put(s3)["VersionId"]}
    past = lambda: user.delete_object(**one, BypassGovernanceRetention=True)
    assert refused(past) == "AccessDenied"
    assert refused(lambda: user.get_object_retention(**one)) == "AccessDenied"
