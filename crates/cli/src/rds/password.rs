//! Passwords of database accounts: made, asked for, and kept in a file as libpq reads it. They are on no command line
//! and in no variable of the environment, because others on the machine may see both.

use std::path::Path;

use anyhow::{Context, Result};
use base::{Rng, Secret};

use crate::error::advise;
use crate::output;
use crate::profile::write_private;

/// Length of a password that is made: more than 150 bits.
const LENGTH: usize = 28;

/// A new password. The mark and the three kinds of characters are what the API asks of passwords.
pub(super) fn make(rng: &dyn Rng) -> Secret<String> {
    Secret::new(format!("{}-aA1", rng.alphanumeric(LENGTH - 4)))
}

/// Reads one: from the terminal without showing it, else a line of standard input.
///
/// # Errors
/// Where there is none.
pub(super) fn ask(account: &str) -> Result<Secret<String>> {
    let answer = output::ask_hidden(&format!("password of the new account {account}"))
        .context("read the password")?;
    if answer.expose().is_empty() {
        return Err(advise("no password was given", "leave --ask-password away to have one made"));
    }
    Ok(answer)
}

/// Writes the file, for any database and any port of the host.
///
/// # Errors
/// Where it cannot be written.
pub(super) fn keep(path: &Path, host: &str, account: &str, secret: &Secret<String>) -> Result<()> {
    write_private(path, line(host, account, secret).as_bytes())
}

fn line(host: &str, account: &str, secret: &Secret<String>) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
    format!("{}:*:*:{}:{}\n", escaped(host), escaped(account), escaped(secret.expose()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::os::unix::fs::PermissionsExt;

    use base::SystemRng;

    use super::*;

    #[test]
    fn a_made_password_has_every_kind_of_character_and_no_two_are_alike() {
        let (one, two) = (make(&SystemRng), make(&SystemRng));
        assert_ne!(one.expose(), two.expose());
        let has = |is: fn(char) -> bool| one.expose().contains(is);
        assert!(has(|c| c.is_ascii_uppercase()) && has(|c| c.is_ascii_lowercase()));
        assert!(has(|c| c.is_ascii_digit()) && has(|c| c == '-'));
        assert_eq!(one.expose().len(), LENGTH);
        const { assert!(LENGTH <= 32, "longer ones are refused") };
    }

    #[test]
    fn the_file_is_its_owners_and_reads_as_libpq_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("arsip.pgpass");
        keep(&path, "h.id", "a:b", &Secret::new("p\\w:d".to_owned())).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "h.id:*:*:a\\:b:p\\\\w\\:d\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
