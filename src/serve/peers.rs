//! Floor 8. Who is connected: nobody should be able to take every place.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use parking_lot::Mutex;

/// Connections by address; a whole /64 of IPv6 counts as one, because one client has all of it.
#[derive(Clone, Debug)]
pub(super) struct Peers {
    connected: Arc<Mutex<HashMap<IpAddr, usize>>>,
    most: usize,
}

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    peers: Peers,
    address: IpAddr,
}

impl Peers {
    /// At most so many connections of one address.
    pub(super) fn new(most: usize) -> Self {
        Self { connected: Arc::default(), most }
    }

    /// A place for one more connection, unless the address has too many.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut connected = self.connected.lock();
        let count = connected.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { peers: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connected = self.peers.connected.lock();
        if let Some(count) = connected.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                connected.remove(&self.address);
            }
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let peers = Peers::new(2);
        let enter = |address: &str| peers.enter(address.parse().unwrap());
        let first = enter("192.0.2.1");
        let second = enter("::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(enter("192.0.2.1").is_none(), "a third");
        assert!(enter("192.0.2.2").is_some(), "another address");
        drop(second);
        assert!(enter("192.0.2.1").is_some());
        let neighbours = [enter("2001:db8::1"), enter("2001:db8::2")];
        assert!(enter("2001:db8::3").is_none() && enter("2001:db8:0:1::1").is_some());
        drop((first, neighbours));
        assert!(peers.connected.lock().is_empty(), "nothing is kept of who has left");
    }
}
