//! What the demo says at its end.

use std::time::Duration;

use super::definition::Verdict;
use super::{Args, Findings};
use crate::table::{self, duration, thousands};

/// A pause that nobody would notice on an otherwise idle machine.
const NOTICEABLE: Duration = Duration::from_millis(100);

/// Prints the table; returns what is off, nothing if all is well.
pub(super) fn print(args: &Args, findings: &Findings) -> Vec<String> {
    table::print(false, &rows(findings));
    for error in findings.outcome.errors.iter().take(10) {
        println!("  error: {error}");
    }
    if let Verdict::Wrong(text) = &findings.definition {
        println!("  the definition is wrong: {text}");
    }
    if findings.stalls.longest() > NOTICEABLE {
        println!(
            "  the longest stall is more than {}; was the machine busy?",
            duration(NOTICEABLE)
        );
    }
    wrong(args, findings)
}

fn rows(findings: &Findings) -> Vec<Vec<String>> {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let outcome = &findings.outcome;
    let stall = |stall: &alterego_testkit::Stall| {
        format!("{}  ({})", duration(stall.duration), short(&stall.statement))
    };
    let during = findings
        .stalls
        .phases()
        .map(|(phase, longest)| row(&format!("… {phase}"), stall(longest)));
    let before = vec![
        row("ALTER TABLE took", duration(findings.answer.took)),
        row("the client's answer", findings.answer.line.clone()),
        row("rows", thousands(findings.rows)),
        row(
            "changes applied",
            findings
                .changes_applied
                .map_or_else(|| "not told".to_owned(), thousands),
        ),
        row("statements of the workload", thousands(outcome.statements)),
        row("rows it changed", thousands(outcome.changes)),
        row("errors it saw", thousands(outcome.errors.len() as u64)),
        row("longest stall", duration(findings.stalls.longest())),
        row("… before the ALTER", stall(&findings.stall_before)),
    ];
    let after = vec![
        row("every row as expected", findings.rows_difference.to_string()),
        row(
            "definition",
            match &findings.definition {
                Verdict::Native => "as the server's own ALTER leaves it".to_owned(),
                Verdict::Wrong(_) => "WRONG, see below".to_owned(),
            },
        ),
    ];
    before.into_iter().chain(during).chain(after).collect()
}

fn wrong(args: &Args, findings: &Findings) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |right: bool, text: &str| {
        if !right {
            wrong.push(text.to_owned());
        }
    };
    let outcome = &findings.outcome;
    check(outcome.errors.is_empty(), "the workload saw errors");
    check(outcome.changes > 0, "the workload changed nothing");
    check(findings.rows_difference.is_none(), "the rows are not as expected");
    check(
        findings.definition == Verdict::Native,
        "the definition is not the native one",
    );
    check(
        affected(&findings.answer.line) > Some(0),
        "the client's answer is not that of a rebuild",
    );
    check(
        args.direct || findings.migration.is_some(),
        "SHOW MIGRATIONS never showed the migration",
    );
    wrong
}

/// The number in `Query OK, 1000 rows affected (2.34 sec)`.
fn affected(line: &str) -> Option<u64> {
    line.strip_prefix("Query OK, ")?.split(' ').next()?.parse().ok()
}

fn short(statement: &str) -> String {
    let words: Vec<&str> = statement.split_whitespace().take(3).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affected_rows_are_read_from_the_client() {
        let check = |line: &str, expected| assert_eq!(affected(line), expected, "{line}");
        check("Query OK, 1008000 rows affected (12.34 sec)", Some(1_008_000));
        check("Query OK, 0 rows affected (0.01 sec)", Some(0));
        check("no answer", None);
    }
}
