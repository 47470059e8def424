//! Settings of the sessions.

use alterego_testkit::Flavor;
use rand::rngs::StdRng;

use crate::literal::{chance, one};

/// What each session begins with, so that the present moment is the same in both plays.
pub(crate) const FIRST: &str = "SET NAMES utf8mb4, timestamp = 1700000000";

/// Settings of the session that sends the ALTER.
pub(crate) fn of_alter(rng: &mut StdRng, flavor: Flavor) -> Vec<String> {
    let mut settings = vec![format!("SET sql_mode = '{}'", sql_mode(rng))];
    let mut maybe = |percent, choices: &[&str]| {
        if chance(rng, percent) {
            settings.push(format!("SET {}", one(rng, choices)));
        }
    };
    maybe(40, TIME_ZONES);
    maybe(
        15,
        &[
            "NAMES utf8mb4 COLLATE utf8mb4_bin",
            "NAMES utf8mb4 COLLATE utf8mb4_unicode_ci",
            "NAMES utf8mb3",
            "NAMES latin1",
        ],
    );
    maybe(10, &["foreign_key_checks = 0", "unique_checks = 0"]);
    maybe(
        8,
        &[
            "character_set_connection = latin1",
            "collation_connection = utf8mb4_bin",
        ],
    );
    maybe(
        5,
        &[
            "max_error_count = 2",
            "max_error_count = 0",
            "sql_notes = 0",
            "sql_warnings = 1",
        ],
    );
    maybe(
        6,
        &["innodb_strict_mode = 0", "sql_safe_updates = 1", "autocommit = 0"],
    );
    maybe(
        6,
        &[
            "TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "SESSION TRANSACTION READ ONLY",
            "div_precision_increment = 2",
        ],
    );
    match flavor {
        Flavor::MySql => {
            maybe(
                6,
                &[
                    "sql_generate_invisible_primary_key = 1",
                    "show_gipk_in_create_table_and_information_schema = 0",
                    "sql_require_primary_key = 1",
                ],
            );
            maybe(
                6,
                &[
                    "explicit_defaults_for_timestamp = 0",
                    "default_collation_for_utf8mb4 = utf8mb4_general_ci",
                    "print_identified_with_as_hex = 1",
                ],
            );
            maybe(
                3,
                &[
                    "default_table_encryption = 0",
                    "sql_quote_show_create = 0",
                    "binlog_row_image = minimal",
                ],
            );
        }
        Flavor::MariaDb => {
            maybe(
                6,
                &[
                    "explicit_defaults_for_timestamp = 0",
                    "character_set_collations = 'utf8mb4=utf8mb4_bin'",
                    "check_constraint_checks = 0",
                ],
            );
            maybe(
                4,
                &[
                    "alter_algorithm = DEFAULT",
                    "sql_quote_show_create = 0",
                    "old_mode = ''",
                    "binlog_row_image = minimal",
                ],
            );
        }
    }
    // What is heard is read as UTF-8.
    settings.push("SET character_set_results = utf8mb4".to_owned());
    settings
}

/// Settings of the session that writes meanwhile.
pub(crate) fn of_writer(rng: &mut StdRng, flavor: Flavor) -> Vec<String> {
    let mut settings = vec![format!(
        "SET sql_mode = '{}'",
        sql_mode(rng).replace("ANSI_QUOTES,", "")
    )];
    let mut maybe = |percent, choices: &[&str]| {
        if chance(rng, percent) {
            settings.push(format!("SET {}", one(rng, choices)));
        }
    };
    maybe(30, TIME_ZONES);
    maybe(
        50,
        &[
            "binlog_row_image = minimal",
            "binlog_row_image = noblob",
            "binlog_row_image = full",
        ],
    );
    maybe(
        40,
        &[
            "SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        ],
    );
    maybe(8, &["auto_increment_increment = 3", "foreign_key_checks = 0"]);
    if flavor == Flavor::MySql {
        maybe(
            20,
            &[
                "binlog_row_value_options = PARTIAL_JSON",
                "binlog_transaction_compression = 1",
                "binlog_rows_query_log_events = 1",
            ],
        );
    }
    settings
}

const TIME_ZONES: &[&str] = &[
    "time_zone = '+05:30'",
    "time_zone = '-08:00'",
    "time_zone = 'SYSTEM'",
    "time_zone = '+00:00'",
];

fn sql_mode(rng: &mut StdRng) -> String {
    let strictness: &str = one(
        rng,
        &[
            "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
            "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION",
            "STRICT_TRANS_TABLES",
            "STRICT_ALL_TABLES",
            "",
            "",
            "NO_ZERO_DATE",
            "ALLOW_INVALID_DATES",
            "STRICT_ALL_TABLES,ALLOW_INVALID_DATES",
        ],
    );
    let mut modes: Vec<&str> = strictness.split(',').filter(|mode| !mode.is_empty()).collect();
    for mode in [
        "ANSI_QUOTES",
        "NO_AUTO_VALUE_ON_ZERO",
        "PAD_CHAR_TO_FULL_LENGTH",
        "NO_UNSIGNED_SUBTRACTION",
    ] {
        if chance(rng, 6) {
            modes.push(mode);
        }
    }
    modes.join(",")
}
