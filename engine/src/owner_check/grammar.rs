//! What a check may say.
//!
//! ```text
//! SELECT expression [AS name], … FROM {table} [WHERE expression] [GROUP BY expression, …]
//! ```
//!
//! # Invariant
//! Every function and operator in a [`Query`] is a text of this file, and every other text in it is a name or a literal:
//! nothing else can be written from it.

use crate::Ident;
use crate::alter::{Kind, Lexeme, ReadMode, lex};

/// The longest text of a check, in bytes.
const MAX_BYTES: usize = 4096;
/// How deep parentheses may go.
const MAX_DEPTH: usize = 40;

/// Functions over many rows. None depends on the order of rows.
static AGGREGATES: [&str; 8] = [
    "COUNT", "SUM", "MIN", "MAX", "AVG", "BIT_XOR", "BIT_AND", "BIT_OR",
];

/// Functions of one row: without side effects, the same at any time, and no longer a result than the arguments.
static SCALARS: [&str; 33] = [
    "ABS",
    "CEIL",
    "CEILING",
    "CHAR_LENGTH",
    "COALESCE",
    "CONCAT",
    "CRC32",
    "DATE",
    "DAY",
    "FLOOR",
    "GREATEST",
    "HEX",
    "HOUR",
    "IF",
    "IFNULL",
    "LEAST",
    "LEFT",
    "LENGTH",
    "LOWER",
    "MINUTE",
    "MOD",
    "MONTH",
    "NULLIF",
    "RIGHT",
    "ROUND",
    "SECOND",
    "SIGN",
    "SUBSTRING",
    "TRIM",
    "TRUNCATE",
    "UNIX_TIMESTAMP",
    "UPPER",
    "YEAR",
];

