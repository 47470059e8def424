//! Places where a test can make a step wait, to see what happens meanwhile and what piles up behind it.
//!
//! `ALTEREGO_SLOWPOINT=name:250` makes the step of that name take 250 ms longer each time;
//! `ALTEREGO_SLOWPOINT=name:/some/file` makes it wait for as long as the file is there; several are told apart by commas.
//! Without the variable a slowpoint costs one load.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::sleep;

static ARMED: OnceLock<Vec<(String, Wait)>> = OnceLock::new();

#[derive(Debug, PartialEq, Eq)]
enum Wait {
    Pause(Duration),
    While(PathBuf),
}

/// Waits here if the slowpoint `name` is armed.
pub(crate) async fn pass(name: &str) {
    let armed = ARMED.get_or_init(|| {
        let specs = std::env::var("ALTEREGO_SLOWPOINT").unwrap_or_default();
        specs.split(',').filter_map(read).collect()
    });
    for (_, wait) in armed.iter().filter(|(armed, _)| armed == name) {
        match wait {
            Wait::Pause(pause) => sleep(*pause).await,
            Wait::While(file) => {
                while file.exists() {
                    sleep(Duration::from_millis(5)).await;
                }
            }
        }
    }
}

fn read(spec: &str) -> Option<(String, Wait)> {
    let (name, wait) = spec.split_once(':')?;
    let wait = match wait.parse() {
        Ok(milliseconds) => Wait::Pause(Duration::from_millis(milliseconds)),
        Err(_) => Wait::While(wait.into()),
    };
    Some((name.to_owned(), wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read() {
        let pause = |milliseconds| Wait::Pause(Duration::from_millis(milliseconds));
        assert_eq!(read("copy:20"), Some(("copy".to_owned(), pause(20))));
        assert_eq!(
            read("copy:/a/b"),
            Some(("copy".to_owned(), Wait::While("/a/b".into())))
        );
        assert_eq!(read("copy"), None);
    }
}
