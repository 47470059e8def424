//! What a listener's clients are greeted with, before it is known which server will be theirs.
//!
//! *Invariant:* nothing is offered that one of the servers behind the listener does not have, so whatever a client makes of
//! the greeting, each of these servers can keep. A server that has changed since is refused when a client comes to it.

use std::time::Duration;

use crate::config::Upstream;
use crate::protocol::capabilities::Capabilities;
use crate::protocol::greeting::Greeting;
use crate::upstream;

/// A server's greeting.
#[derive(Clone, Debug)]
pub struct Seen(Greeting);

impl Seen {
    /// Reads the greeting of a server, and leaves again without logging in.
    ///
    /// # Errors
    /// It cannot be reached, or says something else; the words are those a client would hear.
    pub async fn of(upstream: &Upstream, limit: Duration) -> Result<Self, String> {
        upstream::greeting(upstream, limit).await.map(Self)
    }

    /// Whether the server is a MariaDB.
    pub fn is_mariadb(&self) -> bool {
        self.0.is_mariadb()
    }
}

/// Why servers cannot share a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// Nothing is known of any of them.
    #[error("none of its servers answers")]
    Nobody,
    /// They do not speak alike.
    #[error("MySQL and MariaDB cannot share a listener: a client is greeted before its server is known")]
    Mixed,
}

/// What is offered to a listener's clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub(crate) version: String,
    pub(crate) charset: u8,
    pub(crate) capabilities: Capabilities,
    pub(crate) is_mariadb: bool,
}

impl Offer {
    /// What all of these servers can; version and character set are those of the oldest.
    ///
    /// # Errors
    /// There is none, or they are of both kinds.
    pub fn of(servers: &[Seen]) -> Result<Self, OfferError> {
        let oldest = servers.iter().min_by_key(|seen| numbers(&seen.0.version));
        let oldest = &oldest.ok_or(OfferError::Nobody)?.0;
        let is_mariadb = oldest.is_mariadb();
        if servers.iter().any(|seen| seen.is_mariadb() != is_mariadb) {
            return Err(OfferError::Mixed);
        }
        let relayed = servers.iter().map(|seen| seen.0.relayed());
        let common = relayed.reduce(Capabilities::both).unwrap_or_default();
        Ok(Self {
            version: oldest.version.clone(),
            charset: oldest.charset,
            capabilities: common,
            is_mariadb,
        })
    }
}

/// A version's numbers, by which versions of one kind are in order.
fn numbers(version: &str) -> Vec<u32> {
    let own = version.strip_prefix("5.5.5-").unwrap_or(version);
    let numbers = own.split('-').next().unwrap_or_default().split('.');
    numbers.map(|number| number.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::greeting::tests::golden;

    fn seen(version: &str, base: u32, extended: u32) -> Seen {
        let mut greeting = Greeting::parse(&golden(base, extended)).unwrap();
        version.clone_into(&mut greeting.version);
        Seen(greeting)
    }

    #[test]
    fn only_what_all_can_is_offered() {
        let servers = [
            seen("9.7.4", 0b1111, 0),
            seen("8.0.39", 0b0111, 0),
            seen("8.4.10", 0b1101, 0),
        ];
        let offer = Offer::of(&servers).unwrap();
        assert_eq!(offer.capabilities.base, 0b0101);
        assert_eq!(offer.version, "8.0.39");
        let servers = [
            seen("11.8.6-MariaDB", 0b10, 0b11),
            seen("5.5.5-10.6.2-MariaDB", 0b10, 0b01),
        ];
        let offer = Offer::of(&servers).unwrap();
        assert_eq!(
            (offer.capabilities.base, offer.capabilities.extended),
            (0b10, 0b01)
        );
        assert!(offer.is_mariadb && offer.version.contains("10.6.2"));
    }

    #[test]
    fn what_would_hide_the_bytes_is_not_offered() {
        let offer = Offer::of(&[seen("9.7.4", u32::MAX, 0)]).unwrap();
        assert_eq!(
            offer.capabilities.base & crate::protocol::capabilities::NOT_RELAYED,
            0
        );
    }

    #[test]
    fn kinds_do_not_mix() {
        let servers = [seen("9.7.4", 0b1111, 0), seen("11.8.6-MariaDB", 0b1110, 0)];
        assert_eq!(Offer::of(&servers), Err(OfferError::Mixed));
        assert_eq!(Offer::of(&[]), Err(OfferError::Nobody));
    }
}
