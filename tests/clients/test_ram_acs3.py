"""RAM through the current Python SDK, which signs with ACS3: users, groups, keys, policies, roles."""

import json

import pytest
from alibabacloud_ram20150501 import models
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

from support import Key, policy, trust, unique

READ_USERS = policy(("Allow", "ram:GetUser", "*"))
READ_GROUPS = policy(("Allow", "ram:GetGroup", "*"))


def refused(code, call):
    with pytest.raises(AlibabaCloudException) as error:
        call()
    assert error.value.code == code, error.value
    assert 400 <= error.value.status_code < 500
    assert error.value.request_id
    return error.value


@pytest.fixture
def ram(clients):
    return clients.ram()


@pytest.fixture
def user(ram):
    name = unique("user")
    ram.create_user(
        models.CreateUserRequest(
            user_name=name, display_name="Älice (a)*'!~", comments="50% + 1 & more", email="a@example.id"
        )
    )
    yield name
    ram.delete_user(models.DeleteUserRequest(user_name=name))


@pytest.fixture
def group(ram):
    name = unique("group")
    ram.create_group(models.CreateGroupRequest(group_name=name, comments="counting"))
    yield name
    ram.delete_group(models.DeleteGroupRequest(group_name=name))


@pytest.fixture
def custom_policy(ram):
    name = unique("policy")
    ram.create_policy(
        models.CreatePolicyRequest(policy_name=name, policy_document=READ_USERS, description="one")
    )
    yield name
    ram.delete_policy(models.DeletePolicyRequest(policy_name=name))


@pytest.fixture
def role(ram, cloud):
    name = unique("role")
    ram.create_role(
        models.CreateRoleRequest(
            role_name=name,
            description="auditor",
            assume_role_policy_document=trust(f"acs:ram::{cloud.account}:root"),
            max_session_duration=7200,
        )
    )
    yield name
    ram.delete_role(models.DeleteRoleRequest(role_name=name))


def test_a_user_is_read_back_as_it_was_made(ram, user):
    got = ram.get_user(models.GetUserRequest(user_name=user)).body
    assert got.request_id
    assert got.user.user_name == user
    assert got.user.display_name == "Älice (a)*'!~"
    assert got.user.comments == "50% + 1 & more"
    assert got.user.email == "a@example.id"
    assert got.user.user_id and got.user.create_date


def test_a_user_is_renamed_and_changed(ram):
    old, new = unique("user"), unique("user")
    made = ram.create_user(models.CreateUserRequest(user_name=old)).body.user
    ram.update_user(
        models.UpdateUserRequest(user_name=old, new_user_name=new, new_display_name="Siti")
    )
    got = ram.get_user(models.GetUserRequest(user_name=new)).body.user
    assert (got.user_id, got.display_name) == (made.user_id, "Siti")
    refused("EntityNotExist.User", lambda: ram.get_user(models.GetUserRequest(user_name=old)))
    ram.delete_user(models.DeleteUserRequest(user_name=new))


def test_a_user_that_is_there_cannot_be_made_again(ram, user):
    error = refused(
        "EntityAlreadyExists.User",
        lambda: ram.create_user(models.CreateUserRequest(user_name=user)),
    )
    assert error.status_code == 409


def test_a_user_that_is_not_there_is_a_404(ram):
    for call in (
        lambda: ram.get_user(models.GetUserRequest(user_name="nobody")),
        lambda: ram.delete_user(models.DeleteUserRequest(user_name="nobody")),
        lambda: ram.create_access_key(models.CreateAccessKeyRequest(user_name="nobody")),
    ):
        assert refused("EntityNotExist.User", call).status_code == 404


def test_a_missing_name_is_refused(ram):
    with pytest.raises(AlibabaCloudException) as error:
        ram.create_user(models.CreateUserRequest(display_name="x"))
    assert error.value.status_code == 400
    assert "UserName" in f"{error.value.code} {error.value.message}"


