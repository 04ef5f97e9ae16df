//! What a handler works with: its transaction, its caller, and what it leaves behind.

use std::sync::Arc;

use base::{AccountId, ApiError, Denied, Rng, Time};
use serde_json::json;
use store::Tx;

use crate::meter::Meters;
use crate::ports::{Ask, Decision};
use crate::{Caller, Cloud, Kind, Meta, RequestInfo, public};

/// The context of one run of one handler. What is noted here (audit, usage, tasks) is written in the
/// handler's own transaction, after it and before the commit.
pub struct Cx<'a> {
    /// Who calls.
    pub caller: &'a Caller,
    /// The request's facts.
    pub request: &'a RequestInfo,
    /// The action's fixed facts.
    pub meta: &'a Meta,
    /// What the whole program shares.
    pub cloud: &'a Arc<Cloud>,
    /// The moment of this run: one moment for everything it writes.
    pub now: Time,
    tx: Tx<'a>,
    /// The version of the database before the snapshot began, where the run only reads.
    version: Option<u64>,
    /// Something known before was taken for granted.
    assumed: bool,
    pub(crate) checked: bool,
    pub(crate) audit: Audit,
    pub(crate) meters: Meters,
    pub(crate) tasks: Vec<NewTask>,
}

/// What the audit entry will say.
#[derive(Default)]
pub(crate) struct Audit {
    pub(crate) account: Option<AccountId>,
    pub(crate) resource: String,
    pub(crate) detail: Vec<(&'static str, String)>,
    pub(crate) public: public::Facts,
    /// The answer is one that was given before.
    pub(crate) repeat: bool,
}

/// Work that begins when the transaction commits.
pub(crate) struct NewTask {
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) due: Time,
}

impl<'a> Cx<'a> {
    pub(crate) fn new(
        cloud: &'a Arc<Cloud>,
        tx: Tx<'a>,
        meta: &'a Meta,
        caller: &'a Caller,
        request: &'a RequestInfo,
    ) -> Self {
        let now = cloud.clock.now();
        // No statement was run yet, and the first one begins the snapshot.
        let version = (meta.kind == Kind::Read).then(|| cloud.db.version()).flatten();
        Self {
            caller,
            request,
            meta,
            cloud,
            now,
            tx,
            version,
            assumed: false,
            checked: false,
            audit: Audit::default(),
            meters: Meters::default(),
            tasks: Vec::new(),
        }
    }

