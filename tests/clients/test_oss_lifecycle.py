"""Lifecycles and what goes with them, through the SDKs of both dialects. The cloud's days are short
(`awan.toml`): a rule of one day acts within seconds."""

import time

import oss2
import pytest
from botocore.exceptions import ClientError
from oss2.models import (
    AbortMultipartUpload,
    BucketLifecycle,
    BucketTlsVersion,
    LifecycleExpiration,
    LifecycleRule,
    StorageTransition,
)


@pytest.fixture(params=["v1", "v4"])
def store(clients, bucket, request):
    return clients.oss2(bucket, request.param)


def code(call):
    with pytest.raises(ClientError) as error:
        call()
    return error.value.response["Error"]["Code"]


def until(true, seconds=40):
    """Waits until something is so; says whether it came to be."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def test_rules_are_read_back_as_they_were_set(clients, bucket):
    s3 = clients.s3()
    assert code(lambda: s3.get_bucket_lifecycle_configuration(Bucket=bucket)) == "NoSuchLifecycleConfiguration"
    rules = [
        {"ID": "one", "Expiration": {"Days": 31}, "Filter": {"Prefix": "a/"}, "Status": "Enabled"},
        {"ID": "two", "Filter": {"And": {"Prefix": "b/", "Tags": [{"Key": "k", "Value": "v"}]}},
         "Status": "Disabled", "Transitions": [{"Days": 3, "StorageClass": "STANDARD_IA"}],
         "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 5},
         "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules
    s3.delete_bucket_lifecycle(Bucket=bucket)
    for wrong, expected in [
        ({"Expiration": {"Days": 0}}, "InvalidArgument"),
        ({"ID": "i" * 256, "Expiration": {"Days": 1}}, "InvalidArgument"),
        ({"Expiration": {"Days": 1}, "Status": "enabled"}, "MalformedXML"),
    ]:
        rule = {"Filter": {"Prefix": ""}, "Status": "Enabled", **wrong}
        assert code(lambda: s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})) == expected


def test_the_older_sdk_reads_its_rules_back(store):
    rule = LifecycleRule(
        "r", "前缀+/", status=LifecycleRule.ENABLED, expiration=LifecycleExpiration(days=357),
        abort_multipart_upload=AbortMultipartUpload(days=356),
        storage_transitions=[StorageTransition(days=355, storage_class="IA", is_access_time=True,
                                               return_to_std_when_visit=True, allow_small_file=True)])
    store.put_bucket_lifecycle(BucketLifecycle([rule]))
    got = store.get_bucket_lifecycle().rules[0]
    assert (got.id, got.prefix, got.expiration.days) == ("r", "前缀+/", 357)
    assert got.abort_multipart_upload.days == 356
    step = got.storage_transitions[0]
    assert (step.days, step.is_access_time, step.return_to_std_when_visit) == (355, True, True)
    store.delete_bucket_lifecycle()
    with pytest.raises(oss2.exceptions.NoSuchLifecycle):
        store.get_bucket_lifecycle()


def test_objects_go_and_move_when_their_days_are_over(clients, bucket):
    s3 = clients.s3()
    for key in ("end/a", "move/a", "stay/a"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    rules = [
        {"ID": "end", "Filter": {"Prefix": "end/"}, "Status": "Enabled", "Expiration": {"Days": 1}},
        {"ID": "move", "Filter": {"Prefix": "move/"}, "Status": "Enabled",
         "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]},
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    head = s3.head_object(Bucket=bucket, Key="end/a")
    assert 'rule-id="end"' in head["Expiration"]

    def classes():
        listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {item["Key"]: item["StorageClass"] for item in listed}

    assert until(lambda: classes() == {"move/a": "GLACIER", "stay/a": "STANDARD"}), classes()
    assert code(lambda: s3.get_object(Bucket=bucket, Key="move/a")) == "InvalidObjectState"


def test_versions_that_are_not_current_go(clients, bucket):
    s3 = clients.s3()
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for number in range(5):
        s3.put_object(Bucket=bucket, Key="k", Body=bytes([number]))
    s3.delete_object(Bucket=bucket, Key="gone")
    rule = {"ID": "r", "Filter": {"Prefix": ""}, "Status": "Enabled",
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 2}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})

    def left():
        listed = s3.list_object_versions(Bucket=bucket)
        return len(listed.get("Versions", [])), len(listed.get("DeleteMarkers", []))

    assert until(lambda: left() == (3, 0)), left()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"\x04"


def test_switches_are_read_back(store):
    store.put_bucket_archive_direct_read(True)
    assert store.get_bucket_archive_direct_read().enabled is True
    store.put_bucket_https_config(BucketTlsVersion(True, ["TLSv1.2", "TLSv1.2"]))
    assert store.get_bucket_https_config().tls_version == ["TLSv1.2"]
    store.put_bucket_resource_group(store.get_bucket_resource_group().resource_group_id)
    store.put_bucket_style("small", "image/resize,w_200")
    assert store.get_bucket_style("small").content == "image/resize,w_200"
    assert [style.name for style in store.list_bucket_style().styles] == ["small"]
    assert store.delete_bucket_style("small").status == 204