def test_users_are_listed_page_by_page(ram):
    made = sorted(unique("page") for _ in range(5))
    for name in made:
        ram.create_user(models.CreateUserRequest(user_name=name))
    seen, marker, pages = [], None, 0
    while True:
        body = ram.list_users(models.ListUsersRequest(max_items=2, marker=marker)).body
        assert len(body.users.user) <= 2
        seen += [user.user_name for user in body.users.user]
        pages += 1
        if not body.is_truncated:
            break
        marker = body.marker
        assert marker
    assert set(made) <= set(seen)
    assert len(seen) == len(set(seen))
    assert pages >= 3
    for name in made:
        ram.delete_user(models.DeleteUserRequest(user_name=name))


def test_a_group_is_made_changed_and_listed(ram, group):
    got = ram.get_group(models.GetGroupRequest(group_name=group)).body.group
    assert (got.group_name, got.comments) == (group, "counting")
    ram.update_group(models.UpdateGroupRequest(group_name=group, new_comments="recounting"))
    got = ram.get_group(models.GetGroupRequest(group_name=group)).body.group
    assert got.comments == "recounting"
    listed = ram.list_groups(models.ListGroupsRequest(max_items=1000)).body.groups.group
    assert group in [item.group_name for item in listed]
    refused(
        "EntityAlreadyExists.Group",
        lambda: ram.create_group(models.CreateGroupRequest(group_name=group)),
    )
    refused("EntityNotExist.Group", lambda: ram.get_group(models.GetGroupRequest(group_name="no")))


def test_members_of_a_group_are_seen_from_both_sides(ram, group, user):
    ram.add_user_to_group(models.AddUserToGroupRequest(group_name=group, user_name=user))
    users = ram.list_users_for_group(models.ListUsersForGroupRequest(group_name=group)).body.users
    assert [member.user_name for member in users.user] == [user]
    groups = ram.list_groups_for_user(models.ListGroupsForUserRequest(user_name=user)).body.groups
    assert [item.group_name for item in groups.group] == [group]
    refused(
        "DeleteConflict.Group.User",
        lambda: ram.delete_group(models.DeleteGroupRequest(group_name=group)),
    )
    ram.remove_user_from_group(models.RemoveUserFromGroupRequest(group_name=group, user_name=user))
    users = ram.list_users_for_group(models.ListUsersForGroupRequest(group_name=group)).body.users
    assert users.user == []


def test_an_access_key_lives_through_all_its_states(ram, clients, user):
    made = ram.create_access_key(models.CreateAccessKeyRequest(user_name=user)).body.access_key
    assert made.status == "Active"
    listed = ram.list_access_keys(models.ListAccessKeysRequest(user_name=user)).body
    assert [key.access_key_id for key in listed.access_keys.access_key] == [made.access_key_id]

    own = Key(made.access_key_id, made.access_key_secret)
    assert clients.sts(own).get_caller_identity().body.arn.endswith(f":user/{user}")
    used = ram.get_access_key_last_used(
        models.GetAccessKeyLastUsedRequest(user_name=user, user_access_key_id=made.access_key_id)
    )
    assert used.body.access_key_last_used is not None

    ram.update_access_key(
        models.UpdateAccessKeyRequest(
            user_name=user, user_access_key_id=made.access_key_id, status="Inactive"
        )
    )
    refused("InvalidAccessKeyId.Inactive", lambda: clients.sts(own).get_caller_identity())
    ram.update_access_key(
        models.UpdateAccessKeyRequest(
            user_name=user, user_access_key_id=made.access_key_id, status="Active"
        )
    )
    clients.sts(own).get_caller_identity()
    refused(
        "DeleteConflict.User.AccessKey",
        lambda: ram.delete_user(models.DeleteUserRequest(user_name=user)),
    )
    ram.delete_access_key(
        models.DeleteAccessKeyRequest(user_name=user, user_access_key_id=made.access_key_id)
    )
    refused("InvalidAccessKeyId.NotFound", lambda: clients.sts(own).get_caller_identity())


