//! Reads a table's definition from the server.

use mysql_async::prelude::{FromValue, Queryable};
use mysql_async::{Conn, Row};

use super::{Column, Generated, Index, IndexPart, Surroundings, Table, UniqueKey, UniqueKeyPart};
use crate::ident::quoted_text;
use crate::{Error, Ident, Result, TableName};

impl Table {
    /// Reads the definition of `name` on a session with a plain `sql_mode`.
    ///
    /// # Errors
    /// [`Error::Refused`] for what is no InnoDB base table, and the server's own errors.
    pub async fn load(conn: &mut Conn, name: &TableName) -> Result<Self> {
        conn.query_drop("SET SESSION sql_quote_show_create=1").await?;
        let create = show_create(conn, name).await?;
        let (name, partitioned) = identify(conn, name).await?;
        let columns = columns(conn, &name).await?;
        let indexes = indexes(conn, &name).await?;
        let period = create
            .lines()
            .any(|line| line.trim_start().starts_with("PERIOD FOR "));
        let surroundings = Surroundings {
            triggers: triggers(conn, &name).await?,
            references: foreign_keys(conn, &name, Side::Child).await?,
            referenced_by: foreign_keys(conn, &name, Side::Parent).await?,
            partitioned,
            period,
        };
        Ok(Self {
            name,
            create,
            columns,
            unique_keys: indexes
                .iter()
                .filter(|index| index.unique)
                .map(unique_key)
                .collect(),
            indexes,
            surroundings,
        })
    }
}

async fn show_create(conn: &mut Conn, name: &TableName) -> Result<String> {
    let row: Option<Row> = conn.query_first(format!("SHOW CREATE TABLE {name}")).await?;
    let mut row = row.ok_or_else(|| Error::fatal(format!("the server does not describe {name}")))?;
    take(&mut row, "Create Table").map_err(|_| Error::refused("it is not a base table"))
}

/// The table's name as the server spells it, and whether it is partitioned; refuses what cannot be rebuilt.
async fn identify(conn: &mut Conn, name: &TableName) -> Result<(TableName, bool)> {
    let sql = format!(
        "SELECT table_schema AS table_schema, table_name AS table_name, table_type AS table_type, \
         engine AS engine, create_options AS create_options FROM information_schema.tables WHERE {}",
        is_table(name, "table_schema", "table_name")
    );
    let row: Option<Row> = conn.query_first(sql).await?;
    let mut row =
        row.ok_or_else(|| Error::refused("it is not in information_schema (a temporary table?)"))?;
    match take::<String>(&mut row, "table_type")?.as_str() {
        "BASE TABLE" => {}
        "SYSTEM VERSIONED" => return Err(Error::refused("the table is system-versioned")),
        _ => return Err(Error::refused("it is not a base table")),
    }
    let engine = take::<Option<String>>(&mut row, "engine")?.unwrap_or_default();
    if !engine.eq_ignore_ascii_case("innodb") {
        return Err(Error::refused(format!(
            "the table's storage engine is {engine}, not InnoDB"
        )));
    }
    let schema: String = take(&mut row, "table_schema")?;
    let table: String = take(&mut row, "table_name")?;
    let options = take::<Option<String>>(&mut row, "create_options")?.unwrap_or_default();
    Ok((
        TableName::new(schema, table),
        options.to_lowercase().contains("partitioned"),
    ))
}

async fn columns(conn: &mut Conn, name: &TableName) -> Result<Vec<Column>> {
    let sql = format!(
        "SELECT column_name AS column_name, data_type AS data_type, column_type AS column_type, \
         character_set_name AS character_set_name, collation_name AS collation_name, \
         is_nullable AS is_nullable, column_default AS column_default, VERSION() AS version, extra AS extra \
         FROM information_schema.columns WHERE {} ORDER BY ordinal_position",
        is_table(name, "table_schema", "table_name")
    );
    let rows: Vec<Row> = conn.query(sql).await?;
    rows.into_iter().map(column).collect()
}

