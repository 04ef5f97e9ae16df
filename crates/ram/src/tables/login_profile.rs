//! Login profiles: users' passwords.

use base::{ApiError, Time};
use store::{Tx, params};

use super::Change;
use crate::password::Hashed;

/// One user's login profile.
pub(crate) struct LoginProfile {
    pub(crate) password: Hashed,
    pub(crate) reset_required: bool,
    pub(crate) mfa_required: bool,
    pub(crate) created: Time,
}

/// Adds a profile; false where the user has one.
pub(crate) fn insert(
    change: &mut Change<'_, '_>,
    user: &str,
    profile: &LoginProfile,
) -> Result<bool, ApiError> {
    let password = &profile.password;
    change.execute(
        "INSERT INTO ram_login_profile (user_id, algorithm, salt, iterations, hash, reset_required, mfa_required, created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        params![
            user,
            &password.algorithm,
            &password.salt,
            password.iterations,
            &password.hash,
            profile.reset_required,
            profile.mfa_required,
            profile.created
        ],
    )
}

pub(crate) fn find(tx: &mut Tx<'_>, user: &str) -> Result<Option<LoginProfile>, ApiError> {
    let found = tx.query_opt(
        "SELECT algorithm, salt, iterations, hash, reset_required, mfa_required, created
         FROM ram_login_profile WHERE user_id = ?1",
        params![user],
        |row| {
            Ok(LoginProfile {
                password: Hashed {
                    algorithm: row.get(0)?,
                    salt: row.get(1)?,
                    iterations: row.get(2)?,
                    hash: row.get(3)?,
                },
                reset_required: row.get(4)?,
                mfa_required: row.get(5)?,
                created: row.get(6)?,
            })
        },
    )?;
    Ok(found)
}

pub(crate) fn update(
    change: &mut Change<'_, '_>,
    user: &str,
    profile: &LoginProfile,
) -> Result<bool, ApiError> {
    let password = &profile.password;
    change.execute(
        "UPDATE ram_login_profile SET algorithm = ?2, salt = ?3, iterations = ?4, hash = ?5, reset_required = ?6,
                mfa_required = ?7 WHERE user_id = ?1",
        params![
            user,
            &password.algorithm,
            &password.salt,
            password.iterations,
            &password.hash,
            profile.reset_required,
            profile.mfa_required
        ],
    )
}

/// Removes a profile; false where there is none.
pub(crate) fn delete(change: &mut Change<'_, '_>, user: &str) -> Result<bool, ApiError> {
    change.execute("DELETE FROM ram_login_profile WHERE user_id = ?1", params![user])
}
