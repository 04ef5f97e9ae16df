//! What can go wrong on the way to the cloud and back, and what a person should do about it.
//! Verbs add their own context with `anyhow`; [`report`] shows the whole chain.

use crate::output;

/// A request that did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer: the connection failed, broke or timed out. May be tried again.
    #[error("cannot reach {url}")]
    Transport {
        /// What was asked for, without its query (a query may hold a signature).
        url: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The cloud answered with an error.
    #[error(transparent)]
    Service(Failure),
    /// The answer is not what the protocol or a checksum promises.
    #[error("{0}")]
    Corrupt(String),
    /// This side could not read or write its own file or stream.
    #[error("{context}")]
    Local {
        /// What was being done.
        context: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

/// An error answer of either protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// HTTP status.
    pub status: u16,
    /// The error code, such as `NoSuchBucket`; `HTTP 502` where the answer had none.
    pub code: String,
    /// What the cloud says about it.
    pub message: String,
    /// What the operator needs to find the request in the log.
    pub request_id: String,
}

impl std::error::Error for Failure {}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        match self.request_id.as_str() {
            "" => Ok(()),
            id => write!(f, " (request id {id})"),
        }
    }
}

impl Error {
    /// The cloud's error code, where the cloud answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Service(failure) => Some(&failure.code),
            _ => None,
        }
    }

    /// The HTTP status, where the cloud answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Service(failure) => Some(failure.status),
            _ => None,
        }
    }

    /// True where no answer came, so that an idempotent request may be sent again.
    pub fn is_transport(&self) -> bool {
        matches!(self, Self::Transport { .. })
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Transport { .. } => Some(
                "is the cloud running? `awan serve --data-dir DIR` starts it, `awan status` shows its endpoints",
            ),
            Self::Service(failure) => hint_for(&failure.code),
            Self::Corrupt(_) => Some(
                "something between this program and the cloud changes bytes; try without a proxy",
            ),
            Self::Local { .. } => None,
        }
    }
}

fn hint_for(code: &str) -> Option<&'static str> {
    Some(match code {
        "SignatureDoesNotMatch" => {
            "the access key secret is not the one that belongs to this key id"
        }
        "InvalidAccessKeyId" | "InvalidAccessKeyId.NotFound" => {
            "this cloud does not know the key: is it a key of another cloud, or was it deleted?"
        }
        "InvalidAccessKeyId.Inactive" => {
            "the key is disabled; its owner can enable it with UpdateAccessKey"
        }
        "InvalidTimeStamp.Expired" | "RequestTimeTooSkewed" => {
            "the clock of this machine is more than 15 minutes off"
        }
        "AccessDenied" | "Forbidden.RAM" | "NoPermission" => {
            "the account's owner can attach a policy that allows it: AttachPolicyToUser"
        }
        "Forbidden.AccountSuspended" => "only the operator can end the suspension (ResumeAccount)",
        "NoSuchBucket" => {
            "`awan oss ls` lists the buckets that exist; `awan oss mb oss://NAME` makes one"
        }
        "NoSuchKey" => "`awan oss ls oss://BUCKET/` lists what is there",
        "InvalidDBInstanceId.NotFound" => "`awan rds list` shows the instances that there are",
        "OperationDenied.DBInstanceStatus" => {
            "`awan rds show NAME` says what the instance is doing; try again when it is Running"
        }
        "OperationDenied.DeletionProtection" => {
            "awan call rds ModifyDBInstanceDeletionProtection --DBInstanceId ID --DeletionProtection false"
        }
        "BucketNotEmpty" => "`awan oss rm --recursive oss://BUCKET/` empties it",
        code if code.starts_with("InvalidSecurityToken") => "ask for a new token with AssumeRole",
        code if code.starts_with("InvalidAction") || code == "InvalidVersion" => {
            "is the action spelled right, and of this product? `--version` picks another API version"
        }
        code if code.starts_with("Throttling") => "too many requests at once: use fewer --jobs",
        _ => return agreement_hint(code),
    })
}

