"""RAM policies on object storage, felt through both dialects."""

import alibabacloud_oss_v2 as oss
import oss2
import pytest
import requests
from alibabacloud_ram20150501 import models
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from botocore.exceptions import ClientError

from support import policy, unique


def denied(call):
    """Asserts that the call is refused for want of a right, in whatever dialect."""
    with pytest.raises((oss2.exceptions.ServerError, ClientError)) as error:
        call()
    if isinstance(error.value, ClientError):
        response = error.value.response
        status = response["ResponseMetadata"]["HTTPStatusCode"]
        code = response["Error"]["Code"]
    else:
        status, code = error.value.status, error.value.code
    # The answer to a HEAD has no body, so S3's clients know its status only.
    assert status == 403 and code in ("AccessDenied", "403"), error.value


@pytest.fixture
def limited(make_user, bucket):
    """The key of a user that may do everything to objects below `open/` of one bucket, and list
    them."""
    document = policy(
        ("Allow", ["oss:GetObject", "oss:PutObject", "oss:DeleteObject"],
         f"acs:oss:*:*:{bucket}/open/*"),
        ("Allow", "oss:ListObjects", f"acs:oss:*:*:{bucket}",
         {"StringLike": {"oss:Prefix": "open/*"}}),
    )
    return make_user(document)[1]


def test_a_prefix_is_open_and_the_rest_is_shut(clients, bucket, limited):
    root, s3 = clients.s3(), clients.s3(limited)
    root.put_object(Bucket=bucket, Key="closed/a", Body=b"secret")
    for store in (clients.oss2(bucket, "v1", limited), clients.oss2(bucket, "v4", limited)):
        store.put_object("open/a", b"mine")
        assert store.get_object("open/a").read() == b"mine"
        assert [item.key for item in store.list_objects(prefix="open/").object_list] == ["open/a"]
        denied(lambda: store.get_object("closed/a"))
        denied(lambda: store.put_object("closed/b", b"x"))
        denied(lambda: store.delete_object("closed/a"))
        denied(lambda: store.list_objects())
        denied(lambda: store.copy_object(bucket, "closed/a", "open/stolen"))
        store.delete_object("open/a")
    s3.put_object(Bucket=bucket, Key="open/b", Body=b"mine")
    assert s3.get_object(Bucket=bucket, Key="open/b")["Body"].read() == b"mine"
    denied(lambda: s3.get_object(Bucket=bucket, Key="closed/a"))
    denied(lambda: s3.head_object(Bucket=bucket, Key="closed/a"))
    denied(lambda: s3.put_object(Bucket=bucket, Key="closed/b", Body=b"x"))
    denied(lambda: s3.list_objects_v2(Bucket=bucket))
    denied(lambda: s3.delete_bucket(Bucket=bucket))
    denied(lambda: s3.create_multipart_upload(Bucket=bucket, Key="closed/m"))
    assert root.get_object(Bucket=bucket, Key="closed/a")["Body"].read() == b"secret"


def test_deleting_many_weighs_each_key(clients, bucket, limited):
    root, s3 = clients.s3(), clients.s3(limited)
    for key in ("open/a", "closed/a"):
        root.put_object(Bucket=bucket, Key=key, Body=b"x")
    asked = {"Objects": [{"Key": "open/a"}, {"Key": "closed/a"}]}
    try:
        s3.delete_objects(Bucket=bucket, Delete=asked)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"
    assert root.get_object(Bucket=bucket, Key="closed/a")["Body"].read() == b"x"


def test_a_presigned_url_can_do_no_more_than_its_signer(clients, cloud, bucket, limited):
    clients.s3().put_object(Bucket=bucket, Key="closed/a", Body=b"secret")
    for url in (
        clients.oss2(bucket, "v4", limited).sign_url("GET", "closed/a", 60),
        clients.s3(limited).generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": "closed/a"}
        ),
    ):
        answer = requests.get(url, verify=cloud.ca_cert, timeout=30)
        assert answer.status_code == 403
        assert b"secret" not in answer.content


