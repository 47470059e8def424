//! Verification is never vacuous: in a ghost with one value changed as little as its type allows, in each of many rows, it
//! finds every row, and no other. What it should find is made by a generator over all types; a seed makes a run repeatable
//! (`ALTEREGO_VERIFY_SEED`), and more cases a type can be asked for (`ALTEREGO_VERIFY_CASES`).

mod corrupting;
mod following;

use std::time::Duration;

use alterego_engine::Flavor;
use alterego_engine::session::Upstream;
use alterego_engine::verify;
use alterego_testkit::compare_tables;
use anyhow::{Context, Result, ensure};
use corrupting::{Corruption, all_kinds};
use following::{FLAVORS, Named, plan, run, start, verification};
use rand::SeedableRng;
use rand::rngs::StdRng;

const STRICT: &str = "STRICT_TRANS_TABLES";

fn setting(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok().and_then(|text| text.parse().ok());
    given.unwrap_or(default)
}

/// Makes `app.t` with a row for each corruption: its value as it should be, and NULL in the columns of other types.
async fn prepare(upstream: &Upstream, kinds: &[corrupting::Kind], corruptions: &[Corruption]) -> Result<()> {
    let mut conn = upstream.control().await?;
    let columns: Vec<String> = kinds
        .iter()
        .map(|kind| format!("{} {}", kind.column, kind.definition))
        .collect();
    let create = format!(
        "CREATE TABLE app.t (id INT NOT NULL PRIMARY KEY, {}) CHARACTER SET latin1",
        columns.join(", ")
    );
    run(
        &mut conn,
        &["DROP DATABASE IF EXISTS app", "CREATE DATABASE app", &create],
    )
    .await?;
    for (id, corruption) in corruptions.iter().enumerate() {
        let sql = format!(
            "INSERT INTO app.t (id, {}) VALUES ({id}, {})",
            corruption.column, corruption.right
        );
        run(&mut conn, &[&sql]).await?;
    }
    Ok(())
}

async fn every_corruption_is_found(
    flavor: alterego_testkit::Flavor,
    clauses: &str,
    same_columns: bool,
) -> Result<()> {
    let (_server, upstream) = start(flavor).await?;
    let seed = setting("ALTEREGO_VERIFY_SEED", 4);
    let cases = setting("ALTEREGO_VERIFY_CASES", 8);
    let mut random = StdRng::seed_from_u64(seed);
    let kinds = all_kinds(upstream.flavor() == Flavor::MariaDb);
    let corruptions: Vec<Corruption> = kinds
        .iter()
        .flat_map(|kind| (0..cases).map(|_| kind.corrupt(&mut random)).collect::<Vec<_>>())
        .collect();
    prepare(&upstream, &kinds, &corruptions).await?;
    let plan = plan(&upstream, clauses, STRICT).await?;
    let follower = Named::new(&upstream, &plan, Duration::ZERO);
    follower.copy().await?;
    let (context, _cancel) = verification(&upstream, &plan, &follower);
    let verified = verify::run(&context).await?;
    ensure!(
        verified.repaired() == 0,
        "{flavor}: {} false reports",
        verified.repaired()
    );
    let mut conn = upstream.control().await?;
    let ghost = plan.ghost_name();
    for (id, corruption) in corruptions.iter().enumerate() {
        let sql = format!(
            "UPDATE {ghost} SET {}={} WHERE id={id}",
            corruption.column, corruption.wrong
        );
        run(&mut conn, &[&sql]).await?;
        let changed = conn.affected_rows();
        ensure!(
            changed == 1,
            "{flavor}: nothing is changed by {sql}, from {}",
            corruption.right
        );
    }
    let verified = verify::run(&context)
        .await
        .with_context(|| format!("seed {seed}"))?;
    if same_columns {
        let difference = compare_tables(&mut conn, ("app", "t"), ("app__ghost", "t")).await?;
        ensure!(
            difference.rows_are_equal(),
            "{flavor}, seed {seed}: not repaired: {difference}"
        );
    }
    let wrong = corruptions.len() as u64;
    ensure!(
        verified.repaired() == wrong && verified.rows() == wrong,
        "{flavor}, seed {seed}: {} rows were found wrong, and not {wrong}",
        verified.repaired()
    );
    ensure!(context.counters.rows_repaired.get() == wrong);
    Ok(())
}

#[tokio::test]
async fn one_changed_value_is_found_in_every_type() -> Result<()> {
    for flavor in FLAVORS {
        every_corruption_is_found(flavor, "ADD INDEX (id)", true).await?;
    }
    Ok(())
}

