"""ACLs with grants and owners of objects, through unmodified clients of both protocols."""

import oss2
import pytest
from botocore.exceptions import ClientError

from support import unique

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


def refused(call, status, code):
    with pytest.raises((oss2.exceptions.ServerError, ClientError)) as error:
        call()
    if isinstance(error.value, ClientError):
        response = error.value.response
        got = response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]
    else:
        got = error.value.status, error.value.code
    assert got == (status, code), error.value


def denied(call):
    refused(call, 403, "AccessDenied")


def owner_of(s3, bucket, key):
    return s3.get_object_acl(Bucket=bucket, Key=key)["Owner"]["ID"]


@pytest.fixture
def ids(clients, foreign):
    """The ids of the root account and of the other one."""
    return [s3.list_buckets()["Owner"]["ID"] for s3 in (clients.s3(), clients.s3(foreign))]


def test_a_grant_lets_another_account_in_and_is_told_back(clients, bucket, foreign, ids):
    s3, other = clients.s3(), clients.s3(foreign)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    denied(lambda: other.get_object(Bucket=bucket, Key="k"))
    mine = {"Grantee": {"Type": "CanonicalUser", "ID": ids[0]}, "Permission": "FULL_CONTROL"}
    theirs = {"Grantee": {"Type": "CanonicalUser", "ID": ids[1]}, "Permission": "READ"}
    listed = {"Owner": {"ID": ids[0]}, "Grants": [mine, theirs]}
    s3.put_object_acl(Bucket=bucket, Key="k", AccessControlPolicy=listed)
    told = s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert [(one["Grantee"]["ID"], one["Permission"]) for one in told] == [
        (ids[0], "FULL_CONTROL"), (ids[1], "READ"),
    ]
    assert other.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    denied(lambda: other.get_object_acl(Bucket=bucket, Key="k"))
    denied(lambda: other.list_objects_v2(Bucket=bucket))
    s3.put_bucket_acl(Bucket=bucket, GrantRead=f'id="{ids[1]}"', GrantWriteACP=f"uri={ALL_USERS}")
    other.list_objects_v2(Bucket=bucket)
    other.put_bucket_acl(Bucket=bucket, ACL="private")
    assert clients.oss2(bucket).get_bucket_acl().acl == "private"
    unknown = {"Type": "CanonicalUser", "ID": "_foo"}
    listed["Grants"] = [{"Grantee": unknown, "Permission": "READ"}]
    call = lambda: s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=listed)
    refused(call, 400, "InvalidArgument")
    unknown.update(Type="AmazonCustomerByEmail", EmailAddress="a@example.org")
    del unknown["ID"]
    refused(call, 400, "UnresolvableGrantByEmailAddress")


def test_the_other_protocol_tells_of_a_list_what_comes_nearest(clients, bucket):
    s3, store = clients.s3(), clients.oss2(bucket)
    for canned, told in [
        ("public-read", "public-read"), ("authenticated-read", "private"), ("private", "private"),
    ]:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL=canned)
        assert store.get_object_acl("k").acl == told
    store.put_object_acl("k", "public-read")
    groups = [one["Grantee"].get("URI") for one in s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]]
    assert groups == [ALL_USERS, None]


def test_what_others_write_is_theirs_unless_the_bucket_says_otherwise(clients, foreign, ids):
    s3, other, name = clients.s3(), clients.s3(foreign), unique("owned")
    s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerPreferred", ACL="public-read-write")
    controls = s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"]
    assert controls == [{"ObjectOwnership": "BucketOwnerPreferred"}]
    other.put_object(Bucket=name, Key="k", Body=b"x")
    assert owner_of(other, name, "k") == ids[1]
    denied(lambda: s3.get_object(Bucket=name, Key="k"))
    other.put_object(Bucket=name, Key="given", Body=b"x", ACL="bucket-owner-full-control")
    assert owner_of(s3, name, "given") == ids[0]
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    enforce = lambda: s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=enforced)
    refused(enforce, 400, "InvalidBucketAclWithObjectOwnership")
    s3.put_bucket_acl(Bucket=name, ACL="private")
    enforce()
    assert owner_of(s3, name, "k") == ids[0]
    put = lambda: s3.put_object(Bucket=name, Key="k", Body=b"y", ACL="public-read")
    refused(put, 400, "AccessControlListNotSupported")
    s3.delete_bucket_ownership_controls(Bucket=name)
    ask = lambda: s3.get_bucket_ownership_controls(Bucket=name)
    refused(ask, 404, "OwnershipControlsNotFoundError")
    for key in ("k", "given"):
        s3.delete_object(Bucket=name, Key=key)
    s3.delete_bucket(Bucket=name)
