//! Codes that only this service answers.

use base::{ApiError, Code, code};

pub(crate) const NO_AGREEMENT: Code =
    Code::new("EntityNotExist.Agreement", 404, "There is no such agreement.");
pub(crate) const AGREEMENT_EXISTS: Code = Code::new(
    "EntityAlreadyExists.Agreement",
    409,
    "There is already a release of that name, or a contracting process of that name.",
);
pub(crate) const WRONG_STATE: Code = Code::new(
    "OperationConflict.Agreement",
    409,
    "The release has not come as far as this, or has come too far.",
);
pub(crate) const STALE_SIGNATURE: Code = Code::new(
    "OperationConflict.StaleSignature",
    409,
    "A party signed this release too long ago, or before the last agreement of the account was over.",
);
pub(crate) const NOTICE: Code = Code::new(
    "Forbidden.NoticePeriod",
    403,
    "The provider ends an agreement with the notice that it grants.",
);
pub(crate) const NO_ACCESS: Code =
    Code::new("EntityNotExist.PrivilegedAccess", 404, "There is no such privileged access.");
pub(crate) const ACCESS_STATE: Code = Code::new(
    "OperationConflict.PrivilegedAccess",
    409,
    "The privileged access is not in a state in which this can be done.",
);
pub(crate) const NOT_PERMITTED: Code = Code::new(
    "Forbidden.PrivilegedAccess",
    403,
    "The agreement of that account does not permit the provider's people to read its data.",
);

/// `InvalidParameter.<name>`, with why.
pub(crate) fn invalid(name: &str, why: impl Into<String>) -> ApiError {
    code::INVALID_PARAMETER.error(why).suffix(name)
}
