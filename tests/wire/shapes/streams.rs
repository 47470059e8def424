//! Commands after which a connection is a stream of its own: binary logs and clones.

use anyhow::Result;

use super::script;
use crate::dialect::Dialect;
use crate::pair::{Pair, compare};
use crate::player::{Side, play};
use crate::script::Step;

pub(super) fn missing_binary_log(dialect: &Dialect) -> Vec<Step> {
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

pub(super) fn clone_command(dialect: &Dialect) -> Vec<Step> {
    vec![
        Step::Stream {
            name: "a clone without the plugin",
            payloads: vec![vec![0x20]],
        },
        Step::query(dialect, "SELECT 1"),
        Step::Probe,
    ]
}

/// `COM_BINLOG_DUMP` up to the end of the log.
pub(super) fn binlog_dump(server_id: u32, position: u32, file: &str) -> Vec<u8> {
    const NON_BLOCK: u16 = 1;
    let mut payload = vec![0x12];
    payload.extend(position.to_le_bytes());
    payload.extend(NON_BLOCK.to_le_bytes());
    payload.extend(server_id.to_le_bytes());
    payload.extend(file.as_bytes());
    payload
}

/// The same server's log, directly and through the proxy: two servers' logs are never the same.
pub(super) async fn binary_log(pair: &Pair, dialect: &Dialect) -> Result<()> {
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
