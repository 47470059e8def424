//! Who may say where clients come from; written and meant as MariaDB's `proxy_protocol_networks`.

use std::net::IpAddr;
use std::str::FromStr;

use crate::routing::Source;

/// The networks whose connections may begin with a header of the PROXY protocol. None by default: whoever is in them may
/// pass for anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyNetworks(Vec<Source>);

/// Part of a list that is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no network, for example 10.2.0.0/16, 192.0.2.7, fd00::/8, localhost (unix sockets) or *")]
pub struct NoNetworks(String);

impl ProxyNetworks {
    /// Whether a connection from this address, or from a unix socket, may begin with a header.
    pub(crate) fn contain(&self, peer: Option<IpAddr>) -> bool {
        self.0.iter().any(|source| source.contains(peer))
    }
}

impl FromStr for ProxyNetworks {
    type Err = NoNetworks;

    fn from_str(text: &str) -> Result<Self, NoNetworks> {
        if text.trim() == "*" {
            let all = ["0.0.0.0/0", "::/0", "unix"].map(str::parse);
            return Ok(Self(all.into_iter().flatten().collect()));
        }
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        let source = |part: &str| match part {
            "localhost" => Ok(Source::Unix),
            "unix" => Err(NoNetworks(part.to_owned())),
            part => part.parse().map_err(|_| NoNetworks(part.to_owned())),
        };
        parts.map(source).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_mariadb_reads_them() {
        let check = |list: &str, peer: &str, expected: bool| {
            let networks: ProxyNetworks = list.parse().unwrap();
            let peer = (peer != "unix").then(|| peer.parse().unwrap());
            assert_eq!(networks.contain(peer), expected, "{list} {peer:?}");
        };
        for peer in ["127.0.0.1", "::1", "unix"] {
            check("", peer, false);
            check("*", peer, true);
        }
        check("::1, 192.168.0.0/16 ,localhost", "192.168.7.7", true);
        check("::1, 192.168.0.0/16 ,localhost", "::ffff:192.168.7.7", true);
        check("::1, 192.168.0.0/16 ,localhost", "::1", true);
        check("::1, 192.168.0.0/16 ,localhost", "unix", true);
        check("::1, 192.168.0.0/16 ,localhost", "127.0.0.1", false);
        check("127.0.0.1", "unix", false);
        for wrong in ["10.0.0.0/33", "here", "*,::1", "unix", "10.0.0.1;10.0.0.2"] {
            assert!(wrong.parse::<ProxyNetworks>().is_err(), "{wrong}");
        }
    }
}
