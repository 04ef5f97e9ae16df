//! Users of the operating system: servers run under numbers without a name, but `initdb` and `pg_upgrade` want one.

use std::time::Duration;

use super::super::error::{Error, Result};
use super::super::process::{Program, Programs, User};

/// The one that tools run as that insist on a name.
const NAME: &str = "awan-db";

/// The fields of that user's line.
fn passwd(matches: impl Fn(&[&str]) -> bool) -> Option<Vec<String>> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut lines = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = lines.find(|fields| fields.len() >= 4 && matches(fields))?;
    Some(found.into_iter().map(str::to_owned).collect())
}

/// The name of a user, where it has one.
pub fn name_of(uid: u32) -> Option<String> {
    let uid = uid.to_string();
    passwd(|fields| fields[2] == uid).map(|fields| fields[0].clone())
}

/// The user that tools run as that insist on a name: made where it is missing; none where we are not root.
///
/// # Errors
/// Where it cannot be made.
pub async fn named(programs: &Programs) -> Result<Option<User>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let find = || {
        let fields = passwd(|fields| fields[0] == NAME)?;
        Some(User { uid: fields[2].parse().ok()?, gid: fields[3].parse().ok()? })
    };
    if let Some(user) = find() {
        return Ok(Some(user));
    }
    let useradd = Program::new("/usr/sbin/useradd").args([
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
        NAME,
    ]);
    programs.run(&useradd, Duration::from_secs(30)).await?;
    find().map(Some).ok_or_else(|| Error::Failed(format!("there is no user {NAME}")))
}