def test_a_policy_has_versions_of_which_one_is_in_force(ram, custom_policy):
    name = custom_policy
    second = ram.create_policy_version(
        models.CreatePolicyVersionRequest(
            policy_name=name, policy_document=READ_GROUPS, set_as_default=True
        )
    ).body.policy_version
    assert second.version_id == "v2"
    got = ram.get_policy(models.GetPolicyRequest(policy_type="Custom", policy_name=name)).body
    assert got.policy.default_version == "v2"
    assert json.loads(got.default_policy_version.policy_document) == json.loads(READ_GROUPS)
    ram.set_default_policy_version(
        models.SetDefaultPolicyVersionRequest(policy_name=name, version_id="v1")
    )
    listed = ram.list_policy_versions(
        models.ListPolicyVersionsRequest(policy_type="Custom", policy_name=name)
    ).body.policy_versions.policy_version
    assert {item.version_id: item.is_default_version for item in listed} == {
        "v1": True,
        "v2": False,
    }
    first = ram.get_policy_version(
        models.GetPolicyVersionRequest(policy_type="Custom", policy_name=name, version_id="v1")
    ).body.policy_version
    assert json.loads(first.policy_document) == json.loads(READ_USERS)
    with pytest.raises(AlibabaCloudException) as error:
        ram.delete_policy_version(
            models.DeletePolicyVersionRequest(policy_name=name, version_id="v1")
        )
    assert error.value.code.startswith("DeleteConflict.Policy.Version")
    ram.delete_policy_version(models.DeletePolicyVersionRequest(policy_name=name, version_id="v2"))


def test_policies_are_listed_by_kind_and_described(ram, custom_policy):
    ram.update_policy_description(
        models.UpdatePolicyDescriptionRequest(policy_name=custom_policy, new_description="two")
    )
    listed = ram.list_policies(models.ListPoliciesRequest(policy_type="Custom", max_items=1000))
    found = {item.policy_name: item.description for item in listed.body.policies.policy}
    assert found[custom_policy] == "two"
    system = ram.list_policies(models.ListPoliciesRequest(policy_type="System", max_items=1000))
    names = {item.policy_name for item in system.body.policies.policy}
    assert {"AdministratorAccess", "AliyunOSSFullAccess", "AliyunOSSReadOnlyAccess"} <= names
    assert custom_policy not in names


@pytest.mark.parametrize(
    "document",
    ["", "{", "[]", '{"Version": "1"}', '{"Version": "3", "Statement": []}',
     '{"Version": "1", "Statement": [{"Effect": "Maybe", "Action": "*", "Resource": "*"}]}'],
)
def test_a_malformed_policy_is_refused(ram, document):
    with pytest.raises(AlibabaCloudException) as error:
        ram.create_policy(
            models.CreatePolicyRequest(policy_name=unique("bad"), policy_document=document)
        )
    assert error.value.status_code == 400


def test_a_policy_in_use_cannot_be_deleted(ram, custom_policy, user, group, role):
    target = {"policy_type": "Custom", "policy_name": custom_policy}
    ram.attach_policy_to_user(models.AttachPolicyToUserRequest(user_name=user, **target))
    ram.attach_policy_to_group(models.AttachPolicyToGroupRequest(group_name=group, **target))
    ram.attach_policy_to_role(models.AttachPolicyToRoleRequest(role_name=role, **target))
    entities = ram.list_entities_for_policy(models.ListEntitiesForPolicyRequest(**target)).body
    assert [item.user_name for item in entities.users.user] == [user]
    assert [item.group_name for item in entities.groups.group] == [group]
    assert [item.role_name for item in entities.roles.role] == [role]
    with pytest.raises(AlibabaCloudException) as error:
        ram.delete_policy(models.DeletePolicyRequest(policy_name=custom_policy))
    assert error.value.code.startswith("DeleteConflict.Policy")
    with pytest.raises(AlibabaCloudException) as error:
        ram.attach_policy_to_user(models.AttachPolicyToUserRequest(user_name=user, **target))
    assert error.value.code.startswith("EntityAlreadyExists")

    def names(body):
        return [item.policy_name for item in body.policies.policy]

    of_user = ram.list_policies_for_user(models.ListPoliciesForUserRequest(user_name=user))
    of_group = ram.list_policies_for_group(models.ListPoliciesForGroupRequest(group_name=group))
    of_role = ram.list_policies_for_role(models.ListPoliciesForRoleRequest(role_name=role))
    assert names(of_user.body) == names(of_group.body) == names(of_role.body) == [custom_policy]
    ram.detach_policy_from_user(models.DetachPolicyFromUserRequest(user_name=user, **target))
    ram.detach_policy_from_group(models.DetachPolicyFromGroupRequest(group_name=group, **target))
    ram.detach_policy_from_role(models.DetachPolicyFromRoleRequest(role_name=role, **target))
    of_user = ram.list_policies_for_user(models.ListPoliciesForUserRequest(user_name=user))
    assert names(of_user.body) == []


