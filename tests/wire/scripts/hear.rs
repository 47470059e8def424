//! What a client hears of one statement, taken down whole.

use anyhow::Result;
use mysql_async::prelude::{Protocol, Queryable};
use mysql_async::{Column, Conn, Error, QueryResult, Row, Value};

use super::script::{Aspect, Statement};

/// All that was heard, by what it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard(Vec<(Aspect, String)>);

impl Heard {
    /// What was heard of `aspect`.
    pub(super) fn of(&self, aspect: Aspect) -> Vec<&str> {
        let of = self.0.iter().filter(|(about, _)| *about == aspect);
        of.map(|(_, text)| text.as_str()).collect()
    }

    pub(super) fn add(&mut self, aspect: Aspect, text: String) {
        self.0.push((aspect, without_ids(&text)));
    }
}

/// Servers name the tables they work on by their process and connection: `#sql-5dd3_13`, `#sql-alter-5d85-f`.
fn without_ids(text: &str) -> String {
    let mut parts = text.split("#sql-");
    let first = parts.next().unwrap_or_default().to_owned();
    let is_id = |c: char| c.is_ascii_hexdigit() || matches!(c, '_' | '-');
    let rest = parts.map(|part| {
        part.strip_prefix("alter-")
            .unwrap_or(part)
            .trim_start_matches(is_id)
    });
    rest.fold(first, |text, part| text + "#sql-…" + part)
}

/// Runs a statement. Warnings are asked for unless the next statement asks about this one.
pub(super) async fn hear(conn: &mut Conn, statement: &Statement, with_warnings: bool) -> Result<Heard> {
    let mut heard = Heard::default();
    let sql = statement.sql.as_str();
    let ran = if statement.is_prepared {
        match conn.exec_iter(sql, ()).await {
            Ok(result) => take_down(result, &mut heard).await,
            Err(error) => Err(error),
        }
    } else {
        match conn.query_iter(sql).await {
            Ok(result) => take_down(result, &mut heard).await,
            Err(error) => Err(error),
        }
    };
    match ran {
        Ok(()) => {}
        Err(Error::Server(error)) => heard.add(
            Aspect::Error,
            format!("{} ({}): {}", error.code, error.state, error.message),
        ),
        Err(error) => return Err(error.into()),
    }
    if with_warnings {
        let shown: Vec<Row> = conn.query("SHOW WARNINGS").await?;
        for row in shown {
            heard.add(Aspect::Warnings, text_of(&row));
        }
    }
    Ok(heard)
}

/// Takes down every result of a statement.
async fn take_down<P: Protocol>(mut result: QueryResult<'_, '_, P>, heard: &mut Heard) -> Result<(), Error> {
    loop {
        let columns = result.columns().filter(|columns| !columns.is_empty());
        let rows: Vec<Row> = result.collect().await?;
        match columns {
            Some(columns) => {
                heard.add(
                    Aspect::Rows,
                    columns.iter().map(described).collect::<Vec<_>>().join(" | "),
                );
                for row in &rows {
                    heard.add(Aspect::Rows, text_of(row));
                }
                heard.add(Aspect::Rows, format!("{} warnings", result.warnings()));
            }
            None => heard.add(
                Aspect::Ok,
                format!(
                    "{} affected, id {:?}, {} warnings, {:?}",
                    result.affected_rows(),
                    result.last_insert_id(),
                    result.warnings(),
                    result.info()
                ),
            ),
        }
        if result.is_empty() {
            return Ok(());
        }
    }
}

fn described(column: &Column) -> String {
    format!(
        "{}.{} ({}.{}) {:?}({}) {} {:?} {}",
        column.table_str(),
        column.name_str(),
        column.org_table_str(),
        column.org_name_str(),
        column.column_type(),
        column.column_length(),
        column.character_set(),
        column.flags(),
        column.decimals()
    )
}

/// A row in one line.
pub(super) fn text_of(row: &Row) -> String {
    let cell = |at: usize| match row.as_ref(at) {
        Some(Value::NULL) | None => "NULL".to_owned(),
        Some(Value::Bytes(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => format!("'{text}'"),
            Err(_) => format!("{bytes:x?}"),
        },
        Some(value) => value.as_sql(true),
    };
    (0..row.len()).map(cell).collect::<Vec<_>>().join(", ")
}
