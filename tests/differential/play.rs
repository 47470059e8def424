//! A case played twice, and compared.
//!
//! # Why the comparison is sound
//! There is one writer, so the order of its transactions is known; each is either wholly before the swap or wholly behind
//! it, because the swap waits for a transaction that has touched the table. Which of the two shows in the table's identity,
//! looked at before and after each transaction. At most one transaction has the swap between its two looks; then both
//! orders are tried. So the second play is the same sequence of statements with the ALTER at the same place in it, and
//! everything must come out the same, the answers to the writer included.
//!
//! An ALTER that fails has no such place: the error must be one that the server gives at some place in the sequence, and
//! the table must be as if there had been no ALTER.

use std::time::Duration;

use alterego_testkit::{Flavor, compare_tables};
use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::timeout;

use crate::case::Script;
use crate::known;
use crate::lane::Lane;
use crate::names::quoted;
use crate::outcome::{Outcome, run};
use crate::side::{session, set_up, transaction};

/// Long enough that only something broken reaches it, on a busy machine too.
const DEADLINE: Duration = Duration::from_secs(240);

/// For so many times 10 ms the table is looked for.
const LOOKS_MAX: u32 = 3000;

/// `Table definition has changed, please retry transaction`.
const TABLE_CHANGED: u16 = 1412;

/// What a play came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Both came to the same, and the ALTER was done (or not).
    Same { altered: bool },
    /// The server does not take the table.
    Invalid(String),
    /// What differs.
    Different(String),
    /// The ALTER or the writer waited for longer than a busy machine explains.
    NoEnd,
}

/// Where a transaction stands with regard to the swap.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Before,
    Behind,
    Unknown,
}

struct Done {
    outcomes: Vec<Outcome>,
    when: When,
}

/// Plays the case.
pub(crate) async fn play(lane: &Lane, script: &Script) -> Result<Verdict> {
    if let Some(refused) = set_up(&lane.direct, &lane.ours, &script.table).await? {
        return Ok(Verdict::Invalid(refused));
    }
    // The look that all others are compared with comes before anything can have happened.
    let mut watch = Watch::begin(lane).await?;
    let mut both =
        std::pin::pin!(async { tokio::join!(alter(lane, script), write(lane, script, &mut watch)) });
    let Ok((ours, done)) = timeout(DEADLINE, both.as_mut()).await else {
        // Cancelled, or it would be met by the next case.
        kill_clients(lane).await?;
        let _ = timeout(DEADLINE, both).await;
        return Ok(Verdict::NoEnd);
    };
    let (ours, done) = match (ours, done) {
        (Ok(ours), Ok(done)) => (ours, done),
        (Err(error), _) | (_, Err(error)) => {
            return Ok(Verdict::Different(format!("through the proxy: {error:#}")));
        }
    };
    let altered = matches!(ours, Outcome::Ok { .. });
    let difference = match altered {
        true => after_success(lane, script, &ours, &done).await?,
        false => after_failure(lane, script, &ours, &done).await?,
    };
    Ok(match difference {
        None => Verdict::Same { altered },
        Some(difference) => Verdict::Different(difference),
    })
}

/// Interrupts what the clients in the schema wait for.
async fn kill_clients(lane: &Lane) -> Result<()> {
    let mut conn = crate::side::connect(&lane.direct, &lane.native).await?;
    let sql = format!(
        "SELECT id FROM information_schema.processlist WHERE db = '{}'",
        lane.ours
    );
    let clients: Vec<u64> = conn.query(sql).await?;
    for client in clients {
        // One that has ended meanwhile is no matter.
        let _ = conn.query_drop(format!("KILL QUERY {client}")).await;
    }
    Ok(())
}

async fn alter(lane: &Lane, script: &Script) -> Result<Outcome> {
    let mut conn = session(&lane.proxied, &lane.ours, &script.session).await?;
    let outcome = run(&mut conn, &script.alter).await?;
    conn.disconnect().await?;
    Ok(outcome)
}

async fn write(lane: &Lane, script: &Script, watch: &mut Watch) -> Result<Vec<Done>> {
    if script.transactions.is_empty() {
        return Ok(Vec::new());
    }
    let mut writer = session(&lane.proxied, &lane.ours, &script.writer).await?;
    let mut swapped = watch.has_changed(lane).await?;
    let mut done = Vec::new();
    for statements in &script.transactions {
        let outcomes = transaction(&mut writer, statements).await?;
        let swapped_now = watch.has_changed(lane).await?;
        let when = match (swapped, swapped_now) {
            (false, false) => When::Before,
            (false, true) => When::Unknown,
            (true, _) => When::Behind,
        };
        done.push(Done { outcomes, when });
        swapped = swapped_now;
        tokio::time::sleep(Duration::from_millis(script.pause_millis)).await;
    }
    writer.disconnect().await?;
    Ok(done)
}

/// Looks whether the table is another than it was, past the proxy.
struct Watch {
    conn: Conn,
    first: Identity,
}

