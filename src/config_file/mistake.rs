//! A mistake in the file, in one line: its line's number, the key that stands there, what is wrong.

use std::ops::Range;

/// A mistake found while the text was read.
pub(super) fn of_syntax(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    match error.span() {
        Some(span) => at(text, &span, &message),
        None => format!("1: {message}"),
    }
}

/// A mistake in the value at `span`.
pub(super) fn at(text: &str, span: &Range<usize>, message: &str) -> String {
    let before = text.get(..span.start.min(text.len())).unwrap_or(text);
    let number = before.matches('\n').count() + 1;
    match key(text, number) {
        Some(key) => format!("{number}: {key}: {message}"),
        None => format!("{number}: {message}"),
    }
}

/// What a line is about: the key before its `=`, or the table that begins there. A line inside a value is about the key
/// before it.
fn key(text: &str, number: usize) -> Option<&str> {
    let lines: Vec<&str> = text.lines().take(number).map(str::trim).collect();
    lines.into_iter().rev().find_map(|line| {
        if line.starts_with("[[") {
            return line.find("]]").and_then(|end| line.get(..end + 2));
        }
        let (key, _) = line.split_once('=')?;
        let key = key.trim();
        let is_key = |c: char| c.is_alphanumeric() || "_-.\"'".contains(c);
        (!key.is_empty() && key.chars().all(is_key)).then_some(key)
    })
}
