//! What the first words of a text say, in part and as a whole.

use crate::hooks::ReadMode;
use crate::intercept::dynamic::{Dynamic, keeps_names};
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
}
