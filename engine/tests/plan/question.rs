//! How the servers answer the questions put to them: with the change done, with the native error, or by declining.

use alterego_engine::alter::{Asked, ReadMode, understand};
use alterego_engine::session::Upstream;
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

use crate::cases::{CLAUSES, CREATE, ROWS};
use crate::servers;

/// Statements besides the ALTERs of the cases.
const OTHERS: &[&str] = &[
    "CREATE INDEX i ON t (n2)",
    "CREATE UNIQUE INDEX i ON t (n2, id)",
    "CREATE FULLTEXT INDEX i ON t (txt)",
    "DROP INDEX ka ON t",
    "DROP INDEX nosuch ON t",
    "ALTER TABLE t STATS_PERSISTENT=1",
    "ALTER TABLE t DROP INDEX ka, RENAME INDEX k2 TO k3, COMMENT='x'",
    "ALTER TABLE t ALTER n2 SET DEFAULT 5, RENAME INDEX ka TO kb",
    "ALTER TABLE t RENAME COLUMN n2 TO n3, DROP INDEX ka",
    "ALTER TABLE t DEFAULT CHARACTER SET latin1, AUTO_INCREMENT=77",
];

/// What a server said.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Done,
    Declined,
    Error(u16, String),
}

#[tokio::test]
async fn servers_do_it_decline_or_say_the_native_error() -> Result<()> {
    let (_servers, upstreams) = servers::start().await?;
    for upstream in upstreams {
        let mut wrong = Vec::new();
        let alters = CLAUSES.iter().map(|clauses| format!("ALTER TABLE t {clauses}"));
        for sql in alters.chain(OTHERS.iter().map(|sql| (*sql).to_owned())) {
            if let Err(error) = check(&upstream, &sql).await {
                wrong.push(format!("{:?}: {sql}: {error:#}", upstream.flavor()));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
    Ok(())
}

async fn check(upstream: &Upstream, sql: &str) -> Result<()> {
    let mut conn = Conn::new(upstream.opts().clone()).await?;
    let statement = understand(sql, ReadMode::default(), upstream.flavor())
        .map_err(|reason| anyhow::anyhow!("not understood: {reason:?}"))?;
    let plain = Asked {
        sql: sql.to_owned(),
        declined_codes: Vec::new(),
        declined_text: None,
    };
    let native = ask(&mut conn, &plain).await?;
    let question = ask(&mut conn, &statement.question()).await?;
    let forced = ask(&mut conn, &statement.forced_question()).await?;
    ensure!(
        question == Said::Declined || question == native,
        "{question:?}, natively {native:?}"
    );
    // Where more than one thing is wrong with a statement the server may name either; the ghost finds the other.
    ensure!(
        forced == Said::Declined || forced == native || is_syntax(&forced),
        "forced {forced:?}, natively {native:?}"
    );
    if let Some(asked) = statement.in_place() {
        let in_place = ask(&mut conn, &asked).await?;
        ensure!(in_place == native, "in place {in_place:?}, natively {native:?}");
    }
    Ok(())
}

fn is_syntax(said: &Said) -> bool {
    matches!(said, Said::Error(1064, _))
}

async fn ask(conn: &mut Conn, asked: &Asked) -> Result<Said> {
    conn.query_drop("DROP SCHEMA IF EXISTS app").await?;
    conn.query_drop("CREATE SCHEMA app CHARACTER SET utf8mb4").await?;
    conn.query_drop("USE app").await?;
    conn.query_drop(CREATE).await?;
    conn.query_drop(ROWS).await?;
    match conn.query_drop(&asked.sql).await {
        Ok(()) => Ok(Said::Done),
        Err(Error::Server(error)) => {
            let text = asked.declined_text.as_deref().unwrap_or_default();
            if asked.declined_codes.contains(&error.code) && error.message.contains(text) {
                return Ok(Said::Declined);
            }
            // A syntax error quotes the text from the place where it was noticed.
            let message = if error.code == 1064 {
                String::new()
            } else {
                error.message
            };
            Ok(Said::Error(error.code, message))
        }
        Err(other) => Err(other.into()),
    }
}
