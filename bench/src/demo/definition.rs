//! What the altered table's definition must be: the one that the server's own ALTER leaves.

use alterego_testkit::Server;
use alterego_testkit::orders;
use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// Whether the definition is right.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// As the server's own ALTER leaves it.
    Native,
    /// Anything else, said in words.
    Wrong(String),
}

/// The definition of an empty `orders` after `alter`, done by the server itself.
pub(super) async fn altered_natively(server: &Server, alter: &str) -> Result<String> {
    let mut root = server.root().await?;
    root.query_drop("CREATE SCHEMA reference").await?;
    root.query_drop("USE reference").await?;
    root.query_drop(format!("CREATE TABLE orders {}", orders::DEFINITION))
        .await?;
    root.query_drop(alter).await?;
    let (definition, _) = shown(&mut root, "reference").await?;
    root.query_drop("DROP SCHEMA reference").await?;
    root.disconnect().await?;
    Ok(definition)
}

/// Compares the definition of `app.orders`, and checks that no id is given out twice.
pub(super) async fn check(root: &mut Conn, expected: &str, highest_id: u64) -> Result<Verdict> {
    let (definition, auto_increment) = shown(root, "app").await?;
    Ok(if definition != expected {
        Verdict::Wrong(format!("it is\n{definition}\nand should be\n{expected}"))
    } else if auto_increment.is_none_or(|next| next <= highest_id) {
        Verdict::Wrong(format!(
            "AUTO_INCREMENT is {auto_increment:?}, but id {highest_id} was given out"
        ))
    } else {
        Verdict::Native
    })
}

/// `SHOW CREATE TABLE`, with AUTO_INCREMENT taken out and apart.
async fn shown(root: &mut Conn, schema: &str) -> Result<(String, Option<u64>)> {
    let row: Option<(String, String)> = root
        .query_first(format!("SHOW CREATE TABLE {schema}.orders"))
        .await?;
    let (_, definition) = row.context("the table is gone")?;
    Ok(without_auto_increment(&definition))
}

fn without_auto_increment(definition: &str) -> (String, Option<u64>) {
    let Some((before, after)) = definition.split_once(" AUTO_INCREMENT=") else {
        return (definition.to_owned(), None);
    };
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let (number, rest) = after.split_at(end);
    (format!("{before}{rest}"), number.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_increment_is_taken_out() {
        let check = |definition: &str, expected: &str, number| {
            assert_eq!(without_auto_increment(definition), (expected.to_owned(), number));
        };
        check(
            ") ENGINE=InnoDB AUTO_INCREMENT=12 DEFAULT CHARSET=utf8mb4",
            ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
            Some(12),
        );
        check(") ENGINE=InnoDB AUTO_INCREMENT=12", ") ENGINE=InnoDB", Some(12));
        check(") ENGINE=InnoDB", ") ENGINE=InnoDB", None);
    }
}
