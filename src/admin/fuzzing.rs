//! What is asked of the endpoint whatever a client sends: nobody logs in who does not know the password; opensrv, behind the
//! wire, never panics and is alike however the stream is cut; and what the client hears are whole packets, each reply numbered
//! from one.
//!
//! Under `cargo fuzz` opensrv runs with the address sanitizer, so the use of freed memory that the wire keeps it from
//! (`wire`) would end the run.

use std::sync::Arc;

use alterego_proxy::hooks::Grid;
use async_trait::async_trait;
use tokio::io::BufWriter;

use super::greeting::Client;
use super::packet::{self, Header, Refusal};
use super::pieces::Pieces;
use super::{login, shim, wire};
use crate::cli::{AdminSettings, Bind, Secret};
use crate::status::StatusSource;

/// A source that knows little.
struct Little;

#[async_trait]
impl StatusSource for Little {
    async fn migrations(&self) -> Grid {
        Grid {
            columns: vec!["id".to_owned(), "phase".to_owned()],
            rows: vec![vec![Some("1".to_owned()), None]; 2],
        }
    }

    fn routes(&self) -> Grid {
        Grid::default()
    }

    fn upstreams(&self) -> Grid {
        Grid {
            columns: vec!["server".to_owned()],
            rows: Vec::new(),
        }
    }

    async fn accept(&self, statement: &str) -> Option<Result<String, String>> {
        let word = statement.strip_prefix("ACCEPT")?;
        Some(if word.is_empty() {
            Err("accept what?".to_owned())
        } else {
            Ok(word.to_owned())
        })
    }
}

/// One client, from its first byte or from the end of its login.
pub fn admin(data: &[u8]) {
    let Some(([head, flags, cuts @ ..], bytes)) = data.split_first_chunk::<8>() else {
        return;
    };
    let cuts: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut) + 1).collect();
    if head % 4 == 0 {
        assert!(!logs_in(bytes, &cuts), "a client without a password is let in");
        // The account's name, the method and the schema are read before the password is looked at.
        if let Some(client) = Client::parse(bytes) {
            assert!(Client::parse(&client.for_opensrv()).is_some());
        }
        return;
    }
    let heard = hears(bytes, &cuts, *flags);
    assert_eq!(
        heard,
        hears(bytes, &[usize::MAX], *flags),
        "the cuts make a difference"
    );
    check_replies(&heard);
}

fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => panic!("{error}"),
    }
}

fn logs_in(bytes: &[u8], cuts: &[usize]) -> bool {
    let settings = AdminSettings {
        bind: Bind::Unix("/nowhere".into()),
        user: "admin".to_owned(),
        password: Secret::new("sesame"),
    };
    let mut client = Pieces::new(bytes, cuts);
    in_runtime(login::run(&mut client, &settings, 1)).is_ok()
}

/// All that a client hears that has logged in and sends `bytes`.
fn hears(bytes: &[u8], cuts: &[usize], flags: u8) -> Vec<u8> {
    let client = Pieces::new(bytes, cuts);
    let stream = wire::Wire::new(client.clone(), &Client::of_any_kind(flags));
    let shim = shim::Shim::new(Arc::new(Little), "admin".to_owned(), 7);
    let (reader, writer) = tokio::io::split(stream);
    let served = opensrv_mysql::AsyncMysqlIntermediary::run_on(shim, reader, BufWriter::new(writer));
    // A client that breaks the protocol ends with an error, which says nothing more.
    let _ = in_runtime(served);
    client.heard()
}

/// What a client hears last that breaks the protocol.
const ENDS: [Refusal; 2] = [packet::TOO_LONG, packet::OUT_OF_ORDER];

fn check_replies(mut heard: &[u8]) {
    let mut last = 0_u8;
    while let Some((header, rest)) = heard.split_first_chunk() {
        let header = Header::parse(*header);
        let Some((payload, rest)) = rest.split_at_checked(header.payload_bytes) else {
            panic!("a packet is cut short");
        };
        // A client that numbers its packets wrongly hears so behind its own number.
        let last_word = rest.is_empty() && ENDS.iter().any(|end| end.payload() == payload);
        assert!(
            last_word || header.sequence == 1 || header.sequence == last.wrapping_add(1),
            "packet {} behind packet {last}",
            header.sequence
        );
        last = header.sequence;
        heard = rest;
    }
    assert!(heard.is_empty(), "half a header");
}
