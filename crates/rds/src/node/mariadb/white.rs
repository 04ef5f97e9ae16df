//! Who may come from where. A server of MariaDB listens on a port of its own, to which clients connect without a gateway
//! before it, so that it sees where they come from. What it does at the begin of each session (`init_connect`) ends those
//! of tenants that come from no network of the white lists: after the password, before anything else. The node's own users
//! may manage connections and are therefore exempt.
//!
//! Not by patterns of hosts in users' names: one user for each network would make the one who defined a view or a
//! routine depend on a white list, and break it when that changes.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::super::api::{Role, Spec};
use super::super::driver::Seat;
use super::super::error::Result;
use super::sql;
use crate::hba::Net;

/// What ends each session: until it is known who may come, and of a standby that nobody may read.
pub const NOBODY: &str = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT='this is a standby'";

/// Networks in one statement: what a server reads at its start has a longest line.
const PER_STATEMENT: usize = 200;

/// Statements, one a line, that make the white lists hold for sessions that begin from now on.
pub fn statements(spec: &Spec) -> String {
    if matches!(spec.role, Role::Standby { readable: false, .. }) {
        return format!("SET GLOBAL init_connect={};\n", sql::literal(NOBODY));
    }
    let mut all = String::from("SET @awan_v4='FALSE', @awan_v6='FALSE';\n");
    for (variable, width) in [("@awan_v4", 4), ("@awan_v6", 16)] {
        let tests: Vec<String> = spec.hba.iter().filter_map(|net| test(net, width)).collect();
        for some in tests.chunks(PER_STATEMENT) {
            let more = sql::literal(&some.concat());
            let _ = writeln!(all, "SET {variable}=CONCAT({variable}, {more});");
        }
    }
    let begin = sql::literal(
        "BEGIN NOT ATOMIC DECLARE a VARBINARY(16) DEFAULT INET6_ATON(SUBSTRING_INDEX(USER(), '@', -1)); \
         IF NOT COALESCE(CASE LENGTH(a) WHEN 4 THEN ",
    );
    let end = sql::literal(
        " ELSE FALSE END, FALSE) THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT='no white list has this address'; \
         END IF; END",
    );
    let _ = writeln!(
        all,
        "SET @awan_white=CONCAT({begin}, @awan_v4, ' WHEN 16 THEN ', @awan_v6, {end});\n\
         SET GLOBAL init_connect=@awan_white;"
    );
    all
}

/// Whether the address `a`, `width` bytes long, is of that network; `None` for one of the other version.
fn test(net: &str, width: usize) -> Option<String> {
    let (first, last) = Net::parse(net)?.ends();
    let (first, last) = (octets(first), octets(last));
    let hex = |bytes: &[u8]| base::text::hex(bytes);
    (first.len() == width).then(|| format!(" OR a BETWEEN 0x{} AND 0x{}", hex(&first), hex(&last)))
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Ends sessions of tenants that come from where nobody may any more.
pub async fn end_others(seat: &Seat, spec: &Spec) -> Result<()> {
    let sessions =
        sql::ask(seat, "SELECT ID, USER, HOST FROM information_schema.PROCESSLIST").await?;
    for row in sessions {
        let get = |name: &str| row.get(name).map(String::as_str).unwrap_or_default();
        let tenants = spec.accounts.iter().any(|it| it.name == get("USER"));
        if tenants && !is_white(&spec.hba, get("HOST")) && get("ID").parse::<u64>().is_ok() {
            // It may have ended by itself meanwhile.
            let _ = sql::run(seat, &format!("KILL CONNECTION {};\n", get("ID"))).await;
        }
    }
    Ok(())
}

/// Whether a client (`ADDRESS:PORT`) is on a white list.
fn is_white(white: &[String], client: &str) -> bool {
    let address = client.rsplit_once(':').map_or(client, |(address, _)| address);
    let Ok(address) = address.trim_matches(['[', ']']).parse::<IpAddr>() else { return false };
    white.iter().filter_map(|net| Net::parse(net)).any(|net| {
        let (first, last) = net.ends();
        first.is_ipv4() == address.is_ipv4() && first <= address && address <= last
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn clients_are_told_by_their_address_alone() {
        let white = ["127.0.0.0/8".to_owned(), "2001:db8::/32".to_owned()];
        for (client, is) in [
            ("127.0.0.1:55312", true),
            ("128.0.0.1:55312", false),
            ("2001:db8::1:55312", true),
            ("2001:db9::1:55312", false),
            ("localhost", false),
            ("", false),
        ] {
            assert_eq!(is_white(&white, client), is, "{client}");
        }
        assert!(!is_white(&[], "127.0.0.1:1"));
    }

    #[test]
    fn a_network_is_a_range_of_its_own_version_only() {
        let v4 = test("10.0.0.0/8", 4);
        assert_eq!(v4.as_deref(), Some(" OR a BETWEEN 0x0a000000 AND 0x0affffff"));
        assert_eq!(test("10.0.0.0/8", 16), None);
        assert_eq!(test("x' OR TRUE", 4), None);
    }

    proptest! {
        #[test]
        fn no_text_in_a_list_is_said_to_the_server(net in "\\PC{0,40}", client in "\\PC{0,40}") {
            for width in [4, 16] {
                if let Some(test) = test(&net, width) {
                    prop_assert!(test.bytes().all(|it| it.is_ascii_alphanumeric() || it == b' '));
                }
            }
            is_white(&[net], &client);
        }
    }
}
