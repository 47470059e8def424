//! A failing case is made smaller as long as it fails, and in the same way: it would end at the commonest failure else.

use std::time::{Duration, Instant};

use crate::case::Case;
use crate::lane::Lane;
use crate::play::{Verdict, play};

/// How long a case is made smaller.
const SHRINKING: Duration = Duration::from_secs(90);
/// With writers, a smaller case may fail by chance only.
const TRIES: u32 = 3;

/// The smallest case that was found to fail, and how it failed.
pub(crate) async fn shrink(lane: &Lane, case: Case, difference: String) -> (Case, String) {
    let started = Instant::now();
    let mut smallest = (case, difference);
    let mut place = 0;
    let mut since_smaller = 0;
    while started.elapsed() < SHRINKING {
        let candidates = smaller(&smallest.0);
        if candidates.is_empty() || since_smaller >= candidates.len() {
            break;
        }
        let candidate = candidates[place % candidates.len()].clone();
        match fails(lane, &candidate, &kind(&smallest.1)).await {
            Some(difference) => {
                smallest = (candidate, difference);
                since_smaller = 0;
                // The list is shorter now; what stood behind has moved here.
            }
            None => {
                place += 1;
                since_smaller += 1;
            }
        }
    }
    smallest
}

/// In what way a case fails: the words before the first detail, and the errors.
fn kind(difference: &str) -> String {
    let is_detail = |c: char| c == '(' || c.is_ascii_digit();
    let words = difference.split(is_detail).next().unwrap_or_default();
    let errors = difference.split("code: ").skip(1);
    let errors = errors.filter_map(|rest| rest.split(',').next());
    format!("{words} {}", errors.collect::<Vec<_>>().join(" "))
}

async fn fails(lane: &Lane, case: &Case, wanted: &str) -> Option<String> {
    let tries = if case.transactions.is_empty() { 1 } else { TRIES };
    for _ in 0..tries {
        if let Ok(Verdict::Different(difference)) = play(lane, &case.script()).await
            && kind(&difference) == wanted
        {
            return Some(difference);
        }
    }
    None
}

/// The case with less in it, in every way there is; big steps first.
fn smaller(case: &Case) -> Vec<Case> {
    let mut out = Vec::new();
    let mut with = |change: &dyn Fn(&mut Case)| {
        let mut smaller = case.clone();
        change(&mut smaller);
        out.push(smaller);
    };
    if !case.transactions.is_empty() {
        with(&|case| case.transactions.clear());
    }
    halves(case.transactions.len(), &mut |range| {
        with(&|case| drop(case.transactions.drain(range.clone())))
    });
    halves(case.table.rows.len(), &mut |range| {
        with(&|case| drop(case.table.rows.drain(range.clone())))
    });
    for at in 0..case
        .clauses
        .len()
        .min(if case.clauses.len() > 1 { usize::MAX } else { 0 })
    {
        with(&|case| drop(case.clauses.remove(at)));
    }
    for at in 0..case.session.len() {
        with(&|case| drop(case.session.remove(at)));
    }
    for at in 0..case.writer.len() {
        with(&|case| drop(case.writer.remove(at)));
    }
    for at in 0..case.table.keys.len() {
        with(&|case| drop(case.table.keys.remove(at)));
    }
    for at in 0..case.table.options.len() {
        with(&|case| drop(case.table.options.remove(at)));
    }
    for at in 0..case.table.columns.len() {
        with(&|case| without_column(case, at));
    }
    for (at, statements) in case.transactions.iter().enumerate() {
        for statement in 0..statements.len() {
            with(&|case| drop(case.transactions[at].remove(statement)));
        }
    }
    for (at, column) in case.table.columns.iter().enumerate() {
        if !column.attributes.is_empty() {
            with(&|case| case.table.columns[at].attributes.clear());
        }
    }
    if case.pause_millis > 0 {
        with(&|case| case.pause_millis = 0);
    }
    out
}

/// Halves, quarters, … and single ones of `length` things, the last ones first.
fn halves(length: usize, take: &mut dyn FnMut(std::ops::Range<usize>)) {
    let mut size = length.div_ceil(2);
    let mut offered = 0;
    while size > 0 && offered < 60 {
        let mut end = length;
        while end > 0 && offered < 60 {
            take(end.saturating_sub(size)..end);
            end = end.saturating_sub(size);
            offered += 1;
        }
        size /= 2;
    }
}

fn without_column(case: &mut Case, at: usize) {
    let cell = case.table.columns[..at]
        .iter()
        .filter(|column| column.takes_values())
        .count();
    if case.table.columns[at].takes_values() {
        for row in &mut case.table.rows {
            if cell < row.len() {
                row.remove(cell);
            }
        }
    }
    let name = crate::names::quoted(&case.table.columns[at].name);
    case.table.columns.remove(at);
    case.table.primary.retain(|part| *part != name);
}
