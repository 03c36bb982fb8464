//! How many connections one peer may have.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bits of an IPv6 address by which a peer is known: whoever has one address has all of these.
const IPV6_BITS: u32 = 64;

/// The connections of each peer.
pub(crate) struct Peers {
    most: u32,
    is_loopback_free: bool,
    open: Mutex<HashMap<IpAddr, u32>>,
}

/// One of a peer's connections, until it is dropped.
pub(super) struct Slot {
    peers: Arc<Peers>,
    peer: IpAddr,
}

impl Peers {
    /// As the operator says: `asked` for each, 0 for any number; if nothing is asked for, a quarter of all
    /// `connections`, except for those of the machine itself, where a balancer may be.
    pub(crate) fn new(asked: Option<u32>, connections: u32) -> Arc<Self> {
        let most = match asked {
            Some(0) => u32::MAX,
            Some(most) => most,
            None => (connections / 4).max(1),
        };
        Arc::new(Self {
            most,
            is_loopback_free: asked.is_none(),
            open: Mutex::default(),
        })
    }

    /// Any number for each.
    pub(crate) fn unlimited() -> Arc<Self> {
        Self::new(Some(0), 0)
    }

    /// One more connection of `addr`.
    ///
    /// # Errors
    /// When it has as many as it may have.
    pub(super) fn open(self: &Arc<Self>, addr: IpAddr) -> Result<Option<Slot>, TooMany> {
        let addr = addr.to_canonical();
        if self.most == u32::MAX || (self.is_loopback_free && addr.is_loopback()) {
            return Ok(None);
        }
        let peer = known_as(addr);
        let mut open = self.counts();
        let n = open.entry(peer).or_default();
        if *n >= self.most {
            return Err(TooMany);
        }
        *n += 1;
        Ok(Some(Slot {
            peers: Arc::clone(self),
            peer,
        }))
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The peer has as many connections as it may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

fn known_as(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V4(_) => addr,
        IpAddr::V6(addr) => {
            let network = addr.to_bits() >> IPV6_BITS << IPV6_BITS;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.peers.counts();
        if let Some(n) = open.get_mut(&self.peer) {
            *n -= 1;
            if *n == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(peers: &Arc<Peers>, addr: &str) -> Result<Option<Slot>, TooMany> {
        peers.open(addr.parse().unwrap())
    }

    #[test]
    fn a_peer_has_so_many_and_gets_a_place_when_one_is_closed() {
        let peers = Peers::new(Some(2), 100);
        let first = open(&peers, "127.0.0.1").unwrap();
        let _second = open(&peers, "::ffff:127.0.0.1").unwrap();
        assert!(open(&peers, "127.0.0.1").is_err());
        assert!(open(&peers, "127.0.0.2").is_ok(), "another peer");
        drop(first);
        assert!(open(&peers, "127.0.0.1").is_ok());
        assert_eq!(peers.counts().len(), 1, "who has gone is forgotten");
    }

    #[test]
    fn ipv6_peers_are_known_by_their_network() {
        let peers = Peers::new(Some(1), 100);
        let _one = open(&peers, "2001:db8::1").unwrap();
        assert!(open(&peers, "2001:db8::ffff:2").is_err());
        assert!(open(&peers, "2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn unless_told_it_is_a_quarter_but_for_the_machine_itself() {
        let peers = Peers::new(None, 8);
        let slots: Vec<_> = (0..2).map(|_| open(&peers, "192.0.2.1").unwrap()).collect();
        assert!(open(&peers, "192.0.2.1").is_err());
        assert!((0..100).all(|_| matches!(open(&peers, "127.0.0.9"), Ok(None))));
        assert!(matches!(open(&peers, "::1"), Ok(None)));
        drop(slots);
        let unlimited = Peers::unlimited();
        assert!((0..100).all(|_| matches!(open(&unlimited, "192.0.2.1"), Ok(None))));
    }
}
