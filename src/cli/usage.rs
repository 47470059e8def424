//! clap's errors, brought down to one line.
//!
//! # Invariant
//! A server's URL among the arguments may hold a password, and clap repeats arguments: everything between `://`
//! and the last `@` of a word is masked before the line leaves this file.

/// The first paragraph of clap's message, in one line.
pub(crate) fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraph: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let line = paragraph.join(" ");
    masked(line.strip_prefix("error: ").unwrap_or(&line))
}

fn masked(line: &str) -> String {
    line.split(' ').map(masked_word).collect::<Vec<_>>().join(" ")
}

fn masked_word(word: &str) -> String {
    match (word.split_once("://"), word.rsplit_once('@')) {
        (Some((before, _)), Some((_, after))) => format!("{before}://***@{after}"),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked() {
        let check = |line: &str, expected: &str| assert_eq!(masked(line), expected);
        check(
            "unexpected argument '--x' found",
            "unexpected argument '--x' found",
        );
        check(
            "argument 'mysql://u:p@w@h:1' found",
            "argument 'mysql://***@h:1' found",
        );
    }
}
