//! A set of MySQL's GTIDs, exactly as the server writes it: `uuid:1-5:7:tag:1-3,uuid2:1`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::Error;

/// Where a run of transaction numbers comes from: a server's UUID and, since MySQL 8.3, a tag (empty if none).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    uuid: String,
    tag: String,
}

/// A set of GTIDs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct GtidSet {
    /// For each origin its runs `first..=last`, ascending, neither empty nor touching.
    runs: BTreeMap<Origin, Vec<(u64, u64)>>,
}

impl GtidSet {
    /// Adds the transaction `number` of `uuid` and `tag` (empty for none).
    pub fn insert(&mut self, uuid: &str, tag: &str, number: u64) {
        self.insert_run(origin(uuid, tag), (number, number));
    }

    /// Removes every GTID of `other`.
    pub fn subtract(&mut self, other: &Self) {
        for (origin, holes) in &other.runs {
            let Some(runs) = self.runs.get_mut(origin) else {
                continue;
            };
            for hole in holes {
                *runs = runs.iter().flat_map(|run| without(*run, *hole)).collect();
            }
            if runs.is_empty() {
                self.runs.remove(origin);
            }
        }
    }

    /// Adds every GTID of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (origin, runs) in &other.runs {
            for run in runs {
                self.insert_run(origin.clone(), *run);
            }
        }
    }

    /// The GTIDs in it that the server with this UUID gave, whatever their tags.
    pub fn of_uuid(&self, uuid: &str) -> Self {
        let of_it = |(origin, _): &(&Origin, _)| origin.uuid.eq_ignore_ascii_case(uuid);
        let runs = self.runs.iter().filter(of_it);
        Self {
            runs: runs
                .map(|(origin, runs)| (origin.clone(), runs.clone()))
                .collect(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// One text an origin, `uuid:1-5` or `uuid:tag:1-5`, for a client that cannot read them in one.
    pub(crate) fn origins(&self) -> Vec<String> {
        let texts = self.runs.iter().map(|(origin, runs)| {
            let tag = if origin.tag.is_empty() {
                String::new()
            } else {
                format!(":{}", origin.tag)
            };
            format!("{}{tag}{}", origin.uuid, Runs(runs))
        });
        texts.collect()
    }

    fn insert_run(&mut self, origin: Origin, run: (u64, u64)) {
        let runs = self.runs.entry(origin).or_default();
        // Almost always the next number of the last run.
        if let Some(last) = runs.last_mut()
            && run.0 == last.1.saturating_add(1)
        {
            last.1 = run.1;
            return;
        }
        runs.push(run);
        runs.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(runs.len());
        for run in runs.drain(..) {
            match merged.last_mut() {
                Some(last) if run.0 <= last.1.saturating_add(1) => last.1 = last.1.max(run.1),
                _ => merged.push(run),
            }
        }
        *runs = merged;
    }
}

fn origin(uuid: &str, tag: &str) -> Origin {
    Origin {
        uuid: uuid.to_ascii_lowercase(),
        tag: tag.to_ascii_lowercase(),
    }
}

/// What is left of `run` outside `hole`.
fn without(run: (u64, u64), hole: (u64, u64)) -> impl Iterator<Item = (u64, u64)> {
    let before = (run.0, run.1.min(hole.0.saturating_sub(1)));
    let after = (run.0.max(hole.1.saturating_add(1)), run.1);
    let apart = hole.1 < run.0 || run.1 < hole.0;
    let pieces = if apart {
        [Some(run), None]
    } else {
        [
            Some(before).filter(|_| run.0 < hole.0),
            Some(after).filter(|_| hole.1 < run.1),
        ]
    };
    pieces.into_iter().flatten()
}

impl FromStr for GtidSet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut set = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            read_part(&mut set, part)
                .ok_or_else(|| Error::fatal(format!("`{text}` is not a set of GTIDs")))?;
        }
        Ok(set)
    }
}

