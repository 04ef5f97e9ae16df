//! Whose keys bytes are sealed under: the account's own, one made of it for a named key, or the client's;
//! and the default encryption of buckets.
//!
//! Not here: how bytes are sealed ([`crate::blob`]).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::{AccountId, ApiError, Rng, Secret};
use engine::Cx;
use ring::hmac;
use store::Tx;

use super::bucket::require_on;
use super::{RequestCtx, find_bucket, meta};
use crate::access::Need;
use crate::blob::BodyKey;
use crate::blob::seal::CUSTOMER;
use crate::meter::PUTS;
use crate::model::{CustomerKey, Encryption, Settings, Wanted};
use crate::{Oss, error, tables};

const KEY_LEN: usize = 32;
/// What keeps a verifier apart from the keys of extents, which are made of the same key.
const VERIFIER: &[u8] = b"verifier:";

/// The keys of accounts that were used so far: one of 32 bytes for each account, so they all stay.
#[derive(Default)]
pub(crate) struct Keys(Mutex<Known>);

#[derive(Default)]
struct Known {
    keys: HashMap<i64, Secret<[u8; KEY_LEN]>>,
    newest: HashMap<AccountId, i64>,
}

impl Keys {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of that number as a body has it that was stored so, if it was used before.
    pub(crate) fn cached(&self, number: i64, facts: Option<&Encryption>) -> Option<BodyKey> {
        self.known().keys.get(&number).map(|key| of_body(number, key, facts))
    }
}

/// The key of a body: the account's, or what is made of it for a named key.
fn of_body(number: i64, key: &Secret<[u8; KEY_LEN]>, facts: Option<&Encryption>) -> BodyKey {
    let Some(Encryption::Kms(id)) = facts else { return BodyKey::new(number, key) };
    BodyKey::new(number, &Secret::new(mac(key, &[b"kms:", id.as_bytes()])))
}

fn mac(key: &Secret<[u8; KEY_LEN]>, parts: &[&[u8]]) -> [u8; KEY_LEN] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
    parts.iter().for_each(|part| context.update(part));
    let mut made = [0; KEY_LEN];
    made.copy_from_slice(context.sign().as_ref());
    made
}

/// What the master key seals an account's key as.
fn context(account: AccountId) -> String {
    format!("oss.key/{account}")
}

/// What a new object is to be sealed as: what was asked for, else the bucket's default, else the account's
/// own key.
pub(super) fn resolve(wanted: Option<&Wanted>, settings: &Settings, rng: &dyn Rng) -> Encryption {
    match wanted {
        Some(Wanted::Managed(encryption)) => encryption.clone(),
        Some(Wanted::Customer(customer)) => {
            let salt = base::text::hex(&rng.bytes::<16>());
            let verifier = verifier(customer, &salt);
            Encryption::Customer { md5: customer.md5.clone(), salt, verifier }
        }
        None => settings.encryption.clone().unwrap_or(Encryption::Account),
    }
}

fn verifier(customer: &CustomerKey, salt: &str) -> String {
    base::text::hex(&mac(&customer.key, &[VERIFIER, salt.as_bytes()]))
}

/// Whether what is sealed so opens with the key that the request brings.
///
/// # Errors
/// `InvalidRequest` where it brings none and must, or the other way round, or another key.
pub(super) fn check_customer(
    facts: Option<&Encryption>,
    customer: Option<&CustomerKey>,
) -> Result<(), ApiError> {
    match (facts, customer) {
        (Some(Encryption::Customer { salt, verifier: stored, .. }), Some(customer)) => {
            // Both are digests under a key that whoever asks has to know: an ordinary comparison will do.
            if verifier(customer, salt) == *stored {
                return Ok(());
            }
            Err(error::INVALID_REQUEST.error("The object is encrypted under another key."))
        }
        (Some(Encryption::Customer { .. }), None) => Err(error::INVALID_REQUEST
            .error("The object is encrypted under a key of the client's, which must be provided.")),
        (_, Some(_)) => Err(error::INVALID_REQUEST.error(
            "A key was provided, but the object is not encrypted under one of the client's.",
        )),
        (_, None) => Ok(()),
    }
}

