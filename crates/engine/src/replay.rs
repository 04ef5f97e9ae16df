//! What makes repeats harmless: nonces (a captured request cannot be sent again) and client tokens
//! (a retried request has one effect and one answer).
//!
//! A nonce is remembered in memory for as long as its request's date would be accepted. Writes keep
//! theirs in the database too, in the commit of their effect, so that neither a restart nor another
//! copy of the program lets one in again.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use base::{AccountId, ApiError, Time, code};
use store::{Tx, params};

/// Dates are accepted 15 minutes either side, so a nonce matters for 30.
const NONCE_LIFE: Duration = Duration::from_secs(30 * 60);
/// Longer than any client's retry loop; the API promises a day.
const TOKEN_LIFE: Duration = Duration::from_secs(25 * 3600);
/// Bounds the memory of the nonce set. Past it the oldest go early, which only the in-memory half
/// notices; writes are still held to the database's set.
const NONCES_MAX: usize = 1 << 20;

/// The nonces seen by this process.
#[derive(Default)]
pub struct Nonces(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    expiry: HashMap<u128, Time>,
    order: VecDeque<(Time, u128)>,
}

impl Nonces {
    /// Takes a nonce once.
    ///
    /// # Errors
    /// `SignatureNonceUsed` the second time.
    pub fn admit(&self, key_id: &str, nonce: &str, now: Time) -> Result<(), ApiError> {
        let name = fingerprint(key_id, nonce);
        let mut seen = self.0.lock().expect("nothing panics while it holds this lock");
        while let Some(&(expires, oldest)) = seen.order.front()
            && (expires <= now || seen.order.len() >= NONCES_MAX)
        {
            seen.order.pop_front();
            seen.expiry.remove(&oldest);
        }
        let expires = now.plus(NONCE_LIFE);
        if seen.expiry.insert(name, expires).is_some() {
            return Err(code::NONCE_USED.into());
        }
        seen.order.push_back((expires, name));
        Ok(())
    }
}

/// Half of a SHA-256: two nonces share it only by a 2^-64 chance that nobody can steer cheaply.
fn fingerprint(key_id: &str, nonce: &str) -> u128 {
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    hash.update(key_id.as_bytes());
    hash.update(&[0]);
    hash.update(nonce.as_bytes());
    let digest = hash.finish();
    digest.as_ref()[..16].iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// Keeps a write's nonce in the write's own transaction.
///
/// # Errors
/// `SignatureNonceUsed` where it is there.
pub fn keep_nonce(tx: &mut Tx<'_>, key_id: &str, nonce: &str, now: Time) -> Result<(), ApiError> {
    let kept = tx.execute(
        "INSERT INTO nonce (key_id, nonce, expires) VALUES (?1, ?2, ?3) ON CONFLICT (key_id, nonce) DO NOTHING",
        params![key_id, nonce, now.plus(NONCE_LIFE)],
    )?;
    if kept == 0 { Err(code::NONCE_USED.into()) } else { Ok(()) }
}

/// Names a client token: they are scoped to principal and action, so that nobody is given an answer
/// that was another's.
pub struct TokenKey<'a> {
    /// The account.
    pub account: AccountId,
    /// The principal, by its id.
    pub principal: &'a str,
    /// The action.
    pub action: &'a str,
    /// What the client sent.
    pub token: &'a str,
}

/// The answer that was given to this token before, if it was.
///
/// # Errors
/// `IdempotentParameterMismatch` where the parameters are not those of the first request.
pub fn answered(
    tx: &mut Tx<'_>,
    key: &TokenKey<'_>,
    digest: &[u8],
) -> Result<Option<serde_json::Value>, ApiError> {
    let kept = tx.query_opt(
        "SELECT digest, answer FROM client_token
         WHERE account = ?1 AND principal = ?2 AND action = ?3 AND token = ?4",
        params![key.account, key.principal, key.action, key.token],
        |row| Ok((row.get::<Vec<u8>>(0)?, row.get::<String>(1)?)),
    )?;
    let Some((before, answer)) = kept else { return Ok(None) };
    if before != digest {
        return Err(code::TOKEN_REUSED.into());
    }
    serde_json::from_str(&answer).map(Some).map_err(ApiError::internal)
}

/// Keeps an answer for repeats of its token.
pub fn keep_answer(
    tx: &mut Tx<'_>,
    key: &TokenKey<'_>,
    digest: &[u8],
    answer: &serde_json::Value,
    now: Time,
) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO client_token (account, principal, action, token, digest, answer, expires)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            key.account,
            key.principal,
            key.action,
            key.token,
            digest,
            &answer.to_string(),
            now.plus(TOKEN_LIFE)
        ],
    )?;
    Ok(())
}

/// Forgets what has expired.
pub fn purge(tx: &mut Tx<'_>, now: Time) -> Result<u64, ApiError> {
    let nonces = tx.execute("DELETE FROM nonce WHERE expires <= ?1", params![now])?;
    let tokens = tx.execute("DELETE FROM client_token WHERE expires <= ?1", params![now])?;
    Ok(nonces + tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_taken_once_until_its_date_would_be_refused_anyway() {
        let nonces = Nonces::default();
        let now = Time::from_secs(1_000_000);
        assert!(nonces.admit("key", "n", now).is_ok());
        assert!(nonces.admit("other", "n", now).is_ok());
        let again = nonces.admit("key", "n", now.plus(Duration::from_secs(60)));
        assert!(again.is_err_and(|error| error.is(&code::NONCE_USED)));
        assert!(nonces.admit("key", "n", now.plus(NONCE_LIFE)).is_ok());
    }
}
