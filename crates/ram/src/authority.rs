//! What the rest of the cloud asks of keys and policies. This runs for every object request.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::{ApiError, Secret, Time, code};
use engine::ports::{Ask, Authority, Decision, KeyMaterial};
use engine::seal::Seal;
use engine::{Caller, CallerKind};
use store::{Db, Tx};

use crate::cache::Cache;
use crate::ids::SESSION_PREFIX;
use crate::policy::{Document, Facts, evaluate, system};
use crate::tables::attachment::{Effective, Entity, Kind};
use crate::tables::{access_key, attachment, generation, role};
use crate::token::Session;

/// Keys and policies, as [`Authority`] asks for them.
pub struct Ram {
    seal: Arc<Seal>,
    keys: Cache<String, Arc<Key>>,
    roles: Cache<String, role::Standing>,
    policies: Cache<Entity, Arc<[Arc<Document>]>>,
    session_policies: Cache<Arc<str>, Arc<Document>>,
    used: Mutex<HashMap<String, Time>>,
}

/// A key with its secret open.
struct Key {
    material: KeyMaterial,
    active: bool,
    suspended: bool,
}

impl Ram {
    /// Reads secrets with `seal`, the one that wrote them.
    pub fn new(seal: Arc<Seal>) -> Self {
        Self {
            seal,
            keys: Cache::default(),
            roles: Cache::default(),
            policies: Cache::default(),
            session_policies: Cache::default(),
            used: Mutex::default(),
        }
    }

    /// Writes down when keys were last used, as far as it was noted since the last time. Call it now
    /// and then; what is not written when the program dies is forgotten, which does no harm.
    ///
    /// # Errors
    /// Those of the store; what could not be written is kept for the next time.
    pub async fn flush_last_used(&self, db: &Db) -> Result<(), ApiError> {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        if used.is_empty() {
            return Ok(());
        }
        let used = Arc::new(used);
        let written = Arc::clone(&used);
        let result = db
            .write(move |tx| {
                written.iter().try_for_each(|(id, used)| access_key::set_last_used(tx, id, *used))
            })
            .await;
        if result.is_err() {
            for (id, used) in used.iter() {
                self.note_use(id, *used);
            }
        }
        result
    }

    fn note_use(&self, key_id: &str, now: Time) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        match used.get_mut(key_id) {
            Some(last) => *last = now.max(*last),
            None => {
                used.insert(key_id.to_owned(), now);
            }
        }
    }

    fn find_permanent(&self, tx: &mut Tx<'_>, key_id: &str) -> Result<KeyMaterial, ApiError> {
        let generation = generation::read(tx)?;
        let key = self.keys.get(generation, key_id.to_owned(), |id| self.load_key(tx, id))?;
        let key = key.ok_or_else(|| ApiError::new(&code::INVALID_KEY))?;
        match (key.active, key.suspended) {
            (false, _) => Err(code::INACTIVE_KEY.into()),
            (_, true) => Err(code::ACCOUNT_SUSPENDED.into()),
            (true, false) => Ok(key.material.clone()),
        }
    }

    fn load_key(&self, tx: &mut Tx<'_>, id: &str) -> Result<Option<Arc<Key>>, ApiError> {
        let Some(found) = access_key::material(tx, id)? else { return Ok(None) };
        let plain = self.seal.open(&access_key::seal_context(id), &found.secret)?;
        let secret = String::from_utf8(plain)
            .map_err(|_| ApiError::internal(format!("the secret of {id} is not text")))?;
        let kind = found.user.map_or(CallerKind::Root, |(id, name)| CallerKind::User { id, name });
        let caller = Caller {
            account: found.account,
            kind,
            key_id: id.to_owned(),
            session_policy: None,
            operator: found.operator,
            signed: None,
        };
        let material = KeyMaterial { secret: Secret::new(secret), caller };
        Ok(Some(Arc::new(Key { material, active: found.active, suspended: found.suspended })))
    }

    fn find_session(
        &self,
        tx: &mut Tx<'_>,
        key_id: &str,
        token: &str,
        now: Time,
    ) -> Result<KeyMaterial, ApiError> {
        let session = Session::open(&self.seal, token, key_id, now)?;
        let generation = generation::read(tx)?;
        let role =
            self.roles.get(generation, session.role_id.clone(), |id| role::standing(tx, id))?;
        let role =
            role.ok_or_else(|| code::TOKEN_EXPIRED.error("The role of this session is gone."))?;
        if role.suspended {
            return Err(code::ACCOUNT_SUSPENDED.into());
        }
        let caller = Caller {
            account: session.account,
            kind: CallerKind::AssumedRole {
                id: session.role_id,
                name: role.name,
                session: session.name,
            },
            key_id: session.key_id,
            session_policy: session.policy.map(Arc::from),
            operator: role.operator,
            signed: None,
        };
        Ok(KeyMaterial { secret: session.secret, caller })
    }

    /// The documents that decide for an entity, its groups' included.
    fn policies_of(
        &self,
        tx: &mut Tx<'_>,
        entity: Entity,
    ) -> Result<Arc<[Arc<Document>]>, ApiError> {
        let generation = generation::read(tx)?;
        let found = self.policies.get(generation, entity, |entity| {
            let documents = attachment::effective(tx, entity)?
                .into_iter()
                .map(compile)
                .collect::<Result<_, _>>()?;
            Ok(Some(documents))
        })?;
        Ok(found.unwrap_or_default())
    }

    fn session_policy(&self, text: &Arc<str>) -> Result<Arc<Document>, ApiError> {
        // A text always says the same: one generation for all.
        let found = self.session_policies.get(0, Arc::clone(text), |text| parse(text).map(Some))?;
        found.ok_or_else(|| ApiError::internal("a session policy was not kept"))
    }
}

