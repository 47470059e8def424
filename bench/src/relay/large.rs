//! One large result and one large file, through every front.
//!
//! Neither is stored anywhere, so that it is the road that is measured: the rows are made by a join of a small table with
//! itself and dropped by the client as they come, and the server reads the file and skips all its lines.

use std::time::Instant;

use alterego_testkit::client_opts;
use anyhow::{Result, ensure};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Value};

use super::front::Front;
use crate::memory::Memory;
use crate::sysbench;
use crate::table::{self, thousands};

const MIB: u64 = 1 << 20;
/// A row of the result.
const ROW_BYTES: u64 = 4096;
/// Rows of the table that is joined with itself.
const SMALL_ROWS: u64 = 256;
/// What the client hands over of its file at once.
const PIECE_BYTES: u64 = 64 * 1024;

/// What one front did in all rounds.
struct Large {
    name: &'static str,
    select: Vec<f64>,
    load: Vec<f64>,
}

/// Measures and prints.
pub(super) async fn print(fronts: &[Front], mib: u64, rounds: usize) -> Result<()> {
    prepare(fronts).await?;
    let mut all: Vec<Large> = fronts
        .iter()
        .map(|front| Large {
            name: front.name,
            select: Vec::new(),
            load: Vec::new(),
        })
        .collect();
    for _ in 0..rounds.max(1) {
        for (front, large) in fronts.iter().zip(&mut all) {
            large.select.push(select(front.port, mib).await?);
            large.load.push(load(front.port, mib).await?);
        }
    }
    println!("One result and one LOAD DATA LOCAL of {mib} MiB");
    let heading = ["", "SELECT MiB/s", "LOAD DATA MiB/s", "peak memory MiB"];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    for (front, large) in fronts.iter().zip(all) {
        let peak = front.id.map(|id| Memory::of(id).peak()).transpose()?;
        lines.push(vec![
            large.name.to_owned(),
            speed(large.select),
            speed(large.load),
            peak.map_or_else(String::new, |bytes| thousands(bytes / MIB)),
        ]);
    }
    table::print(true, &lines);
    Ok(())
}

fn speed(rounds: Vec<f64>) -> String {
    thousands(table::middle(rounds, f64::total_cmp).unwrap_or_default() as u64)
}

async fn prepare(fronts: &[Front]) -> Result<()> {
    let Some(direct) = fronts.first() else {
        return Ok(());
    };
    let mut conn = connect(direct.port).await?;
    conn.query_drop("CREATE TABLE small (id INT PRIMARY KEY, pad TEXT NOT NULL)")
        .await?;
    for id in 0..SMALL_ROWS {
        conn.query_drop(format!(
            "INSERT INTO small VALUES ({id}, REPEAT('x', {ROW_BYTES}))"
        ))
        .await?;
    }
    Ok(conn.disconnect().await?)
}

async fn connect(port: u16) -> Result<Conn> {
    let (user, password) = sysbench::ACCOUNT;
    let opts = client_opts(port, user, password, Some(sysbench::SCHEMA));
    Ok(Conn::new(opts).await?)
}

/// Bytes a second of a result, in MiB.
async fn select(port: u16, mib: u64) -> Result<f64> {
    let mut conn = connect(port).await?;
    let rows = mib * MIB / ROW_BYTES;
    let sql = format!("SELECT a.pad FROM small a JOIN small b JOIN small c LIMIT {rows}");
    let began = Instant::now();
    let mut result = conn.query_iter(sql).await?;
    let mut bytes = 0;
    while let Some(row) = result.next().await? {
        if let Some(Value::Bytes(pad)) = row.as_ref(0) {
            bytes += pad.len() as u64;
        }
    }
    let speed = mib as f64 / began.elapsed().as_secs_f64();
    ensure!(bytes == rows * ROW_BYTES, "{bytes} bytes came");
    drop(result);
    conn.disconnect().await?;
    Ok(speed)
}

/// Bytes a second of a file, in MiB.
async fn load(port: u16, mib: u64) -> Result<f64> {
    let (user, password) = sysbench::ACCOUNT;
    let pieces = mib * MIB / PIECE_BYTES;
    let handler = move |_: &[u8]| {
        let mut piece = vec![b'y'; PIECE_BYTES as usize];
        // The end of each line.
        piece
            .iter_mut()
            .skip(255)
            .step_by(256)
            .for_each(|byte| *byte = b'\n');
        let piece = Bytes::from(piece);
        async move { Ok(stream::iter((0..pieces).map(move |_| Ok(piece.clone()))).boxed()) }.boxed()
    };
    let opts = OptsBuilder::from_opts(client_opts(port, user, password, Some(sysbench::SCHEMA)))
        .local_infile_handler(Some(handler));
    let mut conn = Conn::new(opts).await?;
    let began = Instant::now();
    conn.query_drop("LOAD DATA LOCAL INFILE 'large' INTO TABLE small IGNORE 1000000000 LINES")
        .await?;
    let speed = mib as f64 / began.elapsed().as_secs_f64();
    conn.disconnect().await?;
    Ok(speed)
}
