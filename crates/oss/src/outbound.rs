//! Requests of the cloud's own, to addresses that its clients name. Whoever may name an address must not
//! reach by it what is reachable only from here: only public addresses are called, but for the networks that
//! the operator allows. It is decided of the address that is connected to, whatever name or redirection led
//! there.
//!
//! Not here: what is asked, and what the answer means.

mod fetch;

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

pub(crate) use fetch::{Fetch, Fetched, Pieces};

/// From the look-up of the name to the last byte of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Requests under way at a time; others wait as long as a request may take.
const SLOTS: usize = 64;
/// The longest answer, bytes (1 MiB).
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// Where distributions keep the certificate authorities that the machine trusts.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A network: an address and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl FromStr for Network {
    type Err = String;

    /// Reads `10.0.0.0/8`, `fd00::/8`, or one address.
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("\"{text}\" is no network such as 10.0.0.0/8");
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(whole), str::parse).map_err(|_| refused())?;
        if bits > whole { Err(refused()) } else { Ok(Self { address, bits }) }
    }
}

impl Network {
    fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.leading_zeros() >= self.bits
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

/// Whether anybody on the internet reaches the same host under this address (the IANA registries of special
/// purpose addresses, and the ways to write an IPv4 address as an IPv6 one).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127, ..] | [224..=255, ..] => true,
        [100, second, ..] => (64..128).contains(&second),
        [169, 254, ..] | [192, 168, ..] => true,
        [172, second, ..] => (16..32).contains(&second),
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        [198, second, ..] => (18..20).contains(&second),
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // Global unicast, less those parts of it that lead to IPv4 addresses or to nobody.
    match address.segments() {
        [0x2001, second, ..] => second >= 0x0200 && second != 0x0db8,
        [0x2002, ..] | [0x3fff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Finds the addresses of a name, and leaves out those that must not be called.
#[derive(Debug)]
struct Guard {
    inner: DefaultResolver,
    allowed: Vec<Network>,
}

impl Guard {
    fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.allowed.iter().any(|network| network.contains(address))
    }
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut kept = self.empty();
        for address in self.inner.resolve(uri, config, timeout)?.iter() {
            if self.allows(address.ip()) {
                kept.push(*address);
            }
        }
        if kept.is_empty() {
            let refused = "the address is not public";
            return Err(ureq::Error::Io(io::Error::new(io::ErrorKind::PermissionDenied, refused)));
        }
        Ok(kept)
    }
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Calls addresses. Clones share the limit on requests under way.
#[derive(Clone)]
pub(crate) struct Outbound {
    agent: Agent,
    slots: Arc<Semaphore>,
    /// Of fetches, which last longer.
    fetches: Arc<fetch::Slots>,
}

impl Outbound {
    /// Calls public addresses, and those in `allowed`.
    pub(crate) fn new(allowed: Vec<Network>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Those that may be followed say so.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_idle_connections(0)
            .timeout_global(Some(TIMEOUT))
            .user_agent("awan-oss-callback")
            .tls_config(tls_config())
            .build();
        let guard = Guard { inner: DefaultResolver::default(), allowed };
        let agent = Agent::with_parts(config, DefaultConnector::new(), guard);
        let fetches = Arc::new(fetch::Slots::default());
        Self { agent, slots: Arc::new(Semaphore::new(SLOTS)), fetches }
    }

    /// Posts, and reads the answer whole; any status is an answer.
    ///
    /// # Errors
    /// What to tell the client: that there is no such address, no answer in time, or one that is too long.
    pub(crate) async fn post(&self, post: Post) -> Result<Answer, String> {
        let slot = Arc::clone(&self.slots).acquire_owned();
        let Ok(Ok(slot)) = tokio::time::timeout(TIMEOUT, slot).await else {
            return Err("too many callbacks are under way".to_owned());
        };
        let agent = self.agent.clone();
        let run = move || {
            let _slot = slot;
            run(&agent, &post)
        };
        match tokio::task::spawn_blocking(run).await {
            Ok(answer) => answer,
            Err(stopped) => Err(stopped.to_string()),
        }
    }
}

fn run(agent: &Agent, post: &Post) -> Result<Answer, String> {
    let mut request = ureq::http::Request::post(post.url.as_str());
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    let request = request.body(post.body.as_str()).map_err(|error| error.to_string())?;
    let response = agent.run(request).map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let mut reader = response.into_body().into_reader().take(ANSWER_BYTES_MAX + 1);
    reader.read_to_end(&mut body).map_err(|error| error.to_string())?;
    if body.len() as u64 > ANSWER_BYTES_MAX {
        return Err("the answer is too long".to_owned());
    }
    Ok(Answer { status, body })
}

/// Trusts the machine's certificate authorities; nobody's where it has none.
fn tls_config() -> TlsConfig {
    let pem = std::fs::read(SYSTEM_AUTHORITIES).unwrap_or_default();
    let authorities: Vec<Certificate<'static>> = ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::Specific(Arc::new(authorities)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may")]

    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for public in ["1.1.1.1", "103.10.20.30", "172.15.0.1", "172.32.0.1", "2606:4700::1111"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "64:ff9b::7f00:1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }

    #[test]
    fn an_address_written_as_another_kind_is_judged_as_what_it_is() {
        let guard = |allowed| Guard { inner: DefaultResolver::default(), allowed };
        assert!(!guard(Vec::new()).allows("::ffff:127.0.0.1".parse().unwrap()));
        assert!(guard(Vec::new()).allows("::ffff:1.1.1.1".parse().unwrap()));
        let local = guard(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(local.allows("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!local.allows("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_network_has_the_addresses_that_share_its_bits() {
        let has = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(has("10.0.0.0/8", "10.255.0.1") && !has("10.0.0.0/8", "11.0.0.1"));
        assert!(has("10.1.2.3", "10.1.2.3") && !has("10.1.2.3", "10.1.2.2"));
        assert!(has("0.0.0.0/0", "8.8.8.8") && !has("0.0.0.0/0", "::1"));
        assert!(has("fd00::/8", "fdff::1") && !has("fd00::/8", "fe00::1"));
        for wrong in ["10.0.0.0/33", "x/8", "10.0.0.0/", "::1/129", ""] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn nothing_of_this_machine_is_called_unless_it_is_allowed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let outbound = Outbound::new(Vec::new());
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"] {
            let url = format!("http://{host}:{port}/");
            let post = Post { url, headers: Vec::new(), body: String::new() };
            let refused = outbound.post(post).await.unwrap_err();
            assert!(refused.contains("not public"), "{host}: {refused}");
        }
    }
}