/// Advice for what an agreement refuses, and for what is done about agreements.
fn agreement_hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "Forbidden.NoAgreement" => {
            "no agreement binds the account now: `awan agreement list` shows how far one is; the way is new, submit, sign (both parties), activate"
        }
        "Forbidden.ServiceNotGranted" => {
            "`awan agreement show` lists what the agreement grants; an amendment signed by both parties adds a service: awan agreement amend"
        }
        "Forbidden.AgreementEnded" => {
            "the agreement's term is over; what is stored can still be read and taken out until the retention ends; a new agreement: awan agreement new"
        }
        "Forbidden.Residency" => {
            "`awan agreement show` says which data may be where; name another region or zone, or agree on an amendment: awan agreement amend"
        }
        "Forbidden.ZoneRedundancyRequired" => {
            "`awan oss mb --redundancy ZRS`: the agreement wants this class of data in more than one zone"
        }
        "Forbidden.PermitLapsed" => {
            "the permit of that data centre has run out: use another zone, or the operator renews the permit in the configuration"
        }
        "Forbidden.SpendingLimit" => {
            "`awan bill` shows what the month has cost; an amendment raises the limit, or it starts anew next month; reading and deleting go on"
        }
        "Forbidden.NoticePeriod" => {
            "`awan agreement end --until TIME` with a time after the notice; the tenant may end it at once"
        }
        "Forbidden.PrivilegedAccess" => {
            "the tenant's agreement allows no such reading; an amendment signed by both parties could: awan agreement amend"
        }
        "Forbidden.TenantSignature" => {
            "only the key that the agreement names as the tenant's can sign this: give it with --sign-key; `awan agreement show` names it"
        }
        "OperationConflict.StaleSignature" => {
            "both parties sign again: awan agreement sign OCID RELEASE"
        }
        "OperationConflict.Agreement" => {
            "`awan agreement list` shows how far each release is: draft, signed by both, published, active"
        }
        "EntityNotExist.Agreement" => {
            "`awan agreement list` shows the agreements that concern the account"
        }
        "OperationConflict.PrivilegedAccess" | "EntityNotExist.PrivilegedAccess" => {
            "`awan access list` shows every access and its state"
        }
        "Forbidden.DataClass" => {
            "the target bucket is for data of a less sensitive class than the source's: copy into one of the same class"
        }
        _ => return None,
    })
}

/// An error of this program's own, with advice.
#[derive(Debug)]
struct Advised {
    message: String,
    hint: String,
}

impl std::error::Error for Advised {}

impl std::fmt::Display for Advised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// An error that says what was wrong and, on a `hint:` line, what to do.
pub fn advise(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Advised { message: message.into(), hint: hint.into() }.into()
}

/// Shows an error and its advice on stderr.
pub fn report(error: &anyhow::Error) {
    output::talk(format_args!("error: {error:#}"));
    if let Some(hint) = hint_of(error) {
        output::hint(hint);
    }
}

fn hint_of(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        let advised = cause.downcast_ref::<Advised>().map(|advised| advised.hint.clone());
        advised.or_else(|| cause.downcast_ref::<Error>().and_then(Error::hint).map(str::to_owned))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn advice_is_found_below_added_context() {
        let error = Err::<(), _>(advise("no key", "run configure"))
            .context("list buckets")
            .expect_err("is an error");
        assert_eq!(format!("{error:#}"), "list buckets: no key");
        assert_eq!(hint_of(&error).as_deref(), Some("run configure"));
    }

    #[test]
    fn every_refusal_by_an_agreement_has_advice() {
        for code in [
            &base::code::NO_AGREEMENT,
            &base::code::SERVICE_NOT_GRANTED,
            &base::code::AGREEMENT_ENDED,
            &base::code::RESIDENCY,
            &base::code::ZONES_REQUIRED,
            &base::code::PERMIT_LAPSED,
            &base::code::SPENDING_LIMIT,
            &base::code::TENANT_SIGNATURE,
            &base::code::ACCOUNT_SUSPENDED,
        ] {
            assert!(hint_for(code.name).is_some(), "{}", code.name);
        }
    }

    #[test]
    fn the_clouds_codes_have_advice() {
        let failure = Failure {
            status: 403,
            code: "AccessDenied".to_owned(),
            message: "no".to_owned(),
            request_id: "R1".to_owned(),
        };
        let error = anyhow::Error::from(Error::Service(failure)).context("write object");
        assert_eq!(format!("{error:#}"), "write object: AccessDenied: no (request id R1)");
        assert!(hint_of(&error).is_some_and(|hint| hint.contains("policy")));
    }
}
