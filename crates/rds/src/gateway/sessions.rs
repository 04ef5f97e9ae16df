//! Which addresses have sessions with which servers at this moment. It is asked when a client wants to cancel.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

/// Sessions by address and server.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<IpAddr, BTreeMap<SocketAddr, usize>>>);

impl Sessions {
    /// Notes a session, until what is returned is dropped.
    pub(super) fn enter(&self, peer: IpAddr, server: SocketAddr) -> Session<'_> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(peer).or_default().entry(server).or_default() += 1;
        Session { all: self, peer, server }
    }

    /// The servers that an address has sessions with, at most so many.
    pub(super) fn servers(&self, peer: IpAddr, most: usize) -> Vec<SocketAddr> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&peer)
            .map(|servers| servers.keys().take(most).copied().collect())
            .unwrap_or_default()
    }
}

/// A session while it lasts.
pub(super) struct Session<'a> {
    all: &'a Sessions,
    peer: IpAddr,
    server: SocketAddr,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(servers) = all.get_mut(&self.peer) else { return };
        match servers.get_mut(&self.server) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(servers.remove(&self.server)),
        }
        if servers.is_empty() {
            all.remove(&self.peer);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_address_has_the_servers_that_it_has_sessions_with() {
        let sessions = Sessions::default();
        let server = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (one, two) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let (first, second) = (sessions.enter(one, server(1)), sessions.enter(one, server(1)));
        let third = sessions.enter(one, server(2));
        assert_eq!(sessions.servers(one, 9), [server(1), server(2)]);
        assert_eq!(sessions.servers(one, 1), [server(1)]);
        assert!(sessions.servers(two, 9).is_empty());
        drop((first, third));
        assert_eq!(sessions.servers(one, 9), [server(1)]);
        drop(second);
        assert!(sessions.0.lock().unwrap().is_empty(), "nothing is kept of what is gone");
    }
}
