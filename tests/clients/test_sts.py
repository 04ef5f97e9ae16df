"""STS: roles are assumed by three kinds of client, and what they get is limited and ends."""

import datetime
import json

import pytest
import requests
from alibabacloud_credentials.http import HttpOptions
from alibabacloud_credentials.provider.ram_role_arn import RamRoleArnCredentialsProvider
from alibabacloud_ram20150501 import models as ram_models
from alibabacloud_sts20150401 import models
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

from support import Key, policy, rpc_v1, trust, unique


@pytest.fixture
def role(clients, cloud):
    """A role with all rights on object storage, which the root account and its users may assume.
    Gives its ARN."""
    ram, name = clients.ram(), unique("role")
    document = trust(f"acs:ram::{cloud.account}:root")
    made = ram.create_role(
        ram_models.CreateRoleRequest(role_name=name, assume_role_policy_document=document)
    )
    attached = {
        "policy_type": "System",
        "policy_name": "AliyunOSSFullAccess",
        "role_name": name,
    }
    ram.attach_policy_to_role(ram_models.AttachPolicyToRoleRequest(**attached))
    yield made.body.role.arn
    ram.detach_policy_from_role(ram_models.DetachPolicyFromRoleRequest(**attached))
    ram.delete_role(ram_models.DeleteRoleRequest(role_name=name))


@pytest.fixture
def assumer(make_user):
    """The key of a user that may assume roles."""
    return make_user(policy(("Allow", "sts:AssumeRole", "*")))[1]


def assume(sts, role, **more):
    request = models.AssumeRoleRequest(role_arn=role, role_session_name="audit", **more)
    return sts.assume_role(request).body


def key_of(body):
    given = body.credentials
    return Key(given.access_key_id, given.access_key_secret, given.security_token)


def test_the_root_account_knows_itself(clients, cloud):
    body = clients.sts().get_caller_identity().body
    assert body.account_id == cloud.account
    assert body.arn == f"acs:ram::{cloud.account}:root"
    assert body.identity_type == "Account"


def test_a_user_knows_itself(clients, cloud, make_user):
    name, key = make_user()
    body = clients.sts(key).get_caller_identity().body
    assert body.arn == f"acs:ram::{cloud.account}:user/{name}"
    assert (body.identity_type, body.account_id) == ("RAMUser", cloud.account)
    assert body.user_id


def test_an_assumed_role_acts_as_the_role(clients, cloud, role, assumer):
    body = assume(clients.sts(assumer), role)
    name = role.rsplit("/", 1)[1]
    assert body.assumed_role_user.arn.endswith(f":role/{name}/audit")
    assert key_of(body).id.startswith("STS.")
    identity = clients.sts(key_of(body)).get_caller_identity().body
    assert identity.arn == f"acs:ram::{cloud.account}:assumed-role/{name}/audit"
    assert identity.identity_type == "AssumedRoleUser"
    clients.s3(key_of(body)).list_buckets()


def test_a_session_ends_when_it_was_said_to(clients, role, assumer):
    body = assume(clients.sts(assumer), role, duration_seconds=900)
    ends = datetime.datetime.strptime(body.credentials.expiration, "%Y-%m-%dT%H:%M:%SZ")
    left = ends - datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert datetime.timedelta(seconds=840) < left <= datetime.timedelta(seconds=901)


@pytest.mark.parametrize("seconds", [899, 3601])
def test_a_duration_out_of_bounds_is_refused(clients, role, assumer, seconds):
    with pytest.raises(AlibabaCloudException) as error:
        assume(clients.sts(assumer), role, duration_seconds=seconds)
    assert error.value.status_code == 400
    assert "DurationSeconds" in f"{error.value.code} {error.value.message}"


def test_a_session_policy_takes_rights_away_and_adds_none(clients, role, assumer, bucket):
    limit = policy(
        ("Allow", "oss:GetObject", f"acs:oss:*:*:{bucket}/open/*"), ("Allow", "ram:*", "*")
    )
    key = key_of(assume(clients.sts(assumer), role, policy=limit))
    s3, root = clients.s3(key), clients.s3()
    for name in ("open/a", "closed/a"):
        root.put_object(Bucket=bucket, Key=name, Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="open/a")["Body"].read() == b"x"
    for call in (
        lambda: s3.get_object(Bucket=bucket, Key="closed/a"),
        lambda: s3.put_object(Bucket=bucket, Key="open/b", Body=b"x"),
    ):
        with pytest.raises(s3.exceptions.ClientError) as error:
            call()
        assert error.value.response["Error"]["Code"] == "AccessDenied"
    # The role itself has no right on RAM, so the session policy cannot give it.
    with pytest.raises(AlibabaCloudException) as error:
        clients.ram(key).list_users(ram_models.ListUsersRequest())
    assert error.value.code == "NoPermission"


def test_a_user_without_the_right_may_not_assume(clients, role, make_user):
    with pytest.raises(AlibabaCloudException) as error:
        assume(clients.sts(make_user()[1]), role)
    assert (error.value.code, error.value.status_code) == ("NoPermission", 403)


def test_a_role_that_is_not_there_cannot_be_assumed(clients, cloud, assumer):
    with pytest.raises(AlibabaCloudException) as error:
        assume(clients.sts(assumer), f"acs:ram::{cloud.account}:role/nobody")
    assert error.value.code == "EntityNotExist.Role"


def test_a_token_must_belong_to_its_key(clients, role, assumer):
    key = key_of(assume(clients.sts(assumer), role))
    for wrong in (
        Key(key.id, key.secret, key.token[:-4] + "AAAA"),
        Key(key.id, key.secret, "nonsense"),
        Key(key.id, key.secret, None),
    ):
        with pytest.raises(AlibabaCloudException) as error:
            clients.sts(wrong).get_caller_identity()
        assert error.value.status_code in (400, 403)
        assert error.value.code.startswith(("InvalidSecurityToken", "InvalidAccessKeyId"))


def test_the_credentials_library_assumes_by_get(clients, cloud, role, assumer):
    """`alibabacloud_credentials` signs RPC V1 by GET and knows https only, whatever is asked."""
    provider = RamRoleArnCredentialsProvider(
        access_key_id=assumer.id,
        access_key_secret=assumer.secret,
        role_arn=role,
        role_session_name="library",
        sts_endpoint=cloud.door("api"),
        http_options=HttpOptions(connect_timeout=5000, read_timeout=10000),
    )
    given = provider.get_credentials()
    key = Key(
        given.get_access_key_id(), given.get_access_key_secret(), given.get_security_token()
    )
    assert clients.sts(key).get_caller_identity().body.arn.endswith("/library")


def test_a_form_post_assumes(clients, cloud, role, assumer):
    """As `credentials-go` does it: system parameters in the query, the others in the body."""
    params = rpc_v1(
        cloud, "AssumeRole", "2015-04-01", "POST", assumer,
        Format="JSON", RoleArn=role, RoleSessionName="form", DurationSeconds="900",
    )
    body = {name: params.pop(name) for name in ("RoleArn", "RoleSessionName", "DurationSeconds")}
    answer = requests.post(
        clients.url("api") + "/", params=params, data=body, verify=cloud.ca_cert, timeout=30
    )
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.text)["Credentials"]["SecurityToken"]
