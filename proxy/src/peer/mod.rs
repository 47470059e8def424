//! Where a client comes from: its connection's address, or what a trusted proxy in front of this one says.
//!
//! What the address is used for (rules of placing, what the server is told) takes it from here and nowhere else. Whether a
//! connection is *secure* does not depend on it: a header says nothing about who listened on the way.

mod networks;

use std::net::{IpAddr, SocketAddr};

pub use networks::{NoNetworks, ProxyNetworks};

use crate::protocol::proxy_header::Said;

/// Where a client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer(Said);

impl Peer {
    /// A client that came by TCP; `local` is the address it connected to.
    pub(crate) fn tcp(source: SocketAddr, local: SocketAddr) -> Self {
        Self(Said::Tcp {
            source,
            destination: local,
        })
    }

    /// A client that came by unix socket.
    pub(crate) fn unix() -> Self {
        Self(Said::Unix)
    }

    /// Its address; none by unix socket.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        match self.0 {
            Said::Tcp { source, .. } => Some(source.ip().to_canonical()),
            Said::Unix | Said::Nothing => None,
        }
    }

    /// What a server is told of it.
    pub(crate) fn said(&self) -> Said {
        self.0
    }

    /// Takes over what a trusted proxy says.
    pub(crate) fn believe(&mut self, said: Said) {
        if said != Said::Nothing {
            self.0 = said;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_counts_if_it_says_anything() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let mut peer = Peer::tcp(at("[::ffff:192.0.2.1]:1"), at("127.0.0.1:2"));
        assert_eq!(peer.ip(), Some("192.0.2.1".parse().unwrap()));
        peer.believe(Said::Nothing);
        assert_eq!(peer.ip(), Some("192.0.2.1".parse().unwrap()));
        peer.believe(Peer::tcp(at("198.51.100.7:1"), at("127.0.0.1:2")).said());
        assert_eq!(peer.ip(), Some("198.51.100.7".parse().unwrap()));
        peer.believe(Said::Unix);
        assert_eq!(peer.ip(), None);
    }
}
