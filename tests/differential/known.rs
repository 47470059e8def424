//! What may differ between alterego's ALTER and the server's own, each rule with its reason.

use alterego_testkit::Flavor;

use crate::case::Script;
use crate::outcome::Outcome;

/// What differs in the answers to the ALTER, and is not known to.
pub(crate) fn difference(
    flavor: Flavor,
    script: &Script,
    ours: &Outcome,
    native: &Outcome,
) -> Option<String> {
    let quiet = script.transactions.is_empty();
    let equal = match (ours, native) {
        (Outcome::Ok { .. }, Outcome::Ok { .. }) => {
            let (ours, native) = (normal(flavor, ours, quiet), normal(flavor, native, quiet));
            ours == native
        }
        (Outcome::Err { .. }, Outcome::Err { .. }) => {
            let (ours, native) = (normal(flavor, ours, quiet), normal(flavor, native, quiet));
            ours == native
        }
        _ => false,
    };
    (!equal).then(|| format!("the ALTER is answered otherwise\n  ours:   {ours:?}\n  native: {native:?}"))
}

fn normal(_flavor: Flavor, outcome: &Outcome, quiet: bool) -> Outcome {
    // An error packet holds one line; further lines that some servers add behind an error are not told.
    let mut outcome = outcome.clone().error_alone();
    // Of several duplicates, the one that is named depends on the order in which chunks are copied.
    outcome = outcome.map_texts(|text| match text.rsplit_once("' for key '") {
        Some((_, key)) if text.starts_with("Duplicate entry '") => format!("Duplicate entry for key '{key}"),
        _ => text,
    });
    if quiet {
        return outcome;
    }
    // Rows come and go while the table is copied: how many were counted, and what was remarked on those that were read
    // before they changed, is of another moment than the swap.
    match &mut outcome {
        Outcome::Ok {
            affected,
            info,
            warnings,
            shown,
        } => {
            *affected = u64::from(*affected > 0);
            info.clear();
            *warnings = 0;
            shown.clear();
        }
        Outcome::Err { message, shown, .. } => {
            *message = without_numbers(message);
            shown.clear();
        }
    }
    outcome
}

/// The place of a row moves with the rows before it.
fn without_numbers(message: &str) -> String {
    match message.rsplit_once(" at row ") {
        Some((head, _)) => head.to_owned(),
        None => message.to_owned(),
    }
}
