//! How a source value is selected, so that storing it in the ghost gives what the server's own ALTER makes of it.
//!
//! # Why plain columns are not enough
//! A server's ALTER and its `INSERT … SELECT` convert some pairs of types by different code. Measured on MySQL 9.7
//! and MariaDB 11.8, with the selected column alone:
//! - FLOAT, DOUBLE to text: INSERT widens a FLOAT first (`1.2345000505447388`) and shortens what is too long, ALTER
//!   stores the text the column shows, or refuses it.
//! - text to BIT: INSERT takes the bytes, ALTER the number.
//! - MySQL, JSON to a number: INSERT reads the JSON value (`true` is 1), ALTER its text.
//! - MySQL, an integer to JSON: INSERT refuses it, ALTER makes it the JSON number.
//! - MariaDB, text to a shorter TEXT, or BLOB to a shorter BLOB: INSERT silently keeps the length modulo 256 or
//!   65536, ALTER truncates and says so.
//! - MariaDB, text to an integer: INSERT rounds `1.5` to 2, ALTER takes the leading 1 and warns.

use crate::session::SessionSettings;
use crate::table::Column;
use crate::{Flavor, Refusal};

/// The term whose value is to be stored in `ghost`; `name` is the source column, qualified.
pub(crate) fn value(flavor: Flavor, source: &Column, ghost: &Column, name: &str) -> String {
    let (from, to) = (source.data_type.as_str(), ghost.data_type.as_str());
    let maria = flavor == Flavor::MariaDb;
    if matches!(from, "float" | "double") && is_text(to) {
        return format!("CAST({name} AS CHAR)");
    }
    if to == "bit" && is_text(from) {
        return format!("CAST({name} AS SIGNED)");
    }
    if !maria && from == "json" && is_number(to) {
        return format!("CAST({name} AS CHAR CHARACTER SET utf8mb4)");
    }
    if !maria && to == "json" && is_integer(from) {
        return format!("CAST({name} AS JSON)");
    }
    if maria && from != to && shortens_silently(from, to) {
        return format!("COALESCE({name})");
    }
    if maria && is_text(from) && is_integer(to) {
        // Where the two differ. A longer row of digits does not fit the CAST, which would wrap it.
        return format!("IF({name} REGEXP '^[^.eE]{{0,18}}[.eE]', CAST({name} AS SIGNED), {name})");
    }
    name.to_owned()
}

/// Types whose conversions into each other were compared with ALTER's.
const MEASURED: [&str; 29] = [
    "tinyint",
    "smallint",
    "mediumint",
    "int",
    "bigint",
    "decimal",
    "float",
    "double",
    "bit",
    "year",
    "date",
    "time",
    "datetime",
    "timestamp",
    "char",
    "varchar",
    "tinytext",
    "text",
    "mediumtext",
    "longtext",
    "binary",
    "varbinary",
    "tinyblob",
    "blob",
    "mediumblob",
    "longblob",
    "enum",
    "set",
    "json",
];

/// Whether storing the values of `source` in `ghost` gives what the server's own ALTER makes of them.
///
/// # Errors
/// Why it may not.
pub(crate) fn check(
    flavor: Flavor,
    source: &Column,
    ghost: &Column,
    settings: &SessionSettings,
) -> Result<(), Refusal> {
    let (from, to) = (source.data_type.as_str(), ghost.data_type.as_str());
    let maria = flavor == Flavor::MariaDb;
    let lax = !settings.sql_mode.contains("STRICT_");
    let measured = from == to || (MEASURED.contains(&from) && MEASURED.contains(&to));
    let fills_nulls = lax && source.nullable && !ghost.nullable;
    let differs = !measured
        || converts_otherwise(maria, from, to)
        // The present time, in strict modes too where the table is copied: INSERT stores a zero, or another present time.
        || (to == "timestamp" && source.nullable && !ghost.nullable)
        // The empty value: INSERT stores the first member.
        || (fills_nulls && maria && matches!(to, "enum" | "json" | "longtext"))
        // In place, MariaDB fills in the default the column had; INSERT knows none.
        || (fills_nulls && maria && source.default.is_some())
        // ALTER keeps the spaces that such a session sees.
        || (from == "char" && to != "char" && settings.sql_mode.contains("PAD_CHAR_TO_FULL_LENGTH"))
        // Beyond the range of TIME, ALTER stores zero and INSERT the greatest value.
        || (!maria && lax && is_number(from) && to == "time")
        // Digits beyond BIGINT: ALTER stops at the signed limit.
        || (maria && is_text(from) && to == "bigint" && ghost.column_type.contains("unsigned"));
    if differs {
        return Err(Refusal(format!(
            "only the server's own ALTER is known to convert {} from {} to {} as it does",
            source.name, source.column_type, ghost.column_type
        )));
    }
    Ok(())
}

/// Whether some values come out otherwise, or are refused by only one of the two, whatever the session's settings.
///
/// Measured with edge values of every type against every other one: a YEAR 0 is `0000` to ALTER and 0 to INSERT, and the
/// same goes on for dates, members and bytes; a FLOAT is widened, a fraction cut off instead of rounded; bytes become a
/// BIT as they are instead of as a number, a zero date as text. On MySQL a number becomes the member of that text by ALTER
/// and the member of that number by INSERT, a date's year is taken only by INSERT, and 0 is a date only to INSERT. MariaDB
/// keeps the length of a text in a short BLOB modulo 256.
fn converts_otherwise(maria: bool, from: &str, to: &str) -> bool {
    if from == to {
        return false;
    }
    let member = matches!(to, "enum" | "set");
    let day = matches!(to, "date" | "datetime" | "timestamp");
    match from {
        "year" => !is_number(to),
        "float" if to == "bigint" => true,
        "float" | "double" => !is_number(to) && !is_text(to),
        "decimal" => member || (!maria && (day || matches!(to, "bit" | "json"))),
        "date" if to == "year" => !maria,
        // The day is the present one, of the session and of the moment.
        "time" if day => true,
        "date" | "time" | "datetime" | "timestamp" => to == "bit",
        "json" => !maria && !is_text(to) && !matches!(to, "float" | "double") && !is_integer(to),
        _ if is_integer(from) => !maria && (member || day),
        _ if is_bytes(from) => to == "bit",
        _ if maria && is_text(from) => matches!(to, "tinyblob" | "blob"),
        _ => !maria && from.ends_with("text") && to == "bit",
    }
}

