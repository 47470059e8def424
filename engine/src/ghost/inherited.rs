//! A table's definition as it can be given to the server again without a change.
//!
//! MySQL remembers of each column whether its character set was given or inherited from the table. `SHOW CREATE TABLE`
//! shows a given one as `CHARACTER SET c COLLATE o`; an inherited one not at all, or, where the table's collation is not
//! the default of its character set, as `COLLATE o` alone. That text, executed, gives the column its character set, and
//! the next `SHOW CREATE TABLE` shows the difference. So a `COLLATE` that stands alone is left out: the column inherits
//! again what it inherited before. MariaDB remembers nothing of the kind.

/// `create`, as MySQL shows it, without the collations that columns inherit from the table.
pub(super) fn without_inherited_collations(create: &str) -> String {
    // Line breaks in names and texts are shown escaped, so each column has a line of its own.
    let lines: Vec<String> = create.split('\n').map(without_inherited_collation).collect();
    lines.join("\n")
}

fn without_inherited_collation(line: &str) -> String {
    let at = |rest: &str| line.len() - rest.len();
    let collation = behind_type(line).and_then(|rest| {
        let name = rest.strip_prefix(" COLLATE ")?;
        let end = name.find([' ', ',']).unwrap_or(name.len());
        Some((at(rest), at(name) + end))
    });
    match collation {
        Some((from, to)) => {
            let part = |range: std::ops::Range<usize>| line.get(range).unwrap_or_default();
            format!("{}{}", part(0..from), part(to..line.len()))
        }
        None => line.to_owned(),
    }
}

/// What follows the type in a column's line.
fn behind_type(line: &str) -> Option<&str> {
    let rest = behind_quoted(line.strip_prefix("  `")?, '`')?.strip_prefix(' ')?;
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
    match rest.strip_prefix('(') {
        Some(inside) => behind_parentheses(inside),
        None => Some(rest),
    }
}

fn behind_parentheses(mut rest: &str) -> Option<&str> {
    loop {
        let next = rest.find(['\'', ')'])?;
        let (found, behind) = (rest.get(next..=next)?, rest.get(next + 1..)?);
        match found {
            ")" => return Some(behind),
            _ => rest = behind_quoted(behind, '\'')?,
        }
    }
}

/// What follows the quote that ends a name or a text; one inside is doubled.
fn behind_quoted(mut rest: &str, quote: char) -> Option<&str> {
    loop {
        let (_, behind) = rest.split_once(quote)?;
        match behind.strip_prefix(quote) {
            Some(more) => rest = more,
            None => return Some(behind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_collations_that_stand_alone_are_left_out() {
        let check = |line: &str, expected: &str| assert_eq!(without_inherited_collation(line), expected);
        let same = |line: &str| check(line, line);
        check(
            "  `a` varchar(9) COLLATE utf8mb4_general_ci NOT NULL,",
            "  `a` varchar(9) NOT NULL,",
        );
        check("  `a` text COLLATE utf8mb4_general_ci,", "  `a` text,");
        check("  `a` text COLLATE utf8mb4_general_ci", "  `a` text");
        check(
            "  `a``b` enum('x)','it''s (') COLLATE utf8mb4_bin DEFAULT 'x)',",
            "  `a``b` enum('x)','it''s (') DEFAULT 'x)',",
        );
        same("  `a` varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL,");
        same("  `a` int NOT NULL COMMENT ' COLLATE x',");
        same("  `a` enum(' COLLATE x') NOT NULL,");
        same("  `v` varchar(9) CHARACTER SET latin1 GENERATED ALWAYS AS ((`a` COLLATE latin1_bin)) VIRTUAL,");
        same("  KEY `k` (`a`),");
        same(") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci");
        same("  `a");
        same("  `a` enum('");
    }
}
