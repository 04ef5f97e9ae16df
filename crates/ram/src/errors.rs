//! The error codes that only this crate answers, as RAM clients know them. No message holds a
//! code's name: Terraform searches whole bodies for the codes it expects.

use base::{ApiError, Code, code};

macro_rules! codes {
    ($($ident:ident $name:literal $status:literal $message:literal;)*) => {
        $(pub(crate) const $ident: Code = Code::new($name, $status, $message);)*
    };
}

codes! {
    NO_ACCOUNT "EntityNotExist.Account" 404 "There is no such account.";
    NO_ALIAS "EntityNotExist.AccountAlias" 404 "This account has no alias.";
    NO_USER "EntityNotExist.User" 404 "There is no such user.";
    NO_KEY "EntityNotExist.User.AccessKey" 404 "There is no such access key.";
    NO_PROFILE "EntityNotExist.User.LoginProfile" 404 "The user has no login profile.";
    NO_USER_DEVICE "EntityNotExist.User.MFADevice" 404 "The user has bound no device.";
    NO_MEMBER "EntityNotExist.User.Group" 404 "The user is not in this group.";
    NO_DEVICE "EntityNotExist.VirtualMFADevice" 404 "There is no such device.";
    NO_GROUP "EntityNotExist.Group" 404 "There is no such group.";
    NO_POLICY "EntityNotExist.Policy" 404 "There is no such policy.";
    NO_VERSION "EntityNotExist.Policy.Version" 404 "The policy has no such version.";
    NO_ROLE "EntityNotExist.Role" 404 "There is no such role.";
    NOT_ATTACHED "EntityNotExist" 404 "The policy is not attached.";

    ACCOUNT_EXISTS "EntityAlreadyExists.Account" 409 "There is an account of this name already.";
    ALIAS_EXISTS "EntityAlreadyExists.AccountAlias" 409 "The alias belongs to an account already.";
    USER_EXISTS "EntityAlreadyExists.User" 409 "There is a user of this name already.";
    PROFILE_EXISTS "EntityAlreadyExists.User.LoginProfile" 409 "The user has a login profile already.";
    USER_DEVICE_EXISTS "EntityAlreadyExists.User.MFADevice" 409 "The user has bound a device already.";
    MEMBER_EXISTS "EntityAlreadyExists.User.Group" 409 "The user is in this group already.";
    DEVICE_EXISTS "EntityAlreadyExists.VirtualMFADevice" 409 "There is a device of this name already.";
    DEVICE_BOUND "EntityAlreadyExists.VirtualMFADevice.User" 409 "The device is bound to a user already.";
    GROUP_EXISTS "EntityAlreadyExists.Group" 409 "There is a group of this name already.";
    POLICY_EXISTS "EntityAlreadyExists.Policy" 409 "There is a policy of this name already.";
    ROLE_EXISTS "EntityAlreadyExists.Role" 409 "There is a role of this name already.";
    ATTACHED "EntityAlreadyExists" 409 "The policy is attached already.";

    USER_HAS_GROUP "DeleteConflict.User.Group" 409 "The user is still in a group.";
    USER_HAS_POLICY "DeleteConflict.User.Policy" 409 "A policy is still attached to the user.";
    USER_HAS_KEY "DeleteConflict.User.AccessKey" 409 "The user still has an access key.";
    USER_HAS_PROFILE "DeleteConflict.User.LoginProfile" 409 "The user still has a login profile.";
    USER_HAS_DEVICE "DeleteConflict.User.MFADevice" 409 "The user still has a device bound.";
    DEVICE_HAS_USER "DeleteConflict.VirtualMFADevice.User" 409 "The device is still bound to a user.";
    GROUP_HAS_USER "DeleteConflict.Group.User" 409 "The group still has members.";
    GROUP_HAS_POLICY "DeleteConflict.Group.Policy" 409 "A policy is still attached to the group.";
    ROLE_HAS_POLICY "DeleteConflict.Role.Policy" 409 "A policy is still attached to the role.";
    POLICY_HAS_USER "DeleteConflict.Policy.User" 409 "The policy is still attached to a user.";
    POLICY_HAS_GROUP "DeleteConflict.Policy.Group" 409 "The policy is still attached to a group.";
    POLICY_HAS_ROLE "DeleteConflict.Policy.Role" 409 "The policy is still attached to a role.";
    POLICY_HAS_VERSION "DeleteConflict.Policy.Version" 409 "The policy still has versions beside the default one.";
    VERSION_IS_DEFAULT "DeleteConflict.Policy.Version.Default" 409 "The default version cannot be deleted.";

    TOO_MANY_KEYS "LimitExceeded.User.AccessKey" 409 "There are as many access keys as there may be.";
    TOO_MANY_VERSIONS "LimitExceeded.Policy.Version" 409 "The policy has as many versions as it may have.";
    TOO_MANY_ATTACHED "LimitExceeded" 409 "As many policies are attached as may be.";
    TOO_MANY_GROUPS "LimitExceeded.User.Group" 409 "The user is in as many groups as it may be.";
    TOO_MANY_TAGS "LimitExceeded.Tag" 409 "The resource has as many tags as it may have.";

    MALFORMED_POLICY "MalformedPolicyDocument" 400 "The policy document is not valid.";
    WRONG_CODE "CheckAuthenticationCodeFail" 403 "The authentication codes are not those of the device now.";
    WRONG_PASSWORD "InvalidParameter.OldPassword" 400 "The old password is not right.";
}

/// `InvalidParameter.<suffix>` with a message of its own. The suffix is constant, since codes are
/// logged and published.
pub(crate) fn invalid(suffix: &'static str, message: impl Into<String>) -> ApiError {
    code::INVALID_PARAMETER.error(message).suffix(suffix)
}

/// `MissingParameter` for a parameter that is mandatory only for this caller.
pub(crate) fn missing(name: &'static str) -> ApiError {
    code::MISSING_PARAMETER
        .error(format!("The parameter {name} is mandatory for this caller."))
        .suffix(name)
}
