//! A table's definition as text: its lines, and whether two are the same.

/// The lines of `SHOW CREATE TABLE`; each that defines something is a clause of ADD or MODIFY.
pub(crate) fn definition_lines(create: &str) -> impl Iterator<Item = &str> {
    create.lines().map(|line| line.trim().trim_end_matches(','))
}

/// Whether two `SHOW CREATE TABLE` texts describe the same table: its AUTO_INCREMENT counter moves with inserts.
pub fn same_definition(one: &str, other: &str) -> bool {
    without_counter(one) == without_counter(other)
}

fn without_counter(create: &str) -> String {
    let Some((before, rest)) = create.rsplit_once(" AUTO_INCREMENT=") else {
        return create.to_owned();
    };
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_no_part_of_the_definition() {
        let check = |one: &str, other: &str, same: bool| assert_eq!(same_definition(one, other), same);
        check(
            "x) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT",
            "x) ENGINE=InnoDB DEFAULT",
            true,
        );
        check(
            "x) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT",
            "x) ENGINE=InnoDB AUTO_INCREMENT=66 DEFAULT",
            true,
        );
        check("x) ENGINE=InnoDB DEFAULT", "y) ENGINE=InnoDB DEFAULT", false);
    }
}