def test_a_change_of_policy_counts_at_once(clients, bucket, make_user):
    name, key = make_user(policy(("Allow", "oss:*", "*")))
    ram, store = clients.ram(), clients.oss2(bucket, "v4", key)
    store.put_object("a", b"x")
    ram.create_policy_version(
        models.CreatePolicyVersionRequest(
            policy_name=name,
            policy_document=policy(("Allow", "oss:GetObject", "*")),
            set_as_default=True,
        )
    )
    assert store.get_object("a").read() == b"x"
    denied(lambda: store.put_object("a", b"y"))
    ram.set_default_policy_version(
        models.SetDefaultPolicyVersionRequest(policy_name=name, version_id="v1")
    )
    store.put_object("a", b"y")
    ram.delete_policy_version(
        models.DeletePolicyVersionRequest(policy_name=name, version_id="v2")
    )


def test_a_disabled_key_is_refused_everywhere(clients, bucket, make_user):
    name, key = make_user(policy(("Allow", "*", "*")))
    clients.oss2(bucket, "v4", key).put_object("a", b"x")
    clients.ram().update_access_key(
        models.UpdateAccessKeyRequest(
            user_name=name, user_access_key_id=key.id, status="Inactive"
        )
    )
    with pytest.raises(oss2.exceptions.ServerError) as error:
        clients.oss2(bucket, "v4", key).get_object("a")
    assert error.value.status == 403
    with pytest.raises(ClientError) as error:
        clients.s3(key).get_object(Bucket=bucket, Key="a")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    with pytest.raises(oss.exceptions.OperationError):
        clients.oss_v2("v1", key).get_object(oss.GetObjectRequest(bucket=bucket, key="a"))
    with pytest.raises(AlibabaCloudException) as error:
        clients.sts(key).get_caller_identity()
    assert error.value.code == "InvalidAccessKeyId.Inactive"


def test_a_condition_on_the_way_it_came(clients, scheme, bucket, make_user):
    """A right that holds over TLS only."""
    key = make_user(
        policy(("Allow", "oss:*", "*", {"Bool": {"acs:SecureTransport": "true"}}))
    )[1]
    store = clients.oss2(bucket, "v4", key)
    if scheme == "https":
        store.put_object("a", b"x")
    else:
        denied(lambda: store.put_object("a", b"x"))


def test_a_condition_on_the_address(clients, bucket, make_user):
    here = make_user(
        policy(("Allow", "oss:*", "*", {"IpAddress": {"acs:SourceIp": "127.0.0.0/8"}}))
    )[1]
    elsewhere = make_user(
        policy(("Allow", "oss:*", "*", {"IpAddress": {"acs:SourceIp": "203.0.113.0/24"}}))
    )[1]
    clients.oss2(bucket, "v4", here).put_object("a", b"x")
    denied(lambda: clients.oss2(bucket, "v4", elsewhere).get_object("a"))


def test_another_account_sees_nothing(clients, bucket, foreign):
    """Full rights in one account are none in another, and what is there is not even told."""
    root = clients.s3()
    root.put_object(Bucket=bucket, Key="a", Body=b"secret")
    s3, ram = clients.s3(foreign), clients.ram(foreign)
    for call in (
        lambda: s3.get_object(Bucket=bucket, Key="a"),
        lambda: s3.put_object(Bucket=bucket, Key="b", Body=b"x"),
        lambda: s3.list_objects_v2(Bucket=bucket),
        lambda: s3.delete_object(Bucket=bucket, Key="a"),
        lambda: clients.oss2(bucket, "v1", foreign).get_object("a"),
        lambda: clients.oss2(bucket, "v4", foreign).get_bucket_info(),
    ):
        denied(call)
    assert s3.list_buckets()["Buckets"] == []
    assert ram.list_users(models.ListUsersRequest()).body.users.user == []
    ours = unique("user")
    clients.ram().create_user(models.CreateUserRequest(user_name=ours))
    with pytest.raises(AlibabaCloudException) as error:
        ram.get_user(models.GetUserRequest(user_name=ours))
    assert error.value.code == "EntityNotExist.User"
    clients.ram().delete_user(models.DeleteUserRequest(user_name=ours))
    assert root.get_object(Bucket=bucket, Key="a")["Body"].read() == b"secret"


def test_a_bucket_name_belongs_to_one_account(clients, bucket, foreign):
    with pytest.raises(ClientError) as error:
        clients.s3(foreign).create_bucket(Bucket=bucket)
    assert error.value.response["Error"]["Code"] == "BucketAlreadyExists"