/// What is another after the ALTER: the server's own number for the table, and its definition.
type Identity = (Option<u64>, String);

impl Watch {
    async fn begin(lane: &Lane) -> Result<Watch> {
        let mut conn = crate::side::connect(&lane.direct, &lane.ours).await?;
        let first = identity(&mut conn, lane).await?;
        Ok(Watch { conn, first })
    }

    async fn has_changed(&mut self, lane: &Lane) -> Result<bool> {
        Ok(identity(&mut self.conn, lane).await? != self.first)
    }
}

async fn identity(conn: &mut Conn, lane: &Lane) -> Result<Identity> {
    let tables = match lane.flavor {
        Flavor::MySql => "innodb_tables",
        Flavor::MariaDb => "innodb_sys_tables",
    };
    let sql = format!(
        "SELECT CAST(table_id AS UNSIGNED) FROM information_schema.{tables} WHERE name LIKE '{}/%'",
        lane.ours.replace('_', "\\_")
    );
    let number = conn.query_first(sql).await?;
    let name = quoted(&name_of_table(conn).await?);
    let shown: Option<(String, String)> = conn.query_first(format!("SHOW CREATE TABLE {name}")).await?;
    let (_, definition) = shown.context("the table has no definition")?;
    Ok((number, without_counter(&definition)))
}

