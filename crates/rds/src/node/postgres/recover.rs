//! From a backup that was sent to a data directory: unpacking, replaying the log, an identity of its own.

use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use base::Time;

use super::super::driver::{Seat, Stream};
use super::super::error::{Doing, Error, Result};
use super::super::home;
use super::super::process::Server;
use super::super::stream;
use super::config::quoted;
use super::{TOOL, config, data, number, tool};

/// A recovering server's pace of being looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Where the backup is until it is a data directory.
fn unpacked(seat: &Seat) -> PathBuf {
    seat.dir.seed().join("data")
}

/// See [`super::super::driver::Driver::unpack`].
pub async fn unpack(seat: &Seat, tar: Stream) -> Result<()> {
    let (to, user) = (unpacked(seat), seat.user);
    let new = to.with_extension("new");
    let tar = stream::blocking(tar);
    data::blocking(move || {
        home::remove_dir(&new)?;
        home::make_dir(&new, 0o700, user)?;
        unpack_into(tar, &new)?;
        if data::major(&new)?.is_none() || !new.join("global/pg_control").is_file() {
            return Err(Error::Conflict("what was sent is no backup of a cluster".to_owned()));
        }
        home::own_tree(&new, user)?;
        data::private(&new)?;
        home::remove_dir(&to)?;
        fs::rename(&new, &to).doing(to.display())
    })
    .await
}

/// Unpacks files and directories, and nothing else: whoever sends a link or a path with `..` is refused.
fn unpack_into(tar: impl Read, to: &Path) -> Result<()> {
    let mut archive = tar::Archive::new(tar);
    archive.set_preserve_permissions(false);
    archive.set_preserve_mtime(false);
    for entry in archive.entries().doing("tar")? {
        let mut entry = entry.doing("tar")?;
        let path = entry.path().doing("tar")?.into_owned();
        let kind = entry.header().entry_type();
        let inside =
            path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside || !(kind.is_file() || kind.is_dir()) {
            return Err(Error::Conflict(format!(
                "{} does not belong into a backup",
                path.display()
            )));
        }
        let target = to.join(&path);
        if kind.is_dir() {
            fs::create_dir_all(&target).doing(target.display())?;
            continue;
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).doing(parent.display())?;
        }
        let mut file = fs::File::create(&target).doing(target.display())?;
        std::io::copy(&mut entry, &mut file).doing(target.display())?;
    }
    for dir in fs::read_dir(to)? {
        let dir = dir?;
        if dir.file_type()?.is_dir() {
            data::private(&dir.path())?;
        }
    }
    Ok(())
}

/// True for segments, partial ones, and histories of timelines.
pub fn is_log_file(name: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|c| c.is_ascii_digit() || (b'A'..=b'F').contains(&c));
    match name.split_once('.') {
        None | Some((_, "partial")) => {
            let stem = name.strip_suffix(".partial").unwrap_or(name);
            stem.len() == 24 && hex(stem)
        }
        Some((stem, "history")) => stem.len() == 8 && hex(stem),
        Some(_) => false,
    }
}

/// See [`super::super::driver::Driver::recover`].
pub async fn recover(seat: &Seat, until: Option<i64>) -> Result<()> {
    let at = unpacked(seat);
    if data::major(&at)?.is_none() {
        return Err(Error::Later("the backup has not been sent yet".to_owned()));
    }
    if !state(seat, &at).await?.contains("shut down") || at.join("backup_label").exists() {
        prepare_log(seat).await?;
        if let Err(error) = replay(seat, &at, until).await {
            // Nothing was committed later: what was sent has everything that was committed until that moment, else it
            // would not have been said to be complete (`backup::restore`).
            if !error.to_string().contains("before configured recovery target was reached") {
                return Err(error);
            }
            replay(seat, &at, Some(i64::MAX)).await?;
        }
    }
    data::new_identity(seat, &at).await?;
    data::publish(seat, at).await?;
    home::remove_dir(&seat.dir.wal())?;
    home::make_dir(&seat.dir.wal(), 0o700, seat.user)
}

async fn control(seat: &Seat, at: &Path) -> Result<String> {
    let output = seat.programs.run(&tool(seat, "pg_controldata").arg("-D").arg(at), TOOL).await?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

/// The state that the control file tells.
async fn state(seat: &Seat, at: &Path) -> Result<String> {
    Ok(value(&control(seat, at).await?, "Database cluster state:"))
}

fn value(text: &str, word: &str) -> String {
    let found = text.lines().find_map(|line| line.strip_prefix(word));
    found.unwrap_or_default().trim().to_owned()
}

/// The last segment may have come in part: the server takes whole files only, and finds the end of the log itself.
async fn prepare_log(seat: &Seat) -> Result<()> {
    let (dir, user) = (seat.dir.wal(), seat.user);
    let control = control(seat, &unpacked(seat)).await?;
    let segment = value(&control, "Bytes per WAL segment:").parse().unwrap_or(16 << 20);
    data::blocking(move || {
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".history") || !is_log_file(&name) {
                continue;
            }
            let whole = dir.join(name.trim_end_matches(".partial"));
            if whole != path {
                if whole.exists() {
                    continue;
                }
                fs::rename(&path, &whole)?;
            }
            let file = fs::File::options().write(true).open(&whole)?;
            if file.metadata()?.len() < segment {
                file.set_len(segment)?;
            }
        }
        home::own_tree(&dir, user)
    })
    .await
}

