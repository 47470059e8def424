//! What client and server agreed to speak.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html>,
//! <https://mariadb.com/kb/en/connection/#capabilities>

/// A set of capability bits: the 32 both servers know, and MariaDB's extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    pub(crate) base: u32,
    pub(crate) extended: u32,
}

/// `CLIENT_MYSQL`: cleared by MariaDB's server and client, whose extended bits are then meaningful.
pub(crate) const MYSQL: u32 = 1;
pub(crate) const CONNECT_WITH_DB: u32 = 1 << 3;
pub(crate) const COMPRESS: u32 = 1 << 5;
pub(crate) const PROTOCOL_41: u32 = 1 << 9;
pub(crate) const SSL: u32 = 1 << 11;
pub(crate) const SECURE_CONNECTION: u32 = 1 << 15;
pub(crate) const MULTI_STATEMENTS: u32 = 1 << 16;
pub(crate) const PLUGIN_AUTH: u32 = 1 << 19;
pub(crate) const CONNECT_ATTRS: u32 = 1 << 20;
pub(crate) const PLUGIN_AUTH_LENENC: u32 = 1 << 21;
pub(crate) const DEPRECATE_EOF: u32 = 1 << 24;
pub(crate) const OPTIONAL_METADATA: u32 = 1 << 25;
pub(crate) const ZSTD: u32 = 1 << 26;
pub(crate) const QUERY_ATTRIBUTES: u32 = 1 << 27;
const PROGRESS_OBSOLETE: u32 = 1 << 29;

const EXTENDED_PROGRESS: u32 = 1;
const EXTENDED_METADATA: u32 = 1 << 3;
const EXTENDED_CACHE_METADATA: u32 = 1 << 4;

/// What would hide the bytes from a relay that neither decrypts nor decompresses.
pub(crate) const NOT_RELAYED: u32 = SSL | COMPRESS | ZSTD;

/// What says which fields a handshake response has.
pub(crate) const RESPONSE_FIELDS: u32 =
    PROTOCOL_41 | CONNECT_WITH_DB | SECURE_CONNECTION | PLUGIN_AUTH | PLUGIN_AUTH_LENENC | CONNECT_ATTRS;

impl Capabilities {
    /// What both sides have.
    pub(crate) fn both(self, other: Self) -> Self {
        Self {
            base: self.base & other.base,
            extended: self.extended & other.extended,
        }
    }

    pub(crate) fn has(self, bit: u32) -> bool {
        self.base & bit == bit
    }

    pub(crate) fn deprecate_eof(self) -> bool {
        self.has(DEPRECATE_EOF)
    }

    /// The column count is followed by a byte that says whether definitions follow.
    pub(crate) fn metadata_flag(self) -> bool {
        self.has(OPTIONAL_METADATA) || self.extended & EXTENDED_CACHE_METADATA != 0
    }

    /// Column definitions carry MariaDB's extra block.
    pub(crate) fn extended_metadata(self) -> bool {
        self.extended & EXTENDED_METADATA != 0
    }

    /// MariaDB's progress packets may stand before the reply.
    pub(crate) fn progress(self) -> bool {
        self.extended & EXTENDED_PROGRESS != 0 || self.has(PROGRESS_OBSOLETE)
    }
}
