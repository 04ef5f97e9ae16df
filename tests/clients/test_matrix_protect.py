"""The matrix: what keeps objects from being lost and from being read."""

import base64
import datetime
import hashlib
import os
import time

import alibabacloud_oss_v2 as oss
import pytest
from alibabacloud_ram20150501 import models as ram_models
from alibabacloud_sts20150401 import models as sts_models

from oss_matrix import clear, feature, fetch, refused
from support import Clients, Key, policy, trust, unique

UTC = datetime.timezone.utc
LATER = datetime.datetime(2040, 1, 1, tzinfo=UTC)
SOONER = datetime.datetime(2039, 1, 1, tzinfo=UTC)
IMMUTABLE = (409, "FileImmutable")
DENIED = (403, "AccessDenied")


@feature("WORM")
def test_the_worm_of_a_bucket_keeps_everybody_off(store, second):
    own = store.on(unique("worm"))
    own.create()
    own.put("k", b"x")
    own.put_worm(1)
    assert own.worm()[1:] == ("InProgress", 1)
    assert refused(lambda: own.put("k", b"y")) == IMMUTABLE
    assert refused(lambda: own.delete("k")) == IMMUTABLE
    assert refused(lambda: own.copy("k", "k", metadata_directive="REPLACE")) == IMMUTABLE
    delete = lambda: second.delete_object(Bucket=own.bucket, Key="k")
    assert refused(delete) == DENIED
    assert own.get("k").body == b"x"
    own.abort_worm()
    own.delete("k")
    worm = own.put_worm(1)
    own.lock_worm(worm)
    own.extend_worm(worm, 2)
    assert own.worm() == (worm, "Locked", 2)
    assert refused(lambda: own.extend_worm(worm, 1))[1] == "InvalidWORMConfiguration"
    assert refused(own.abort_worm)[1] == "WORMConfigurationLocked"
    # It is empty: a lock on nothing keeps nothing.
    own.remove()


@pytest.fixture(scope="module")
def locked(second):
    """Buckets that may hold what nobody can delete yet: removed at the end, when its time is over."""
    made = []
    yield made
    time.sleep(0.5)
    for name in made:
        clear(second, name)


@pytest.fixture
def locking(store, locked):
    """A bucket of oss-v2 that locks its objects."""
    own = store.on(unique("lock"))
    own.create()
    own.put_versioning("Enabled")
    enabled = oss.ObjectWormConfiguration(object_worm_enabled="Enabled")
    own.call("put_bucket_object_worm_configuration", object_worm_configuration=enabled)
    locked.append(own.bucket)
    return own


@feature("object lock: governance, compliance, legal hold", "oss-v2")
def test_oss_locks_versions(locking, second):
    until = "2040-01-01T00:00:00.000Z"
    put = locking.put(
        "k", b"x", object_worm_mode="GOVERNANCE", object_worm_retain_until_date=until,
        object_worm_legal_hold="OFF",
    )
    one = {"key": "k", "version_id": put.version}
    told = locking.call("get_object_retention", **one).retention
    assert (told.mode, told.retain_until_date) == ("GOVERNANCE", until)
    other = second.get_object_retention(Bucket=locking.bucket, Key="k", VersionId=put.version)
    assert other["Retention"] == {"Mode": "GOVERNANCE", "RetainUntilDate": LATER}
    delete = lambda **more: locking.call("delete_object", **one, **more)
    assert refused(delete) == IMMUTABLE
    hold = lambda status: locking.call(
        "put_object_legal_hold", **one, legal_hold=oss.LegalHold(status=status)
    )
    hold("ON")
    told = second.get_object_legal_hold(Bucket=locking.bucket, Key="k", VersionId=put.version)
    assert told["LegalHold"]["Status"] == "ON"
    assert refused(lambda: delete(bypass_governance_retention=True)) == IMMUTABLE
    hold("OFF")
    assert locking.call("get_object_legal_hold", **one).legal_hold.status == "OFF"
    delete(bypass_governance_retention=True)
    assert locking.versions("k") == [[], []]


@feature("object lock: governance, compliance, legal hold", "oss-v2")
def test_nobody_shortens_compliance_in_oss(locking, second):
    version = locking.put("k", b"x").version
    one = {"key": "k", "version_id": version}
    until = datetime.datetime.now(UTC) + datetime.timedelta(seconds=2)
    ends = until.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    keep = lambda mode, date: locking.call(
        "put_object_retention", **one, retention=oss.Retention(mode=mode, retain_until_date=date),
        bypass_governance_retention=True,
    )
    keep("COMPLIANCE", ends)
    assert refused(lambda: keep("GOVERNANCE", ends)) == DENIED
    delete = lambda: second.delete_object(
        Bucket=locking.bucket, Key="k", VersionId=version, BypassGovernanceRetention=True
    )
    assert refused(delete) == DENIED


