//! Where a client comes from, as a rule names it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network, or the unix sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Clients of a unix socket, which have no address.
    Unix,
    /// Clients with such an address.
    Network {
        /// Its first address.
        address: IpAddr,
        /// How many bits of it count.
        bits: u8,
    },
}

/// It is neither a network nor `unix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no network, for example 10.2.0.0/16, 192.0.2.7 or fd00::/8, nor \"unix\"")]
pub struct NoSource;

impl Source {
    /// Whether a client of this address comes from here; an IPv4 address inside an IPv6 one counts as IPv4.
    pub(crate) fn contains(&self, peer: Option<IpAddr>) -> bool {
        match (self, peer.map(|peer| peer.to_canonical())) {
            (Self::Unix, peer) => peer.is_none(),
            (
                Self::Network {
                    address: IpAddr::V4(net),
                    bits,
                },
                Some(IpAddr::V4(peer)),
            ) => begins_alike(
                u128::from(net.to_bits()) << 96,
                u128::from(peer.to_bits()) << 96,
                *bits,
            ),
            (
                Self::Network {
                    address: IpAddr::V6(net),
                    bits,
                },
                Some(IpAddr::V6(peer)),
            ) => begins_alike(net.to_bits(), peer.to_bits(), *bits),
            _ => false,
        }
    }
}

/// Whether the first `count` bits are the same.
fn begins_alike(one: u128, other: u128, count: u8) -> bool {
    (one ^ other).leading_zeros() >= u32::from(count)
}

impl FromStr for Source {
    type Err = NoSource;

    fn from_str(text: &str) -> Result<Self, NoSource> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| NoSource)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NoSource)?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        if bits > all {
            return Err(NoSource);
        }
        Ok(Self::Network { address, bits })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix => f.write_str("unix"),
            Self::Network { address, bits } => write!(f, "{address}/{bits}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let check = |source: &str, peer: &str, expected: bool| {
            let peer = (peer != "-").then(|| peer.parse().unwrap());
            let source: Source = source.parse().unwrap();
            assert_eq!(source.contains(peer), expected, "{source} {peer:?}");
        };
        check("10.2.0.0/16", "10.2.255.1", true);
        check("10.2.0.0/16", "10.3.0.1", false);
        check("10.2.0.0/16", "::ffff:10.2.0.1", true);
        check("10.2.0.0/16", "-", false);
        check("192.0.2.7", "192.0.2.7", true);
        check("192.0.2.7", "192.0.2.6", false);
        check("0.0.0.0/0", "1.2.3.4", true);
        check("0.0.0.0/0", "::1", false);
        check("fd00::/8", "fdff::1", true);
        check("fd00::/8", "fe80::1", false);
        check("::/0", "::1", true);
        check("unix", "-", true);
        check("unix", "127.0.0.1", false);
    }

    #[test]
    fn other_texts_are_refused() {
        for wrong in [
            "",
            "10.2.0.0/33",
            "10.2/16",
            "::/129",
            "here",
            "10.0.0.1/",
            "10.0.0.1/-1",
        ] {
            assert_eq!(wrong.parse::<Source>(), Err(NoSource), "{wrong}");
        }
    }
}