/// The key that a body opens under, where the client must provide it.
pub(super) fn customer_key(customer: Option<&CustomerKey>) -> Option<BodyKey> {
    customer.map(|customer| BodyKey::new(CUSTOMER, &customer.key))
}

impl Oss {
    /// The key that new bytes of an account are sealed under. An account's first write makes its key.
    pub(super) async fn sealing_key(
        &self,
        account: AccountId,
        encryption: &Encryption,
        customer: Option<&CustomerKey>,
    ) -> Result<BodyKey, ApiError> {
        if matches!(encryption, Encryption::Customer { .. }) {
            check_customer(Some(encryption), customer)?;
            return customer_key(customer).ok_or_else(|| ApiError::new(&error::INVALID_REQUEST));
        }
        check_customer(Some(encryption), customer)?;
        let keys = &self.0.keys;
        let newest = keys.known().newest.get(&account).copied();
        if let Some(key) = newest.and_then(|number| keys.cached(number, Some(encryption))) {
            return Ok(key);
        }
        let cloud = self.0.cloud.clone();
        let (seal, rng, now) = (cloud.seal.clone(), cloud.rng.clone(), cloud.clock.now());
        let find = move |tx: &mut Tx<'_>| tables::key::newest(tx, account);
        let found = match cloud.db.read(find).await? {
            Some(found) => found,
            None => {
                let make = move |tx: &mut Tx<'_>| match tables::key::newest(tx, account)? {
                    Some(other) => Ok::<_, ApiError>(other),
                    None => {
                        let sealed = seal.seal(&context(account), &rng.bytes::<KEY_LEN>());
                        Ok((tables::key::insert(tx, account, &sealed, now)?, sealed))
                    }
                };
                cloud.db.write(make).await?
            }
        };
        let (number, sealed) = found;
        let key = self.remember(number, account, &sealed)?;
        keys.known().newest.insert(account, number);
        Ok(of_body(number, &key, Some(encryption)))
    }

    /// The key of that number, for a body that was stored so.
    pub(super) async fn opening_key(
        &self,
        number: i64,
        facts: Option<Encryption>,
    ) -> Result<BodyKey, ApiError> {
        let found = self.0.cloud.db.read(move |tx| tables::key::find(tx, number)).await?;
        let missing = || ApiError::internal(format!("the key {number} of a body is missing"));
        let (account, sealed) = found.ok_or_else(missing)?;
        let key = self.remember(number, account, &sealed)?;
        Ok(of_body(number, &key, facts.as_ref()))
    }

    fn remember(
        &self,
        number: i64,
        account: AccountId,
        sealed: &[u8],
    ) -> Result<Secret<[u8; KEY_LEN]>, ApiError> {
        let key = self.0.cloud.seal.open(&context(account), sealed)?;
        let key = key.try_into().map_err(|_| tables::damaged("the length of a key"))?;
        let key = Secret::new(key);
        self.0.keys.known().keys.insert(number, key.clone());
        Ok(key)
    }

    /// The default encryption of a bucket, where one was set.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn bucket_encryption(
        &self,
        ctx: &RequestCtx,
        name: &str,
    ) -> Result<Option<Encryption>, ApiError> {
        Ok(self.settings(ctx, name, meta::GET_BUCKET_ENCRYPTION).await?.encryption)
    }

    /// Changes what new objects of a bucket are sealed as that ask for nothing; `None` for the account's key.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn set_bucket_encryption(
        &self,
        ctx: &RequestCtx,
        name: &str,
        encryption: Option<Encryption>,
    ) -> Result<(), ApiError> {
        let name = name.to_owned();
        let meta = match encryption {
            Some(_) => meta::PUT_BUCKET_ENCRYPTION,
            None => meta::DELETE_BUCKET_ENCRYPTION,
        };
        let set = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::Own)?;
            cx.audit_account(bucket.owner);
            cx.audit_resource(bucket.arn());
            cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
            let mut settings = bucket.settings;
            settings.encryption.clone_from(&encryption);
            tables::bucket::set_settings(cx.tx(), bucket.id, &settings)
        };
        self.0.cloud.write(ctx.session(meta), set).await
    }
}
