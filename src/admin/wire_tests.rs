//! Tests of the wire: whatever the client sends, in whatever pieces, opensrv sees whole allowed packets and no more.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::admin::greeting::Client;
use crate::admin::pieces::Pieces;

fn client() -> Client {
    let mut response = (1_u32 << 9).to_le_bytes().to_vec();
    response.extend([0; 28]);
    response.extend(b"admin\0\0");
    Client::parse(&response).unwrap()
}

fn command(byte: u8, rest: &[u8]) -> Vec<u8> {
    packet::framed(0, &[&[byte], rest].concat())
}

/// Everything opensrv would read, one element a read into a buffer that is always large enough; and the client's share.
fn read_all(bytes: &[u8], cuts: &[usize]) -> (Vec<Vec<u8>>, Vec<u8>, io::Result<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut wire = Wire::new(Pieces::new(bytes, cuts), &client());
        let mut buffer = vec![0; 1 << 17];
        let mut reads = Vec::new();
        let ended = loop {
            match wire.read(&mut buffer).await {
                Ok(0) => break Ok(()),
                Ok(count) => reads.push(buffer[..count].to_vec()),
                Err(error) => break Err(error),
            }
        };
        reads.remove(0);
        (reads, wire.stream.heard(), ended)
    })
}

fn error_codes(mut bytes: &[u8]) -> Vec<u16> {
    let mut codes = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<4>() {
        let (payload, rest) = rest.split_at(Header::parse(*header).payload_bytes);
        codes.push(if payload[0] == 0xff {
            u16::from_le_bytes([payload[1], payload[2]])
        } else {
            0
        });
        bytes = rest;
    }
    codes
}

#[test]
fn commands_are_sorted() {
    let check = |command: &[u8], handed_on: bool, answers: &[u16]| {
        let (reads, answered, ended) = read_all(&packet::framed(0, command), &[1]);
        assert_eq!(reads.len(), usize::from(handed_on), "{command:?}");
        assert_eq!(error_codes(&answered), answers, "{command:?}");
        assert!(ended.is_ok());
    };
    check(b"\x03SHOW MIGRATIONS", true, &[]);
    check(b"\x0e", true, &[]);
    check(b"\x01", true, &[]);
    check(b"\x02app", true, &[]);
    check(b"\x03\xff\xfe", false, &[1300]);
    check(b"", false, &[1047]);
    check(b"\x04t\0", false, &[1047]);
    check(b"\x11root\0", false, &[1047]);
    check(b"\x12", false, &[1047]);
    check(b"\xff", false, &[1047]);
    check(b"\x16SELECT 1", false, &[1295]);
    check(b"\x17\x01\0\0\0\0\x01\0\0\0", false, &[1295]);
    check(b"\x18\x01\0\0\0\0\0x", false, &[]);
    check(b"\x19\x01\0\0\0", false, &[]);
    check(b"\x1f", false, &[0]);
}

#[test]
fn a_broken_protocol_ends_the_connection() {
    let check = |bytes: &[u8], answers: &[u16]| {
        let (reads, answered, ended) = read_all(bytes, &[3]);
        assert!(reads.is_empty() && ended.is_err());
        assert_eq!(error_codes(&answered), answers);
    };
    check(&packet::framed(1, b"\x0e"), &[1156]);
    check(&packet::framed(255, b"\x0e"), &[1156]);
    check(&[0xff, 0xff, 0xff, 0], &[1153]);
    check(&[1, 0, 1, 0], &[1153]);
    // Cut off in the middle of a packet, and in the middle of a header.
    check(&[5, 0, 0, 0, 3, b'S'], &[]);
    check(&[5, 0], &[]);
}

#[tokio::test]
async fn a_small_buffer_gets_the_packet_in_parts() {
    let sent = command(COM_QUERY, &[b'x'; 1000]);
    let mut wire = Wire::new(
        Pieces::new(&[&sent[..], &command(COM_PING, b"")].concat(), &[700]),
        &client(),
    );
    let mut begin = [0; 200];
    assert!(wire.read(&mut begin).await.unwrap() < 200);
    let mut got: Vec<u8> = Vec::new();
    while got.len() < sent.len() {
        let mut part = [0; 300];
        let count = wire.read(&mut part).await.unwrap();
        got.extend(&part[..count]);
    }
    assert_eq!(got, sent);
}

#[tokio::test]
async fn opensrvs_own_login_is_swallowed() {
    let login = [packet::framed(0, b"greeting"), packet::framed(2, &[7; 300])].concat();
    let reply = packet::framed(1, b"reply");
    for cut in 1..login.len() + reply.len() {
        let mut wire = Wire::new(Pieces::new(b"", &[1]), &client());
        for part in [login.clone(), reply.clone()].concat().chunks(cut) {
            wire.write_all(part).await.unwrap();
        }
        assert_eq!(wire.stream.heard(), reply, "{cut}");
    }
}

proptest! {
    #[test]
    fn each_read_is_one_whole_packet(
        queries in prop::collection::vec("[ -~]{0,300}", 0..8),
        cuts in prop::collection::vec(1_usize..500, 1..20),
    ) {
        let packets: Vec<Vec<u8>> = queries.iter().map(|query| command(COM_QUERY, query.as_bytes())).collect();
        let (reads, answered, ended) = read_all(&packets.concat(), &cuts);
        prop_assert_eq!(reads, packets);
        prop_assert!(answered.is_empty() && ended.is_ok());
    }

    #[test]
    fn hostile_bytes_never_pass(
        bytes in prop::collection::vec(prop_oneof![3 => Just(0_u8), 1 => any::<u8>(), 2 => 0_u8..32], 0..300),
        cuts in prop::collection::vec(1_usize..100, 1..20),
    ) {
        let (reads, _, _) = read_all(&bytes, &cuts);
        for read in reads {
            let (header, payload) = read.split_first_chunk::<4>().unwrap();
            let header = Header::parse(*header);
            prop_assert_eq!(header.sequence, 0);
            prop_assert_eq!(header.payload_bytes, payload.len());
            prop_assert!(matches!(payload[0], COM_QUIT | COM_PING | COM_QUERY | COM_INIT_DB));
        }
    }

    #[test]
    fn hostile_logins_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        Client::parse(&bytes);
        let plausible = [&[0, 0x02, 0x28, 0][..], &[0; 28], &bytes].concat();
        Client::parse(&plausible);
    }
}
