//! Where what is remembered of a group is kept: a file in alterego's state folder.
//!
//! # Why a file and not the servers
//! What has to be remembered is what a server had that is gone. A row on the servers cannot say it: it would travel in the
//! same stream as the transactions it speaks of, behind them, so a replica that has the row has the transactions, and one
//! that lacks them lacks the row. And to write a note on the server that is judged would give it a transaction of its
//! own, which sets it apart from the server it may have to be joined with again.
//!
//! # What is shared
//! Proxies that use the same folder share what they saw, and an operator's word to one of them holds for all. Each
//! [`Store::exchange`] reads, joins and writes under a lock. Proxies on other machines judge by what they saw themselves,
//! and an operator's word is needed on each: none takes a risk because another was told to. A proxy that sees
//! a group for the first time has nothing to hold a server to, and takes the one that takes writes.
//!
//! # Invariant
//! The file is replaced as a whole, after what is in it has reached the disk. A file that cannot be read is an error and
//! never taken for an empty one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::memory::Memory;

/// How long another process may hold the lock; it needs it for one small write.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// The file of one group, if there is a folder to keep it in.
#[derive(Clone, Debug)]
pub(crate) struct Store(Option<PathBuf>);

impl Store {
    /// The file of the group `name`.
    pub(crate) fn of_group(folder: &Path, name: &str) -> Self {
        Self(Some(folder.join(format!("group-{}", file_name(name)))))
    }

    /// Nothing is kept.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// What is remembered; nothing, if there is no file yet.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub(super) fn read(&self) -> anyhow::Result<Memory> {
        let Some(file) = &self.0 else {
            return Ok(Memory::default());
        };
        let text = match fs::read_to_string(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Memory::default()),
            read => read.with_context(|| format!("cannot read {}", file.display()))?,
        };
        Memory::decode(&text).with_context(|| {
            format!(
                "{} is not what alterego wrote; what its group's primary had is lost with it. Remove it to begin anew",
                file.display()
            )
        })
    }

    /// Keeps `ours` joined with what is there, and says what was there.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub(super) fn exchange(&self, ours: &Memory) -> anyhow::Result<Memory> {
        let Some(file) = &self.0 else {
            return Ok(Memory::default());
        };
        let kept = self.read()?;
        if ours.primary.is_none() || joined(ours, &kept) == kept {
            return Ok(kept);
        }
        let folder = file.parent().unwrap_or(Path::new("/"));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let lock = lock(&file.with_extension("lock"))?;
        // Once more: somebody may have written since.
        let kept = self.read()?;
        let both = joined(ours, &kept);
        if both != kept {
            replace(file, &both.encode()).with_context(|| format!("cannot write {}", file.display()))?;
        }
        drop(lock);
        Ok(kept)
    }
}

/// What two proxies know together.
fn joined(ours: &Memory, kept: &Memory) -> Memory {
    if kept.words > ours.words || ours.primary.is_none() {
        return kept.clone();
    }
    let mut both = ours.clone();
    if let Some(seen) = kept.seen.as_ref().filter(|_| kept.words == ours.words) {
        both.learn(seen);
    }
    both
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => bail!("{} is held by another process", path.display()),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
    }
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let partial = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

/// The group's name as a file's: letters and digits as they are, every other byte as `_` and two digits. No dots, so an
/// extension can be put behind it.
fn file_name(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            text.push(char::from(byte));
        } else {
            text += &format!("_{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use alterego_engine::Flavor;

    use super::*;
    use crate::health::memory::Remembered;
    use crate::health::report::Identity;
    use crate::health::transactions::Transactions;

    fn memory(number: &str, seen: &str, words: u64) -> Memory {
        Memory {
            primary: Some(Remembered {
                identity: Identity {
                    unique: number.to_owned(),
                    origin: number.to_owned(),
                },
                name: number.to_owned(),
            }),
            seen: Some(Transactions::parse(Flavor::MariaDb, seen).unwrap()),
            waived: None,
            words,
        }
    }

    #[test]
    fn what_two_proxies_saw_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::of_group(&folder.path().join("state"), "sh/op.1");
        let exchange = |ours: &Memory, kept: &Memory, after: &Memory| {
            assert_eq!(store.exchange(ours).unwrap(), *kept);
            assert_eq!(store.read().unwrap(), *after);
        };
        let nothing = Memory::default();
        exchange(&nothing, &nothing, &nothing);
        let first = memory("1", "0-1-5", 0);
        exchange(&first, &nothing, &first);
        exchange(&nothing, &first, &first);
        exchange(&memory("2", "0-2-6", 0), &first, &memory("2", "0-1-5,0-2-6", 0));
        let accepted = memory("2", "0-2-4", 1);
        exchange(&accepted, &memory("2", "0-1-5,0-2-6", 0), &accepted);
        exchange(&first, &accepted, &accepted);
        let names: Vec<_> = fs::read_dir(folder.path().join("state"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(
            names.len() == 2 && names.contains(&"group-sh_2fop_2e1".into()),
            "{names:?}"
        );
    }

    #[test]
    fn a_file_that_is_not_understood_is_no_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::of_group(folder.path(), "shop");
        fs::write(folder.path().join("group-shop"), "alterego group 1\nwords").unwrap();
        let error = store.read().unwrap_err().to_string();
        assert!(
            error.contains("group-shop") && error.contains("Remove it"),
            "{error}"
        );
        assert!(store.exchange(&memory("1", "0-1-5", 0)).is_err());
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::of_group(folder.path(), "shop");
        std::thread::scope(|scope| {
            for server in 1..=8 {
                let store = &store;
                scope.spawn(move || {
                    for number in 1..=10 {
                        store
                            .exchange(&memory("1", &format!("0-{server}-{number}"), 0))
                            .unwrap();
                    }
                });
            }
        });
        let all: Vec<String> = (1..=8).map(|server| format!("0-{server}-10")).collect();
        assert_eq!(store.read().unwrap(), memory("1", &all.join(","), 0));
    }
}