def test_a_role_is_made_changed_and_listed(ram, cloud, role):
    got = ram.get_role(models.GetRoleRequest(role_name=role)).body.role
    assert got.arn.lower() == f"acs:ram::{cloud.account}:role/{role}".lower()
    assert (got.description, got.max_session_duration) == ("auditor", 7200)
    document = trust(f"acs:ram::{cloud.account}:root")
    assert json.loads(got.assume_role_policy_document) == json.loads(document)
    ram.update_role(models.UpdateRoleRequest(role_name=role, new_description="observer"))
    got = ram.get_role(models.GetRoleRequest(role_name=role)).body.role
    assert got.description == "observer"
    listed = ram.list_roles(models.ListRolesRequest(max_items=1000)).body.roles.role
    assert role in [item.role_name for item in listed]
    refused("EntityNotExist.Role", lambda: ram.get_role(models.GetRoleRequest(role_name="no")))


def test_a_user_may_do_what_its_policies_say_and_nothing_else(clients, make_user):
    name, key = make_user(READ_USERS)
    own = clients.ram(key)
    assert own.get_user(models.GetUserRequest(user_name=name)).body.user.user_name == name
    error = refused(
        "NoPermission",
        lambda: own.create_user(models.CreateUserRequest(user_name=unique("user"))),
    )
    assert error.status_code == 403


def test_rights_come_through_groups_and_go_with_them(ram, clients, make_user, group, custom_policy):
    name, key = make_user()
    own = clients.ram(key)

    def look():
        return own.get_user(models.GetUserRequest(user_name=name))

    refused("NoPermission", look)
    target = {"policy_type": "Custom", "policy_name": custom_policy, "group_name": group}
    ram.attach_policy_to_group(models.AttachPolicyToGroupRequest(**target))
    ram.add_user_to_group(models.AddUserToGroupRequest(group_name=group, user_name=name))
    assert look().body.user.user_name == name
    ram.remove_user_from_group(models.RemoveUserFromGroupRequest(group_name=group, user_name=name))
    refused("NoPermission", look)
    ram.detach_policy_from_group(models.DetachPolicyFromGroupRequest(**target))


def test_an_explicit_denial_wins(clients, make_user):
    name, key = make_user(
        policy(("Allow", "ram:*", "*"), ("Deny", "ram:Delete*", "*"))
    )
    own = clients.ram(key)
    own.get_user(models.GetUserRequest(user_name=name))
    refused("NoPermission", lambda: own.delete_user(models.DeleteUserRequest(user_name=name)))


def test_a_wrong_secret_and_an_unknown_key_are_told_apart(clients, cloud):
    wrong = clients.ram(cloud.root.with_secret("wrong"))
    error = refused("SignatureDoesNotMatch", lambda: wrong.list_users(models.ListUsersRequest()))
    assert "server string to sign is:" in error.message
    unknown = clients.ram(Key("LTAInobody0000000000000", "x"))
    refused("InvalidAccessKeyId.NotFound", lambda: unknown.list_users(models.ListUsersRequest()))