fn column(mut row: Row) -> Result<Column> {
    let extra = take::<String>(&mut row, "extra")?.to_uppercase();
    let generated = if extra.contains("VIRTUAL GENERATED") {
        Some(Generated::Virtual)
    } else if extra.contains("STORED GENERATED") || extra.contains("PERSISTENT") {
        Some(Generated::Stored)
    } else {
        None
    };
    let default: Option<String> = take(&mut row, "column_default")?;
    let mariadb = take::<String>(&mut row, "version")?
        .to_lowercase()
        .contains("mariadb");
    // MySQL marks a computed default; MariaDB writes constants as literals and everything else as an expression.
    let computed_default = if mariadb {
        default.as_deref().is_some_and(|text| !is_literal(text))
    } else {
        extra.contains("DEFAULT_GENERATED")
    };
    // MariaDB writes a default of NULL as a word, MySQL as a NULL value.
    let default = default.filter(|text| !(mariadb && text == "NULL"));
    Ok(Column {
        name: Ident::new(take::<String>(&mut row, "column_name")?),
        data_type: take::<String>(&mut row, "data_type")?.to_lowercase(),
        column_type: take(&mut row, "column_type")?,
        charset: take(&mut row, "character_set_name")?,
        collation: take(&mut row, "collation_name")?,
        nullable: take::<String>(&mut row, "is_nullable")? == "YES",
        generated,
        auto_increment: extra.contains("AUTO_INCREMENT"),
        computed_default,
        default,
    })
}

/// Whether MariaDB's text of a default is a constant.
fn is_literal(text: &str) -> bool {
    text == "NULL" || text.parse::<f64>().is_ok() || text.starts_with(['\'', '_']) || text.starts_with("b'")
}

/// The indexes in `SHOW INDEX`'s order, which is the order in which the server itself looks at them.
async fn indexes(conn: &mut Conn, name: &TableName) -> Result<Vec<Index>> {
    let rows: Vec<Row> = conn.query(format!("SHOW INDEX FROM {name}")).await?;
    let mut indexes: Vec<Index> = Vec::new();
    for mut row in rows {
        let name = Ident::new(take::<String>(&mut row, "Key_name")?);
        let part = IndexPart {
            column: take::<Option<String>>(&mut row, "Column_name")?.map(Ident::new),
            prefix: take(&mut row, "Sub_part")?,
            descending: take::<Option<String>>(&mut row, "Collation")?.as_deref() == Some("D"),
        };
        if let Some(index) = indexes.last_mut().filter(|index| index.name == name) {
            index.parts.push(part);
            continue;
        }
        let hidden = |row: &mut Row, column: &str, word: &str| {
            row.columns_ref().iter().any(|c| c.name_str() == column)
                && take::<String>(row, column).is_ok_and(|value| value == word)
        };
        indexes.push(Index {
            name,
            unique: take::<u8>(&mut row, "Non_unique")? == 0,
            btree: take::<String>(&mut row, "Index_type")? == "BTREE",
            visible: !hidden(&mut row, "Visible", "NO") && !hidden(&mut row, "Ignored", "YES"),
            parts: vec![part],
        });
    }
    Ok(indexes)
}

fn unique_key(index: &Index) -> UniqueKey {
    UniqueKey {
        name: index.name.clone(),
        columns: index
            .parts
            .iter()
            .map(|part| UniqueKeyPart {
                column: part.column.clone(),
                prefix: part.prefix,
            })
            .collect(),
    }
}

async fn triggers(conn: &mut Conn, name: &TableName) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT trigger_name FROM information_schema.triggers WHERE {}",
        is_table(name, "event_object_schema", "event_object_table")
    );
    Ok(conn.query(sql).await?)
}

/// Which end of a foreign key a table is.
#[derive(Clone, Copy)]
enum Side {
    Child,
    Parent,
}

/// The tables at the other end of the table's foreign keys.
async fn foreign_keys(conn: &mut Conn, name: &TableName, side: Side) -> Result<Vec<TableName>> {
    let (here, there) = match side {
        Side::Child => (
            ["table_schema", "table_name"],
            ["referenced_table_schema", "referenced_table_name"],
        ),
        Side::Parent => (
            ["referenced_table_schema", "referenced_table_name"],
            ["table_schema", "table_name"],
        ),
    };
    let [schema, table] = there;
    let sql = format!(
        "SELECT DISTINCT {schema}, {table} FROM information_schema.key_column_usage \
         WHERE {} AND referenced_table_name IS NOT NULL",
        is_table(name, here[0], here[1])
    );
    let rows: Vec<(String, String)> = conn.query(sql).await?;
    Ok(rows
        .into_iter()
        .map(|(schema, table)| TableName::new(schema, table))
        .collect())
}

fn is_table(name: &TableName, schema: &str, table: &str) -> String {
    format!(
        "{schema}={} AND {table}={}",
        quoted_text(name.schema.as_str()),
        quoted_text(name.table.as_str())
    )
}

/// A value of a row by its column's name; a server that answers differently than known is a fatal error.
fn take<T: FromValue>(row: &mut Row, column: &str) -> Result<T> {
    row.take_opt::<T, _>(column)
        .and_then(std::result::Result::ok)
        .ok_or_else(|| Error::fatal(format!("the server's description has no readable `{column}`")))
}
