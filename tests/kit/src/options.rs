//! How a private server is started.

/// Settings of a private server; see [`Options::relaxed`] and [`Options::durable`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether each commit is synced to disk, as a production server does it.
    pub durable: bool,
    /// Whether MySQL writes GTIDs. MariaDB always does.
    pub gtid: bool,
    /// Size of the InnoDB buffer pool.
    pub buffer_pool_mib: u32,
    /// Further arguments of the server; they come last, so they win.
    pub args: Vec<String>,
}

impl Options {
    /// For tests: nothing waits for the disk, and little memory is used. A server that is killed has all it had
    /// committed when it is started again.
    pub fn relaxed() -> Options {
        Options {
            durable: false,
            gtid: true,
            buffer_pool_mib: 128,
            args: Vec::new(),
        }
    }

    /// For measurements: `sync_binlog=1`, `innodb_flush_log_at_trx_commit=1`, the table fits in memory.
    pub fn durable() -> Options {
        Options {
            durable: true,
            gtid: true,
            buffer_pool_mib: 1024,
            args: Vec::new(),
        }
    }

    /// Turns GTIDs off on MySQL, so that positions are file and offset.
    pub fn without_gtid(mut self) -> Options {
        self.gtid = false;
        self
    }

    /// Adds an argument of the server, such as `--lower-case-table-names=1`.
    pub fn arg(mut self, argument: impl Into<String>) -> Options {
        self.args.push(argument.into());
        self
    }
}

impl Default for Options {
    fn default() -> Options {
        Options::relaxed()
    }
}
