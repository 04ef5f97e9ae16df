//! The one error that an action or a data-plane operation answers with.

use std::fmt;

use crate::{AccountId, Code};

/// Why a request was not done.
///
/// `message` goes to the caller, `detail` to the log; keeping them apart in the type is what keeps
/// internals out of answers. Another account's resource is *not found*; what one's own account may
/// not do is `Forbidden.RAM` or `NoPermission`.
#[derive(Clone)]
pub struct ApiError {
    code: String,
    status: u16,
    message: String,
    detail: Option<Box<str>>,
    denied: Option<Box<Denied>>,
    fields: Vec<(&'static str, String)>,
    record: Option<Box<Record>>,
}

/// What the record of a refusal says besides who asked for what.
#[derive(Clone, Default)]
struct Record {
    public: Box<str>,
    account: Option<AccountId>,
}

/// What a policy decision refused, for `AccessDeniedDetail`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denied {
    /// The action, for example `ecs:RunInstances`.
    pub action: String,
    /// The resource, as an ARN.
    pub resource: String,
    /// `SubUser`, `AssumedRoleUser`, `AlibabaCloudAccount` or `Anonymous`.
    pub principal_type: String,
    /// The principal's name as its owner knows it.
    pub principal_name: String,
    /// The account that the principal belongs to.
    pub principal_owner: String,
    /// True where a statement denied, false where none allowed.
    pub explicit: bool,
}

/// The longest suffix of a code, bytes. The longest parameter names of the API fit.
const SUFFIX_LEN_MAX: usize = 64;

impl ApiError {
    /// An error with the code's own status and message.
    pub fn new(code: &Code) -> Self {
        Self {
            code: code.name.to_owned(),
            status: code.status,
            message: code.message.to_owned(),
            detail: None,
            denied: None,
            fields: Vec::new(),
            record: None,
        }
    }

    /// Something of ours broke. The caller learns nothing but the request id; the log has `detail`.
    pub fn internal(detail: impl fmt::Display) -> Self {
        Self::new(&crate::code::INTERNAL_ERROR).detail(detail)
    }

    /// Replaces the message that the caller reads.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Appends `.suffix` to the code, as in `InvalidParameter.RegionId`. A suffix that is not short and
    /// plain is left out: codes are counted, logged and audited, and some come from what clients sent.
    #[must_use]
    pub fn suffix(mut self, suffix: &str) -> Self {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.';
        if !suffix.is_empty() && suffix.len() <= SUFFIX_LEN_MAX && suffix.bytes().all(plain) {
            self.code = format!("{}.{suffix}", self.code);
        }
        self
    }

    /// Adds what the log should say and the caller should not see.
    #[must_use]
    pub fn detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string().into());
        self
    }

    /// Adds what a policy refused.
    #[must_use]
    pub fn denied(mut self, denied: Denied) -> Self {
        self.denied = Some(Box::new(denied));
        self
    }

    /// Adds an element that the object-storage dialects show in the error body, as `BucketName`.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Adds facts that the public log states in clear when this refusal is recorded: a JSON object that
    /// names nobody but the tenant, by its account.
    #[must_use]
    pub fn public(mut self, facts: impl Into<Box<str>>) -> Self {
        self.record.get_or_insert_default().public = facts.into();
        self
    }

    /// Says whose resources this refusal concerns: the account in whose trail it is recorded, where that is
    /// not the caller's own.
    #[must_use]
    pub fn about(mut self, account: AccountId) -> Self {
        self.record.get_or_insert_default().account = Some(account);
        self
    }

    /// The code, never empty: Terraform takes an empty one for a match of everything.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// True where this error has that code (suffixes ignored).
    pub fn is(&self, code: &Code) -> bool {
        self.code
            .strip_prefix(code.name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What the caller reads.
    pub fn text(&self) -> &str {
        &self.message
    }

    /// The facts for the public log; empty where there are none.
    pub fn public_facts(&self) -> &str {
        self.record.as_ref().map_or("", |record| &record.public)
    }

    /// The account that this refusal concerns, where [`Self::about`] named one.
    pub fn concerned(&self) -> Option<AccountId> {
        self.record.as_ref().and_then(|record| record.account)
    }

    /// What a policy refused, if one did.
    pub fn access_denied(&self) -> Option<&Denied> {
        self.denied.as_deref()
    }

    /// Extra elements for the object-storage dialects.
    pub fn fields(&self) -> &[(&'static str, String)] {
        &self.fields
    }
}

impl From<&Code> for ApiError {
    fn from(code: &Code) -> Self {
        Self::new(code)
    }
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self::new(&code)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.message)?;
        self.detail.as_ref().map_or(Ok(()), |detail| write!(f, " ({detail})"))
    }
}

impl std::error::Error for ApiError {}