/// A check's query, of the table it is put to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) select: Vec<Expr>,
    pub(super) filter: Option<Expr>,
    pub(super) group: Vec<Expr>,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    /// Digits, point and exponent.
    Number(String),
    /// A string.
    Text(String),
    /// NULL, TRUE, FALSE.
    Constant(&'static str),
    /// A column, by its name in the source.
    Column(Ident),
    /// An operator in front.
    Prefix(&'static str, Box<Expr>),
    /// An operator behind: `IS NULL`.
    Postfix(Box<Expr>, &'static str),
    /// An operator in between.
    Infix(Box<Expr>, &'static str, Box<Expr>),
    /// `IN`, `NOT IN`.
    In(Box<Expr>, &'static str, Vec<Expr>),
    /// `BETWEEN`, `NOT BETWEEN`.
    Between(Box<Expr>, &'static str, Box<Expr>, Box<Expr>),
    /// A function; `distinct` for an aggregate of distinct values.
    Call {
        function: &'static str,
        distinct: bool,
        arguments: Vec<Expr>,
    },
    /// `COUNT(*)`.
    CountRows,
    /// `CASE WHEN … THEN … [ELSE …] END`.
    Case(Vec<(Expr, Expr)>, Option<Box<Expr>>),
}

type Read<T> = Result<T, String>;

/// Reads a check.
pub(super) fn parse(text: &str) -> Read<Query> {
    if text.len() > MAX_BYTES {
        return Err(format!("it is longer than {MAX_BYTES} bytes"));
    }
    // What a backslash means depends on the session, and nobody needs one.
    if text.contains(['\\', '"']) {
        return Err("it holds a backslash or a double quote".to_owned());
    }
    let lexed = lex(text, ReadMode::default());
    if let Some(trouble) = lexed.trouble {
        return Err(trouble.to_owned());
    }
    let mut parser = Parser {
        text,
        lexemes: &lexed.lexemes,
        depth: 0,
    };
    let query = parser.query()?;
    match parser.lexemes.is_empty() {
        true => Ok(query),
        false => Err(parser.unexpected()),
    }
}

struct Parser<'a> {
    text: &'a str,
    lexemes: &'a [Lexeme],
    depth: usize,
}

impl<'a> Parser<'a> {
    fn query(&mut self) -> Read<Query> {
        self.expect("SELECT")?;
        let mut select = Vec::new();
        loop {
            select.push(self.expression()?);
            if self.accept("AS") {
                self.name()?;
            }
            if !self.accept(",") {
                break;
            }
        }
        self.expect("FROM")?;
        for part in ["{", "TABLE", "}"] {
            self.expect(part)
                .map_err(|_| "it is FROM something else than {table}".to_owned())?;
        }
        let filter = match self.accept("WHERE") {
            true => Some(self.expression()?),
            false => None,
        };
        let group = match self.accept("GROUP") {
            true => {
                self.expect("BY")?;
                self.list()?
            }
            false => Vec::new(),
        };
        Ok(Query {
            select,
            filter,
            group,
        })
    }

    fn list(&mut self) -> Read<Vec<Expr>> {
        let mut list = vec![self.expression()?];
        while self.accept(",") {
            list.push(self.expression()?);
        }
        Ok(list)
    }

    fn expression(&mut self) -> Read<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("it is nested too deeply".to_owned());
        }
        let expression = self.chain(&["OR"], |parser| parser.chain(&["AND"], Self::negation));
        self.depth -= 1;
        expression
    }

    fn negation(&mut self) -> Read<Expr> {
        let mut negations = 0;
        while self.accept("NOT") {
            negations += 1;
        }
        let mut expression = self.comparison()?;
        for _ in 0..negations {
            expression = Expr::Prefix("NOT", Box::new(expression));
        }
        Ok(expression)
    }

    fn comparison(&mut self) -> Read<Expr> {
        let left = self.sum()?;
        if self.accept("IS") {
            let operator = if self.accept("NOT") {
                "IS NOT NULL"
            } else {
                "IS NULL"
            };
            self.expect("NULL")?;
            return Ok(Expr::Postfix(Box::new(left), operator));
        }
        let not = self.accept("NOT");
        let either = |with: &'static str, without: &'static str| if not { with } else { without };
        if self.accept("IN") {
            self.expect("(")?;
            let list = self.list()?;
            self.expect(")")?;
            return Ok(Expr::In(Box::new(left), either("NOT IN", "IN"), list));
        }
        if self.accept("BETWEEN") {
            let from = self.sum()?;
            self.expect("AND")?;
            let to = self.sum()?;
            let operator = either("NOT BETWEEN", "BETWEEN");
            return Ok(Expr::Between(
                Box::new(left),
                operator,
                Box::new(from),
                Box::new(to),
            ));
        }
        if self.accept("LIKE") {
            let operator = either("NOT LIKE", "LIKE");
            return Ok(Expr::Infix(Box::new(left), operator, Box::new(self.sum()?)));
        }
        if not {
            return Err(self.unexpected());
        }
        for operator in ["<=>", "<=", ">=", "<>", "!=", "=", "<", ">"] {
            if self.accept(operator) {
                return Ok(Expr::Infix(Box::new(left), operator, Box::new(self.sum()?)));
            }
        }
        Ok(left)
    }

    fn sum(&mut self) -> Read<Expr> {
        self.chain(&["+", "-"], |parser| {
            parser.chain(&["*", "/", "%", "DIV", "MOD"], Self::signed)
        })
    }

    fn signed(&mut self) -> Read<Expr> {
        let mut negative = false;
        loop {
            if self.accept("-") {
                negative = !negative;
            } else if !self.accept("+") {
                break;
            }
        }
        let value = self.primary()?;
        Ok(match negative {
            true => Expr::Prefix("-", Box::new(value)),
            false => value,
        })
    }

    /// Operands of one precedence, from left to right.
    fn chain(&mut self, operators: &[&'static str], operand: impl Fn(&mut Self) -> Read<Expr>) -> Read<Expr> {
        let mut left = operand(self)?;
        loop {
            let Some(operator) = operators.iter().copied().find(|operator| self.accept(operator)) else {
                return Ok(left);
            };
            left = Expr::Infix(Box::new(left), operator, Box::new(operand(self)?));
        }
    }

    fn primary(&mut self) -> Read<Expr> {
        if self.accept("(") {
            let inner = self.expression()?;
            self.expect(")")?;
            return Ok(inner);
        }
        for constant in ["NULL", "TRUE", "FALSE"] {
            if self.accept(constant) {
                return Ok(Expr::Constant(constant));
            }
        }
        if self.accept("CASE") {
            return self.case();
        }
        let shown = self.shown();
        let Some((first, rest)) = self.lexemes.split_first() else {
            return Err("it ends too early".to_owned());
        };
        match &first.kind {
            Kind::Text(text) if shown.starts_with('\'') => {
                self.lexemes = rest;
                Ok(Expr::Text(text.clone()))
            }
            Kind::Number if is_number(shown) => {
                self.lexemes = rest;
                Ok(Expr::Number(shown.to_owned()))
            }
            Kind::Word { quoted, .. } => {
                let calls = rest.first().is_some_and(|next| next.kind == Kind::Symbol('('));
                match calls && !quoted {
                    true => self.call(),
                    false => self.name().map(Expr::Column),
                }
            }
            _ => Err(self.unexpected()),
        }
    }

    fn case(&mut self) -> Read<Expr> {
        let mut arms = Vec::new();
        while self.accept("WHEN") {
            let condition = self.expression()?;
            self.expect("THEN")?;
            arms.push((condition, self.expression()?));
        }
        if arms.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = match self.accept("ELSE") {
            true => Some(Box::new(self.expression()?)),
            false => None,
        };
        self.expect("END")?;
        Ok(Expr::Case(arms, otherwise))
    }

    fn call(&mut self) -> Read<Expr> {
        let named = self.shown();
        let mut listed = AGGREGATES.iter().chain(SCALARS.iter()).copied();
        let Some(function) = listed.find(|function| function.eq_ignore_ascii_case(named)) else {
            return Err(format!("the function {named} is not among those a check may use"));
        };
        self.lexemes = self.lexemes.get(2..).unwrap_or_default();
        if function == "COUNT" && self.accept("*") {
            self.expect(")")?;
            return Ok(Expr::CountRows);
        }
        let distinct = AGGREGATES.contains(&function) && self.accept("DISTINCT");
        let arguments = self.list()?;
        self.expect(")")?;
        Ok(Expr::Call {
            function,
            distinct,
            arguments,
        })
    }

    /// A name without a table or schema before it.
    fn name(&mut self) -> Read<Ident> {
        let Some((first, rest)) = self.lexemes.split_first() else {
            return Err("it ends too early".to_owned());
        };
        let Kind::Word { value, quoted } = &first.kind else {
            return Err(self.unexpected());
        };
        let keyword = [
            "SELECT", "FROM", "WHERE", "GROUP", "BY", "HAVING", "ORDER", "LIMIT", "INTO", "FOR", "UNION",
            "AS",
        ];
        if !quoted && keyword.iter().any(|word| word.eq_ignore_ascii_case(value)) {
            return Err(self.unexpected());
        }
        self.lexemes = rest;
        Ok(Ident::new(value))
    }

    /// The next lexeme as it is written.
    fn shown(&self) -> &'a str {
        let first = self.lexemes.first();
        let written = first.and_then(|lexeme| self.text.get(lexeme.start..lexeme.end));
        written.unwrap_or_default()
    }

    /// Takes an unquoted word or a symbol if it comes next.
    fn accept(&mut self, wanted: &str) -> bool {
        let found = self.shown().eq_ignore_ascii_case(wanted);
        if found {
            self.lexemes = self.lexemes.get(1..).unwrap_or_default();
        }
        found
    }

    fn expect(&mut self, wanted: &str) -> Read<()> {
        match self.accept(wanted) {
            true => Ok(()),
            false if self.lexemes.is_empty() => Err(format!("{wanted} is missing at its end")),
            false => Err(format!("{wanted} is missing before `{}`", self.shown())),
        }
    }

    fn unexpected(&self) -> String {
        format!("`{}` is not expected there", self.shown())
    }
}

/// Not a hexadecimal or bit literal, nor a number with letters behind it.
fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.parse::<f64>().is_ok()
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_panics(words in prop::collection::vec(
            prop::sample::select(vec![
                "SELECT", "FROM", "{table}", "WHERE", "(", ")", "SUM", "a", ",", "'x'", "1", "-", "NOT", "IN", "CASE", "WHEN", "END",
                "*", "GROUP BY", "BETWEEN", "AND", "é", "`", ";", "IS NULL", "{", "@",
            ]), 0..30))
        {
            let _ = parse(&words.join(" "));
            let _ = parse(&format!("SELECT {} FROM {{table}}", words.join(" ")));
        }
    }

    #[test]
    fn what_is_not_a_check_is_refused() {
        let check = |text: &str, why: &str| {
            let error = parse(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        };
        check("", "SELECT is missing");
        check("DELETE FROM {table}", "SELECT is missing");
        check("SELECT 1", "FROM is missing");
        check("SELECT SUM(a FROM {table}", ") is missing");
        check("SELECT SUM(a) FROM mysql.user", "something else than {table}");
        check("SELECT SUM(a) FROM {table}, mysql.user", "not expected");
        check("SELECT SUM(a) FROM {table} JOIN b", "not expected");
        check("SELECT SUM(a) FROM {table} AS t", "not expected");
        check("SELECT SUM(a) FROM {table} INTO OUTFILE 'x'", "not expected");
        check("SELECT SUM(a) INTO @x FROM {table}", "FROM is missing");
        check("SELECT SUM(a) FROM {table} FOR UPDATE", "not expected");
        check("SELECT SUM(a) FROM {table}; DROP TABLE x", "not expected");
        check("SELECT SUM(a) FROM {table} UNION SELECT 1", "not expected");
        check("SELECT (SELECT 1) FROM {table}", "not expected");
        check("SELECT 1 FROM {table} WHERE a IN (SELECT 1)", "not expected");
        check("SELECT SLEEP(9) FROM {table}", "the function SLEEP");
        check(
            "SELECT LOAD_FILE('/etc/passwd') FROM {table}",
            "the function LOAD_FILE",
        );
        check("SELECT app.f(1) FROM {table}", "FROM is missing");
        check("SELECT `SUM`(a) FROM {table}", "FROM is missing");
        check("SELECT @a FROM {table}", "");
        check("SELECT @@version FROM {table}", "");
        check("SELECT a := 1 FROM {table}", "");
        check("SELECT 'a\\'b' FROM {table}", "backslash");
        check("SELECT \"a\" FROM {table}", "double quote");
        check("SELECT /*! 1 */ FROM {table}", "version comment");
        check("SELECT 0x41 FROM {table}", "not expected");
        check("SELECT a NOT 1 FROM {table}", "not expected");
        check(
            &format!("SELECT {}1{} FROM {{table}}", "(".repeat(60), ")".repeat(60)),
            "too deeply",
        );
        check(
            &format!("SELECT {} FROM {{table}}", "1+".repeat(3000)),
            "longer than",
        );
    }
}
