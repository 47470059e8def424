//! What was found, for people.

use alterego_engine::TableName;
use alterego_engine::key::Key;

use super::definition::Common;
use super::settle::Settled;
use super::shown;

/// Keys that are named, of each kind and table; all are counted.
const KEYS_NAMED: usize = 20;

/// How far a table was compared.
pub(super) enum State {
    Compared,
    OnlyInA,
    OnlyInB,
    NotCompared(String),
}

/// Rows of one kind.
#[derive(Default)]
pub(super) struct Keys {
    count: u64,
    named: Vec<String>,
}

impl Keys {
    fn add(&mut self, common: &Common, keys: &[Key]) {
        self.count += keys.len() as u64;
        let room = KEYS_NAMED.saturating_sub(self.named.len());
        self.named
            .extend(keys.iter().take(room).map(|key| shown(common, key)));
    }

    fn print(&self, what: &str) {
        for key in &self.named {
            println!("  {what}: {key}");
        }
        let more = self.count - self.named.len() as u64;
        if more > 0 {
            println!("  {what}: {more} more");
        }
    }
}

/// One table.
pub(super) struct Line {
    pub(super) name: TableName,
    pub(super) state: State,
    pub(super) definition: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) rows_a: u64,
    pub(super) rows_b: u64,
    only_in_a: Keys,
    only_in_b: Keys,
    changed: Keys,
    open: Keys,
}

impl Line {
    pub(super) fn new(name: &TableName, state: State) -> Self {
        Self {
            name: name.clone(),
            state,
            definition: Vec::new(),
            notes: Vec::new(),
            rows_a: 0,
            rows_b: 0,
            only_in_a: Keys::default(),
            only_in_b: Keys::default(),
            changed: Keys::default(),
            open: Keys::default(),
        }
    }

    pub(super) fn add(&mut self, common: &Common, settled: Settled) {
        let Settled {
            mut only_in_a,
            mut only_in_b,
            mut changed,
            mut open,
        } = settled;
        let kinds = [
            (&mut self.only_in_a, &mut only_in_a),
            (&mut self.only_in_b, &mut only_in_b),
            (&mut self.changed, &mut changed),
            (&mut self.open, &mut open),
        ];
        for (known, keys) in kinds {
            keys.sort_by_key(|key| key.0.clone());
            known.add(common, keys);
        }
    }

    /// Whether the table is not the same on both servers.
    pub(super) fn differs(&self) -> bool {
        let rows = self.only_in_a.count + self.only_in_b.count + self.changed.count;
        matches!(self.state, State::OnlyInA | State::OnlyInB) || !self.definition.is_empty() || rows > 0
    }

    /// Whether it cannot be told of all of it that it is the same.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::NotCompared(_)) || !self.notes.is_empty() || self.open.count > 0
    }

    fn verdict(&self) -> &'static str {
        match (&self.state, self.differs(), self.is_open()) {
            (State::OnlyInA, ..) => "only in A",
            (State::OnlyInB, ..) => "only in B",
            (_, true, _) => "different",
            (_, false, true) => "not known",
            (_, false, false) => "equal",
        }
    }

    fn full_name(&self) -> String {
        format!("{}.{}", self.name.schema.as_str(), self.name.table.as_str())
    }
}

/// Prints a table of all, and below it what differs.
pub(super) fn print(lines: &[Line]) {
    let widest = lines.iter().map(|line| line.full_name().chars().count()).max();
    let width = widest.unwrap_or(0).max("table".len());
    println!(
        "{:width$}  {:>12}  {:>12}  {:>9}  {:>9}  {:>9}  verdict",
        "table", "rows in A", "rows in B", "only in A", "only in B", "changed"
    );
    for line in lines {
        println!(
            "{:width$}  {:>12}  {:>12}  {:>9}  {:>9}  {:>9}  {}",
            line.full_name(),
            line.rows_a,
            line.rows_b,
            line.only_in_a.count,
            line.only_in_b.count,
            line.changed.count,
            line.verdict()
        );
    }
    for line in lines.iter().filter(|line| line.differs() || line.is_open()) {
        println!("\n{}: {}", line.full_name(), line.verdict());
        if let State::NotCompared(reason) = &line.state {
            println!("  rows are not compared: {reason}");
        }
        for text in line.definition.iter().chain(&line.notes) {
            println!("  {text}");
        }
        line.only_in_a.print("only in A");
        line.only_in_b.print("only in B");
        line.changed.print("changed");
        line.open.print("not known");
    }
}
