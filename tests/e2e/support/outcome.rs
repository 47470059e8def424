//! What a client hears of a statement, whole: so that two ways of running it can be compared.

use anyhow::Result;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

/// The reply to one statement, and what `SHOW WARNINGS` says next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An OK packet, or a result set.
    Ok {
        /// Affected rows.
        affected: u64,
        /// The info text.
        info: String,
        /// The packet's warning count.
        warnings: u16,
        /// Level, code and text.
        shown: Vec<(String, u16, String)>,
    },
    /// An ERR packet.
    Err {
        /// The error number.
        code: u16,
        /// The SQLSTATE.
        state: String,
        /// The text.
        message: String,
        /// Level, code and text.
        shown: Vec<(String, u16, String)>,
    },
}

impl Outcome {
    /// The error number, if it is an error.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Outcome::Ok { .. } => None,
            Outcome::Err { code, .. } => Some(*code),
        }
    }

    /// Without what `SHOW WARNINGS` tells beside the error: a statement the proxy answers leaves its error there, and
    /// MariaDB adds further words to some.
    pub(crate) fn error_alone(mut self) -> Outcome {
        if let Outcome::Err { code, shown, .. } = &mut self {
            shown.retain(|(_, shown, _)| shown == code);
        }
        self
    }

    /// Without the texts of `SHOW WARNINGS`.
    pub(crate) fn without_warning_texts(mut self) -> Outcome {
        let (Outcome::Ok { shown, .. } | Outcome::Err { shown, .. }) = &mut self;
        shown.clear();
        self
    }

    /// The same outcome with every text passed through `change`.
    pub(crate) fn map_texts(self, change: impl Fn(String) -> String) -> Outcome {
        let lines = |shown: Vec<(String, u16, String)>| {
            shown
                .into_iter()
                .map(|(level, code, text)| (level, code, change(text)))
                .collect()
        };
        match self {
            Outcome::Ok {
                affected,
                info,
                warnings,
                shown,
            } => Outcome::Ok {
                affected,
                info: change(info),
                warnings,
                shown: lines(shown),
            },
            Outcome::Err {
                code,
                state,
                message,
                shown,
            } => Outcome::Err {
                code,
                state,
                message: change(message),
                shown: lines(shown),
            },
        }
    }

    /// The same outcome of a statement on a clone in the schema `nat`, as if it had been in `app`.
    pub(crate) fn told_of_app(self) -> Outcome {
        self.map_texts(|text| {
            text.replace("'nat.", "'app.")
                .replace("`nat`.", "`app`.")
                .replace("'nat'", "'app'")
                .replace("nat.", "app.")
        })
    }
}

/// Runs one statement and takes down everything that is said about it.
pub(crate) async fn run(conn: &mut Conn, sql: &str) -> Result<Outcome> {
    match conn.query_drop(sql).await {
        Ok(()) => {
            let (affected, info, warnings) = (
                conn.affected_rows(),
                conn.info().into_owned(),
                conn.get_warnings(),
            );
            Ok(Outcome::Ok {
                affected,
                info,
                warnings,
                shown: conn.query("SHOW WARNINGS").await?,
            })
        }
        Err(Error::Server(error)) => Ok(Outcome::Err {
            code: error.code,
            state: error.state,
            message: error.message,
            shown: conn.query("SHOW WARNINGS").await?,
        }),
        Err(error) => Err(error.into()),
    }
}
