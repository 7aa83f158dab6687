//! The budgets of callers without a principal, by their address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::budget::{Budget, Limits, Place};

/// After this time without a call every bucket is full again, and the entry can be dropped.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10);
/// Addresses remembered at a time; those beyond it share one budget.
const MAX_PEERS: usize = 100_000;

/// A budget for each address. Cheap to clone; clones share the budgets.
#[derive(Clone, Debug)]
pub struct Peers {
    limits: Limits,
    known: Arc<Mutex<Known>>,
    /// For addresses beyond [`MAX_PEERS`].
    others: Arc<Budget>,
}

#[derive(Debug)]
struct Known {
    budgets: HashMap<IpAddr, (Arc<Budget>, Instant)>,
    pruned: Instant,
}

impl Peers {
    /// The budgets of all addresses; `None` if nothing is limited.
    pub fn new(limits: Limits) -> Option<Self> {
        (limits != Limits::default()).then(|| Self {
            limits,
            known: Arc::new(Mutex::new(Known {
                budgets: HashMap::new(),
                pruned: Instant::now(),
            })),
            others: Arc::new(Budget::new(&limits)),
        })
    }

    /// The budget of `peer`. Addresses of one IPv6 network (/64) are one peer.
    pub fn budget(&self, peer: IpAddr) -> Arc<Budget> {
        self.budget_at(network(peer), Instant::now())
    }

    fn budget_at(&self, peer: IpAddr, now: Instant) -> Arc<Budget> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(known.pruned) > FORGOTTEN_AFTER {
            known.pruned = now;
            known.budgets.retain(|_, (budget, used)| {
                Arc::strong_count(budget) > 1
                    || now.saturating_duration_since(*used) < FORGOTTEN_AFTER
            });
        }
        if let Some((budget, used)) = known.budgets.get_mut(&peer) {
            *used = now;
            return Arc::clone(budget);
        }
        if known.budgets.len() >= MAX_PEERS {
            return Arc::clone(&self.others);
        }
        let budget = Arc::new(Budget::new(&self.limits));
        known.budgets.insert(peer, (Arc::clone(&budget), now));
        budget
    }

    /// Counts a connection of `peer` until the place is dropped; `None`: connections are not limited.
    ///
    /// # Errors
    /// The limit: as many are open as may be.
    pub fn connect(&self, peer: IpAddr) -> Result<Option<Place>, u32> {
        if self.limits.connections.is_none() {
            return Ok(None);
        }
        self.budget(peer).open_connection()
    }
}

/// The network of an address: whoever has one address of a /64 has all of them.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let bits = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(bits.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn peers() -> Peers {
        Peers::new(Limits {
            events_per_second: NonZeroU32::new(2),
            connections: NonZeroU32::new(1),
            ..Limits::default()
        })
        .expect("limits")
    }

    #[test]
    fn each_address_has_a_budget_of_its_own() {
        let peers = peers();
        let [one, two, six, seven]: [IpAddr; 4] =
            ["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2"].map(|a| a.parse().expect("ip"));
        peers.budget(one).take_events(2).expect("full");
        assert!(peers.budget(one).take_events(1).is_err());
        peers.budget(two).take_events(2).expect("full");
        peers.budget(six).take_events(2).expect("full");
        assert!(peers.budget(seven).take_events(1).is_err(), "the same /64");
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().expect("ip");
        assert!(peers.budget(mapped).take_events(1).is_err());
    }

    #[test]
    fn connections_are_counted_and_given_back() {
        let peers = peers();
        let peer: IpAddr = "10.0.0.1".parse().expect("ip");
        let place = peers.connect(peer).expect("one").expect("limited");
        assert_eq!(peers.connect(peer).err(), Some(1));
        drop(place);
        assert!(peers.connect(peer).is_ok());
    }

    #[test]
    fn idle_addresses_are_forgotten_and_held_places_are_not() {
        let peers = peers();
        let now = Instant::now();
        let idle: IpAddr = "10.0.0.1".parse().expect("ip");
        let busy: IpAddr = "10.0.0.2".parse().expect("ip");
        drop(peers.budget_at(idle, now));
        let place = peers.connect(busy).expect("one");
        let later = now + FORGOTTEN_AFTER * 3;
        drop(peers.budget_at("10.0.0.3".parse().expect("ip"), later));
        let known = peers.known.lock().expect("lock");
        assert!(!known.budgets.contains_key(&idle));
        assert!(known.budgets.contains_key(&busy));
        drop(known);
        drop(place);
    }

    #[test]
    fn without_limits_there_is_nothing_to_keep() {
        assert!(Peers::new(Limits::default()).is_none());
    }
}