/// The only table's name. A list of tables takes no lock: in the middle of MariaDB's RENAME there is none.
async fn name_of_table(conn: &mut Conn) -> Result<String> {
    for _ in 0..LOOKS_MAX {
        if let Some(name) = conn.query_first("SHOW TABLES").await? {
            return Ok(name);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("the table is gone")
}

/// A definition without AUTO_INCREMENT, which writes move.
fn without_counter(definition: &str) -> String {
    match definition.rsplit_once(" AUTO_INCREMENT=") {
        Some((head, tail)) => format!("{head}{}", tail.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => definition.to_owned(),
    }
}

async fn after_success(
    lane: &Lane,
    script: &Script,
    ours: &Outcome,
    done: &[Done],
) -> Result<Option<String>> {
    let behind = |done: &Done| done.when != When::Before;
    let swap = done.iter().position(behind).unwrap_or(done.len());
    let unsure = done.get(swap).is_some_and(|done| done.when == When::Unknown);
    let Some(before) = replayed(lane, script, ours, done, swap).await? else {
        return Ok(None);
    };
    if !unsure {
        return Ok(Some(before));
    }
    let behind = replayed(lane, script, ours, done, swap + 1).await?;
    Ok(behind.map(|behind| format!("{before}\nand with the swap behind transaction {swap}: {behind}")))
}

/// What differs from a play on the clone with the ALTER before the transaction number `swap`.
async fn replayed(
    lane: &Lane,
    script: &Script,
    ours: &Outcome,
    done: &[Done],
    swap: usize,
) -> Result<Option<String>> {
    // The server's own ALTER may have been behind ours, too.
    let difference = replayed_with(lane, script, ours, done, swap, false).await?;
    match difference {
        Some(_) if lane.flavor == Flavor::MariaDb => {
            replayed_with(lane, script, ours, done, swap, true).await
        }
        other => Ok(other),
    }
}

/// The same, with AUTO_INCREMENT where it was before the ALTER if `counts_on`.
async fn replayed_with(
    lane: &Lane,
    script: &Script,
    ours: &Outcome,
    done: &[Done],
    swap: usize,
    counts_on: bool,
) -> Result<Option<String>> {
    let mut clone = Clone::make(lane, script).await?;
    if let Some(difference) = clone.transactions(done, 0..swap).await? {
        return Ok(Some(difference));
    }
    let counter = clone.counter().await?;
    let native = clone.alter().await?;
    if let Some(difference) = known::difference(lane.flavor, script, ours, &native) {
        return Ok(Some(difference));
    }
    if counts_on && known::may_forget_numbers(lane.flavor, script, &native) {
        clone.count_on_from(counter).await?;
    }
    if let Some(difference) = clone.transactions(done, swap..done.len()).await? {
        return Ok(Some(difference));
    }
    clone.tables_differ().await
}

async fn after_failure(
    lane: &Lane,
    script: &Script,
    ours: &Outcome,
    done: &[Done],
) -> Result<Option<String>> {
    let mut clone = Clone::make(lane, script).await?;
    if let Some(difference) = clone.transactions(done, 0..done.len()).await? {
        return Ok(Some(difference));
    }
    if let Some(difference) = clone.tables_differ().await? {
        return Ok(Some(format!(
            "the ALTER failed, and the table was touched: {difference}"
        )));
    }
    let native = clone.alter().await?;
    let Some(difference) = known::difference(lane.flavor, script, ours, &native) else {
        return Ok(None);
    };
    // What the data had against it may have come and gone.
    for place in 0..done.len() {
        let mut clone = Clone::make(lane, script).await?;
        if clone.transactions(done, 0..place).await?.is_none()
            && known::difference(lane.flavor, script, ours, &clone.alter().await?).is_none()
        {
            return Ok(None);
        }
    }
    Ok(Some(difference))
}

/// Whether the statement leaves none of the diagnostics of the one before it.
fn sets_diagnostics(statement: &str) -> bool {
    ["INSERT", "REPLACE", "UPDATE", "DELETE"]
        .iter()
        .any(|verb| statement.starts_with(verb))
}

/// The second play.
struct Clone<'a> {
    lane: &'a Lane,
    script: &'a Script,
    writer: Conn,
    /// Whether the writer's last statement on the table was left out.
    skipped: bool,
}

impl<'a> Clone<'a> {
    async fn make(lane: &'a Lane, script: &'a Script) -> Result<Clone<'a>> {
        let refused = set_up(&lane.direct, &lane.native, &script.table).await?;
        anyhow::ensure!(refused.is_none(), "the server took the table once: {refused:?}");
        let writer = session(&lane.direct, &lane.native, &script.writer).await?;
        Ok(Clone {
            lane,
            script,
            writer,
            skipped: false,
        })
    }

    fn told_of_ours(&self, outcome: Outcome) -> Outcome {
        outcome.map_texts(|text| self.lane.told_of_ours(&text))
    }

    async fn alter(&mut self) -> Result<Outcome> {
        let mut conn = session(&self.lane.direct, &self.lane.native, &self.script.session).await?;
        let alter = run(&mut conn, &self.script.alter);
        let outcome = timeout(DEADLINE, alter)
            .await
            .context("the server's own ALTER has no end")??;
        conn.disconnect().await?;
        Ok(self.told_of_ours(outcome))
    }

    /// Where AUTO_INCREMENT is.
    async fn counter(&self) -> Result<Option<u64>> {
        let mut conn = crate::side::connect(&self.lane.direct, &self.lane.native).await?;
        let sql = "SELECT auto_increment FROM information_schema.tables WHERE table_schema = DATABASE()";
        let counter: Option<Option<u64>> = conn.query_first(sql).await?;
        conn.disconnect().await?;
        Ok(counter.flatten())
    }

    /// Moves AUTO_INCREMENT on to where it was.
    async fn count_on_from(&self, before: Option<u64>) -> Result<()> {
        let now = self.counter().await?;
        if let (Some(before), Some(now)) = (before, now)
            && now < before
        {
            let mut conn = crate::side::connect(&self.lane.direct, &self.lane.native).await?;
            let name: Option<String> = conn.query_first("SHOW TABLES").await?;
            let name = quoted(&name.context("the clone is gone")?);
            conn.query_drop(format!("ALTER TABLE {name} AUTO_INCREMENT={before}"))
                .await?;
            conn.disconnect().await?;
        }
        Ok(())
    }

    /// Plays some of the transactions; gives what the writer hears otherwise than it did.
    async fn transactions(&mut self, done: &[Done], which: std::ops::Range<usize>) -> Result<Option<String>> {
        for place in which {
            let (Some(done), Some(statements)) = (done.get(place), self.script.transactions.get(place))
            else {
                continue;
            };
            let snapshot = statements.iter().any(|statement| statement.contains("SNAPSHOT"));
            for (ours, statement) in done.outcomes.iter().zip(statements) {
                // A snapshot older than the swap, as the server's own rebuild leaves it: the statement did nothing.
                if ours.code() == Some(TABLE_CHANGED) && snapshot {
                    self.skipped = true;
                    continue;
                }
                let native = run(&mut self.writer, statement).await?;
                let native = self.told_of_ours(native);
                // What was skipped still shows in the diagnostics of statements that leave them alone.
                self.skipped &= !sets_diagnostics(statement);
                let (ours, native) = match self.skipped {
                    true => (
                        ours.clone().without_warning_texts(),
                        native.without_warning_texts(),
                    ),
                    false => (ours.clone(), native),
                };
                if ours != native {
                    return Ok(Some(format!(
                        "the writer hears otherwise (transaction {place}, {:?}): {statement}\n  ours:   {ours:?}\n  native: {native:?}",
                        done.when
                    )));
                }
            }
        }
        Ok(None)
    }

    async fn tables_differ(&self) -> Result<Option<String>> {
        let mut conn = crate::side::connect(&self.lane.direct, &self.lane.ours).await?;
        let tables: Vec<String> = conn.query("SHOW TABLES").await?;
        let [table] = tables.as_slice() else {
            return Ok(Some(format!("not one table is left but {tables:?}")));
        };
        let (ours, native) = (
            (self.lane.ours.as_str(), table.as_str()),
            (self.lane.native.as_str(), table.as_str()),
        );
        let difference = compare_tables(&mut conn, ours, native).await?;
        conn.disconnect().await?;
        Ok((!difference.is_none()).then(|| format!("tables differ: {difference}")))
    }
}
