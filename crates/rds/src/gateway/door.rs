//! Whom an instance lets in as far as addresses tell: its white lists, and of its own rules what holds whatever the
//! database and the account are, because these are sealed here. The server judges by those; it does not see addresses.

use std::net::IpAddr;

use super::net::{self, Net};
use crate::hba::Rule;

/// Every address.
const EVERYWHERE: &str = "0.0.0.0/0,::/0";

/// Who may come in. By default nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Door {
    white: Vec<Net>,
    /// In order: the first network that has an address decides; true refuses it. None that has it refuses it, too.
    rules: Vec<(Net, bool)>,
}

impl Door {
    /// With white lists as the API takes them, and no rules: who is on one of them may come in.
    pub fn open_to(lists: &[impl AsRef<str>]) -> Self {
        let white = lists.iter().flat_map(|list| net::list(list.as_ref())).collect();
        let rules = net::list(EVERYWHERE).map(|net| (net, false)).collect();
        Self { white, rules }
    }

    /// With rules as well, first first; none is one that accepts all.
    pub(super) fn new(lists: &[impl AsRef<str>], rules: &[Rule]) -> Self {
        let mut door = Self::open_to(lists);
        if !rules.is_empty() {
            door.rules = rules.iter().flat_map(decisive).collect();
        }
        door
    }

    /// Whether whoever comes from that address may come in.
    pub fn lets_in(&self, address: IpAddr) -> bool {
        let decides = self.rules.iter().find(|(net, _)| net.contains(address));
        decides.is_some_and(|(_, refuses)| !refuses)
            && self.white.iter().any(|net| net.contains(address))
    }
}

/// What a rule decides by address alone: one that accepts somebody from there lets all of them as far as the server; one
/// that refuses somebody says nothing about the others.
fn decisive(rule: &Rule) -> Vec<(Net, bool)> {
    let everybody = rule.databases.is_empty() && rule.accounts.is_empty();
    if !rule.accept && !everybody {
        return Vec::new();
    }
    let from = if rule.from.is_empty() { EVERYWHERE } else { &rule.from };
    net::list(from).map(|net| (net, !rule.accept)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(database: &str, from: &str, accept: bool) -> Rule {
        let databases = if database.is_empty() { Vec::new() } else { vec![database.to_owned()] };
        Rule { databases, accounts: Vec::new(), from: from.to_owned(), accept }
    }

    fn lets_in(rules: &[Rule], address: &str) -> bool {
        let door = Door::new(&["10.0.0.0/8,bogus", "127.0.0.1"], rules);
        address.parse().is_ok_and(|address| door.lets_in(address))
    }

    #[test]
    fn without_rules_the_white_lists_decide() {
        assert!(lets_in(&[], "10.1.2.3") && lets_in(&[], "127.0.0.1"));
        assert!(!lets_in(&[], "11.1.2.3") && !lets_in(&[], "::1"));
        assert!(!Door::default().lets_in(IpAddr::from([10, 0, 0, 1])));
    }

    #[test]
    fn the_first_rule_that_has_the_address_decides_and_opens_no_white_list() {
        let all = || rule("", "", true);
        let rules = [rule("", "10.9.0.0/16", false), all()];
        assert!(!lets_in(&rules, "10.9.1.1"));
        assert!(lets_in(&rules, "10.8.1.1"));
        assert!(!lets_in(&rules, "11.1.2.3"), "accepted, and on no white list");
        assert!(lets_in(&[all(), rule("", "10.9.0.0/16", false)], "10.9.1.1"), "too late");
        assert!(!lets_in(&[rule("", "", false), all()], "127.0.0.1"));
    }

    #[test]
    fn what_depends_on_the_database_is_left_to_the_server() {
        let rules = [rule("toko", "10.9.0.0/16", false), rule("", "", true)];
        assert!(lets_in(&rules, "10.9.1.1"), "other databases are open to it");
        let rules = [rule("toko", "10.9.0.0/16", true), rule("", "10.0.0.0/8", false)];
        assert!(lets_in(&rules, "10.9.1.1"), "that one is open to it");
        assert!(!lets_in(&rules, "10.8.1.1"));
        assert!(!lets_in(&rules, "127.0.0.1"), "no rule has it");
    }
}
