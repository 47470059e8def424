//! The header by which a proxy in front of a server says where a client comes from: the PROXY protocol, versions 1 and 2.
//!
//! <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>
//!
//! It stands before the first packet of the client's. No packet begins as it does: a login's first packet has the number
//! 1, where a header's fourth byte is another.
//!
//! *Strict:* whoever may send a header may say that a client is anybody, so a header is taken only as it is defined, and
//! what is nearly one is refused rather than guessed at. Every length is checked against a bound first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::reader::Reader;

const V1_BEGINNING: &[u8] = b"PROXY ";
const V2_BEGINNING: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, with its end.
const V1_MAX_BYTES: usize = 107;
/// Signature, command, family and length of version 2.
const V2_FIXED_BYTES: usize = 16;
/// What may follow them: two addresses, and extensions such as the name in a certificate.
const V2_REST_MAX_BYTES: usize = 4 << 10;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing: the proxy speaks for itself, or does not know.
    Nothing,
    /// The client came to the proxy by a unix socket.
    Unix,
    /// The client came by TCP.
    Tcp {
        /// Its address.
        source: SocketAddr,
        /// The address it connected to.
        destination: SocketAddr,
    },
}

/// The beginning of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// It is no header, whatever follows.
    Other,
    /// More bytes must come.
    Unfinished,
    /// A header, and its length in bytes.
    Header(Said, usize),
    /// It begins as a header does and is none.
    Malformed,
}

impl Beginning {
    /// Reads what has come of a connection so far.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        match (agrees(bytes, V1_BEGINNING), agrees(bytes, V2_BEGINNING)) {
            (Some(true), _) => v1(bytes),
            (_, Some(true)) => v2(bytes),
            (None, _) | (_, None) => Self::Unfinished,
            (Some(false), Some(false)) => Self::Other,
        }
    }
}

/// Whether the bytes begin so; `None` while there are too few of them. Four tell a header from a packet.
fn agrees(bytes: &[u8], beginning: &[u8]) -> Option<bool> {
    const TELLING_BYTES: usize = 4;
    let common = bytes.len().min(beginning.len());
    if bytes.get(..common) == beginning.get(..common) {
        return (common >= TELLING_BYTES).then_some(true);
    }
    let telling = common.min(TELLING_BYTES);
    // What differs behind the telling bytes is no packet either: it is judged as a header, and malformed.
    Some(bytes.get(..telling) == beginning.get(..telling))
}

fn v1(bytes: &[u8]) -> Beginning {
    let common = bytes.len().min(V1_BEGINNING.len());
    if bytes.get(..common) != V1_BEGINNING.get(..common) {
        return Beginning::Malformed;
    }
    let seen = bytes.get(..V1_MAX_BYTES).unwrap_or(bytes);
    let Some(end) = seen.iter().position(|byte| *byte == b'\n') else {
        return if seen.len() == V1_MAX_BYTES {
            Beginning::Malformed
        } else {
            Beginning::Unfinished
        };
    };
    let line = seen
        .get(V1_BEGINNING.len()..end)
        .and_then(|line| line.strip_suffix(b"\r"));
    let said = line.and_then(|line| str::from_utf8(line).ok()).and_then(v1_line);
    said.map_or(Beginning::Malformed, |said| Beginning::Header(said, end + 1))
}

/// The line behind its first word.
fn v1_line(line: &str) -> Option<Said> {
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Some(Said::Nothing);
    }
    let words: Vec<&str> = line.split(' ').collect();
    let [family, source, destination, source_port, destination_port] = words.as_slice() else {
        return None;
    };
    let address = |text: &str| -> Option<IpAddr> {
        match *family {
            "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    Some(Said::Tcp {
        source: SocketAddr::new(address(source)?, port(source_port)?),
        destination: SocketAddr::new(address(destination)?, port(destination_port)?),
    })
}

