//! Rules of who may connect to a PostgreSQL instance: read from what tenants ask, and made into lines of its
//! `pg_hba.conf` within the white lists. Not here: the lines that a node needs for itself, and the gateway, which
//! checks white lists before it connects.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::deployment::Settings;
use crate::names;

/// The most rules of an instance.
pub(crate) const RULES_MAX: usize = 200;

/// A rule, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    /// Into which databases; empty for all.
    pub(crate) databases: Vec<String>,
    /// As which accounts; empty for all.
    pub(crate) accounts: Vec<String>,
    /// From where, in [`Net`]'s text form; empty for everywhere.
    pub(crate) from: String,
    /// False: whoever comes so is refused.
    pub(crate) accept: bool,
}

/// The rule where a tenant wrote none: whoever is on a white list may try its password.
pub(crate) const DEFAULT: Rule =
    Rule { databases: Vec::new(), accounts: Vec::new(), from: String::new(), accept: true };

/// A rule in the words of the API.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Item {
    #[serde(rename = "PriorityId")]
    pub(crate) priority: i64,
    #[serde(rename = "Type")]
    pub(crate) kind: String,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) address: String,
    pub(crate) mask: String,
    pub(crate) method: String,
    pub(crate) option: String,
}

impl Item {
    /// As answers show a rule.
    pub(crate) fn of(priority: i64, rule: &Rule) -> Self {
        let all = |names: &[String]| match names {
            [] => "all".to_owned(),
            names => names.join(","),
        };
        Self {
            priority,
            kind: "hostssl".to_owned(),
            database: all(&rule.databases),
            user: all(&rule.accounts),
            address: if rule.from.is_empty() { "all".to_owned() } else { rule.from.clone() },
            mask: String::new(),
            method: if rule.accept { "scram-sha-256" } else { "reject" }.to_owned(),
            option: String::new(),
        }
    }

    /// Understands it.
    ///
    /// # Errors
    /// What is wrong with it, for the client.
    pub(crate) fn rule(&self) -> Result<Rule, String> {
        if !(0..=10_000).contains(&self.priority) {
            return Err("PriorityId is between 0 and 10000.".to_owned());
        }
        if !self.kind.eq_ignore_ascii_case("hostssl") {
            return Err("Type is hostssl: every connection to an instance is encrypted.".to_owned());
        }
        if !self.option.is_empty() {
            return Err("Option is empty: no method that is offered has one.".to_owned());
        }
        let accept = match self.method.to_ascii_lowercase().as_str() {
            "scram-sha-256" => true,
            "reject" => false,
            _ => return Err("Method is scram-sha-256 or reject.".to_owned()),
        };
        let database = |name: &str| names::is_database(name);
        let account = |name: &str| names::is_account(name);
        Ok(Rule {
            databases: list("Database", &self.database, database)?,
            accounts: list("User", &self.user, account)?,
            from: from(&self.address, &self.mask)?,
            accept,
        })
    }
}

/// Names with commas between them; none for `all`.
fn list(what: &str, text: &str, sound: impl Fn(&str) -> bool) -> Result<Vec<String>, String> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(Vec::new());
    }
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().all(|name| sound(name)) {
        Ok(names)
    } else {
        Err(format!("{what} is all, or names with commas between them that a tenant may have."))
    }
}

fn from(address: &str, mask: &str) -> Result<String, String> {
    if address.eq_ignore_ascii_case("all") && mask.is_empty() {
        return Ok(String::new());
    }
    let net = match (mask, address.parse::<IpAddr>()) {
        ("", _) => Net::parse(address),
        (mask, Ok(address)) => {
            mask.parse().ok().and_then(ones).and_then(|prefix| Net::new(address, prefix))
        }
        (_, Err(_)) => None,
    };
    let bad =
        || "Address is all, an address or a network (10.0.0.0/8), or an address with its Mask.";
    net.map(|net| net.to_string()).ok_or_else(|| bad().to_owned())
}

/// How many leading ones a mask has, where it has no other.
fn ones(mask: IpAddr) -> Option<u8> {
    let (bits, width) = match mask {
        IpAddr::V4(mask) => (u128::from(mask.to_bits()) << 96, 32),
        IpAddr::V6(mask) => (mask.to_bits(), 128),
    };
    let ones = bits.leading_ones();
    let straight = bits.count_ones() == ones && ones <= width;
    straight.then(|| u8::try_from(ones).ok()).flatten()
}

