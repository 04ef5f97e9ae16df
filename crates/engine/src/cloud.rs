//! What the whole program shares, and the two doors to the database for a request whose caller is
//! known.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use base::region::Region;
use base::{ApiError, Clock, Rng, Secret, code};
use store::{Db, Prior, Tx};

use crate::action::{Kind, Registry};
use crate::known::Known;
use crate::metrics::Metrics;
use crate::ports::{Authority, Covenant, KeyMaterial};
use crate::replay::Nonces;
use crate::seal::Seal;
use crate::task::Wakes;
use crate::throttle::Throttle;
use crate::{Caller, Cx, Meta, RequestInfo, Session, SignedBy, audit, pipeline};

/// Where the cloud answers, as `cloud.json` tells clients.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// `host:port` of the control API.
    pub api: String,
    /// `host:port` of the object storage.
    pub oss: String,
}

/// What the whole program shares. Made once, by the program or by a test.
pub struct Cloud {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// Keys and policies.
    pub authority: Arc<dyn Authority>,
    /// Agreements.
    pub covenant: Arc<dyn Covenant>,
    /// Seals secrets at rest.
    pub seal: Arc<Seal>,
    /// The region and its data centres.
    pub region: Region,
    /// All actions.
    pub registry: Registry,
    /// Counters and timings.
    pub metrics: Metrics,
    /// Where this program keeps its files.
    pub data_dir: PathBuf,
    /// Where clients reach us; set when the listeners are bound.
    pub endpoints: OnceLock<Endpoints>,
    /// Wakes tasks before they are due.
    pub wakes: Wakes,
    pub(crate) throttle: Throttle,
    pub(crate) nonces: Nonces,
    pub(crate) known: Known,
}

/// What it takes to make a [`Cloud`].
pub struct Parts {
    /// See [`Cloud::db`]; already migrated.
    pub db: Db,
    /// See [`Cloud::clock`].
    pub clock: Arc<dyn Clock>,
    /// See [`Cloud::rng`].
    pub rng: Arc<dyn Rng>,
    /// See [`Cloud::authority`].
    pub authority: Arc<dyn Authority>,
    /// See [`Cloud::covenant`].
    pub covenant: Arc<dyn Covenant>,
    /// See [`Cloud::seal`].
    pub seal: Arc<Seal>,
    /// See [`Cloud::region`].
    pub region: Region,
    /// See [`Cloud::registry`].
    pub registry: Registry,
    /// See [`Cloud::data_dir`].
    pub data_dir: PathBuf,
    /// Control requests that one principal may make in a second, on average; zero is without limit.
    pub requests_per_second: u32,
}

