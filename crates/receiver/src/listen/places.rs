//! How many connections there are, and who gives way.

use std::collections::BTreeMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{CONVERSATIONS, PENDING, PER_CLIENT};

/// All places.
#[derive(Debug, Default)]
pub(super) struct Places {
    inner: Mutex<Inner>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    /// Those that have shown no certificate, by age.
    pending: BTreeMap<u64, (IpAddr, TcpStream)>,
    /// Those that have, by certificate.
    seated: BTreeMap<String, usize>,
    /// All, those that gave way and have not noticed among them.
    all: usize,
}

impl Places {
    /// A place for one that has shown no certificate yet; where none is free another gives way.
    pub(super) fn pending(places: &Arc<Places>, from: IpAddr, connection: TcpStream) -> Place {
        let mut inner = places.inner();
        if inner.pending.len() >= PENDING
            && let Some(number) = inner.who_gives_way()
            && let Some((_, connection)) = inner.pending.remove(&number)
        {
            // Its thread wakes up with that.
            let _ = connection.shutdown(Shutdown::Both);
        }
        inner.next += 1;
        inner.all += 1;
        let number = inner.next;
        inner.pending.insert(number, (from, connection));
        Place { places: Arc::clone(places), number, client: None }
    }

    /// Returns when the last one has left.
    pub(super) fn wait_until_empty(&self) {
        let mut inner = self.inner();
        while inner.all > 0 {
            inner = self.left.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The oldest of the address that has most.
    fn who_gives_way(&self) -> Option<u64> {
        let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for (address, _) in self.pending.values() {
            *counts.entry(*address).or_default() += 1;
        }
        let most = counts.values().max()?;
        let of = |(_, (address, _)): &(&u64, &(IpAddr, TcpStream))| counts.get(address) == Some(most);
        self.pending.iter().find(of).map(|(number, _)| *number)
    }
}

/// A place, free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    client: Option<String>,
}

impl Place {
    /// Whether it had to give way to another.
    pub(super) fn gave_way(&self) -> bool {
        self.client.is_none() && !self.places.inner().pending.contains_key(&self.number)
    }

    /// A certificate was shown: whether there is room for one more conversation under it.
    pub(super) fn take_seat(&mut self, client: &str) -> bool {
        let mut inner = self.places.inner();
        inner.pending.remove(&self.number);
        let all: usize = inner.seated.values().sum();
        let own = inner.seated.get(client).copied().unwrap_or_default();
        if all >= CONVERSATIONS || own >= PER_CLIENT {
            return false;
        }
        inner.seated.insert(client.to_owned(), own + 1);
        drop(inner);
        self.client = Some(client.to_owned());
        true
    }

    /// SHA-256 of the certificate; empty as long as none was shown.
    pub(super) fn client(&self) -> &str {
        self.client.as_deref().unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.places.inner();
        inner.pending.remove(&self.number);
        if let Some(client) = &self.client
            && let Some(count) = inner.seated.get_mut(client)
        {
            *count -= 1;
            if *count == 0 {
                inner.seated.remove(client);
            }
        }
        inner.all -= 1;
        if inner.all == 0 {
            self.places.left.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn connection() -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        TcpStream::connect(listener.local_addr().unwrap()).unwrap()
    }

    #[test]
    fn the_oldest_of_the_address_with_most_gives_way() {
        let places = Arc::new(Places::default());
        let (many, one) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = Places::pending(&places, one, connection());
        let crowd: Vec<Place> = (1..PENDING).map(|_| Places::pending(&places, many, connection())).collect();
        assert!(!crowd[0].gave_way());
        let guest = Places::pending(&places, one, connection());
        assert!(crowd[0].gave_way() && !crowd[1].gave_way() && !first.gave_way() && !guest.gave_way());
    }

    #[test]
    fn one_certificate_has_not_all_places_and_they_are_free_again() {
        let places = Arc::new(Places::default());
        let address = IpAddr::from([10, 0, 0, 1]);
        let place = |client: &str| {
            let mut place = Places::pending(&places, address, connection());
            let seated = place.take_seat(client);
            (place, seated)
        };
        let mut all: Vec<_> = (0..PER_CLIENT).map(|_| place("a")).collect();
        assert!(all.iter().all(|(_, seated)| *seated));
        assert!(!place("a").1);
        all.extend((0..CONVERSATIONS - PER_CLIENT).map(|_| place("b")));
        assert!(!place("c").1);
        all.clear();
        assert!(place("a").1);
        places.wait_until_empty();
    }
}
