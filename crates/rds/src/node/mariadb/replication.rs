//! What a running server says of itself and of whom it follows; promoting it.

use std::fs;
use std::io::ErrorKind;

use super::super::api::{Observed, Role, Spec};
use super::super::driver::Seat;
use super::super::error::{Error, Result};
use super::{config, sql, white};

/// How long a standby may take to replay what it has received, seconds.
const REPLAY_SECONDS: u32 = 3600;

/// See [`super::super::driver::Driver::observe`].
pub async fn observe(seat: &Seat, observed: &mut Observed) -> Result<()> {
    let question = "SELECT @@global.read_only AS read_only, @@global.gtid_domain_id AS domain, \
        @@global.gtid_binlog_pos AS written, @@global.gtid_slave_pos AS replayed";
    let row = sql::ask(seat, question).await?.into_iter().next().unwrap_or_default();
    let get = |name: &str| row.get(name).map(String::as_str).unwrap_or_default();
    let domain: u32 = get("domain").parse().unwrap_or_default();
    observed.writable = get("read_only") == "0";
    observed.system_identifier = u64::from(domain);
    observed.timeline = 1;
    observed.lsn = sequence(get("written"), domain);
    if let Some(status) = status(seat).await? {
        let received = status.get("Gtid_IO_Pos").map(String::as_str).unwrap_or_default();
        observed.replayed = sequence(get("replayed"), domain);
        observed.lsn = sequence(received, domain).max(observed.replayed);
        let behind = status.get("Seconds_Behind_Master").and_then(|text| text.parse().ok());
        observed.lag_seconds = behind.unwrap_or_default();
        // Without a connection it does not know how far it is behind.
        let error = ["Last_IO_Error", "Last_SQL_Error"]
            .iter()
            .find_map(|name| status.get(*name).filter(|it| !it.is_empty()));
        if let Some(error) = error.filter(|_| observed.trouble.is_empty()) {
            observed.trouble.clone_from(error);
        }
    }
    observed.pending_restart = config::pending(seat).await?;
    Ok(())
}

/// What a server says of whom it follows; `None` where it follows nobody.
pub async fn status(seat: &Seat) -> Result<Option<sql::Row>> {
    Ok(sql::ask(seat, "SHOW SLAVE STATUS").await?.into_iter().next())
}

/// The sequence number of a domain in a list of GTIDs (`DOMAIN-SERVER-NUMBER`, commas between); 0 where it has none.
fn sequence(list: &str, domain: u32) -> u64 {
    let of = |gtid: &str| {
        let mut parts = gtid.trim().split('-');
        let own = parts.next()?.parse::<u32>().ok()? == domain;
        let number = parts.nth(1)?.parse().ok()?;
        own.then_some(number)
    };
    list.split(',').filter_map(of).max().unwrap_or_default()
}

/// See [`super::super::driver::Driver::end`]. The server writes down what its binary log holds when it ends in order,
/// and removes that at its start.
pub fn end(seat: &Seat, spec: &Spec) -> Result<Option<u64>> {
    match fs::read_to_string(seat.dir.data().join("binlog.state")) {
        Ok(text) => {
            let number = sequence(&text.replace('\n', ","), config::domain(&spec.id));
            Ok(Some(number).filter(|number| *number > 0))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// See [`super::super::driver::Driver::promote`].
pub async fn promote(seat: &Seat, spec: &Spec) -> Result<()> {
    if status(seat).await?.is_some() {
        // What was received is replayed before anything of its own is written.
        sql::run(seat, "STOP SLAVE IO_THREAD;\n").await?;
        let received =
            status(seat).await?.and_then(|row| row.get("Gtid_IO_Pos").cloned()).unwrap_or_default();
        if !received.is_empty() {
            let wait =
                format!("SELECT MASTER_GTID_WAIT({}, {REPLAY_SECONDS})", sql::literal(&received));
            if sql::value(seat, &wait).await? != "0" {
                return Err(Error::Later("it does not replay what it has received".to_owned()));
            }
        }
    }
    let white = white::statements(&Spec { role: Role::Primary, ..spec.clone() });
    let statements = format!("STOP SLAVE;\nRESET SLAVE ALL;\n{white}SET GLOBAL read_only=0;\n");
    sql::run(seat, &statements).await
}

/// See [`super::super::driver::Driver::lost`].
pub async fn lost(seat: &Seat) -> Result<bool> {
    Ok(status(seat).await?.is_some_and(|status| {
        let number = |name: &str| {
            status.get(name).and_then(|text| text.parse::<u32>().ok()).unwrap_or_default()
        };
        // 1236: the upstream no longer has what comes next, or never had what we have. And what cannot be replayed
        // once cannot be replayed later: the data differs.
        number("Last_IO_Errno") == 1236 || number("Last_SQL_Errno") != 0
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_number_of_ones_own_domain_is_found_among_others() {
        assert_eq!(sequence("7-1-100,42-3-15", 42), 15);
        assert_eq!(sequence("", 42), 0);
        assert_eq!(sequence("7-1-100", 42), 0);
    }

    proptest! {
        #[test]
        fn no_list_of_gtids_makes_it_fail(list in "[-0-9, x]{0,60}", domain: u32) {
            sequence(&list, domain);
        }
    }
}