/// Replays the log on a server that nobody can reach, and stops it cleanly once it has a timeline of its own.
async fn replay(seat: &Seat, at: &Path, until: Option<i64>) -> Result<()> {
    let file = seat.dir.conf().join("recovery.conf");
    let settings = recovery_settings(seat, at, until).await?;
    home::replace(&file, settings.as_bytes(), 0o600, seat.user)?;
    home::replace(
        &seat.dir.conf().join("recovery_hba.conf"),
        config::hba_of_node().as_bytes(),
        0o600,
        seat.user,
    )?;
    home::replace(
        &seat.dir.conf().join("pg_ident.conf"),
        config::ident().as_bytes(),
        0o600,
        seat.user,
    )?;
    for stale in ["postmaster.pid", "standby.signal", "postgresql.auto.conf"] {
        let _ = fs::remove_file(at.join(stale));
    }
    data::signal_file(seat, at, "recovery.signal")?;
    let program = tool(seat, "postgres")
        .arg("-D")
        .arg(at)
        .arg("-c")
        .arg(format!("config_file={}", file.display()))
        .death("QUIT");
    let log = seat.dir.path().join("recovery.log");
    home::remove_file(&log)?;
    let mut server = seat.programs.server(&program, &log).await?;
    until_promoted(&mut server, at, &log).await?;
    server.signal(rustix::process::Signal::INT);
    server.wait().await?;
    Ok(())
}

/// The end of recovery: the signal file is gone, and the server takes connections.
async fn until_promoted(server: &mut Server, at: &Path, log: &Path) -> Result<()> {
    loop {
        if server.ended().is_some() {
            let text = fs::read_to_string(log).unwrap_or_default();
            let fatal: Vec<&str> = text.lines().filter(|line| line.contains("FATAL")).collect();
            return Err(Error::Failed(format!("recovery: {}", fatal.join("; "))));
        }
        let pid = fs::read_to_string(at.join("postmaster.pid")).unwrap_or_default();
        let ready = pid.lines().nth(7).is_some_and(|line| line.trim() == "ready");
        if ready && !at.join("recovery.signal").exists() {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn recovery_settings(seat: &Seat, at: &Path, until: Option<i64>) -> Result<String> {
    let control = control(seat, at).await?;
    let fetch = format!("cp \"{}/%f\" \"%p\"", seat.dir.wal().display());
    let mut settings = vec![
        ("data_directory", at.display().to_string()),
        ("hba_file", seat.dir.conf().join("recovery_hba.conf").display().to_string()),
        ("ident_file", seat.dir.conf().join("pg_ident.conf").display().to_string()),
        ("listen_addresses", String::new()),
        ("unix_socket_directories", seat.dir.run().display().to_string()),
        ("port", seat.port.to_string()),
        ("archive_mode", "off".to_owned()),
        ("hot_standby", "off".to_owned()),
        ("recovery_init_sync_method", "syncfs".to_owned()),
        ("restore_command", fetch),
        ("recovery_target_timeline", "latest".to_owned()),
        ("recovery_target_action", "promote".to_owned()),
        ("log_timezone", "UTC".to_owned()),
        ("timezone", "UTC".to_owned()),
        ("max_wal_size", "4GB".to_owned()),
    ];
    // Below those of the server that made the log, recovery refuses to go on.
    for (name, word) in [
        ("max_connections", "max_connections setting:"),
        ("max_worker_processes", "max_worker_processes setting:"),
        ("max_wal_senders", "max_wal_senders setting:"),
        ("max_prepared_transactions", "max_prepared_xacts setting:"),
        ("max_locks_per_transaction", "max_locks_per_xact setting:"),
    ] {
        settings.push((name, number(&value(&control, word)).to_string()));
    }
    match until {
        None => settings.push(("recovery_target", "immediate".to_owned())),
        Some(i64::MAX) => {}
        Some(at) => {
            let seconds = Time::from_micros(at - at.rem_euclid(1_000_000)).iso();
            let seconds = seconds.trim_end_matches('Z').replace('T', " ");
            let target = format!("{seconds}.{:06}+00", at.rem_euclid(1_000_000));
            settings.push(("recovery_target_time", target));
            settings.push(("recovery_target_inclusive", "on".to_owned()));
        }
    }
    let line = |(name, value): (&str, String)| format!("{name} = {}\n", quoted(&value));
    Ok(settings.into_iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tar_of(path: &str, kind: tar::EntryType) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o600);
        header.set_cksum();
        [header.as_bytes().as_slice(), &[0; 1024]].concat()
    }

    #[test]
    fn nothing_but_files_inside_is_unpacked() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let unpack = |path, kind| unpack_into(tar_of(path, kind).as_slice(), dir.path());
        assert!(unpack("base/1/2", tar::EntryType::Regular).is_ok());
        assert!(dir.path().join("base/1/2").is_file());
        for path in ["../evil", "/etc/evil", "base/../../evil"] {
            assert!(unpack(path, tar::EntryType::Regular).is_err(), "{path}");
        }
        assert!(unpack("pg_tblspc/1", tar::EntryType::Symlink).is_err());
        assert!(unpack("pg_tblspc/2", tar::EntryType::Link).is_err());
        Ok(())
    }

    #[test]
    fn files_of_the_log_are_known_by_their_names() {
        for name in
            ["00000001000000000000000A", "00000001000000000000000A.partial", "00000002.history"]
        {
            assert!(is_log_file(name), "{name}");
        }
        for name in ["", "..", "00000001000000000000000a", "0000000G.history", "x/y", "pgpass"] {
            assert!(!is_log_file(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_unpacking_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let dir = tempfile::tempdir()?;
            let _ = unpack_into(bytes.as_slice(), dir.path());
        }

        #[test]
        fn the_name_of_a_file_of_the_log_is_never_a_path(name in ".{0,40}") {
            prop_assert!(!is_log_file(&name) || !name.contains(['/', '\0']));
        }
    }
}