/// The expected values are converted by the server, or transcoded, before they are compared.
#[tokio::test]
async fn one_changed_value_is_found_in_another_character_set() -> Result<()> {
    for flavor in FLAVORS {
        every_corruption_is_found(
            flavor,
            "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
            false,
        )
        .await?;
    }
    Ok(())
}

/// The rows of the first chunk: the only ones whose last key is known beforehand.
const FIRST_CHUNK_ROWS: u32 = 5_000;
const ROWS: u32 = 12_000;

/// What is done to the ghost of a table with the keys 2, 4, … 2 × [`ROWS`], and how many rows are wrong then.
const EDGES: &[(&[&str], u64)] = &[
    (&["DELETE FROM {g} WHERE id=2"], 1),
    (&["DELETE FROM {g} WHERE id={last}"], 1),
    (&["DELETE FROM {g} WHERE id={edge}"], 1),
    (&["DELETE FROM {g} WHERE id={edge}+2"], 1),
    (&["INSERT INTO {g} VALUES (-1, 0)"], 1),
    (&["INSERT INTO {g} VALUES ({last}+1, 0)"], 1),
    (&["INSERT INTO {g} VALUES ({edge}-1, 0)"], 1),
    (&["INSERT INTO {g} VALUES ({edge}+1, 0)"], 1),
    (&["UPDATE {g} SET id={edge}+1 WHERE id={edge}"], 2),
    // As many rows as before.
    (
        &[
            "DELETE FROM {g} WHERE id={edge}",
            "INSERT INTO {g} VALUES ({edge}-1, 0)",
        ],
        2,
    ),
    (
        &[
            "DELETE FROM {g} WHERE id=2",
            "INSERT INTO {g} VALUES ({last}+1, 2)",
        ],
        2,
    ),
    // Two rows changed places, so every sum is as it was.
    (&["UPDATE {g} SET v=IF(v=2, 4, 2) WHERE id IN (2, 4)"], 2),
    (
        &["DELETE FROM {g} WHERE id BETWEEN {edge}-600 AND {edge}+600"],
        601,
    ),
    (&["DELETE FROM {g}"], ROWS as u64),
];

#[tokio::test]
async fn rows_at_the_edges_are_found() -> Result<()> {
    for flavor in FLAVORS {
        let (_server, upstream) = start(flavor).await?;
        let mut conn = upstream.control().await?;
        let digits = "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 \
                      UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
        let fill = format!(
            "INSERT INTO app.t SELECT 2*n, 2*n FROM (SELECT 1+a.d+10*b.d+100*c.d+1000*e.d+10000*f.d AS n \
             FROM {digits} a, {digits} b, {digits} c, {digits} e, {digits} f) numbers WHERE n <= {ROWS}"
        );
        run(
            &mut conn,
            &[
                "CREATE DATABASE app",
                "CREATE TABLE app.t (id INT NOT NULL PRIMARY KEY, v INT)",
                &fill,
            ],
        )
        .await?;
        let plan = plan(&upstream, "ADD INDEX (v)", STRICT).await?;
        let follower = Named::new(&upstream, &plan, Duration::ZERO);
        follower.copy().await?;
        let (edge, last) = ((2 * FIRST_CHUNK_ROWS).to_string(), (2 * ROWS).to_string());
        for (statements, wrong) in EDGES {
            for sql in *statements {
                let sql = sql.replace("{g}", &plan.ghost_name().to_string());
                run(
                    &mut conn,
                    &[&sql.replace("{edge}", &edge).replace("{last}", &last)],
                )
                .await?;
            }
            let (context, _cancel) = verification(&upstream, &plan, &follower);
            let verified = verify::run(&context).await?;
            ensure!(
                verified.repaired() == *wrong && verified.rows() == u64::from(ROWS),
                "{flavor} {statements:?}: {} repaired, {} rows",
                verified.repaired(),
                verified.rows()
            );
            let difference = compare_tables(&mut conn, ("app", "t"), ("app__ghost", "t")).await?;
            ensure!(
                difference.rows_are_equal(),
                "{flavor} {statements:?}: {difference}"
            );
        }
        // A source without rows has no key to cut chunks at.
        run(&mut conn, &["DELETE FROM app.t"]).await?;
        let (context, _cancel) = verification(&upstream, &plan, &follower);
        let verified = verify::run(&context).await?;
        ensure!(
            verified.repaired() == u64::from(ROWS) && verified.rows() == 0,
            "{flavor}: {verified:?}"
        );
    }
    Ok(())
}
