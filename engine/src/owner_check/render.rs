//! A check as a statement about one table.

use super::grammar::{Expr, Query};
use crate::ident::quoted_text;
use crate::{Ident, TableName};

/// A table to put a check to.
pub(super) struct Target<'a> {
    /// The table.
    pub(super) table: &'a TableName,
    /// The index it is read by: in one order on both tables, so that sums of DOUBLEs come out the same.
    pub(super) index: &'a Ident,
    /// The name the table has for a column of the source.
    pub(super) column: &'a dyn Fn(&Ident) -> Option<Ident>,
}

/// The statement; the column that the table has not, otherwise. At most `rows_max` rows come.
pub(super) fn statement(query: &Query, target: &Target<'_>, rows_max: usize) -> Result<String, Ident> {
    let mut sql = format!(
        "SELECT {} FROM {} FORCE INDEX ({})",
        list(&query.select, target)?,
        target.table,
        target.index
    );
    if let Some(filter) = &query.filter {
        sql.push_str(&format!(" WHERE {}", expression(filter, target)?));
    }
    if !query.group.is_empty() {
        sql.push_str(&format!(" GROUP BY {}", list(&query.group, target)?));
    }
    sql.push_str(&format!(" LIMIT {rows_max}"));
    Ok(sql)
}

fn list(expressions: &[Expr], target: &Target<'_>) -> Result<String, Ident> {
    let written: Result<Vec<String>, Ident> = expressions.iter().map(|e| expression(e, target)).collect();
    Ok(written?.join(", "))
}

fn expression(expr: &Expr, target: &Target<'_>) -> Result<String, Ident> {
    let of = |expr: &Expr| expression(expr, target);
    Ok(match expr {
        Expr::Number(digits) => digits.clone(),
        Expr::Text(text) => quoted_text(text),
        Expr::Constant(word) => (*word).to_owned(),
        Expr::Column(name) => {
            let there = (target.column)(name).ok_or_else(|| name.clone())?;
            format!("{}.{there}", target.table)
        }
        Expr::Prefix(operator, value) => format!("({operator} {})", of(value)?),
        Expr::Postfix(value, operator) => format!("({} {operator})", of(value)?),
        Expr::Infix(left, operator, right) => format!("({} {operator} {})", of(left)?, of(right)?),
        Expr::In(value, operator, values) => {
            format!("({} {operator} ({}))", of(value)?, list(values, target)?)
        }
        Expr::Between(value, operator, from, to) => {
            format!("({} {operator} {} AND {})", of(value)?, of(from)?, of(to)?)
        }
        Expr::Call {
            function,
            distinct,
            arguments,
        } => {
            let distinct = if *distinct { "DISTINCT " } else { "" };
            format!("{function}({distinct}{})", list(arguments, target)?)
        }
        Expr::CountRows => "COUNT(*)".to_owned(),
        Expr::Case(arms, otherwise) => {
            let mut sql = "CASE".to_owned();
            for (condition, value) in arms {
                sql.push_str(&format!(" WHEN {} THEN {}", of(condition)?, of(value)?));
            }
            if let Some(value) = otherwise {
                sql.push_str(&format!(" ELSE {}", of(value)?));
            }
            format!("({sql} END)")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::grammar::parse;
    use super::*;

    #[test]
    fn a_check_is_written_anew() {
        let check = |text: &str, expected: &str| {
            let table = TableName::new("s", "t");
            let target = Target {
                table: &table,
                index: &Ident::new("PRIMARY"),
                column: &|name| (name.as_str() != "gone").then(|| name.clone()),
            };
            let written = match parse(text) {
                Ok(query) => statement(&query, &target, 9).map_err(|column| format!("no {column}")),
                Err(why) => Err(why),
            };
            let shown = written.unwrap_or_else(|why| why);
            let around = "FROM `s`.`t` FORCE INDEX (`PRIMARY`)";
            assert_eq!(
                shown
                    .replace(around, "FROM {table}")
                    .replace("`s`.`t`.", "")
                    .replace(" LIMIT 9", ""),
                expected
            );
        };
        check("select sum(a) from {table}", "SELECT SUM(`a`) FROM {table}");
        check(
            "SELECT COUNT(*), COUNT(DISTINCT a) AS n FROM { TABLE }",
            "SELECT COUNT(*), COUNT(DISTINCT `a`) FROM {table}",
        );
        check(
            "SELECT a+b*-c-1.5 FROM {table}",
            "SELECT ((`a` + (`b` * (- `c`))) - 1.5) FROM {table}",
        );
        check(
            "SELECT 1 FROM {table} WHERE NOT a IS NULL AND b IS NOT NULL OR c NOT IN (1, 'x') AND d LIKE 'it''s%'",
            "SELECT 1 FROM {table} WHERE (((NOT (`a` IS NULL)) AND (`b` IS NOT NULL)) OR ((`c` NOT IN (1, 'x')) AND (`d` LIKE _utf8mb4 X'6974277325')))",
        );
        check(
            "SELECT a, SUM(CASE WHEN b BETWEEN 1 AND 2 THEN b ELSE 0 END) FROM {table} WHERE a <=> b GROUP BY a, c DIV 2",
            "SELECT `a`, SUM((CASE WHEN (`b` BETWEEN 1 AND 2) THEN `b` ELSE 0 END)) FROM {table} WHERE (`a` <=> `b`) GROUP BY `a`, (`c` DIV 2)",
        );
        check(
            "SELECT `from`, `a``b` FROM {table}",
            "SELECT `from`, `a``b` FROM {table}",
        );
        check("SELECT SUM(gone) FROM {table}", "no `gone`");
    }
}
