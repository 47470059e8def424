//! What one clause of an ALTER does.

use crate::Ident;

/// The kinds of indexes a statement can add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexKind {
    /// The primary key.
    Primary,
    /// UNIQUE.
    Unique,
    /// An ordinary index.
    Plain,
    /// FULLTEXT.
    Fulltext,
    /// SPATIAL.
    Spatial,
    /// VECTOR (MariaDB).
    Vector,
}

/// A table option, told apart as far as deciding how it may be carried out needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableOption {
    /// `ENGINE=InnoDB`: a rebuild.
    Engine,
    /// `COMMENT`.
    Comment,
    /// The default character set or collation; existing columns keep theirs.
    DefaultCharset,
    /// `AUTO_INCREMENT=n`.
    AutoIncrement,
    /// `STATS_PERSISTENT` and its like.
    Statistics,
    /// Row format, compression, encryption and what else decides how rows are stored.
    Storage,
}

/// One clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A new column.
    AddColumn {
        /// Its name.
        name: Ident,
        /// MariaDB's IF NOT EXISTS.
        if_not_exists: bool,
    },
    /// A column goes.
    DropColumn {
        /// Its name.
        name: Ident,
        /// MariaDB's IF EXISTS.
        if_exists: bool,
    },
    /// CHANGE: a column is defined anew, perhaps under another name.
    ChangeColumn {
        /// The name so far.
        old: Ident,
        /// The name from now on.
        new: Ident,
        /// MariaDB's IF EXISTS.
        if_exists: bool,
    },
    /// RENAME COLUMN.
    RenameColumn {
        /// The name so far.
        old: Ident,
        /// The name from now on.
        new: Ident,
        /// MariaDB's IF EXISTS.
        if_exists: bool,
    },
    /// MODIFY: a column is defined anew.
    ModifyColumn {
        /// Its name.
        name: Ident,
        /// MariaDB's IF EXISTS.
        if_exists: bool,
    },
    /// SET DEFAULT, DROP DEFAULT, or a column's visibility.
    AlterColumn {
        /// The column.
        name: Ident,
    },
    /// A new index or unique constraint.
    AddIndex {
        /// Its name, where the statement gives one.
        name: Option<Ident>,
        /// Its kind.
        kind: IndexKind,
    },
    /// An index goes; `PRIMARY` is the primary key.
    DropIndex {
        /// Its name.
        name: Ident,
    },
    /// An index is renamed.
    RenameIndex {
        /// The name so far.
        old: Ident,
        /// The name from now on.
        new: Ident,
    },
    /// VISIBLE, INVISIBLE, IGNORED, NOT IGNORED.
    IndexVisibility {
        /// The index.
        name: Ident,
    },
    /// A CHECK constraint is added.
    AddCheck,
    /// DROP CONSTRAINT or DROP CHECK.
    DropConstraint {
        /// The constraint.
        name: Ident,
    },
    /// ENFORCED or NOT ENFORCED.
    AlterConstraint {
        /// The constraint.
        name: Ident,
    },
    /// CONVERT TO CHARACTER SET.
    ConvertCharset,
    /// A table option.
    Option(TableOption),
    /// FORCE.
    Force,
    /// PARTITION BY.
    PartitionBy,
    /// REMOVE PARTITIONING.
    RemovePartitioning,
}