    /// The transaction.
    pub fn tx(&mut self) -> &mut Tx<'a> {
        &mut self.tx
    }

    /// Whether what was taken for granted may have changed before the snapshot began: then this run counts for
    /// nothing, and the next one looks everything up.
    pub(crate) fn is_outdated(&self) -> bool {
        self.assumed && self.cloud.db.version() != self.version
    }

    /// Takes nothing for granted.
    pub(crate) fn doubting(self) -> Self {
        Self { version: None, ..self }
    }

    /// What `find` finds under that name, which must depend on nothing but committed rows. Reads between two
    /// commits look for it once.
    ///
    /// # Errors
    /// Those of `find`.
    pub fn known<T: Clone + Send + Sync + 'static>(
        &mut self,
        name: &str,
        find: impl FnOnce(&mut Tx<'_>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let Some(version) = self.version else { return find(&mut self.tx) };
        if let Some(known) = self.cloud.known.get(version, name) {
            self.assumed = true;
            return Ok(known);
        }
        let found = find(&mut self.tx)?;
        self.cloud.known.put(version, name, found.clone());
        Ok(found)
    }

    /// The caller's account: what a control action works on.
    pub fn account(&self) -> AccountId {
        self.caller.account
    }

    /// Randomness for ids and secrets.
    pub fn rng(&self) -> &dyn Rng {
        &*self.cloud.rng
    }

    /// Requires that the caller may do this action on a resource of its own account, and notes the
    /// resource for the audit entry.
    ///
    /// # Errors
    /// The product's denial code, with what was denied.
    pub fn authorize(&mut self, resource: &str) -> Result<(), ApiError> {
        self.authorize_as(&self.meta.permission(), resource)
    }

    /// As [`Self::authorize`], under another permission's name.
    pub fn authorize_as(&mut self, action: &str, resource: &str) -> Result<(), ApiError> {
        self.audit_resource(resource);
        let owner = self.account();
        match self.decide(action, resource, owner, &[])? {
            Decision::Allow => Ok(()),
            refused => Err(self.denial(action, resource, refused)),
        }
    }

    /// Asks the caller's policies and leaves the weighing (with ACLs, with another owner) to the
    /// handler, which from here on answers for what it does.
    pub fn decide(
        &mut self,
        action: &str,
        resource: &str,
        owner: AccountId,
        conditions: &[(&str, &str)],
    ) -> Result<Decision, ApiError> {
        self.checked = true;
        let ask = Ask { action, resource, owner, now: self.now, request: self.request, conditions };
        let authority = Arc::clone(&self.cloud.authority);
        authority.decide(&mut self.tx, self.caller, &ask)
    }

    /// Requires the account that runs this cloud.
    pub fn require_operator(&mut self, resource: &str) -> Result<(), ApiError> {
        self.authorize(resource)?;
        if self.caller.operator {
            Ok(())
        } else {
            Err(self.denial(&self.meta.permission(), resource, Decision::ImplicitDeny))
        }
    }

    /// The error for a refused permission.
    pub fn denial(&self, action: &str, resource: &str, decision: Decision) -> ApiError {
        ApiError::new(self.meta.denial).denied(Denied {
            action: action.to_owned(),
            resource: resource.to_owned(),
            principal_type: self.caller.principal_type().to_owned(),
            principal_name: self.caller.display_name(),
            principal_owner: self.caller.account.to_string(),
            explicit: decision == Decision::ExplicitDeny,
        })
    }

    /// Requires that an account's agreement grants this action; the pipeline asks for the caller's
    /// own account, a data plane asks for the owner's.
    pub fn require_agreement(&mut self, account: AccountId) -> Result<(), ApiError> {
        let covenant = Arc::clone(&self.cloud.covenant);
        let now = self.now;
        let checked = covenant.check(&mut self.tx, account, self.meta.product, self.meta.name, now);
        // Whose agreement refused stands in the leaf of the refusal.
        checked.map_err(|error| {
            error.public(json!({ "tenant": account.to_string() }).to_string()).about(account)
        })
    }

    /// Names what the audit entry is about. The last call wins.
    pub fn audit_resource(&mut self, resource: impl Into<String>) {
        self.audit.resource = resource.into();
    }

    /// The account whose audit trail the entry belongs to, where it is not the caller's.
    pub fn audit_account(&mut self, account: AccountId) {
        self.audit.account = Some(account);
    }

    /// Adds a fact to the audit entry. Never a secret.
    pub fn audit_detail(&mut self, key: &'static str, value: impl Into<String>) {
        self.audit.detail.push((key, value.into()));
    }

    /// Adds a fact that the public leaf states in clear. Nothing that names a person, a bucket or a key.
    pub fn public(&mut self, key: &'static str, value: impl Into<serde_json::Value>) {
        self.audit.public.insert(key.to_owned(), value.into());
    }

    /// Whether the leaf states that fact already.
    pub fn is_public(&self, key: &str) -> bool {
        self.audit.public.contains_key(key)
    }

    /// Publishes a document that everybody may read from now on, and answers its name: the SHA-256 of
    /// its bytes. The caller states it with [`Self::public`], so that the log names it.
    pub fn publish(&mut self, body: &[u8]) -> Result<String, ApiError> {
        public::insert(&mut self.tx, body)
    }

    /// Usage: `quantity` of something happened, billed to `account`.
    pub fn count(
        &mut self,
        account: AccountId,
        resource: &str,
        meter: &'static str,
        quantity: i64,
    ) {
        self.meters.count(account, resource, meter, quantity);
    }

    /// Usage: the amount of something that exists changed by `change`.
    pub fn level(&mut self, account: AccountId, resource: &str, meter: &'static str, change: i64) {
        self.meters.level(account, resource, meter, change);
    }

    /// Begins (or restarts, where it is there already) a task when this transaction commits.
    pub fn spawn(
        &mut self,
        kind: &'static str,
        id: impl Into<String>,
        state: impl Into<String>,
        due: Time,
    ) {
        self.tasks.push(NewTask { kind, id: id.into(), state: state.into(), due });
    }
}
