"""Fixtures. `AWAN_CLOUD` names the `cloud.json` of a running cloud; `root-key.json` is beside it."""

import os

import pytest
from alibabacloud_ram20150501 import models as ram_models

import oss_matrix
from agreements import Awan, NoteKey, agree, template, tenant_key
from oss_matrix import folder, fresh, second, store, stores, target  # noqa: F401 (fixtures)
from support import Clients, Cloud, Key, acs3, keep_on_this_machine, send, trust_only, unique


def pytest_addoption(parser):
    parser.addoption(
        "--short", action="store_true", help="plain HTTP only, without the slow tests"
    )


def pytest_generate_tests(metafunc):
    oss_matrix.parametrize(metafunc)
    if "scheme" in metafunc.fixturenames:
        short = metafunc.config.getoption("--short")
        metafunc.parametrize("scheme", ["http"] if short else ["http", "https"], scope="session")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--short"):
        skip = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=skip)
        items[:] = [item for item in items if item not in skip]


@pytest.fixture(scope="session")
def cloud():
    path = os.environ.get("AWAN_CLOUD")
    if not path:
        pytest.exit("AWAN_CLOUD must name the cloud.json of a running cloud", returncode=4)
    cloud = Cloud(path)
    cloud.provider = NoteKey.read(cloud.provider_key)
    keep_on_this_machine()
    trust_only(cloud.ca_cert)
    # No setting of the person who runs the tests may reach a client.
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]
    return cloud


@pytest.fixture
def clients(cloud, scheme):
    return Clients(cloud, scheme)


@pytest.fixture
def bucket(clients):
    """The name of an empty bucket of the root account, removed with its content afterwards."""
    s3 = clients.s3()
    name = unique("bucket")
    s3.create_bucket(Bucket=name)
    yield name
    oss_matrix.clear(s3, name)


@pytest.fixture
def make_user(clients):
    """Makes RAM users of the root account with a key, and a policy if one is given. All of it is
    removed afterwards."""
    ram = clients.ram()
    made = []

    def make(document=None):
        name = unique("user")
        ram.create_user(ram_models.CreateUserRequest(user_name=name))
        made.append(name)
        key = ram.create_access_key(ram_models.CreateAccessKeyRequest(user_name=name))
        if document:
            ram.create_policy(
                ram_models.CreatePolicyRequest(policy_name=name, policy_document=document)
            )
            ram.attach_policy_to_user(
                ram_models.AttachPolicyToUserRequest(
                    policy_type="Custom", policy_name=name, user_name=name
                )
            )
        key = key.body.access_key
        return name, Key(key.access_key_id, key.access_key_secret)

    yield make
    for name in made:
        remove_user(ram, name)


def remove_user(ram, name):
    policies = ram.list_policies_for_user(ram_models.ListPoliciesForUserRequest(user_name=name))
    for attached in policies.body.policies.policy:
        ram.detach_policy_from_user(
            ram_models.DetachPolicyFromUserRequest(
                policy_type=attached.policy_type, policy_name=attached.policy_name, user_name=name
            )
        )
        if attached.policy_type == "Custom":
            ram.delete_policy(ram_models.DeletePolicyRequest(policy_name=attached.policy_name))
    keys = ram.list_access_keys(ram_models.ListAccessKeysRequest(user_name=name))
    for key in keys.body.access_keys.access_key:
        ram.delete_access_key(
            ram_models.DeleteAccessKeyRequest(user_name=name, user_access_key_id=key.access_key_id)
        )
    ram.delete_user(ram_models.DeleteUserRequest(user_name=name))


@pytest.fixture(scope="session")
def foreign(cloud):
    """The root key of another account of the same cloud, suspended afterwards."""

    def call(action, **params):
        headers, target = acs3(cloud, action, "2026-01-01", params)
        answer = send(cloud, "http", headers, target)
        assert answer.status_code == 200, answer.text
        return answer.json()

    made = call("CreateAccount", AccountName=unique("foreign"), DisplayName="Somebody else")
    account = made["Account"]["AccountId"]
    key = Key(made["AccessKey"]["AccessKeyId"], made["AccessKey"]["AccessKeySecret"])
    tenant = tenant_key(cloud, account)
    agree(cloud, account, Awan(cloud, key), template(cloud, account, tenant), tenant)
    yield key
    call("SuspendAccount", AccountId=made["Account"]["AccountId"])
