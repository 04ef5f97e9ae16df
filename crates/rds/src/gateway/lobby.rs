//! Connections that have not said yet where they go: how many there may be, in all and of one network. Where one more
//! comes than may be, the oldest has to go: who means it has said where to long before, and who does not keeps nobody
//! else out. Knows nothing of instances.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// See the module.
pub(super) struct Lobby {
    max: usize,
    network_max: usize,
    guests: Arc<Mutex<Guests>>,
}

#[derive(Default)]
struct Guests {
    /// Counts those that came.
    came: u64,
    /// In the order in which they came: from where, and how they are told to go.
    all: BTreeMap<u64, (IpAddr, oneshot::Sender<()>)>,
    /// The same by network.
    networks: HashMap<IpAddr, BTreeSet<u64>>,
}

impl Guests {
    fn remove(&mut self, number: u64) -> Option<oneshot::Sender<()>> {
        let (network, sender) = self.all.remove(&number)?;
        if let Some(numbers) = self.networks.get_mut(&network) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.networks.remove(&network);
            }
        }
        Some(sender)
    }
}

fn lock(guests: &Mutex<Guests>) -> MutexGuard<'_, Guests> {
    guests.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lobby {
    /// For at most so many, and so many of one network.
    pub(super) fn new(max: usize, network_max: usize) -> Self {
        Self { max: max.max(1), network_max: network_max.max(1), guests: Arc::default() }
    }

    /// Lets one in, until the first of what is returned is dropped; the second tells it to go.
    pub(super) fn enter(&self, peer: IpAddr) -> (Guest, oneshot::Receiver<()>) {
        let network = network(peer);
        let (sender, receiver) = oneshot::channel();
        let mut guests = lock(&self.guests);
        let of_network =
            guests.networks.get(&network).filter(|numbers| numbers.len() >= self.network_max);
        let oldest = match of_network {
            Some(numbers) => numbers.first().copied(),
            None if guests.all.len() >= self.max => guests.all.keys().next().copied(),
            None => None,
        };
        if let Some(sender) = oldest.and_then(|number| guests.remove(number)) {
            // One that has just gone need not be told.
            let _ = sender.send(());
        }
        guests.came += 1;
        let number = guests.came;
        guests.all.insert(number, (network, sender));
        guests.networks.entry(network).or_default().insert(number);
        (Guest { number, guests: Arc::clone(&self.guests) }, receiver)
    }
}

/// A place in the lobby.
pub(super) struct Guest {
    number: u64,
    guests: Arc<Mutex<Guests>>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        lock(&self.guests).remove(self.number);
    }
}

/// Returns where it has to go; never where it left by itself.
pub(super) async fn told_to_go(receiver: oneshot::Receiver<()>) {
    if receiver.await.is_err() {
        std::future::pending().await
    }
}

/// What counts as one: an address; of IPv6 the network of a site, which has more addresses than there are places.
fn network(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 80 << 80).into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn all_addresses_of_an_ipv6_site_count_as_one() {
        assert_eq!(network(ip("2001:db8:1:2:3::4")), network(ip("2001:db8:1:9::")));
        assert_ne!(network(ip("2001:db8:1::")), network(ip("2001:db8:2::")));
        assert_ne!(network(ip("10.0.0.1")), network(ip("10.0.0.2")));
    }

    #[test]
    fn the_oldest_goes_first_of_its_own_network_and_then_of_all() {
        let lobby = Lobby::new(3, 2);
        let (_one, mut first) = lobby.enter(ip("10.0.0.1"));
        let (_two, mut second) = lobby.enter(ip("10.0.0.2"));
        let (_three, mut third) = lobby.enter(ip("10.0.0.2"));
        let (_four, mut fourth) = lobby.enter(ip("10.0.0.2"));
        assert!(second.try_recv().is_ok(), "of its own network");
        assert!(first.try_recv().is_err() && third.try_recv().is_err());
        let (five, mut fifth) = lobby.enter(ip("10.0.0.3"));
        assert!(first.try_recv().is_ok(), "of all");
        drop(five);
        assert!(fifth.try_recv().is_err(), "who left is told nothing");
        let (_six, _) = lobby.enter(ip("10.0.0.4"));
        assert!(third.try_recv().is_err() && fourth.try_recv().is_err(), "there was room");
    }

    #[test]
    fn nothing_is_kept_of_those_that_are_gone() {
        let lobby = Lobby::new(2, 2);
        let guests: Vec<_> = (0..9).map(|at| lobby.enter(ip(&format!("10.0.0.{at}")))).collect();
        assert_eq!(lock(&lobby.guests).all.len(), 2);
        drop(guests);
        let guests = lock(&lobby.guests);
        assert!(guests.all.is_empty() && guests.networks.is_empty());
    }
}
