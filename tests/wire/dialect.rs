//! What a client may agree upon with a server.

use std::fmt;

use alterego_testkit::Flavor;
use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use crate::packet::put_lenenc_bytes;

pub(crate) const MYSQL: u32 = 1;
pub(crate) const FOUND_ROWS: u32 = 1 << 1;
pub(crate) const LONG_FLAG: u32 = 1 << 2;
pub(crate) const CONNECT_WITH_DB: u32 = 1 << 3;
pub(crate) const LOCAL_FILES: u32 = 1 << 7;
pub(crate) const IGNORE_SPACE: u32 = 1 << 8;
pub(crate) const PROTOCOL_41: u32 = 1 << 9;
pub(crate) const INTERACTIVE: u32 = 1 << 10;
pub(crate) const TRANSACTIONS: u32 = 1 << 13;
pub(crate) const SECURE_CONNECTION: u32 = 1 << 15;
pub(crate) const MULTI_STATEMENTS: u32 = 1 << 16;
pub(crate) const MULTI_RESULTS: u32 = 1 << 17;
pub(crate) const PS_MULTI_RESULTS: u32 = 1 << 18;
pub(crate) const PLUGIN_AUTH: u32 = 1 << 19;
pub(crate) const CONNECT_ATTRS: u32 = 1 << 20;
pub(crate) const PLUGIN_AUTH_LENENC: u32 = 1 << 21;
pub(crate) const SESSION_TRACK: u32 = 1 << 23;
pub(crate) const DEPRECATE_EOF: u32 = 1 << 24;
pub(crate) const OPTIONAL_METADATA: u32 = 1 << 25;
pub(crate) const QUERY_ATTRIBUTES: u32 = 1 << 27;

/// MariaDB's own.
pub(crate) const PROGRESS: u32 = 1;
pub(crate) const BULK: u32 = 1 << 2;
pub(crate) const EXTENDED_METADATA: u32 = 1 << 3;
pub(crate) const CACHE_METADATA: u32 = 1 << 4;
pub(crate) const BULK_UNIT_RESULTS: u32 = 1 << 5;

/// What every client of these tests asks for.
const ALWAYS: u32 =
    PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | TRANSACTIONS | LONG_FLAG | CONNECT_WITH_DB | LOCAL_FILES;
/// All results of a statement, and several statements in a text.
pub(crate) const MULTI: u32 = MULTI_STATEMENTS | MULTI_RESULTS | PS_MULTI_RESULTS;

/// The capabilities of one session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) flavor: Flavor,
    pub(crate) base: u32,
    pub(crate) extended: u32,
}

impl Dialect {
    /// What every client asks for, and `base` and `extended`.
    pub(crate) fn with(flavor: Flavor, base: u32, extended: u32) -> Dialect {
        let own = if flavor == Flavor::MySql { MYSQL } else { 0 };
        Dialect {
            flavor,
            base: ALWAYS | own | base,
            extended,
        }
    }

    /// The dialects that a special shape is tried in: with and without EOF packets, in the server's oldest and newest terms.
    pub(crate) fn main_ones(flavor: Flavor) -> Vec<Dialect> {
        let newest = match flavor {
            Flavor::MySql => (MULTI | SESSION_TRACK | QUERY_ATTRIBUTES | OPTIONAL_METADATA, 0),
            Flavor::MariaDb => (
                MULTI | SESSION_TRACK,
                PROGRESS | BULK | EXTENDED_METADATA | CACHE_METADATA,
            ),
        };
        [(MULTI, 0), newest]
            .into_iter()
            .flat_map(|(base, extended)| {
                [0, DEPRECATE_EOF].map(|eof| Dialect::with(flavor, base | eof, extended))
            })
            .collect()
    }

    /// Any set of capabilities.
    pub(crate) fn random(rng: &mut StdRng, flavor: Flavor) -> Dialect {
        let mut base = 0;
        for (bit, likely) in [
            (DEPRECATE_EOF, 0.5),
            (SESSION_TRACK, 0.6),
            (MULTI_STATEMENTS, 0.8),
            (MULTI_RESULTS, 0.9),
            (PS_MULTI_RESULTS, 0.9),
            (FOUND_ROWS, 0.3),
            (IGNORE_SPACE, 0.1),
            (INTERACTIVE, 0.1),
            (CONNECT_ATTRS, 0.5),
            (PLUGIN_AUTH_LENENC, 0.5),
        ] {
            base |= if rng.random_bool(likely) { bit } else { 0 };
        }
        match flavor {
            Flavor::MySql => {
                for bit in [QUERY_ATTRIBUTES, OPTIONAL_METADATA] {
                    base |= if rng.random_bool(0.5) { bit } else { 0 };
                }
                Dialect::with(flavor, base, 0)
            }
            Flavor::MariaDb => {
                let own = PROGRESS | BULK | EXTENDED_METADATA | CACHE_METADATA | BULK_UNIT_RESULTS;
                Dialect::with(flavor, base, rng.next_u32() & own)
            }
        }
    }

    /// Whether a capability of the base set is agreed upon.
    pub(crate) fn has(&self, bit: u32) -> bool {
        self.base & bit != 0
    }

    /// A `COM_QUERY`.
    pub(crate) fn query(&self, sql: impl AsRef<[u8]>) -> Vec<u8> {
        let mut payload = vec![0x03];
        if self.has(QUERY_ATTRIBUTES) {
            payload.extend([0, 1]);
        }
        payload.extend(sql.as_ref());
        payload
    }

    /// A `COM_QUERY` with attributes, where the dialect has them: a text, a number and a NULL.
    pub(crate) fn query_with_attributes(&self, sql: &str) -> Vec<u8> {
        if !self.has(QUERY_ATTRIBUTES) {
            return self.query(sql);
        }
        let mut payload = vec![0x03, 3, 1, 0b100, 1];
        for (kind, name) in [(253u16, "text"), (8, "number"), (253, "nothing")] {
            payload.extend(kind.to_le_bytes());
            put_lenenc_bytes(&mut payload, name.as_bytes());
        }
        put_lenenc_bytes(&mut payload, b"ALTER TABLE t ADD c INT");
        payload.extend(7u64.to_le_bytes());
        payload.extend(sql.as_bytes());
        payload
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:#010x}/{:#x}", self.flavor, self.base, self.extended)
    }
}
