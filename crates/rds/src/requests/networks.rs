//! What stands in a white list: addresses and networks, of IPv4 or of IPv6, as they were written. Lets nobody in: that
//! is the gateway's work and the server's.

use std::net::IpAddr;

use base::ApiError;

use super::forms::invalid;

/// Nobody: what a list without an entry is.
pub(crate) const NOBODY: &str = "127.0.0.1";
/// Entries of all arrays of an instance together, at most.
pub(crate) const ENTRIES_MAX: usize = 1000;

/// The entries of a list with commas between them, each once and in their order; the same text for the same network
/// wherever it stands.
///
/// # Errors
/// `InvalidParameter.<name>` with the first entry that is neither an address nor a network.
pub(crate) fn entries(name: &str, list: &str) -> Result<Vec<String>, ApiError> {
    let mut entries: Vec<String> = Vec::new();
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let entry = entry(part).ok_or_else(|| {
            let shown: String = part.chars().take(50).filter(|char| !char.is_control()).collect();
            invalid(name, format!("{shown:?} is not an address, and not a network as 10.0.0.0/8."))
        })?;
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    if entries.len() > ENTRIES_MAX {
        return Err(invalid(name, format!("A list has at most {ENTRIES_MAX} entries.")));
    }
    Ok(entries)
}

/// An entry in its shortest form; `None` where it is none.
fn entry(text: &str) -> Option<String> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let Some(bits) = bits else { return Some(address.to_string()) };
    let digits = !bits.is_empty() && bits.len() <= 3 && bits.bytes().all(|b| b.is_ascii_digit());
    let bits: u8 = bits.parse().ok().filter(|_| digits)?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    (bits <= most).then(|| format!("{address}/{bits}"))
}

/// Whether entries of that form are IPv6.
pub(crate) fn is_v6(entry: &str) -> bool {
    entry.contains(':')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn read(list: &str) -> Option<String> {
        entries("SecurityIps", list).ok().map(|entries| entries.join(","))
    }

    #[test]
    fn entries_keep_their_order_and_stand_once() {
        assert_eq!(
            read(" 10.0.0.0/8,192.0.2.7 ,10.0.0.0/8,").as_deref(),
            Some("10.0.0.0/8,192.0.2.7")
        );
        assert_eq!(read("0.0.0.0/0").as_deref(), Some("0.0.0.0/0"));
        assert_eq!(read("2001:DB8:0::1/64,::1").as_deref(), Some("2001:db8::1/64,::1"));
        assert_eq!(read("").as_deref(), Some(""));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for list in [
            "10.0.0",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "x",
            "1.2.3.4;",
            "1.2.3.4/8/8",
        ] {
            assert_eq!(read(list), None, "{list}");
        }
        let error = entries("SecurityIps", "10.0.0.1,example.id").unwrap_err();
        assert_eq!(error.code(), "InvalidParameter.SecurityIps");
        assert!(error.text().contains("example.id"), "{}", error.text());
    }

    fn network() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).to_string()),
            (any::<u32>(), 0u8..=32)
                .prop_map(|(ip, bits)| format!("{}/{bits}", Ipv4Addr::from_bits(ip))),
            (any::<u128>(), 0u8..=128)
                .prop_map(|(ip, bits)| format!("{}/{bits}", Ipv6Addr::from_bits(ip))),
        ]
    }

    proptest! {
        #[test]
        fn what_was_read_reads_the_same_again(list in prop::collection::vec(network(), 0..20)) {
            let once = entries("SecurityIps", &list.join(",")).unwrap();
            let again = entries("SecurityIps", &once.join(" , ")).unwrap();
            prop_assert_eq!(&once, &again);
            for entry in &list {
                prop_assert!(once.contains(entry), "{} of {:?}", entry, once);
            }
        }

        #[test]
        fn no_text_panics_and_what_is_taken_are_networks(text in "\\PC{0,40}") {
            for entry in entries("SecurityIps", &text).unwrap_or_default() {
                let address = entry.split('/').next().unwrap();
                prop_assert!(address.parse::<IpAddr>().is_ok());
            }
        }

        #[test]
        fn nearly_a_network_is_refused_or_is_one(text in "[0-9a-f:./]{0,20}") {
            for entry in entries("SecurityIps", &text).unwrap_or_default() {
                let (address, bits) = entry.split_once('/').unwrap_or((&entry, "0"));
                let most = if is_v6(&entry) { 128 } else { 32 };
                prop_assert!(address.parse::<IpAddr>().is_ok() && bits.parse::<u16>().unwrap() <= most);
            }
        }
    }
}