/// A network: an address whose bits after the prefix are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Net {
    address: IpAddr,
    prefix: u8,
}

impl Net {
    /// Every address of version 4, and of version 6.
    const ALL: [Self; 2] = [
        Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), prefix: 0 },
        Self { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), prefix: 0 },
    ];

    fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let rest = |width: u8| width.checked_sub(prefix).map(u32::from);
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(rest(32)?).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(rest(128)?).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        };
        Some(Self { address, prefix })
    }

    /// One address.
    fn one(address: IpAddr) -> Self {
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// Reads `10.0.0.0/8`, `10.1.2.3`, `2001:db8::/32`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => {
                let digits = prefix.len() <= 3 && prefix.bytes().all(|byte| byte.is_ascii_digit());
                (address, Some(prefix.parse().ok().filter(|_| digits)?))
            }
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        Self::new(address, prefix.unwrap_or(width))
    }

    /// Its first and its last address.
    pub(crate) fn ends(self) -> (IpAddr, IpAddr) {
        let last = match self.address {
            IpAddr::V4(address) => {
                let rest = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() | rest))
            }
            IpAddr::V6(address) => {
                let rest = u128::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() | rest))
            }
        };
        (self.address, last)
    }

    /// True where every address of `other` is one of this.
    fn holds(self, other: Self) -> bool {
        self.prefix <= other.prefix && Self::new(other.address, self.prefix) == Some(self)
    }

    /// The addresses that both have: networks are within one another or apart.
    fn both(self, other: Self) -> Option<Self> {
        if self.holds(other) { Some(other) } else { other.holds(self).then_some(self) }
    }
}

impl std::fmt::Display for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The lines: what `rules` say, in their order, and accepted only from what `white` lists. What of a white list is
/// no network is left out.
///
/// The gateway hides where clients come from: for who comes through it, a rule's databases and accounts count here, and
/// its addresses there ([`crate::gateway::door`]). What refuses all addresses is kept here, too.
pub(crate) fn lines(rules: &[Rule], white: &[String]) -> Vec<String> {
    let gateway = Net::one(Settings::told().gateway());
    let white: Vec<Net> = white.iter().filter_map(|text| Net::parse(text)).collect();
    let default = [DEFAULT];
    let rules = if rules.is_empty() { &default } else { rules };
    let mut lines = Vec::new();
    for rule in rules {
        let wanted = if rule.from.is_empty() {
            Net::ALL.to_vec()
        } else {
            Net::parse(&rule.from).into_iter().collect()
        };
        if rule.accept || wanted.iter().any(|net| net.holds(gateway)) {
            lines.push(line(rule, gateway));
        }
        for net in wanted {
            if !rule.accept {
                lines.push(line(rule, net));
                continue;
            }
            lines.extend(white.iter().filter_map(|list| list.both(net)).map(|net| line(rule, net)));
        }
    }
    lines
}

/// What a server of MariaDB is told of white lists: its engine has no rules. What of them is no network is left out.
pub(crate) fn networks(white: &[String]) -> Vec<String> {
    white.iter().filter_map(|text| Net::parse(text)).map(|net| net.to_string()).collect()
}

