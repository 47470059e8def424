//! Scripts of random commands.

use alterego_testkit::Flavor;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};

use crate::command::{Command, FENCE, LAST_STATEMENT, Value};
use crate::dialect::{BULK, Dialect};
use crate::login::ROOT;
use crate::script::{Script, Step};
use crate::statements::{CHANGES, LEFT_BEHIND, ONLINE, PREPARED, Prepared, TEXTS, own_texts};

const STEPS_MAX: usize = 24;
const COMMANDS_MAX: usize = 8;

/// The script of a seed: the same for the same seed.
pub(crate) fn script(seed: u64, flavor: Flavor) -> Script {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut generator = Generator {
        dialect: Dialect::random(&mut rng, flavor),
        rng,
        prepared: Vec::new(),
    };
    let steps = (0..generator.rng.random_range(2..=STEPS_MAX))
        .map(|_| generator.step())
        .collect();
    Script {
        dialect: generator.dialect,
        account: &ROOT,
        steps,
        cuts: generator.rng.next_u64(),
    }
}

struct Generator {
    rng: StdRng,
    dialect: Dialect,
    /// What each statement id stands for: both servers count them up, one for each attempt.
    prepared: Vec<Prepared>,
}

impl Generator {
    fn step(&mut self) -> Step {
        match self.rng.random_range(0..20) {
            0 => self.file(),
            1 => Step::ChangeUser(&ROOT),
            2..6 => Step::Probe,
            _ => Step::Commands(self.commands()),
        }
    }

    fn commands(&mut self) -> Vec<Command> {
        let count = self.rng.random_range(1..=COMMANDS_MAX);
        let mut commands = Vec::new();
        while commands.len() < count {
            self.put_commands(&mut commands);
        }
        commands
    }

    /// Appends a command, or several that belong together.
    fn put_commands(&mut self, out: &mut Vec<Command>) {
        match self.rng.random_range(0..100) {
            0..50 => self.put_text(out),
            50..55 => self.put_carried(out),
            55..66 => out.push(self.prepare()),
            66..84 => self.put_use_of_prepared(out),
            _ => out.push(self.other()),
        }
    }

    /// Appends a statement as text and sometimes a question about what it left.
    fn put_text(&mut self, out: &mut Vec<Command>) {
        let own = [TEXTS, own_texts(self.dialect.flavor)].concat();
        let texts = match self.rng.random_range(0..100) {
            0 => ONLINE,
            1..36 => CHANGES,
            _ => &own,
        };
        out.push(self.text(texts));
        // `ROW_COUNT()` is another after a change that was done online.
        if texts != ONLINE && self.rng.random_bool(0.2) {
            out.push(self.text(LEFT_BEHIND));
        }
    }

    /// Appends the preparation of a text by name, its execution, and perhaps the end of its name. On MySQL it is no schema
    /// change that succeeds, for the reason that `prepare` has: its id can be guessed, and it executed again.
    fn put_carried(&mut self, out: &mut Vec<Command>) {
        // A schema change that is executed at once is none of MariaDB's prepared statements through the proxy.
        let is_immediate = self.rng.random_bool(0.3);
        let is_change = !is_immediate && self.rng.random_bool(0.7);
        let texts = if is_change { CHANGES } else { TEXTS };
        let mut sql = texts.choose(&mut self.rng).copied().unwrap_or_default();
        if is_change && self.dialect.flavor == Flavor::MySql {
            sql = "ALTER TABLE nowhere ADD c INT";
        }
        let literal = format!("'{}'", sql.replace('\'', "''"));
        let name = *["x", "X", "`x`"].choose(&mut self.rng).unwrap_or(&"x");
        let set = format!("SET @x = {literal}");
        let mut texts = if is_immediate {
            // MySQL has no such statement.
            vec![set, "EXECUTE IMMEDIATE @x".to_owned()]
        } else if self.rng.random_bool(0.5) {
            vec![set, format!("PREPARE {name} FROM @x"), "EXECUTE `X`".to_owned()]
        } else {
            vec![format!("PREPARE {name} FROM {literal}"), "EXECUTE x".to_owned()]
        };
        if self.rng.random_bool(0.5) {
            texts.push("DEALLOCATE PREPARE x".to_owned());
        }
        out.extend(texts.iter().map(|sql| Command::query(&self.dialect, sql)));
    }

    fn text(&mut self, texts: &[&str]) -> Command {
        let sql = texts.choose(&mut self.rng).copied().unwrap_or_default();
        let mut command = Command::query(&self.dialect, sql);
        // A text that is too short is no honest client's: the servers read on in what was there before.
        if command.payload.len() > 1 && self.rng.random_bool(0.2) {
            command.payload = self.dialect.query_with_attributes(sql);
        }
        if command.payload.len() == 1 {
            return Command::query(&self.dialect, " ");
        }
        command
    }

    fn prepare(&mut self) -> Command {
        let mut statement = PREPARED.choose(&mut self.rng).copied().unwrap_or(("SELECT 1", 0));
        // MySQL prepares a schema change anew when it is executed again, and counts it as another statement; through the
        // proxy it may have been executed as a text. `shapes` and `alters` have those that are executed once.
        if self.dialect.flavor == Flavor::MySql && statement.0.starts_with("ALTER TABLE t ") {
            statement = ("ALTER TABLE nowhere ADD c INT", 0);
        }
        self.prepared.push(statement);
        Command::prepare(statement.0)
    }

