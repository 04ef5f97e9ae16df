//! Error codes: the names that clients know, each with its HTTP status and standing message.
//!
//! A service keeps the codes that only it answers beside its actions (`const GONE: Code = …`); here
//! are those that the shared path answers. No message may contain another code's name: Terraform
//! searches whole error bodies for the codes it expects.

/// One error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The name on the wire.
    pub name: &'static str,
    /// The HTTP status it goes with.
    pub status: u16,
    /// What the caller reads unless the error says more.
    pub message: &'static str,
}

impl Code {
    /// A code with its status and standing message.
    pub const fn new(name: &'static str, status: u16, message: &'static str) -> Self {
        Self { name, status, message }
    }

    /// An error of this code that says `message` instead of the standing one.
    pub fn error(&self, message: impl Into<String>) -> crate::ApiError {
        crate::ApiError::new(self).message(message)
    }
}

macro_rules! codes {
    ($($ident:ident $name:literal $status:literal $message:literal;)*) => {
        $(#[doc = concat!("`", $name, "`, status ", $status, ".")]
        pub const $ident: Code = Code::new($name, $status, $message);)*

        /// Every code above, for the tests and the reference page.
        pub const ALL: &[Code] = &[$($ident),*];
    };
}

codes! {
    MISSING_PARAMETER "MissingParameter" 400 "A parameter that is mandatory for processing this request is not supplied.";
    INVALID_PARAMETER "InvalidParameter" 400 "The specified parameter is not valid.";
    INVALID_ACTION "InvalidAction.NotFound" 400 "Specified api is not found, please check your url and method.";
    INVALID_KEY "InvalidAccessKeyId.NotFound" 400 "Specified access key is not found.";
    INACTIVE_KEY "InvalidAccessKeyId.Inactive" 400 "Specified access key is disabled.";
    SIGNATURE_MISMATCH "SignatureDoesNotMatch" 400 "Specified signature is not matched with our calculation.";
    INCOMPLETE_SIGNATURE "IncompleteSignature" 400 "The request signature does not conform to the standards of this service.";
    UNSUPPORTED_SIGNATURE "UnsupportedSignatureMethod" 400 "The specified signature method is not supported.";
    NONCE_USED "SignatureNonceUsed" 400 "Specified signature nonce was used already.";
    TIMESTAMP_EXPIRED "InvalidTimeStamp.Expired" 400 "Specified time stamp or date value is expired.";
    TIMESTAMP_FORMAT "InvalidTimeStamp.Format" 400 "Specified time stamp or date value is not well formatted.";
    TOKEN_EXPIRED "InvalidSecurityToken.Expired" 400 "Specified SecurityToken is expired.";
    TOKEN_MALFORMED "InvalidSecurityToken.Malformed" 400 "Specified SecurityToken is malformed.";
    BODY_MISMATCH "InvalidContentDigest" 400 "The body of the request does not match its declared digest.";
    BODY_TOO_LARGE "RequestEntityTooLarge" 413 "The body of the request is larger than this service takes.";
    BODY_INCOMPLETE "IncompleteBody" 400 "The body of the request is shorter than it was declared to be.";
    REQUEST_TIMEOUT "RequestTimeout" 408 "The body of the request did not arrive in time.";
    MALFORMED_REQUEST "MalformedRequest" 400 "The request could not be understood.";
    METHOD_NOT_ALLOWED "UnsupportedHTTPMethod" 405 "This http method is not supported here.";
    FORBIDDEN_RAM "Forbidden.RAM" 403 "User not authorized to operate on the specified resource, or this API doesn't support RAM.";
    NO_PERMISSION "NoPermission" 403 "You are not authorized to do this action. You should be authorized by RAM.";
    NO_AGREEMENT "Forbidden.NoAgreement" 403 "There is no active agreement between this account and the provider.";
    SERVICE_NOT_GRANTED "Forbidden.ServiceNotGranted" 403 "The agreement of this account does not grant this service.";
    AGREEMENT_ENDED "Forbidden.AgreementEnded" 403 "The term of the agreement between this account and the provider is over.";
    RESIDENCY "Forbidden.Residency" 403 "The agreement of this account does not allow this data to be there.";
    DATA_CLASS "Forbidden.DataClass" 403 "Data may not be copied to where less sensitive data is kept.";
    ZONES_REQUIRED "Forbidden.ZoneRedundancyRequired" 403 "The agreement of this account demands that this data is kept in more than one zone.";
    PERMIT_LAPSED "Forbidden.PermitLapsed" 403 "The permit of the data centre has lapsed: it takes nothing new.";
    SPENDING_LIMIT "Forbidden.SpendingLimit" 403 "The spending limit of the agreement is reached for this month.";
    TENANT_SIGNATURE "Forbidden.TenantSignature" 403 "This takes a signature by the tenant's key, as its agreement names it.";
    ACCOUNT_SUSPENDED "Forbidden.AccountSuspended" 403 "This account is suspended.";
    THROTTLED "Throttling.User" 429 "Request was denied due to user flow control.";
    TOKEN_REUSED "IdempotentParameterMismatch" 400 "The request uses the same client token as a previous request, with other parameters.";
    DRY_RUN "DryRunOperation" 400 "Request validation has been passed with DryRun flag set.";
    QUOTA_EXCEEDED "QuotaExceed" 400 "The quota of this account is used up.";
    INTERNAL_ERROR "InternalError" 500 "The request processing has failed due to some unknown error.";
    UNAVAILABLE "ServiceUnavailable" 503 "The service is not available now. Please try again.";
}