/// Reads `uuid:1-5:7:tag:1-3`: a tag holds for the runs behind it.
fn read_part(set: &mut GtidSet, part: &str) -> Option<()> {
    let (uuid, rest) = part.split_once(':')?;
    let hex = uuid.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if !hex || uuid.len() != 36 {
        return None;
    }
    let mut tag = String::new();
    for item in rest.split(':').map(str::trim) {
        if item.starts_with(|c: char| c.is_ascii_digit()) {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let run: (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            if run.0 == 0 || run.1 < run.0 {
                return None;
            }
            set.insert_run(origin(uuid, &tag), run);
        } else if item.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !item.is_empty() {
            item.clone_into(&mut tag);
        } else {
            return None;
        }
    }
    Some(())
}

/// Runs as the server writes them, each with its colon.
struct Runs<'a>(&'a [(u64, u64)]);

impl fmt::Display for Runs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (first, last) in self.0 {
            if first == last {
                write!(f, ":{first}")?;
            } else {
                write!(f, ":{first}-{last}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut uuid = "";
        for (origin, runs) in &self.runs {
            if origin.uuid != uuid {
                let comma = if uuid.is_empty() { "" } else { "," };
                write!(f, "{comma}{}", origin.uuid)?;
                uuid = &origin.uuid;
            }
            if !origin.tag.is_empty() {
                write!(f, ":{}", origin.tag)?;
            }
            write!(f, "{}", Runs(runs))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const B: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn set(text: &str) -> GtidSet {
        text.replace("$A", A).replace("$B", B).parse().unwrap()
    }

    #[test]
    fn sets_are_read_and_written() {
        let check = |text: &str, expected: &str| {
            let expected = expected.replace("$A", A).replace("$B", B);
            assert_eq!(set(text).to_string(), expected);
        };
        check("", "");
        check("$A:1", "$A:1");
        check("$A:1-5:7", "$A:1-5:7");
        check("$A:7:1-3:4-5", "$A:1-5:7");
        check("$B:1,\n$A:1-2", "$A:1-2,$B:1");
        check("$A:1-3:red:1:9-10:blue:4", "$A:1-3:blue:4:red:1:9-10");
        check(&format!("{}:1", A.to_uppercase()), "$A:1");
    }

    #[test]
    fn numbers_are_added() {
        let check = |text: &str, tag: &str, number: u64, expected: &str| {
            let mut gtids = set(text);
            gtids.insert(A, tag, number);
            assert_eq!(gtids, set(expected));
        };
        check("", "", 1, "$A:1");
        check("$A:1-5", "", 6, "$A:1-6");
        check("$A:1-5", "", 8, "$A:1-5:8");
        check("$A:1-5:8", "", 3, "$A:1-5:8");
        check("$A:1-5:7", "", 6, "$A:1-7");
        check("$A:1-5", "red", 6, "$A:1-5:red:6");
    }

    #[test]
    fn sets_are_subtracted() {
        let check = |a: &str, b: &str, expected: &str| {
            let mut gtids = set(a);
            gtids.subtract(&set(b));
            assert_eq!(gtids, set(expected));
            assert_eq!(gtids.is_empty(), expected.is_empty());
        };
        check("$A:1-9", "$A:1-9", "");
        check("$A:1-9", "$A:3-4:7", "$A:1-2:5-6:8-9");
        check("$A:1-9", "$A:9-20,$B:1", "$A:1-8");
        check("$A:5-9:20-30", "$A:1-22", "$A:23-30");
        check("$A:1-9:red:1", "$A:1-9", "$A:red:1");
    }

    #[test]
    fn sets_are_merged() {
        let check = |a: &str, b: &str, expected: &str| {
            let mut gtids = set(a);
            gtids.merge(&set(b));
            assert_eq!(gtids, set(expected));
        };
        check("", "$A:1-9", "$A:1-9");
        check("$A:1-5", "$A:6-9", "$A:1-9");
        check("$A:1-5:20", "$A:3-12,$B:1", "$A:1-12:20,$B:1");
        check("$A:1-5", "$A:red:1", "$A:1-5:red:1");
    }

    #[test]
    fn one_servers_are_found() {
        let check = |text: &str, expected: &str| assert_eq!(set(text).of_uuid(A), set(expected));
        check("$A:1-5:red:1,$B:7", "$A:1-5:red:1");
        check("$B:7", "");
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["x", "$A", "$A:", "$A:0", "$A:5-3", "$A:1-", "0-1-5", "$A:1,x:1"] {
            let text = text.replace("$A", A);
            assert!(text.parse::<GtidSet>().is_err(), "{text}");
        }
    }
}