fn is_bytes(data_type: &str) -> bool {
    matches!(data_type, "binary" | "varbinary") || data_type.ends_with("blob")
}

/// Whether the type holds characters of any value.
pub(crate) fn is_text(data_type: &str) -> bool {
    matches!(data_type, "char" | "varchar") || data_type.ends_with("text")
}

/// Whether the type is one of the INTs.
pub(crate) fn is_integer(data_type: &str) -> bool {
    matches!(data_type, "tinyint" | "smallint" | "mediumint" | "int" | "bigint")
}

fn is_number(data_type: &str) -> bool {
    is_integer(data_type) || matches!(data_type, "decimal" | "float" | "double")
}

fn shortens_silently(from: &str, to: &str) -> bool {
    let binary = |name: &str| name.ends_with("blob") || name == "varbinary";
    (is_text(from) && to.ends_with("text")) || (binary(from) && to.ends_with("blob"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ident;

    fn column(data_type: &str, nullable: bool) -> Column {
        Column {
            name: Ident::new("c"),
            data_type: data_type.to_owned(),
            column_type: data_type.to_owned(),
            charset: None,
            collation: None,
            nullable,
            generated: None,
            auto_increment: false,
            default: None,
            computed_default: false,
        }
    }

    #[test]
    fn only_known_conversions_are_made() {
        let check_in = |mode: &str, flavor, from: &Column, to: &Column, online: bool| {
            let settings = SessionSettings {
                sql_mode: mode.to_owned(),
                time_zone: "+00:00".to_owned(),
                character_set_client: "utf8mb4".to_owned(),
                collation_connection: "utf8mb4_general_ci".to_owned(),
                foreign_key_checks: true,
            };
            assert_eq!(
                check(flavor, from, to, &settings).is_ok(),
                online,
                "{from:?} {to:?}"
            );
        };
        let strict = "STRICT_TRANS_TABLES";
        let (null, not_null) = (column("timestamp", true), column("timestamp", false));
        check_in(strict, Flavor::MySql, &null, &not_null, false);
        check_in("", Flavor::MySql, &null, &not_null, false);
        check_in(strict, Flavor::MariaDb, &null, &not_null, false);
        check_in(
            "",
            Flavor::MariaDb,
            &column("int", true),
            &column("bigint", false),
            true,
        );
        check_in(
            strict,
            Flavor::MariaDb,
            &column("uuid", true),
            &column("uuid", true),
            true,
        );
        let (char, text) = (column("char", true), column("text", true));
        check_in("PAD_CHAR_TO_FULL_LENGTH", Flavor::MySql, &char, &text, false);
        check_in(strict, Flavor::MySql, &char, &text, true);
        let mut with_default = column("int", true);
        with_default.default = Some("7".to_owned());
        let not_null = column("int", false);
        check_in("", Flavor::MariaDb, &with_default, &not_null, false);
        check_in(strict, Flavor::MariaDb, &with_default, &not_null, true);
        check_in("", Flavor::MySql, &with_default, &not_null, true);
        check_in(
            strict,
            Flavor::MariaDb,
            &column("uuid", true),
            &column("char", true),
            false,
        );
        check_in(
            strict,
            Flavor::MySql,
            &column("geometry", true),
            &column("text", true),
            false,
        );
        for (flavor, from, to, online) in [
            (Flavor::MariaDb, "year", "char", false),
            (Flavor::MySql, "year", "enum", false),
            (Flavor::MySql, "year", "int", true),
            (Flavor::MySql, "year", "year", true),
            (Flavor::MariaDb, "float", "varbinary", false),
            (Flavor::MariaDb, "float", "bigint", false),
            (Flavor::MySql, "float", "double", true),
            (Flavor::MySql, "double", "json", false),
            (Flavor::MySql, "int", "json", true),
            (Flavor::MySql, "int", "enum", false),
            (Flavor::MariaDb, "int", "enum", true),
            (Flavor::MySql, "bigint", "date", false),
            (Flavor::MySql, "int", "varchar", true),
            (Flavor::MySql, "decimal", "timestamp", false),
            (Flavor::MySql, "date", "year", false),
            (Flavor::MariaDb, "date", "year", true),
            (Flavor::MySql, "json", "decimal", false),
            (Flavor::MySql, "json", "int", true),
            (Flavor::MySql, "longtext", "bit", false),
            (Flavor::MySql, "char", "bit", true),
            (Flavor::MariaDb, "decimal", "set", false),
            (Flavor::MariaDb, "datetime", "bit", false),
            (Flavor::MySql, "time", "datetime", false),
            (Flavor::MariaDb, "time", "date", false),
            (Flavor::MySql, "datetime", "time", true),
            (Flavor::MariaDb, "blob", "bit", false),
            (Flavor::MariaDb, "varchar", "tinyblob", false),
            (Flavor::MySql, "varchar", "tinyblob", true),
            (Flavor::MariaDb, "varchar", "longblob", true),
        ] {
            check_in(strict, flavor, &column(from, true), &column(to, true), online);
        }
    }
}
