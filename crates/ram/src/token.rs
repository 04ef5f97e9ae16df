//! Security tokens: a session's facts, sealed under the master key and carried by the client, so
//! that there is no table of sessions to fill, to clean and to copy between machines.
//!
//! The price: a session cannot be revoked by itself. Deleting the role ends all of its sessions, and
//! its policies are read anew for each request.

use base::{AccountId, ApiError, Secret, Time, code};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::seal::Seal;
use serde::{Deserialize, Serialize};

const CONTEXT: &str = "sts.token";

/// The longest token that is looked at: far above what we give out.
const TOKEN_MAX: usize = 16_384;

/// A session of a role.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) key_id: String,
    pub(crate) secret: Secret<String>,
    pub(crate) account: AccountId,
    pub(crate) role_id: String,
    pub(crate) name: String,
    pub(crate) policy: Option<String>,
    pub(crate) expires: Time,
}

/// A session as it is sealed.
#[derive(Serialize, Deserialize)]
struct Claims {
    key_id: String,
    secret: String,
    account: AccountId,
    role_id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    policy: Option<String>,
    expires: i64,
}

impl Session {
    /// The token of this session.
    pub(crate) fn issue(&self, seal: &Seal) -> Result<String, ApiError> {
        let claims = Claims {
            key_id: self.key_id.clone(),
            secret: self.secret.expose().clone(),
            account: self.account,
            role_id: self.role_id.clone(),
            name: self.name.clone(),
            policy: self.policy.clone(),
            expires: self.expires.micros(),
        };
        let plain = serde_json::to_vec(&claims).map_err(ApiError::internal)?;
        Ok(STANDARD.encode(seal.seal(CONTEXT, &plain)))
    }

    /// The session of a token, if it is one of ours, belongs to the key and has not ended.
    ///
    /// # Errors
    /// `TOKEN_MALFORMED`, `TOKEN_EXPIRED`.
    pub(crate) fn open(
        seal: &Seal,
        token: &str,
        key_id: &str,
        now: Time,
    ) -> Result<Self, ApiError> {
        let malformed = || ApiError::new(&code::TOKEN_MALFORMED);
        if token.len() > TOKEN_MAX {
            return Err(malformed());
        }
        let sealed = STANDARD.decode(token).map_err(|_| malformed())?;
        // The seal calls it an internal error, since what it opens is ours; a token is the client's.
        let plain = seal.open(CONTEXT, &sealed).map_err(|_| malformed())?;
        let claims: Claims = serde_json::from_slice(&plain).map_err(|_| malformed())?;
        if claims.key_id != key_id {
            return Err(malformed());
        }
        let expires = Time::from_micros(claims.expires);
        if expires <= now {
            return Err(code::TOKEN_EXPIRED.into());
        }
        Ok(Self {
            key_id: claims.key_id,
            secret: Secret::new(claims.secret),
            account: claims.account,
            role_id: claims.role_id,
            name: claims.name,
            policy: claims.policy,
            expires,
        })
    }
}

#[cfg(test)]
mod tests;