fn line(rule: &Rule, net: Net) -> String {
    // Names are plain (see `names`), so that quotes need no escape; quoted, none is a keyword.
    let all = |names: &[String]| match names {
        [] => "all".to_owned(),
        names => names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(","),
    };
    let method = if rule.accept { "scram-sha-256" } else { "reject" };
    format!("hostssl {} {} {net} {method}", all(&rule.databases), all(&rule.accounts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item(database: &str, user: &str, address: &str, mask: &str, method: &str) -> Item {
        Item {
            kind: "hostssl".to_owned(),
            database: database.to_owned(),
            user: user.to_owned(),
            address: address.to_owned(),
            mask: mask.to_owned(),
            method: method.to_owned(),
            ..Item::default()
        }
    }

    #[test]
    fn only_encrypted_connections_with_passwords_of_tenants_are_rules() {
        let scram = "scram-sha-256";
        let good = item("toko,gudang", "app", "10.1.2.3", "255.255.0.0", scram).rule();
        let rule = good.expect("it is a rule");
        assert_eq!((rule.databases.len(), rule.from.as_str()), (2, "10.1.0.0/16"));
        for bad in [
            item("all", "all", "all", "", "trust"),
            item("all", "all", "all", "", "password"),
            item("all", "all", "all", "", "peer"),
            item("all", "all", "all", "", "md5"),
            item("replication", "all", "all", "", scram),
            item("sameuser", "all", "all", "", scram),
            item("all", "awan_replicator", "all", "", scram),
            item("all", "+staff", "all", "", scram),
            item("all", "postgres", "all", "", scram),
            item("all", "app\" trust", "all", "", scram),
            item("all", "all", "example.id", "", scram),
            item("all", "all", "samehost", "", scram),
            item("all", "all", "10.0.0.0/33", "", scram),
            item("all", "all", "10.0.0.0", "255.0.255.0", scram),
            item("", "all", "all", "", scram),
            Item { kind: "host".to_owned(), ..item("all", "all", "all", "", scram) },
            Item { kind: "local".to_owned(), ..item("all", "all", "all", "", scram) },
            Item { option: "map=x".to_owned(), ..item("all", "all", "all", "", scram) },
            Item { priority: -1, ..item("all", "all", "all", "", scram) },
        ] {
            assert!(bad.rule().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn rules_open_nothing_that_no_white_list_opens() {
        let white = ["10.0.0.0/8".to_owned(), "rubbish".to_owned(), "127.0.0.1".to_owned()];
        assert_eq!(
            lines(&[], &white),
            [
                "hostssl all all 127.77.0.1/32 scram-sha-256",
                "hostssl all all 10.0.0.0/8 scram-sha-256",
                "hostssl all all 127.0.0.1/32 scram-sha-256",
            ]
        );
        let rule = item("toko", "app", "0.0.0.0/0", "", "scram-sha-256").rule();
        let reject = item("all", "all", "10.9.0.0/16", "", "reject").rule();
        let rules = [reject.expect("a rule"), rule.expect("a rule")];
        assert_eq!(
            lines(&rules, &white),
            [
                "hostssl all all 10.9.0.0/16 reject",
                "hostssl \"toko\" \"app\" 127.77.0.1/32 scram-sha-256",
                "hostssl \"toko\" \"app\" 10.0.0.0/8 scram-sha-256",
                "hostssl \"toko\" \"app\" 127.0.0.1/32 scram-sha-256",
            ]
        );
        let nobody: [String; 0] = [];
        assert_eq!(lines(&[], &nobody), ["hostssl all all 127.77.0.1/32 scram-sha-256"]);
    }

    proptest! {
        #[test]
        fn no_item_makes_more_than_one_line_of_plain_text_of_itself(
            database: String, user: String, address: String, mask: String, method in "scram-sha-256|reject|.*"
        ) {
            if let Ok(rule) = item(&database, &user, &address, &mask, &method).rule() {
                for line in lines(&[rule], &["0.0.0.0/0".to_owned(), "::/0".to_owned()]) {
                    prop_assert!(line.is_ascii() && !line.contains('\n') && !line.contains('#'));
                    prop_assert_eq!(line.split(' ').count(), 5);
                }
            }
        }

        #[test]
        fn what_is_shown_is_read_back(a: u32, prefix in 0u8..=32, accept: bool, named: bool) {
            let net = Net::new(IpAddr::V4(Ipv4Addr::from_bits(a)), prefix).expect("it is one");
            let names = if named { vec!["toko".to_owned(), "b2".to_owned()] } else { Vec::new() };
            let rule =
                Rule { databases: names.clone(), accounts: names, from: net.to_string(), accept };
            prop_assert_eq!(Item::of(1, &rule).rule(), Ok(rule));
        }

        #[test]
        fn a_network_has_what_is_between_its_ends(a: u32, p in 0u8..=32, c: u32) {
            let net = |bits, prefix| Net::new(IpAddr::V4(Ipv4Addr::from_bits(bits)), prefix);
            let (one, point) = (net(a, p).expect("a net"), net(c, 32).expect("a net"));
            let (first, last) = one.ends();
            prop_assert_eq!(one.holds(point), first <= point.address && point.address <= last);
        }

        #[test]
        fn what_two_networks_share_is_in_both(a: u32, b: u32, p in 0u8..=32, q in 0u8..=32, c: u32) {
            let net = |bits, prefix| Net::new(IpAddr::V4(Ipv4Addr::from_bits(bits)), prefix);
            let (one, other, point) = (net(a, p), net(b, q), net(c, 32));
            let (one, other, point) =
                (one.expect("a net"), other.expect("a net"), point.expect("a net"));
            let shared = one.both(other).is_some_and(|both| both.holds(point));
            prop_assert_eq!(shared, one.holds(point) && other.holds(point));
        }
    }
}
