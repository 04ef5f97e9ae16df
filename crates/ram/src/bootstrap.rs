//! The first start: the account that runs this cloud, and a key to it.

use base::{AccountId, ApiError, Rng, Secret, SystemRng, Time};
use engine::seal::Seal;
use store::Tx;

use crate::ids;
use crate::tables::access_key::{self, NewKey};
use crate::tables::{Change, account};

/// The operator's first key. It is drawn before there is an account, so that its file can be written
/// before the account is: no crash leaves an account whose key nobody has.
#[derive(Clone, Debug)]
pub struct RootKey {
    /// The operator's account.
    pub account_id: AccountId,
    /// The id of its root key.
    pub access_key_id: String,
    /// The secret.
    pub access_key_secret: Secret<String>,
}

impl RootKey {
    /// Draws a key and the number of the account that it will be of.
    pub fn generate(rng: &dyn Rng) -> Self {
        Self {
            account_id: AccountId::random(rng),
            access_key_id: ids::access_key(rng),
            access_key_secret: ids::secret(rng),
        }
    }
}

/// The operator's account, where this database belongs to a cloud that was started before.
///
/// # Errors
/// Those of the store.
pub fn operator(tx: &mut Tx<'_>) -> Result<Option<AccountId>, ApiError> {
    Ok(account::operator(tx)?.map(|operator| operator.id))
}

/// Makes the operator's account with this root key; false, and nothing done, where there is an
/// operator already.
///
/// # Errors
/// Those of the store.
pub fn first_start(
    tx: &mut Tx<'_>,
    root: &RootKey,
    seal: &Seal,
    now: Time,
) -> Result<bool, ApiError> {
    if account::operator(tx)?.is_some() {
        return Ok(false);
    }
    let operator = account::Account {
        id: root.account_id,
        name: "operator".to_owned(),
        display_name: "Operator of this cloud".to_owned(),
        created: now,
        suspended: false,
        operator: true,
    };
    let key = NewKey {
        id: root.access_key_id.clone(),
        secret: root.access_key_secret.clone(),
        created: now,
    };
    let mut change = Change::new(tx, &SystemRng);
    account::insert(&mut change, &operator)?;
    access_key::insert(&mut change, seal, operator.id, access_key::ROOT, &key)?;
    Ok(true)
}
