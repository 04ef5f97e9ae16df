"""RAM through the current Python SDK: what concerns a person's sign-in and the account as a whole."""

import base64
import hashlib
import hmac
import struct
import time

import pytest
from alibabacloud_ram20150501 import models
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

from support import policy, unique

PASSWORD = "Rahasia-2024!"


@pytest.fixture
def ram(clients):
    return clients.ram()


@pytest.fixture
def user(ram):
    name = unique("user")
    ram.create_user(models.CreateUserRequest(user_name=name))
    yield name
    ram.delete_user(models.DeleteUserRequest(user_name=name))


def refused(code, call):
    with pytest.raises(AlibabaCloudException) as error:
        call()
    assert error.value.code == code, error.value


def test_a_login_profile_is_made_changed_and_removed(ram, user):
    ram.create_login_profile(
        models.CreateLoginProfileRequest(
            user_name=user, password=PASSWORD, password_reset_required=True
        )
    )
    named = models.GetLoginProfileRequest(user_name=user)
    profile = ram.get_login_profile(named).body.login_profile
    assert profile.password_reset_required is True
    assert profile.mfabind_required is False
    ram.update_login_profile(
        models.UpdateLoginProfileRequest(user_name=user, password_reset_required=False)
    )
    assert ram.get_login_profile(named).body.login_profile.password_reset_required is False
    refused(
        "EntityAlreadyExists.User.LoginProfile",
        lambda: ram.create_login_profile(
            models.CreateLoginProfileRequest(user_name=user, password=PASSWORD)
        ),
    )
    ram.delete_login_profile(models.DeleteLoginProfileRequest(user_name=user))
    refused("EntityNotExist.User.LoginProfile", lambda: ram.get_login_profile(named))


def test_a_weak_password_is_refused(ram, user):
    with pytest.raises(AlibabaCloudException) as error:
        ram.create_login_profile(
            models.CreateLoginProfileRequest(user_name=user, password="rahasia")
        )
    assert error.value.status_code == 400


def test_a_user_changes_its_own_password(ram, clients, make_user):
    name, key = make_user()
    ram.create_login_profile(models.CreateLoginProfileRequest(user_name=name, password=PASSWORD))
    own = clients.ram(key)
    with pytest.raises(AlibabaCloudException) as error:
        own.change_password(
            models.ChangePasswordRequest(old_password="Salah-2024!", new_password="Baru-2024!x")
        )
    assert error.value.status_code == 400
    own.change_password(
        models.ChangePasswordRequest(old_password=PASSWORD, new_password="Baru-2024!x")
    )
    ram.delete_login_profile(models.DeleteLoginProfileRequest(user_name=name))


def totp(seed, at):
    """RFC 6238 with its defaults: SHA-1, 30 seconds, six digits."""
    key = base64.b32decode(seed + "=" * (-len(seed) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def test_a_device_is_bound_by_two_of_its_codes(ram, user):
    name = unique("device")
    made = ram.create_virtual_mfadevice(
        models.CreateVirtualMFADeviceRequest(virtual_mfadevice_name=name)
    ).body.virtual_mfadevice
    listed = ram.list_virtual_mfadevices().body.virtual_mfadevices.virtual_mfadevice
    assert made.serial_number in [device.serial_number for device in listed]

    def bind(first, second):
        return ram.bind_mfadevice(
            models.BindMFADeviceRequest(
                user_name=user, serial_number=made.serial_number,
                authentication_code_1=first, authentication_code_2=second,
            )
        )

    now = time.time()
    right = totp(made.base_32string_seed, now - 30), totp(made.base_32string_seed, now)
    wrong = f"{(int(right[0]) + 1) % 1_000_000:06}"
    with pytest.raises(AlibabaCloudException):
        bind(wrong, right[1])
    bind(*right)
    info = ram.get_user_mfainfo(models.GetUserMFAInfoRequest(user_name=user)).body.mfadevice
    assert info.serial_number == made.serial_number
    with pytest.raises(AlibabaCloudException):
        ram.delete_virtual_mfadevice(
            models.DeleteVirtualMFADeviceRequest(serial_number=made.serial_number)
        )
    ram.unbind_mfadevice(models.UnbindMFADeviceRequest(user_name=user))
    refused(
        "EntityNotExist.User.MFADevice",
        lambda: ram.unbind_mfadevice(models.UnbindMFADeviceRequest(user_name=user)),
    )
    ram.delete_virtual_mfadevice(
        models.DeleteVirtualMFADeviceRequest(serial_number=made.serial_number)
    )


def test_the_password_policy_is_kept_and_enforced(ram, user):
    before = ram.get_password_policy().body.password_policy
    ram.set_password_policy(
        models.SetPasswordPolicyRequest(
            minimum_password_length=20, require_symbols=True, max_login_attemps=3
        )
    )
    try:
        got = ram.get_password_policy().body.password_policy
        assert (got.minimum_password_length, got.max_login_attemps) == (20, 3)
        with pytest.raises(AlibabaCloudException):
            ram.create_login_profile(
                models.CreateLoginProfileRequest(user_name=user, password=PASSWORD)
            )
    finally:
        ram.set_password_policy(
            models.SetPasswordPolicyRequest(
                minimum_password_length=before.minimum_password_length,
                require_symbols=before.require_symbols,
                max_login_attemps=before.max_login_attemps,
            )
        )


def test_the_security_preference_is_kept(ram):
    before = ram.get_security_preference().body.security_preference
    ram.set_security_preference(
        models.SetSecurityPreferenceRequest(
            allow_user_to_manage_access_keys=True, login_session_duration=3
        )
    )
    got = ram.get_security_preference().body.security_preference
    assert got.access_key_preference.allow_user_to_manage_access_keys is True
    assert got.login_profile_preference.login_session_duration == 3
    ram.set_security_preference(
        models.SetSecurityPreferenceRequest(
            allow_user_to_manage_access_keys=(
                before.access_key_preference.allow_user_to_manage_access_keys
            ),
            login_session_duration=before.login_profile_preference.login_session_duration,
        )
    )


def test_the_account_has_an_alias(ram):
    alias = unique("kpu")
    ram.set_account_alias(models.SetAccountAliasRequest(account_alias=alias))
    assert ram.get_account_alias().body.account_alias == alias
    ram.clear_account_alias()
    with pytest.raises(AlibabaCloudException) as error:
        ram.get_account_alias()
    assert error.value.status_code == 404


def test_policies_and_roles_carry_tags(ram):
    name = unique("policy")
    ram.create_policy(
        models.CreatePolicyRequest(
            policy_name=name, policy_document=policy(("Allow", "oss:*", "*"))
        )
    )
    target = {"resource_type": "policy", "resource_names": [name]}
    tags = [
        models.TagResourcesRequestTag(key="province", value="Papua & Maluku"),
        models.TagResourcesRequestTag(key="empty", value=""),
    ]
    ram.tag_resources(models.TagResourcesRequest(tag=tags, **target))
    listed = ram.list_tag_resources(models.ListTagResourcesRequest(**target)).body.tag_resources
    found = {item.tag_key: item.tag_value or "" for item in listed}
    assert found == {"province": "Papua & Maluku", "empty": ""}
    ram.untag_resources(models.UntagResourcesRequest(tag_keys=["empty"], **target))
    listed = ram.list_tag_resources(models.ListTagResourcesRequest(**target)).body.tag_resources
    assert [item.tag_key for item in listed] == ["province"]
    ram.delete_policy(models.DeletePolicyRequest(policy_name=name))