@pytest.fixture
def locking_s3(store, locked):
    own = store.on(unique("lock"))
    own.call("create_bucket", ObjectLockEnabledForBucket=True)
    locked.append(own.bucket)
    return own


@feature("object lock: governance, compliance, legal hold", "boto3 v4")
def test_s3_locks_versions(locking_s3):
    own = locking_s3
    put = own.put(
        "k", b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=LATER,
        ObjectLockLegalHoldStatus="ON",
    )
    one = {"Key": "k", "VersionId": put["VersionId"]}
    told = own.call("head_object", **one)
    assert (told["ObjectLockMode"], told["ObjectLockRetainUntilDate"]) == ("GOVERNANCE", LATER)
    assert told["ObjectLockLegalHoldStatus"] == "ON"
    past = lambda: own.call("delete_object", **one, BypassGovernanceRetention=True)
    assert refused(past) == DENIED
    own.call("put_object_legal_hold", **one, LegalHold={"Status": "OFF"})
    assert refused(lambda: own.call("delete_object", **one)) == DENIED
    shorter = {"Mode": "GOVERNANCE", "RetainUntilDate": SOONER}
    keep = lambda **more: own.call("put_object_retention", **one, Retention=shorter, **more)
    assert refused(keep) == DENIED
    keep(BypassGovernanceRetention=True)
    other = own.clients.oss_v2()
    asked = oss.GetObjectRetentionRequest(bucket=own.bucket, key="k", version_id=put["VersionId"])
    assert other.get_object_retention(asked).retention.retain_until_date.startswith("2039-01-01")
    past()
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    wanted = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    own.call("put_object_lock_configuration", ObjectLockConfiguration=wanted)
    assert own.call("get_object_lock_configuration")["ObjectLockConfiguration"] == wanted
    own.call("put_object_lock_configuration", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    soon = datetime.datetime.now(UTC) + datetime.timedelta(seconds=2)
    kept = own.put("c", b"x", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=soon)
    one = {"Key": "c", "VersionId": kept["VersionId"]}
    assert refused(past) == DENIED


@feature("encryption by default")
def test_a_bucket_encrypts_by_default(fresh, second):
    assert refused(fresh.encryption) == (404, "NoSuchServerSideEncryptionRule")
    fresh.put_encryption("AES256")
    assert fresh.encryption() == ("AES256", None)
    assert fresh.info()["encryption"] == "AES256"
    told = second.get_bucket_encryption(Bucket=fresh.bucket)["ServerSideEncryptionConfiguration"]
    default = told["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    assert default == {"SSEAlgorithm": "AES256"}
    assert fresh.put("k", b"x").headers["x-oss-server-side-encryption"] == "AES256"
    assert fresh.head("k").headers["x-oss-server-side-encryption"] == "AES256"
    other = second.get_object(Bucket=fresh.bucket, Key="k")
    assert (other["Body"].read(), other["ServerSideEncryption"]) == (b"x", "AES256")
    fresh.delete_encryption()
    assert refused(fresh.encryption) == (404, "NoSuchServerSideEncryptionRule")


@feature("encryption: SSE-KMS", "oss2", "oss-v2")
def test_a_key_of_the_kms_is_named_and_told(store, folder, second):
    key = folder + "kms"
    named = {"server_side_encryption": "KMS", "server_side_encryption_key_id": "kunci-1"}
    store.put(key, b"x", **named)
    got = store.get(key)
    assert (got.body, got.headers["x-oss-server-side-encryption"]) == (b"x", "KMS")
    assert got.headers["x-oss-server-side-encryption-key-id"] == "kunci-1"
    other = second.get_object(Bucket=store.bucket, Key=key)
    assert (other["Body"].read(), other["ServerSideEncryption"]) == (b"x", "aws:kms")
    assert other["SSEKMSKeyId"] == "kunci-1"
    upload = store.begin(key, **named)
    store.complete(key, upload, [(1, store.part(key, upload, 1, b"y"))])
    assert store.head(key).headers["x-oss-server-side-encryption-key-id"] == "kunci-1"


@feature("encryption: SSE-KMS", "oss2", "oss-v2")
def test_a_bucket_names_a_key_of_the_kms(fresh):
    fresh.put_encryption("KMS", "kunci-2")
    assert fresh.encryption() == ("KMS", "kunci-2")
    assert fresh.put("k", b"x").headers["x-oss-server-side-encryption"] == "KMS"


@feature("encryption: SSE-KMS", "boto3")
def test_a_key_of_the_kms_is_named_and_told_in_s3(store, folder):
    key = folder + "kms"
    store.put(key, b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="kunci-1")
    told = store.call("head_object", Key=key)
    assert (told["ServerSideEncryption"], told["SSEKMSKeyId"]) == ("aws:kms", "kunci-1")
    other = store.clients.oss2(store.bucket).get_object(key)
    assert other.read() == b"x"
    assert other.headers["x-oss-server-side-encryption"] == "KMS"


@feature("encryption: SSE-C")
def test_an_object_is_read_with_its_own_key_only(store, folder, cloud):
    # The client sends such a key over TLS only.
    secure = Clients(cloud, "https").s3(
        host="s3.localhost", addressing=store.style,
        signature_version=store.client.meta.config.signature_version,
    )
    secret, other = os.urandom(32), os.urandom(32)
    with_key = lambda key: {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    one = {"Bucket": store.bucket, "Key": folder + "own"}
    put = secure.put_object(**one, Body=b"secret", **with_key(secret))
    digest = base64.b64encode(hashlib.md5(secret).digest()).decode()
    assert put["SSECustomerKeyMD5"] == digest
    got = secure.get_object(**one, **with_key(secret))
    assert (got["Body"].read(), got["SSECustomerAlgorithm"]) == (b"secret", "AES256")
    assert refused(lambda: secure.get_object(**one))[0] == 400
    assert refused(lambda: secure.get_object(**one, **with_key(other)))[0] in (400, 403)
    assert refused(lambda: store.get(folder + "own"))[0] == 400
    parts = {"Bucket": store.bucket, "Key": folder + "parts"}
    upload = secure.create_multipart_upload(**parts, **with_key(secret))["UploadId"]
    etag = secure.upload_part(
        **parts, UploadId=upload, PartNumber=1, Body=b"part", **with_key(secret)
    )["ETag"]
    whole = {"UploadId": upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}
    # The client gave the parts checksums, which tell of what only the key opens.
    assert refused(lambda: secure.complete_multipart_upload(**parts, **whole))[0] == 400
    secure.complete_multipart_upload(**parts, **whole, **with_key(secret))
    assert secure.get_object(**parts, **with_key(secret))["Body"].read() == b"part"


@pytest.fixture(scope="module")
def assumed(cloud):
    """A temporary key of a role that may do everything in object storage, and one with less."""
    clients, name = Clients(cloud, "http"), unique("role")
    ram = clients.ram()
    arn = ram.create_role(
        ram_models.CreateRoleRequest(
            role_name=name, assume_role_policy_document=trust(f"acs:ram::{cloud.account}:root")
        )
    ).body.role.arn
    attached = {
        "policy_type": "System", "policy_name": "AliyunOSSFullAccess", "role_name": name,
    }
    ram.attach_policy_to_role(ram_models.AttachPolicyToRoleRequest(**attached))
    user = unique("user")
    ram.create_user(ram_models.CreateUserRequest(user_name=user))
    made = ram.create_access_key(ram_models.CreateAccessKeyRequest(user_name=user)).body.access_key
    may = {"policy_type": "Custom", "policy_name": user}
    ram.create_policy(
        ram_models.CreatePolicyRequest(
            policy_name=user, policy_document=policy(("Allow", "sts:AssumeRole", "*"))
        )
    )
    ram.attach_policy_to_user(ram_models.AttachPolicyToUserRequest(user_name=user, **may))
    sts = clients.sts(Key(made.access_key_id, made.access_key_secret))

    def assume(**more):
        asked = sts_models.AssumeRoleRequest(role_arn=arn, role_session_name="audit", **more)
        given = sts.assume_role(asked).body.credentials
        return Key(given.access_key_id, given.access_key_secret, given.security_token)

    yield assume(), assume(policy=policy(("Allow", "oss:GetObject", "*")))
    ram.detach_policy_from_user(ram_models.DetachPolicyFromUserRequest(user_name=user, **may))
    ram.delete_policy(ram_models.DeletePolicyRequest(policy_name=user))
    ram.delete_access_key(
        ram_models.DeleteAccessKeyRequest(user_name=user, user_access_key_id=made.access_key_id)
    )
    ram.delete_user(ram_models.DeleteUserRequest(user_name=user))
    ram.detach_policy_from_role(ram_models.DetachPolicyFromRoleRequest(**attached))
    ram.delete_role(ram_models.DeleteRoleRequest(role_name=name))


@feature("STS credentials")
def test_a_temporary_key_acts_as_its_role_and_no_more(store, folder, second, assumed):
    key = folder + "k"
    whole, less = (store.on(store.bucket, key) for key in assumed)
    whole.put(key, b"x")
    assert second.get_object(Bucket=store.bucket, Key=key)["Body"].read() == b"x"
    assert less.get(key).body == b"x"
    assert refused(lambda: less.put(key, b"y")) == DENIED
    url, headers = less.presign("GET", key, 60)
    assert fetch(store, "GET", url, headers=headers).content == b"x"
    full = assumed[0]
    no_token = store.on(store.bucket, Key(full.id, full.secret))
    assert refused(lambda: no_token.get(key))[0] in (400, 403)
    wrong = store.on(store.bucket, Key(full.id, full.secret, full.token[:-8] + "AAAAAAAA"))
    assert refused(lambda: wrong.get(key))[0] in (400, 403)