    /// The id of some statement that was prepared, or nearly so, and what it is.
    fn some_prepared(&mut self) -> (u32, Prepared) {
        let index = self.rng.random_range(0..=self.prepared.len());
        let statement = self.prepared.get(index).copied().unwrap_or_default();
        (index as u32 + 1, statement)
    }

    fn put_use_of_prepared(&mut self, out: &mut Vec<Command>) {
        if self.dialect.flavor == Flavor::MariaDb && self.rng.random_bool(0.2) {
            return self.put_last(out);
        }
        let (id, (_, parameters)) = self.some_prepared();
        match self.rng.random_range(0..10) {
            0 => out.push(Command::close(id)),
            1 => out.push(Command::reset(id)),
            2 if parameters > 0 => self.put_long_data(out, id, parameters),
            3..5 => self.put_cursor(out, id, parameters),
            _ => {
                let values = self.values(parameters);
                out.push(Command::execute(&self.dialect, id, false, &values));
            }
        }
    }

    /// MariaDB's preparation and execution in one go.
    fn put_last(&mut self, out: &mut Vec<Command>) {
        out.push(self.prepare());
        let (sql, parameters) = self.prepared.last().copied().unwrap_or(("", 0));
        if self.dialect.extended & BULK != 0 && sql.starts_with("INSERT") && self.rng.random_bool(0.7) {
            let rows = [Some("bulk"), None, Some("row")];
            out.push(Command::execute_bulk(LAST_STATEMENT, 0, &rows));
        } else {
            let values = self.values(parameters);
            out.push(Command::execute(&self.dialect, LAST_STATEMENT, false, &values));
        }
    }

    fn put_long_data(&mut self, out: &mut Vec<Command>, id: u32, parameters: usize) {
        for _ in 0..self.rng.random_range(1..4) {
            let length = self.rng.random_range(0..20);
            out.push(Command::long_data(id, 0, &vec![b'7'; length]));
        }
        let mut values = self.values(parameters);
        values[0] = Value::Sent;
        out.push(Command::execute(&self.dialect, id, false, &values));
        out.push(Command::reset(id));
    }

    fn put_cursor(&mut self, out: &mut Vec<Command>, id: u32, parameters: usize) {
        let values = self.values(parameters);
        out.push(Command::execute(&self.dialect, id, true, &values));
        for _ in 0..self.rng.random_range(0..4) {
            let rows = *[1, 2, 100, 1000].choose(&mut self.rng).unwrap_or(&1);
            out.push(Command::fetch(id, rows));
        }
        // MySQL answers this in a shape of its own, which no client can read: an OK packet in the place of the rows.
        if self.rng.random_bool(0.3) {
            let values = self.values(parameters);
            out.push(Command::execute(&self.dialect, id, false, &values));
        }
        out.push(Command::close(id));
    }

    fn values(&mut self, count: usize) -> Vec<Value> {
        (0..count)
            .map(|_| match self.rng.random_range(0..3) {
                0 => Value::Null,
                1 => Value::Number(self.rng.random_range(0..5)),
                _ => Value::Text("2".to_owned()),
            })
            .collect()
    }

    fn other(&mut self) -> Command {
        let choices: &[(&str, &[u8])] = &[
            ("ping", b"\x0e"),
            ("statistics", FENCE),
            ("init db app", b"\x02app"),
            ("init db other", b"\x02other"),
            ("init db nowhere", b"\x02nowhere"),
            ("field list t", b"\x04t\0"),
            ("field list nowhere", b"\x04nowhere\0"),
            ("field list t, like", b"\x04t\0b%"),
            ("multi-statements on", b"\x1b\0\0"),
            ("multi-statements off", b"\x1b\x01\0"),
            ("option 7", b"\x1b\x07\0"),
            ("reset connection", b"\x1f"),
            ("debug", b"\x0d"),
            ("kill 999999999", b"\x0c\xff\xc9\x9a\x3b"),
            ("sleep", b"\0"),
            ("connect", b"\x0b"),
            ("time", b"\x0f"),
            ("delayed insert", b"\x10"),
            ("unknown 3f", b"\x3f"),
            ("unknown ff", b"\xffALTER TABLE t ADD c INT"),
            ("empty", b""),
        ];
        let (name, payload) = choices
            .choose(&mut self.rng)
            .copied()
            .unwrap_or(("ping", b"\x0e"));
        Command::new(name, payload)
    }

    fn file(&mut self) -> Step {
        let statements = [
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE f",
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE f (a)",
            "LOAD DATA LOCAL INFILE 'x' IGNORE INTO TABLE t FIELDS TERMINATED BY ','",
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE nowhere",
            "SELECT 1; LOAD DATA LOCAL INFILE 'x' INTO TABLE nowhere",
        ];
        let packets = (0..self.rng.random_range(0..5))
            .map(|line| format!("{line}\tALTER TABLE t\n").into_bytes())
            .collect();
        let then = if self.rng.random_bool(0.5) {
            self.commands()
        } else {
            Vec::new()
        };
        Step::File {
            sql: statements.choose(&mut self.rng).copied().unwrap_or_default(),
            packets,
            then,
        }
    }
}