/// A number without a sign and without leading zeros.
fn port(text: &str) -> Option<u16> {
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

fn v2(bytes: &[u8]) -> Beginning {
    let common = bytes.len().min(V2_BEGINNING.len());
    if bytes.get(..common) != V2_BEGINNING.get(..common) {
        return Beginning::Malformed;
    }
    let Some([command, family, high, low]) = bytes.get(V2_BEGINNING.len()..V2_FIXED_BYTES) else {
        return Beginning::Unfinished;
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length > V2_REST_MAX_BYTES {
        return Beginning::Malformed;
    }
    let end = V2_FIXED_BYTES + length;
    let Some(rest) = bytes.get(V2_FIXED_BYTES..end) else {
        return Beginning::Unfinished;
    };
    v2_said(*command, *family, rest).map_or(Beginning::Malformed, |said| Beginning::Header(said, end))
}

fn v2_said(command: u8, family: u8, rest: &[u8]) -> Option<Said> {
    const LOCAL: u8 = 0x20;
    const PROXY: u8 = 0x21;
    const UNSPECIFIED: u8 = 0x00;
    const TCP4: u8 = 0x11;
    const TCP6: u8 = 0x21;
    const UNIX: u8 = 0x31;
    const UNIX_ADDRESSES_BYTES: usize = 216;
    let mut rest = Reader::new(rest);
    let said = match (command, family) {
        // Neither has addresses to look at, and what is there is to be passed over.
        (LOCAL, _) | (PROXY, UNSPECIFIED) => return Some(Said::Nothing),
        (PROXY, TCP4) => {
            let (source, destination) = (rest.array::<4>()?, rest.array::<4>()?);
            tcp(source.into(), destination.into(), &mut rest)?
        }
        (PROXY, TCP6) => {
            let (source, destination) = (rest.array::<16>()?, rest.array::<16>()?);
            tcp(source.into(), destination.into(), &mut rest)?
        }
        (PROXY, UNIX) => {
            rest.take(UNIX_ADDRESSES_BYTES)?;
            Said::Unix
        }
        _ => return None,
    };
    are_extensions(rest).then_some(said)
}

fn tcp(source: IpAddr, destination: IpAddr, ports: &mut Reader<'_>) -> Option<Said> {
    let (source_port, destination_port) = (ports.array()?, ports.array()?);
    Some(Said::Tcp {
        source: SocketAddr::new(source, u16::from_be_bytes(source_port)),
        destination: SocketAddr::new(destination, u16::from_be_bytes(destination_port)),
    })
}

/// Whether nothing but whole extensions is left: a type, a length, and as many bytes.
fn are_extensions(mut rest: Reader<'_>) -> bool {
    while rest.u8().is_some() {
        let length = rest.array().map(u16::from_be_bytes);
        if length.and_then(|length| rest.take(usize::from(length))).is_none() {
            return false;
        }
    }
    true
}

impl Said {
    /// The header, version 2, that says this to a server. A server would take a client of *our* unix socket for one of its
    /// own host, so it is not told of one.
    pub(crate) fn header(&self) -> Vec<u8> {
        let mut out = V2_BEGINNING.to_vec();
        let Self::Tcp { source, destination } = self else {
            out.extend([0x20, 0, 0, 0]);
            return out;
        };
        let ports = [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat();
        match (source.ip().to_canonical(), destination.ip().to_canonical()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                out.extend([0x21, 0x11, 0, 12]);
                out.extend(source.octets());
                out.extend(destination.octets());
            }
            // A header has one family for both.
            (source, destination) => {
                out.extend([0x21, 0x21, 0, 36]);
                out.extend(mapped(source).octets());
                out.extend(mapped(destination).octets());
            }
        }
        out.extend(ports);
        out
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(source: &str, destination: &str) -> Said {
        Said::Tcp {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
        }
    }

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2_BEGINNING, &[command, family], &length, rest].concat()
    }

    /// Reads it, whole and with more behind it, and every beginning of it.
    fn check(bytes: &[u8], expected: Option<Said>) {
        let found = Beginning::read(bytes);
        match expected {
            Some(said) => assert_eq!(found, Beginning::Header(said, bytes.len()), "{bytes:x?}"),
            None => assert_eq!(found, Beginning::Malformed, "{bytes:x?}"),
        }
        let longer = [bytes, b"\x20\0\0\x01more"].concat();
        assert_eq!(Beginning::read(&longer), found, "{bytes:x?}");
        for cut in 0..bytes.len() {
            let beginning = Beginning::read(&bytes[..cut]);
            let is_possible = match expected {
                Some(_) => beginning == Beginning::Unfinished,
                None => matches!(beginning, Beginning::Unfinished | Beginning::Malformed),
            };
            assert!(is_possible, "{bytes:x?} cut at {cut}: {beginning:?}");
        }
    }

    #[test]
    fn version_1() {
        let one = said("192.0.2.1:56324", "198.51.100.7:3306");
        check(b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 3306\r\n", Some(one));
        check(
            b"PROXY TCP6 2001:db8::1 ::1 0 65535\r\n",
            Some(said("[2001:db8::1]:0", "[::1]:65535")),
        );
        check(b"PROXY UNKNOWN\r\n", Some(Said::Nothing));
        check(b"PROXY UNKNOWN ::1 ::1 1 2\r\n", Some(Said::Nothing));
        for wrong in [
            &b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 3306\n"[..],
            b"PROXY TCP4 192.0.2.1  198.51.100.7 56324 3306\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 3306 \r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 65536\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.7 +1 3306\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.7 01 3306\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.7  3306\r\n",
            b"PROXY TCP4 192.0.2.01 198.51.100.7 1 3306\r\n",
            b"PROXY TCP4 192.0.2 198.51.100.7 1 3306\r\n",
            b"PROXY TCP4 ::1 ::1 1 3306\r\n",
            b"PROXY TCP6 192.0.2.1 198.51.100.7 1 3306\r\n",
            b"PROXY TCP6 fe80::1%eth0 ::1 1 3306\r\n",
            b"PROXY TCP5 ::1 ::1 1 3306\r\n",
            b"PROXY UNKNOWNS\r\n",
            b"PROXY \r\n",
            b"PROXYTCP4 192.0.2.1 198.51.100.7 1 3306\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.7 1 33\xff6\r\n",
        ] {
            check(wrong, None);
        }
        let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 91], b"\r\n"].concat();
        assert_eq!(long.len(), V1_MAX_BYTES);
        check(&long, Some(Said::Nothing));
        let longer = [&b"PROXY UNKNOWN "[..], &[b'x'; 92], b"\r\n"].concat();
        assert_eq!(Beginning::read(&longer), Beginning::Malformed);
        assert_eq!(Beginning::read(&longer[..V1_MAX_BYTES]), Beginning::Malformed);
    }

    #[test]
    fn version_2() {
        let four = [192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 4, 0x0c, 0xea];
        let one = said("192.0.2.1:56324", "198.51.100.7:3306");
        check(&header(0x21, 0x11, &four), Some(one));
        let six = [[0; 15], [0; 15]]
            .map(|zeros| [&zeros[..], &[1]].concat())
            .concat();
        let six = [&six[..], &[0, 1, 0, 2]].concat();
        check(&header(0x21, 0x21, &six), Some(said("[::1]:1", "[::1]:2")));
        check(&header(0x21, 0x31, &[b'/'; 216]), Some(Said::Unix));
        check(&header(0x20, 0x00, b""), Some(Said::Nothing));
        check(&header(0x20, 0x11, &four), Some(Said::Nothing));
        check(&header(0x20, 0xff, b"any"), Some(Said::Nothing));
        check(&header(0x21, 0x00, b"any"), Some(Said::Nothing));
        let extended = |extension: &[u8]| header(0x21, 0x11, &[&four, extension].concat());
        check(&extended(b"\x02\0\x03abc\x04\0\0"), Some(one));
        check(&extended(&[&[5, 15, 0xf1][..], &[0; 4081]].concat()), Some(one));
        for wrong in [
            header(0x11, 0x11, &four),
            header(0x22, 0x11, &four),
            header(0x21, 0x12, &four),
            header(0x21, 0x41, &four),
            header(0x21, 0x11, &four[..11]),
            header(0x21, 0x21, &four),
            header(0x21, 0x31, &[b'/'; 215]),
            extended(b"\x02"),
            extended(b"\x02\0"),
            extended(b"\x02\0\x03ab"),
            extended(&[&[5, 15, 0xf2][..], &[0; 4082]].concat()),
        ] {
            check(&wrong, None);
        }
    }

    #[test]
    fn packets_are_no_headers() {
        for packet in [
            &b"\x20\0\0\x01\x85\xa6"[..],
            b"PR",
            b"PRO\x01",
            b"\r\n\r\x01",
            b"\r\n\r",
            b"",
            b"\xff\xff\xff\x01",
        ] {
            let expected = match packet.len() {
                0..4 => Beginning::Unfinished,
                _ => Beginning::Other,
            };
            assert_eq!(Beginning::read(packet), expected, "{packet:x?}");
        }
        assert_eq!(Beginning::read(b"\x20"), Beginning::Other);
    }

    #[test]
    fn servers_are_told_in_one_family() {
        let check = |told: Said, expected: Said| {
            let header = told.header();
            assert_eq!(
                Beginning::read(&header),
                Beginning::Header(expected, header.len())
            );
        };
        check(
            said("[::ffff:192.0.2.1]:1", "198.51.100.7:2"),
            said("192.0.2.1:1", "198.51.100.7:2"),
        );
        check(
            said("192.0.2.1:1", "[2001:db8::1]:2"),
            said("[::ffff:192.0.2.1]:1", "[2001:db8::1]:2"),
        );
        check(Said::Unix, Said::Nothing);
        check(Said::Nothing, Said::Nothing);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(source: SocketAddr, destination: SocketAddr, more: Vec<u8>) {
            let (source, destination) = (plain(source), plain(destination));
            let told = Said::Tcp { source, destination };
            let bytes = told.header();
            let Beginning::Header(heard, length) = Beginning::read(&[&bytes[..], &more].concat()) else {
                panic!("{bytes:x?}");
            };
            prop_assert_eq!(length, bytes.len());
            let Said::Tcp { source: s, destination: d } = heard else { panic!("{heard:?}") };
            prop_assert_eq!((plain(s), plain(d)), (source, destination));
        }

        #[test]
        fn a_line_is_read(source: SocketAddr, port: u16) {
            let source = plain(source);
            let (family, other) = if source.is_ipv4() { ("TCP4", "127.0.0.1") } else { ("TCP6", "::1") };
            let line = format!("PROXY {family} {} {other} {} {port}\r\n", source.ip(), source.port());
            let destination = SocketAddr::new(other.parse().unwrap(), port);
            prop_assert_eq!(Beginning::read(line.as_bytes()), Beginning::Header(Said::Tcp { source, destination }, line.len()));
        }

        /// No bytes panic, and what is decided stays so whatever comes behind it.
        #[test]
        fn decisions_are_final(version in 0..3usize, middle: Vec<u8>, more: Vec<u8>) {
            let beginning = [&b""[..], V1_BEGINNING, V2_BEGINNING][version];
            let bytes = [beginning, &middle].concat();
            let found = Beginning::read(&bytes);
            if found != Beginning::Unfinished {
                prop_assert_eq!(Beginning::read(&[&bytes[..], &more].concat()), found);
            }
            if let Beginning::Header(_, length) = found {
                prop_assert!(length <= bytes.len());
            }
        }
    }

    /// Without a scope and a flow, which no header has, and an IPv4 address as such.
    fn plain(address: SocketAddr) -> SocketAddr {
        SocketAddr::new(address.ip().to_canonical(), address.port())
    }
}
