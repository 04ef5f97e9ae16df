//! Who calls, and from where.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use base::{AccountId, RequestId, Secret};
use policy::{Asker, Party};

use crate::Meta;

/// What kind of principal calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerKind {
    /// The account itself: may do everything within its own account.
    Root,
    /// A RAM user.
    User {
        /// The user's id (18 digits).
        id: String,
        /// The user's name.
        name: String,
    },
    /// A session of a role.
    AssumedRole {
        /// The role's id.
        id: String,
        /// The role's name.
        name: String,
        /// The session's name.
        session: String,
    },
    /// Nobody who signed.
    Anonymous,
    /// The cloud itself: a task.
    System,
}

/// An authenticated principal (or the lack of one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account that the principal belongs to; zero for anonymous and system.
    pub account: AccountId,
    /// What it is.
    pub kind: CallerKind,
    /// The access key it signed with; empty where it did not.
    pub key_id: String,
    /// The policy that a role session was narrowed to, as JSON text; `ram` reads it.
    pub session_policy: Option<Arc<str>>,
    /// True for the account that runs this cloud: it may administer accounts.
    pub operator: bool,
    /// How it signed this request; a write looks the key up again by it.
    pub signed: Option<SignedBy>,
}

/// What came with a signature that was verified, besides the key's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// The STS token of a temporary key.
    pub token: Option<Secret<String>>,
}

impl Caller {
    /// An unsigned caller.
    pub fn anonymous() -> Self {
        Self::keyless(CallerKind::Anonymous)
    }

    /// The cloud itself, acting by a task.
    pub fn system() -> Self {
        Self::keyless(CallerKind::System)
    }

    fn keyless(kind: CallerKind) -> Self {
        let account = AccountId::new(0);
        Self {
            account,
            kind,
            key_id: String::new(),
            session_policy: None,
            operator: false,
            signed: None,
        }
    }

    /// True where nobody signed.
    pub fn is_anonymous(&self) -> bool {
        self.kind == CallerKind::Anonymous
    }

    /// The principal as policies name it.
    pub fn asker(&self) -> Asker<'_> {
        let party = match &self.kind {
            CallerKind::Root => Party::Root,
            CallerKind::User { id, name } => Party::User { id, name },
            CallerKind::AssumedRole { id, name, .. } => Party::Role { id, name },
            CallerKind::Anonymous | CallerKind::System => Party::Unnamed,
        };
        Asker { account: self.account, party }
    }

    /// The principal's ARN: `acs:ram::<account>:user/<name>`.
    pub fn arn(&self) -> String {
        let account = self.account;
        match &self.kind {
            CallerKind::Root => format!("acs:ram::{account}:root"),
            CallerKind::User { name, .. } => format!("acs:ram::{account}:user/{name}"),
            CallerKind::AssumedRole { name, session, .. } => {
                format!("acs:ram::{account}:assumed-role/{name}/{session}")
            }
            CallerKind::Anonymous => "anonymous".to_owned(),
            CallerKind::System => "system".to_owned(),
        }
    }

    /// The principal's id, as `GetCallerIdentity` tells it.
    pub fn principal_id(&self) -> String {
        match &self.kind {
            CallerKind::Root => self.account.to_string(),
            CallerKind::User { id, .. } => id.clone(),
            CallerKind::AssumedRole { id, session, .. } => format!("{id}:{session}"),
            CallerKind::Anonymous | CallerKind::System => String::new(),
        }
    }

    /// The name that its own account knows it by.
    pub fn display_name(&self) -> String {
        match &self.kind {
            CallerKind::Root => self.account.to_string(),
            CallerKind::User { name, .. } => name.clone(),
            CallerKind::AssumedRole { name, session, .. } => format!("{name}:{session}"),
            CallerKind::Anonymous => "anonymous".to_owned(),
            CallerKind::System => "system".to_owned(),
        }
    }

    /// As `AccessDeniedDetail` names it.
    pub fn principal_type(&self) -> &'static str {
        match self.kind {
            CallerKind::Root => "AlibabaCloudAccount",
            CallerKind::User { .. } => "SubUser",
            CallerKind::AssumedRole { .. } => "AssumedRoleUser",
            CallerKind::Anonymous => "Anonymous",
            CallerKind::System => "System",
        }
    }
}

/// Facts of one request that policies, answers and the audit log need.
#[derive(Clone, Debug, Default)]
pub struct RequestInfo {
    /// The request's id.
    pub id: RequestId,
    /// The peer's address, without port.
    pub source_ip: String,
    /// True where the request came over TLS.
    pub secure: bool,
    /// The client's own name for itself.
    pub user_agent: String,
    /// The host name that the client asked, as sent.
    pub host: String,
    /// What else it says that its service's policies ask for, by condition key.
    pub told: Vec<(&'static str, String)>,
    /// Set by a service that has lists of who may besides policies: it was such a list that let the request in.
    pub by_list: Arc<AtomicBool>,
}

impl RequestInfo {
    /// What it says under a condition key of its service.
    pub fn told(&self, key: &str) -> Option<&str> {
        self.told.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str())
    }
}

/// A request whose caller is known: what [`crate::Cloud::read`] and
/// [`crate::Cloud::write`] act for.
#[derive(Clone, Debug)]
pub struct Session {
    /// The operation.
    pub meta: Meta,
    /// Who asks.
    pub caller: Caller,
    /// From where.
    pub request: RequestInfo,
}
