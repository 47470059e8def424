//! What the first words of a text say, in part and as a whole.

use crate::hooks::ReadMode;
use crate::intercept::dynamic::{Dynamic, keeps_names};
use crate::intercept::split::Split;
use crate::intercept::words::{self, Opening};
use crate::intercept::{Show, locks, tracking};

/// Where the beginning of a text is answered, no more text changes the answer.
pub fn words(data: &[u8]) {
    let whole = words::opening_of_whole(data);
    for length in 0..=data.len() {
        let part = data.get(..length).unwrap_or_default();
        if let Some(opening) = words::opening(part) {
            assert_eq!(opening, whole, "after {length} bytes");
            break;
        }
    }
    if words::boundary(data).is_some() {
        assert_eq!(whole, Opening::Boundary);
    }
    if Show::parse(data).is_some() {
        assert_eq!(whole, Opening::Show);
    }
    if words::reads_nothing(data) {
        assert!(!words::only_adds(data) && words::boundary(data).is_none());
    }
    if words::only_adds(data) {
        assert_eq!(whole, Opening::Other);
    }
    if let Some(tokens) = words::tokens(data, 12) {
        assert!(tokens.len() <= 12 && tokens.iter().map(String::len).sum::<usize>() <= data.len());
    }
    if let Some(dynamic) = Dynamic::parse(data, ReadMode::default()) {
        let verb = !matches!(dynamic, Dynamic::Deallocate(_));
        assert_eq!(verb, whole == Opening::Dynamic);
        assert!(!keeps_names(data));
    }
    let _ = locks::change(data);
    let _ = tracking::is_asked_for(data);
    if let Ok(text) = str::from_utf8(data) {
        ReadMode::of_text(text).for_each(|mode| check_split(text, mode));
    }
}

/// The parts of a text and what is between them are the whole text, and each of them is one statement on its own.
pub(crate) fn check_split(text: &str, mode: ReadMode) {
    let split = Split::new(text, mode);
    let mut at = 0;
    for (index, part) in split.parts.iter().enumerate() {
        let between: String = text[at..part.start].split_ascii_whitespace().collect();
        assert_eq!(between.replace('\x0b', ""), if index == 0 { "" } else { ";" });
        at = part.end;
    }
    let is_end = |c: char| c == ';' || c == '\x0b' || c.is_ascii_whitespace();
    assert_eq!(text[at..].trim_matches(is_end), "");
    for part in split.statements() {
        // A new line ends what may be a comment.
        let followed = format!("{}\n; DO 1", &text[part.clone()]);
        let again = Split::new(&followed, mode);
        assert_eq!(again.parts.len(), 2, "{followed}");
        assert_eq!((again.parts[0].clone(), again.has_rest), (0..part.len(), false));
    }
}
