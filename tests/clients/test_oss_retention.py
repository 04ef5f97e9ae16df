"""Object lock with unmodified clients of S3; what OSS does is in the matrix."""

import datetime

import pytest
import requests
from botocore.exceptions import ClientError

from support import policy, unique

UTC = datetime.timezone.utc
LATER = datetime.datetime(2040, 1, 1, tzinfo=UTC)
SOONER = datetime.datetime(2039, 1, 1, tzinfo=UTC)


def refused(call):
    """The code of a refusal."""
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"]


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