fn compile(policy: Effective) -> Result<Arc<Document>, ApiError> {
    match policy {
        Effective::Custom(text) => parse(&text),
        Effective::System(name) => system::document(&name)
            .ok_or_else(|| ApiError::internal(format!("there is no system policy {name}"))),
    }
}

/// Reads a document that was checked when it was stored.
fn parse(text: &str) -> Result<Arc<Document>, ApiError> {
    Document::parse(text)
        .map(Arc::new)
        .map_err(|reason| ApiError::internal(format!("a stored policy: {reason}")))
}

impl Authority for Ram {
    fn find_key(
        &self,
        tx: &mut Tx<'_>,
        key_id: &str,
        token: Option<&str>,
        now: Time,
    ) -> Result<KeyMaterial, ApiError> {
        // The id is the client's; what no id looks like needs no look at the database.
        if key_id.len() > 64
            || !key_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        {
            return Err(code::INVALID_KEY.into());
        }
        // Some clients send an empty token with a permanent key.
        let token = token.filter(|token| !token.is_empty());
        match (key_id.starts_with(SESSION_PREFIX), token) {
            (true, Some(token)) => self.find_session(tx, key_id, token, now),
            (false, None) => self.find_permanent(tx, key_id),
            (true, None) | (false, Some(_)) => Err(code::TOKEN_MALFORMED.into()),
        }
    }

    fn decide(
        &self,
        tx: &mut Tx<'_>,
        caller: &Caller,
        ask: &Ask<'_>,
    ) -> Result<Decision, ApiError> {
        let values = |key: &str| condition_values(caller, ask, key);
        let facts = Facts {
            action: ask.action,
            resource: ask.resource,
            asker: caller.asker(),
            values: &values,
        };
        let decision = match &caller.kind {
            CallerKind::System => return Ok(Decision::Allow),
            CallerKind::Anonymous => return Ok(Decision::ImplicitDeny),
            CallerKind::Root => Decision::Allow,
            CallerKind::User { id, .. } => {
                let policies = self.policies_of(tx, Entity { kind: Kind::User, id: id.clone() })?;
                evaluate(policies.iter().map(AsRef::as_ref), &facts)
            }
            CallerKind::AssumedRole { id, .. } => {
                let policies = self.policies_of(tx, Entity { kind: Kind::Role, id: id.clone() })?;
                let decision = evaluate(policies.iter().map(AsRef::as_ref), &facts);
                match &caller.session_policy {
                    Some(text) => both(decision, evaluate([&*self.session_policy(text)?], &facts)),
                    None => decision,
                }
            }
        };
        // One's own policies give nothing of what another account owns, but they may deny it.
        let foreign = caller.account != ask.owner;
        Ok(if foreign && decision == Decision::Allow { Decision::ImplicitDeny } else { decision })
    }

    fn key_used(&self, caller: &Caller, _product: &str, now: Time) {
        // Session keys have no row, and the unsigned have no key.
        if !caller.key_id.is_empty() && !caller.key_id.starts_with(SESSION_PREFIX) {
            self.note_use(&caller.key_id, now);
        }
    }
}

/// What two policies say that must both allow.
fn both(one: Decision, other: Decision) -> Decision {
    match (one, other) {
        (Decision::ExplicitDeny, _) | (_, Decision::ExplicitDeny) => Decision::ExplicitDeny,
        (Decision::Allow, Decision::Allow) => Decision::Allow,
        _ => Decision::ImplicitDeny,
    }
}

/// What a request says under a condition key.
pub(crate) fn condition_values<'a>(caller: &Caller, ask: &Ask<'a>, key: &str) -> Vec<Cow<'a, str>> {
    let is = |name: &str| key.eq_ignore_ascii_case(name);
    match () {
        () if is("acs:CurrentTime") => vec![ask.now.iso().into()],
        () if is("acs:SecureTransport") => vec![flag(ask.request.secure)],
        () if is("acs:SourceIp") && !ask.request.source_ip.is_empty() => {
            vec![ask.request.source_ip.as_str().into()]
        }
        () if is("acs:UserAgent") => vec![ask.request.user_agent.as_str().into()],
        () if is("acs:PrincipalArn") => vec![caller.arn().into()],
        // Nobody signs a request with a one-time password: that is for the console.
        () if is("acs:MFAPresent") => vec![flag(false)],
        () => {
            let same = ask.conditions.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
            same.map(|(_, value)| Cow::Borrowed(*value)).collect()
        }
    }
}

fn flag(value: bool) -> Cow<'static, str> {
    Cow::Borrowed(if value { "true" } else { "false" })
}

#[cfg(test)]
mod tests;
