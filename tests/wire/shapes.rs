//! Every shape of command and reply that needs a hand: each in the main dialects, compared like the generated scripts.

use alterego_testkit::Flavor;
use anyhow::Result;

use crate::command::{Command, LAST_STATEMENT, Value};
use crate::dialect::{BULK_UNIT_RESULTS, DEPRECATE_EOF, Dialect, MULTI};
use crate::login::{Account, ROOT, change_user_payload};
use crate::packet::FRAME_MAX_BYTES;
use crate::pair::{Pair, compare};
use crate::player::{Side, play};
use crate::script::{Script, Step};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql() -> Result<()> {
    shapes(Flavor::MySql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb() -> Result<()> {
    shapes(Flavor::MariaDb).await
}

/// What a case does, in a dialect.
type Steps = fn(&Dialect) -> Vec<Step>;

/// A case: its name, and what it does.
type Case = (&'static str, Steps);

const ON_BOTH: &[Case] = &[
    ("results", results),
    ("cursors", cursors),
    ("OUT parameters", out_parameters),
    ("long data", long_data),
    ("plain commands", plain_commands),
    ("a number too high", wrong_number),
    ("options", options),
    ("a file of 700 packets", long_file),
    ("files", files),
    ("a prepared request for a file", prepared_file),
    ("session tracking", session_tracking),
    ("warnings of a schema change", warnings),
    ("killed by itself", kills_itself),
    ("a half-closed connection", half_closed),
    ("no binary log", missing_binary_log),
    ("no clone", clone_command),
];

const ON_MYSQL: &[Case] = &[
    ("commands behind a change of user", behind_change_of_user),
    ("optional metadata", optional_metadata),
    ("query attributes", query_attributes),
    ("caching_sha2_password, twice", sha2_users),
    ("sha256_password", sha256_user),
];

const ON_MARIADB: &[Case] = &[
    ("bulk execution", bulk),
    ("the statement prepared last", last_statement),
    ("cached metadata", cached_metadata),
    ("mysql_native_password", native_user),
    ("client_ed25519", ed25519_user),
    ("parsec", parsec_user),
    ("progress", progress),
];

async fn shapes(flavor: Flavor) -> Result<()> {
    let pair = Pair::start(flavor).await?;
    let (own, accounts) = match flavor {
        Flavor::MySql => (ON_MYSQL, MYSQL_ACCOUNTS),
        Flavor::MariaDb => (ON_MARIADB, MARIADB_ACCOUNTS),
    };
    pair.on_both(accounts).await?;
    let mut failures = Vec::new();
    for (name, steps) in ON_BOTH.iter().chain(own) {
        for dialect in Dialect::main_ones(flavor) {
            let script = script(dialect, steps(&dialect));
            if let Err(error) = pair.same(&script).await {
                failures.push(format!("## {name}\n{error:#}"));
            }
        }
    }
    // The long ones in two dialects only: they differ in nothing but the ends of result sets.
    for eof in [0, DEPRECATE_EOF] {
        let dialect = Dialect::with(flavor, MULTI | eof, 0);
        if let Err(error) = pair.same(&script(dialect, long_packets(&dialect))).await {
            failures.push(format!("## long packets\n{error:#}"));
        }
        if let Err(error) = binary_log(&pair, &dialect).await {
            failures.push(format!("## binary log\n{error:#}"));
        }
    }
    pair.none(&failures)
}

fn script(dialect: Dialect, steps: Vec<Step>) -> Script {
    Script {
        dialect,
        account: &ROOT,
        steps,
        cuts: 1,
    }
}

/// Statements sent one behind the other; then the session must still be followed.
fn texts(dialect: &Dialect, texts: &[&str]) -> Vec<Step> {
    commands(texts.iter().map(|sql| Command::query(dialect, sql)).collect())
}

fn commands(commands: Vec<Command>) -> Vec<Step> {
    vec![Step::Commands(commands), Step::Probe]
}

fn results(dialect: &Dialect) -> Vec<Step> {
    let wide = format!("SELECT {}", vec!["1"; 300].join(", "));
    texts(
        dialect,
        &[
            "SELECT * FROM t",
            "SELECT * FROM t WHERE id < 0",
            &wide,
            "SELECT n.id, (SELECT t.b FROM t WHERE t.id >= 4 - n.id) FROM n ORDER BY n.id",
            "SELECT 1; INSERT INTO w (v) VALUES ('a'); SELECT 2",
            "SELECT 1; SELECT * FROM nowhere; SELECT 2",
            "CALL two()",
            "CALL fails()",
            "CALL nothing(); SELECT 1",
        ],
    )
}

fn cursors(dialect: &Dialect) -> Vec<Step> {
    commands(vec![
        Command::prepare("SELECT id FROM n ORDER BY id"),
        Command::execute(dialect, 1, true, &[]),
        Command::fetch(1, 100),
        Command::fetch(1, 1000),
        // Past the end.
        Command::fetch(1, 1),
        Command::fetch(1, 1),
        Command::execute(dialect, 1, true, &[]),
        Command::reset(1),
        Command::fetch(1, 1),
        Command::fetch(7, 1),
        Command::prepare("CALL two()"),
        Command::execute(dialect, 2, true, &[]),
        Command::prepare("INSERT INTO w (v) VALUES ('x')"),
        Command::execute(dialect, 3, true, &[]),
        // MySQL never sends the rows of a statement again whose first execution opened a cursor.
        Command::execute(dialect, 1, false, &[]),
        Command::prepare("SELECT id, id FROM n ORDER BY id"),
        Command::execute(dialect, 4, false, &[]),
        Command::execute(dialect, 4, true, &[]),
        Command::execute(dialect, 4, false, &[]),
    ])
}

fn warnings(dialect: &Dialect) -> Vec<Step> {
    texts(
        dialect,
        &[
            "CREATE TABLE x (id INT PRIMARY KEY, v VARCHAR(20))",
            "INSERT INTO x VALUES (1, '5'), (2, 'a'), (3, 'a')",
            "SET sql_mode = ''",
            "ALTER TABLE x MODIFY v INT",
            "SHOW WARNINGS",
            "SHOW WARNINGS LIMIT 1, 5",
            "SHOW COUNT(*) WARNINGS",
            "SHOW ERRORS",
            "SHOW COUNT(*) ERRORS",
            "SET NAMES latin1",
            "ALTER TABLE x MODIFY v VARCHAR(20), ADD UNIQUE (v)",
            "SHOW WARNINGS",
            "SHOW COUNT(*) ERRORS",
            "DROP TABLE x",
        ],
    )
}

fn out_parameters(dialect: &Dialect) -> Vec<Step> {
    commands(vec![
        Command::prepare("CALL outs(?)"),
        Command::execute(dialect, 1, false, &[Value::Number(1)]),
        Command::query(dialect, "SELECT 1"),
        Command::execute(dialect, 1, false, &[Value::Null]),
        Command::query(dialect, "ALTER TABLE nowhere ADD c INT"),
    ])
}

fn long_data(dialect: &Dialect) -> Vec<Step> {
    commands(vec![
        Command::prepare("SELECT ?, LENGTH(?)"),
        Command::long_data(1, 0, b"first "),
        Command::long_data(1, 0, b"second"),
        Command::long_data(1, 1, &[b'x'; 100_000]),
        Command::execute(dialect, 1, false, &[Value::Sent, Value::Sent]),
        Command::long_data(99, 0, b"nobody's"),
        Command::reset(1),
        Command::close(1),
        Command::close(99),
        Command::query(dialect, "SELECT 1"),
    ])
}

fn plain_commands(dialect: &Dialect) -> Vec<Step> {
    let payloads: &[&[u8]] = &[
        b"\x0e",
        b"\x09",
        b"\x02other",
        b"\x02nowhere",
        b"\x02app",
        b"\x04t\0",
        b"\x04t\0b%",
        b"\x04nowhere\0",
        b"\x0d",
        b"\x0c\xff\xff\xff\x7f",
        b"\x07\x10",
        b"\x1f",
        b"\x02app",
        b"",
        b"\x3f",
        b"\0",
        b"\x05new",
        b"\x06old",
        b"\x0f",
        b"\xfe",
        b"\xff",
    ];
    let mut all: Vec<Command> = payloads
        .iter()
        .map(|payload| Command::new(format!("{payload:x?}"), *payload))
        .collect();
    all.push(Command::query(dialect, "SELECT 1"));
    commands(all)
}

fn wrong_number(dialect: &Dialect) -> Vec<Step> {
    let mut command = Command::query(dialect, "ALTER TABLE t ADD c INT");
    command.sequence = 5;
    vec![
        Step::query(dialect, "SELECT 1"),
        Step::Commands(vec![command, Command::query(dialect, "SHOW CREATE TABLE t")]),
        Step::query(dialect, "SHOW CREATE TABLE t"),
    ]
}

fn options(dialect: &Dialect) -> Vec<Step> {
    let two = "SELECT 1; ALTER TABLE t ADD c INT";
    commands(vec![
        Command::query(dialect, "SELECT 1"),
        Command::new("off", *b"\x1b\x01\0"),
        Command::query(dialect, two),
        Command::new("on", *b"\x1b\0\0"),
        Command::query(dialect, two),
        Command::new("nonsense", *b"\x1b\x07\0"),
        Command::new("short", *b"\x1b"),
        Command::query(dialect, "SELECT 1"),
    ])
}

fn long_file(dialect: &Dialect) -> Vec<Step> {
    let packets = (0..700)
        .map(|line| format!("{line}\tALTER TABLE t\n").into_bytes())
        .collect();
    vec![
        Step::File {
            sql: "LOAD DATA LOCAL INFILE 'x' INTO TABLE f",
            packets,
            then: vec![
                Command::query(dialect, "SELECT COUNT(*), MIN(b) FROM f"),
                Command::query(dialect, "ALTER TABLE nowhere ADD c INT"),
            ],
        },
        Step::Probe,
    ]
}

fn files(dialect: &Dialect) -> Vec<Step> {
    let file = |sql, packets| Step::File {
        sql,
        packets,
        then: vec![Command::query(dialect, "SHOW WARNINGS")],
    };
    let long = [&[b'x'; FRAME_MAX_BYTES][..], b"\tlong\n"].concat();
    vec![
        file("LOAD DATA LOCAL INFILE 'x' INTO TABLE f", vec![]),
        Step::Probe,
        file("LOAD DATA LOCAL INFILE 'x' INTO TABLE nowhere", vec![]),
        file(
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE t FIELDS TERMINATED BY ','",
            vec![b"1,1\n9,x\n".to_vec()],
        ),
        file(
            "SELECT 1; LOAD DATA LOCAL INFILE 'x' INTO TABLE f; SELECT 2",
            vec![b"a\tb\n".to_vec()],
        ),
        file("LOAD DATA LOCAL INFILE 'x' IGNORE INTO TABLE f", vec![long]),
        Step::Probe,
    ]
}

fn prepared_file(dialect: &Dialect) -> Vec<Step> {
    commands(vec![
        Command::prepare("LOAD DATA LOCAL INFILE 'x' INTO TABLE f"),
        Command::query(dialect, "SELECT 1"),
    ])
}

/// MySQL answers root, who has no password, at once, so whoever knows that may go on at once.
fn behind_change_of_user(dialect: &Dialect) -> Vec<Step> {
    commands(vec![
        Command::prepare("ALTER TABLE t ADD c INT"),
        Command::new("change user", change_user_payload(dialect, &ROOT_SHA2)),
        Command::query(dialect, "SELECT DATABASE()"),
        Command::query(dialect, "ALTER TABLE nowhere ADD c INT"),
        Command::query(dialect, "SELECT 1"),
        Command::execute(dialect, 1, false, &[]),
    ])
}

fn session_tracking(dialect: &Dialect) -> Vec<Step> {
    texts(
        dialect,
        &[
            "USE other",
            "SET autocommit = 0",
            "SET session_track_state_change = 1",
            "SET @a = 1",
            "SELECT 1; SET NAMES latin1; SELECT 2",
            "BEGIN",
            "INSERT INTO t VALUES (1, 1)",
            "ALTER TABLE app.t COMMENT = 'in a transaction'",
            "BEGIN",
            "ALTER TABLE nowhere ADD c INT",
            "DO 1",
            "BEGIN",
            "ALTER TABLE NONSENSE",
            "COMMIT",
            "SET session_track_transaction_info = 'CHARACTERISTICS'",
            "START TRANSACTION READ ONLY",
            "SELECT * FROM t",
            "ALTER TABLE app.t COMMENT = 'tracked'",
            "COMMIT",
        ],
    )
}

fn kills_itself(dialect: &Dialect) -> Vec<Step> {
    vec![
        Step::query(dialect, "KILL QUERY CONNECTION_ID()"),
        Step::query(dialect, "KILL CONNECTION_ID()"),
        Step::query(dialect, "SELECT 1"),
    ]
}

fn half_closed(dialect: &Dialect) -> Vec<Step> {
    vec![Step::Last(vec![
        Command::query(dialect, "SELECT id FROM n ORDER BY id"),
        Command::query(dialect, "SELECT REPEAT('x', 3000000)"),
        Command::query(dialect, "SELECT 2"),
    ])]
}

fn missing_binary_log(dialect: &Dialect) -> Vec<Step> {
    vec![
        Step::query(
            dialect,
            "SET @source_binlog_checksum = 'NONE', @master_binlog_checksum = 'NONE'",
        ),
        Step::Stream {
            name: "a binary log that is not there",
            payloads: vec![binlog_dump(77, 4, "nowhere.000001")],
        },
        Step::query(dialect, "SELECT 1"),
        Step::Probe,
    ]
}

fn clone_command(dialect: &Dialect) -> Vec<Step> {
    vec![
        Step::Stream {
            name: "a clone without the plugin",
            payloads: vec![vec![0x20]],
        },
        Step::query(dialect, "SELECT 1"),
        Step::Probe,
    ]
}

fn optional_metadata(dialect: &Dialect) -> Vec<Step> {
    commands(vec![
        Command::query(dialect, "SET resultset_metadata = NONE"),
        Command::query(dialect, "SELECT * FROM t"),
        Command::query(dialect, "SELECT * FROM t WHERE id < 0"),
        Command::prepare("SELECT id, b FROM t WHERE id > ?"),
        Command::execute(dialect, 1, false, &[Value::Number(1)]),
        Command::execute(dialect, 1, true, &[Value::Number(1)]),
        Command::fetch(1, 10),
        Command::close(1),
        Command::query(dialect, "CALL two()"),
        Command::query(dialect, "SET resultset_metadata = FULL"),
        Command::query(dialect, "SELECT * FROM t"),
    ])
}

fn query_attributes(dialect: &Dialect) -> Vec<Step> {
    let with = |sql: &str| Command::new(sql, dialect.query_with_attributes(sql));
    commands(vec![
        with("SELECT 1"),
        with("ALTER TABLE nowhere ADD c INT"),
        with("ALTER TABLE t COMMENT = 'with attributes'"),
        with("SELECT 1; SELECT 2"),
        // What is no honest client's in this dialect, and another's whole text.
        Command::new("bare", *b"\x03SELECT 1"),
        Command::new("bare", *b"\x03ALTER TABLE t COMMENT = 'bare'"),
        Command::query(dialect, "SHOW CREATE TABLE t"),
    ])
}

fn bulk(dialect: &Dialect) -> Vec<Step> {
    let dialect = Dialect {
        extended: dialect.extended | BULK_UNIT_RESULTS,
        ..*dialect
    };
    let rows = [Some("a"), None, Some("ccc")];
    const UNIT_RESULTS: u16 = 0x40;
    commands(vec![
        Command::prepare("INSERT INTO f (a) VALUES (?)"),
        Command::execute_bulk(1, 0, &rows),
        Command::execute_bulk(1, UNIT_RESULTS, &rows),
        Command::prepare("INSERT INTO f (a) VALUES (?) RETURNING a, 1"),
        Command::execute_bulk(2, 0, &rows),
        Command::execute_bulk(2, UNIT_RESULTS, &rows),
        Command::prepare("INSERT INTO w (v) VALUES (?)"),
        Command::execute_bulk(LAST_STATEMENT, 0, &[Some("far too long a text")]),
        Command::prepare("SELECT ?"),
        Command::execute_bulk(4, 0, &rows),
        Command::prepare("ALTER TABLE t ADD c INT"),
        Command::execute_bulk(5, 0, &[]),
        Command::query(&dialect, "SHOW CREATE TABLE t"),
    ])
}

fn last_statement(dialect: &Dialect) -> Vec<Step> {
    let run = |values: &[Value]| Command::execute(dialect, LAST_STATEMENT, false, values);
    commands(vec![
        run(&[]),
        Command::prepare("SELECT ?"),
        run(&[Value::Number(1)]),
        Command::prepare("SELECT * FROM nowhere"),
        run(&[]),
        Command::prepare("ALTER TABLE t COMMENT = 'prepared last'"),
        run(&[]),
        Command::prepare("ALTER TABLE nowhere ADD c INT"),
        run(&[]),
        Command::prepare("SELECT 1"),
        Command::close(1),
        run(&[]),
        Command::reset(LAST_STATEMENT),
        Command::close(LAST_STATEMENT),
        run(&[]),
        Command::new("reset connection", *b"\x1f"),
        run(&[]),
    ])
}

fn cached_metadata(dialect: &Dialect) -> Vec<Step> {
    let run = |id| Command::execute(dialect, id, false, &[]);
    commands(vec![
        Command::prepare("SELECT * FROM t"),
        run(1),
        run(1),
        Command::query(dialect, "ALTER TABLE t ADD c INT"),
        run(1),
        run(1),
        Command::query(dialect, "SELECT * FROM t"),
        Command::execute(dialect, 1, true, &[]),
        Command::fetch(1, 2),
        Command::execute(dialect, 1, true, &[]),
        Command::fetch(1, 10),
    ])
}

/// Schema changes that the server does itself, and reports on at each of their stages: the reports are no end of the reply.
fn progress(dialect: &Dialect) -> Vec<Step> {
    texts(
        dialect,
        &[
            "ALTER TABLE t FORCE, ALGORITHM=COPY",
            "SELECT 1",
            "SELECT 1; ALTER TABLE t FORCE, ALGORITHM=COPY; SELECT 2",
            "ALTER TABLE nowhere ADD c INT",
        ],
    )
}

const MYSQL_ACCOUNTS: &[&str] = &[
    "CREATE USER sha2@'%' IDENTIFIED WITH caching_sha2_password BY 'secret'",
    "GRANT ALL ON *.* TO sha2@'%'",
    "CREATE USER sha256@'%' IDENTIFIED WITH sha256_password BY 'secret'",
    "GRANT ALL ON *.* TO sha256@'%'",
];

const MARIADB_ACCOUNTS: &[&str] = &[
    "INSTALL SONAME 'auth_ed25519'",
    "INSTALL SONAME 'auth_parsec'",
    "CREATE USER native@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('secret')",
    "GRANT ALL ON *.* TO native@'%'",
    "CREATE USER ed25519@'%' IDENTIFIED VIA ed25519 USING PASSWORD('secret')",
    "CREATE USER parsec@'%' IDENTIFIED VIA parsec USING PASSWORD('secret')",
];

const fn account(user: &'static str, plugin: &'static str) -> Account {
    Account {
        user,
        password: "secret",
        plugin,
    }
}

static SHA2: Account = account("sha2", "caching_sha2_password");
static SHA256: Account = account("sha256", "caching_sha2_password");
static NATIVE: Account = account("native", "mysql_native_password");
static ED25519: Account = account("ed25519", "mysql_native_password");
static PARSEC: Account = account("parsec", "mysql_native_password");
static WRONG_SHA2: Account = Account {
    password: "wrong",
    ..account("sha2", "mysql_native_password")
};
static ROOT_SHA2: Account = Account {
    plugin: "caching_sha2_password",
    ..ROOT
};

/// To another user and back, with something prepared and a transaction open each time.
fn users(dialect: &Dialect, accounts: &[&'static Account]) -> Vec<Step> {
    let mut steps = Vec::new();
    for account in accounts {
        steps.push(Step::Commands(vec![
            Command::prepare("ALTER TABLE t ADD c INT"),
            Command::query(dialect, "BEGIN"),
        ]));
        steps.push(Step::ChangeUser(account));
        steps.push(Step::Commands(vec![
            Command::query(dialect, "SELECT CURRENT_USER(), DATABASE()"),
            Command::execute(dialect, 1, false, &[]),
            Command::execute(dialect, LAST_STATEMENT, false, &[]),
            Command::query(dialect, "ALTER TABLE t COMMENT = 'by another user'"),
        ]));
        steps.push(Step::Probe);
    }
    steps
}

/// The first time in full, with the server's key; then by the server's memory; then in vain.
fn sha2_users(dialect: &Dialect) -> Vec<Step> {
    let mut steps = vec![Step::query(dialect, "FLUSH PRIVILEGES")];
    steps.extend(users(dialect, &[&SHA2, &SHA2, &ROOT_SHA2, &ROOT, &SHA2]));
    steps.push(Step::ChangeUser(&WRONG_SHA2));
    steps.push(Step::query(dialect, "SELECT 1"));
    steps
}

fn sha256_user(dialect: &Dialect) -> Vec<Step> {
    users(dialect, &[&SHA256, &ROOT, &SHA256])
}

fn native_user(dialect: &Dialect) -> Vec<Step> {
    users(dialect, &[&NATIVE, &ROOT, &NATIVE])
}

fn ed25519_user(dialect: &Dialect) -> Vec<Step> {
    vec![Step::ChangeUser(&ED25519), Step::query(dialect, "SELECT 1")]
}

fn parsec_user(dialect: &Dialect) -> Vec<Step> {
    vec![Step::ChangeUser(&PARSEC), Step::query(dialect, "SELECT 1")]
}

/// Commands and rows whose payloads end at, before and behind the end of a frame, and far behind it.
fn long_packets(dialect: &Dialect) -> Vec<Step> {
    let mut lengths = vec![FRAME_MAX_BYTES - 1, FRAME_MAX_BYTES, FRAME_MAX_BYTES + 1];
    if dialect.has(DEPRECATE_EOF) {
        lengths.push(40 << 20);
    }
    let mut steps = Vec::new();
    for length in lengths {
        let (before, after) = ("SELECT LENGTH('", "') AS l");
        let filling = length - 1 - before.len() - after.len();
        let long_query = format!("{before}{}{after}", "x".repeat(filling));
        // The length's own encoding takes 4 bytes, or 9.
        let value = length - if length < FRAME_MAX_BYTES + 5 { 4 } else { 9 };
        steps.push(Step::Commands(vec![
            Command::query(dialect, &long_query),
            Command::query(dialect, &format!("SELECT REPEAT('y', {value}) AS r")),
            Command::query(dialect, "ALTER TABLE nowhere ADD c INT"),
        ]));
        steps.push(Step::Probe);
    }
    // A schema change that is too long to be looked into is the server's, in one frame and in two.
    for filling in [2 << 20, 17 << 20] {
        let sql = format!("ALTER TABLE t COMMENT = 'long' /* {} */", "x".repeat(filling));
        steps.push(Step::Commands(vec![
            Command::query(dialect, &sql),
            Command::query(dialect, "SHOW CREATE TABLE t"),
        ]));
    }
    steps.push(Step::Commands(vec![
        Command::prepare("SELECT LENGTH(?), LEFT(?, 10)"),
        Command::long_data(1, 0, &vec![b'z'; FRAME_MAX_BYTES + 100]),
        Command::execute(
            dialect,
            1,
            false,
            &[Value::Sent, Value::Text("w".repeat(FRAME_MAX_BYTES))],
        ),
        Command::close(1),
        Command::query(dialect, "SELECT 1"),
    ]));
    steps.push(Step::Probe);
    // More than the server takes.
    steps.push(Step::query(
        dialect,
        &format!("SELECT '{}'", "x".repeat(65 << 20)),
    ));
    steps
}

/// `COM_BINLOG_DUMP` up to the end of the log.
fn binlog_dump(server_id: u32, position: u32, file: &str) -> Vec<u8> {
    const NON_BLOCK: u16 = 1;
    let mut payload = vec![0x12];
    payload.extend(position.to_le_bytes());
    payload.extend(NON_BLOCK.to_le_bytes());
    payload.extend(server_id.to_le_bytes());
    payload.extend(file.as_bytes());
    payload
}

/// The same server's log, directly and through the proxy: two servers' logs are never the same.
async fn binary_log(pair: &Pair, dialect: &Dialect) -> Result<()> {
    let mut register = vec![0x15];
    register.extend(78u32.to_le_bytes());
    register.extend([0, 0, 0]);
    register.extend([0; 2 + 4 + 4]);
    let mut by_gtid = vec![0x1e];
    by_gtid.extend(1u16.to_le_bytes());
    by_gtid.extend(78u32.to_le_bytes());
    by_gtid.extend(0u32.to_le_bytes());
    by_gtid.extend(4u64.to_le_bytes());
    by_gtid.extend(8u32.to_le_bytes());
    by_gtid.extend(0u64.to_le_bytes());
    for dump in [binlog_dump(78, 4, "binlog.000001"), by_gtid] {
        let steps = vec![
            Step::query(
                dialect,
                "SET @source_binlog_checksum = 'NONE', @master_binlog_checksum = 'NONE'",
            ),
            Step::command("register", register.clone()),
            Step::Stream {
                name: "a binary log",
                payloads: vec![dump],
            },
        ];
        let script = script(*dialect, steps);
        let direct = play(pair.proxied.port(), Side::Direct, &script).await?;
        let proxied = play(pair.proxy.port(), Side::Proxied, &script).await?;
        compare(&direct, &proxied)?;
    }
    Ok(())
}