impl Cloud {
    /// Joins the parts.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            db: parts.db,
            throttle: Throttle::new(parts.requests_per_second),
            nonces: Nonces::default(),
            known: Known::default(),
            clock: parts.clock,
            rng: parts.rng,
            authority: parts.authority,
            covenant: parts.covenant,
            seal: parts.seal,
            region: parts.region,
            registry: parts.registry,
            metrics: Metrics::default(),
            data_dir: parts.data_dir,
            endpoints: OnceLock::new(),
            wakes: Wakes::default(),
        })
    }

    /// Finds the caller of a signed request: the key's secret goes to `verify`, which checks the
    /// signature and may keep what it needs of the secret (a chunk-signing key).
    ///
    /// # Errors
    /// Those of [`Authority::find_key`] and of `verify`.
    pub fn authenticate<R>(
        &self,
        tx: &mut Tx<'_>,
        key_id: &str,
        token: Option<&str>,
        verify: impl FnOnce(&Secret<String>) -> Result<R, ApiError>,
    ) -> Result<(Caller, R), ApiError> {
        let key = self.authority.find_key(tx, key_id, token, self.clock.now())?;
        let kept = verify(&key.secret)?;
        let token = token.map(|token| Secret::new(token.to_owned()));
        Ok((Caller { signed: Some(SignedBy { token }), ..key.caller }, kept))
    }

    /// As [`Self::authenticate`], on a snapshot of its own; without one where nothing at all was committed since
    /// the same key was looked up.
    ///
    /// # Errors
    /// As [`Self::authenticate`].
    pub async fn identify<R>(
        &self,
        key_id: &str,
        token: Option<&str>,
        verify: impl FnOnce(&Secret<String>) -> Result<R, ApiError>,
    ) -> Result<(Caller, R), ApiError> {
        let version = self.db.version().filter(|_| token.is_none());
        let known = version.and_then(|version| self.known.get::<KeyMaterial>(version, key_id));
        let key = match known {
            Some(key) => key,
            None => {
                let (authority, now) = (Arc::clone(&self.authority), self.clock.now());
                let (id, held) =
                    (key_id.to_owned(), token.map(|text| Secret::new(text.to_owned())));
                let find = move |tx: &mut Tx<'_>| {
                    let token = held.as_ref().map(|token| token.expose().as_str());
                    authority.find_key(tx, &id, token, now)
                };
                let key = self.db.read(find).await?;
                if let Some(version) = version {
                    self.known.put(version, key_id, key.clone());
                }
                key
            }
        };
        let kept = verify(&key.secret)?;
        let token = token.map(|token| Secret::new(token.to_owned()));
        Ok((Caller { signed: Some(SignedBy { token }), ..key.caller }, kept))
    }

    /// Runs a read on a snapshot.
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        session: Arc<Session>,
        mut run: impl FnMut(&mut Cx<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let cloud = Arc::clone(self);
        self.db
            .read(move |tx| {
                enter(&cloud, tx, &session.meta, &session.caller, &session.request, &mut run)
            })
            .await
    }

    /// Runs a write: what `run` does, its audit entry, its usage and its tasks are one
    /// commit. A refused write leaves an audit entry of its own.
    pub async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        session: Arc<Session>,
        run: impl FnMut(&mut Cx<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.write_after(session, Vec::new(), run).await
    }

    /// As [`Self::write`], after what it refers to outside of the database is durable.
    pub async fn write_after<T: Send + 'static>(
        self: &Arc<Self>,
        session: Arc<Session>,
        priors: Vec<Arc<dyn Prior>>,
        mut run: impl FnMut(&mut Cx<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let cloud = Arc::clone(self);
        let within = Arc::clone(&session);
        let result = self
            .db
            .write_after(priors, move |tx| {
                enter(&cloud, tx, &within.meta, &within.caller, &within.request, &mut run)
            })
            .await;
        if let Err(error) = &result {
            self.audit_refusal(&session, error).await;
        }
        result
    }

    /// Records a refused write, in a transaction of its own, in the trail of the account that it concerns. What
    /// nobody who signed was refused is recorded only where it has something to say in public.
    pub async fn audit_refusal(self: &Arc<Self>, session: &Arc<Session>, error: &ApiError) {
        if session.meta.kind == Kind::Read
            || session.caller.is_anonymous() && error.public_facts().is_empty()
            || error.is(&code::DRY_RUN)
        {
            return;
        }
        let (cloud, session) = (Arc::clone(self), Arc::clone(session));
        let error_ = error.clone();
        let resource =
            error.access_denied().map(|denied| denied.resource.clone()).unwrap_or_default();
        let written = self
            .db
            .write(move |tx| {
                let entry = audit::NewEntry::refusal(&session, &resource, &error_);
                audit::insert(tx, &cloud, &entry)
            })
            .await;
        if let Err(error) = written {
            tracing::error!(?error, "write the audit entry of a refusal");
        }
    }
}

/// Runs a handler and, for writes, what must be in the same commit.
pub(crate) fn enter<T>(
    cloud: &Arc<Cloud>,
    tx: &mut Tx<'_>,
    meta: &Meta,
    caller: &Caller,
    request: &RequestInfo,
    run: &mut dyn FnMut(&mut Cx<'_>) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    if let (Kind::Write, Some(signed)) = (meta.kind, &caller.signed) {
        // The key may have been disabled, or its token have run out, since the signature was checked:
        // a body may take hours.
        let token = signed.token.as_ref().map(|token| token.expose().as_str());
        cloud.authority.find_key(tx, &caller.key_id, token, cloud.clock.now())?;
    }
    let mut cx = Cx::new(cloud, tx.reborrow(), meta, caller, request);
    let mut value = run(&mut cx);
    if cx.is_outdated() {
        // On the same snapshot, which everything is then of.
        drop(cx);
        cx = Cx::new(cloud, tx.reborrow(), meta, caller, request).doubting();
        value = run(&mut cx);
    }
    let value = value?;
    pipeline::finish(&mut cx)?;
    Ok(value)
}
