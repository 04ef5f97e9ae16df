//! Networks of white lists: an address, or an address and how many of its bits count. Knows no instance.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network. IPv4 written as IPv6 (`::ffff:10.0.0.1`) is IPv4.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Net {
    address: IpAddr,
    bits: u8,
}

impl Net {
    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.bits);
                (own.to_bits() ^ other.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.bits);
                (own.to_bits() ^ other.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// No network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address, and not a network as 10.0.0.0/8")]
pub struct NotANet;

impl FromStr for Net {
    type Err = NotANet;

    fn from_str(text: &str) -> Result<Self, NotANet> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANet)?;
        let max = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => max,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| NotANet)?
            }
            Some(_) => return Err(NotANet),
        };
        if bits > max {
            return Err(NotANet);
        }
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The networks of a list with commas, as the API takes it. What is no network lets nobody in.
pub fn list(text: &str) -> impl Iterator<Item = Net> {
    text.split(',').filter_map(|part| part.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn within(net: &str, address: &str) -> bool {
        net.parse::<Net>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn an_address_is_in_the_networks_that_it_is_in() {
        assert!(within("10.0.0.0/8", "10.255.0.1"));
        assert!(!within("10.0.0.0/8", "11.0.0.1"));
        assert!(within("127.0.0.1", "127.0.0.1"));
        assert!(!within("127.0.0.1", "127.0.0.2"));
        assert!(within("0.0.0.0/0", "203.0.113.9"));
        assert!(!within("0.0.0.0/0", "2001:db8::1"), "all of IPv4 is not all");
        assert!(within("::/0", "2001:db8::1"));
        assert!(within("2001:db8::/32", "2001:db8:1::1"));
        assert!(within("10.0.0.0/8", "::ffff:10.1.2.3"), "as a socket for both tells it");
    }

    #[test]
    fn what_is_no_network_lets_nobody_in() {
        let nets: Vec<Net> = list("10.0.0.0/33, ,x,10.0.0.0/+8,1.2.3.4 ,::1/129").collect();
        assert_eq!(format!("{nets:?}"), "[1.2.3.4/32]");
    }

    proptest! {
        #[test]
        fn an_address_is_in_every_network_of_its_own_bits(address: u32, bits in 0u8..=32, flip in 0u32..32) {
            let own = std::net::Ipv4Addr::from_bits(address);
            let net: Net = format!("{own}/{bits}").parse().unwrap();
            prop_assert!(net.contains(own.into()));
            let other = std::net::Ipv4Addr::from_bits(address ^ (1 << flip));
            prop_assert_eq!(net.contains(other.into()), flip < 32 - u32::from(bits));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            list(&text).for_each(drop);
        }
    }
}
