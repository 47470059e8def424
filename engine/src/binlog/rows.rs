//! Row events: the keys they touch.
//!
//! # Why both images count
//! An update that moves a row to another key changes two keys. With a minimal image a column that is absent after
//! the update is unchanged, and the columns that identify the row are always there before it.

use super::reader::{Bitmap, Reader};
use super::table_map::TableMap;
use super::{StreamEnd, value};
use crate::key::{Key, KeyColumn, KeyValue};

/// What a row event does, and how it is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowsLayout {
    pub(super) change: Change,
    /// Version 2 has extra data behind the flags.
    pub(super) extra_data: bool,
    /// Row data is compressed (MariaDB).
    pub(super) compressed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Write,
    Update,
    /// An update whose JSON values may be differences.
    PartialUpdate,
    Delete,
}

/// Steps from the layout of an event to its rows.
#[derive(Debug)]
pub(super) struct RowsHead<'a> {
    pub(super) table_id: u64,
    columns: usize,
    first: Bitmap<'a>,
    second: Option<Bitmap<'a>>,
    rows: Reader<'a>,
}

/// The id row events have that belong to no table.
pub(super) const DUMMY_TABLE_ID: u64 = 0x00FF_FFFF;

impl<'a> RowsHead<'a> {
    pub(super) fn read(layout: RowsLayout, data: &'a [u8]) -> Result<Self, StreamEnd> {
        let mut reader = Reader::new(data);
        let table_id = reader.little(6)?;
        reader.bytes(2)?;
        if layout.extra_data {
            let length = reader.length(2)?;
            reader.bytes(length.saturating_sub(2))?;
        }
        let columns = reader.lenenc_length()?;
        let first = Bitmap::read(&mut reader, columns)?;
        let second = match layout.change {
            Change::Update | Change::PartialUpdate => Some(Bitmap::read(&mut reader, columns)?),
            Change::Write | Change::Delete => None,
        };
        Ok(Self {
            table_id,
            columns,
            first,
            second,
            rows: reader,
        })
    }

    /// What is left behind the head: the rows, perhaps compressed.
    pub(super) fn row_data(&mut self) -> &'a [u8] {
        self.rows.rest()
    }

    /// Calls `found` for every key the rows in `row_data` touch.
    pub(super) fn keys(
        &self,
        row_data: &[u8],
        layout: RowsLayout,
        table: &TableMap,
        key: &[KeyColumn],
        mut found: impl FnMut(Key),
    ) -> Result<(), StreamEnd> {
        if table.columns.len() != self.columns {
            return Err(not_understood(
                "a row event and its table differ in the number of columns",
            ));
        }
        let mut rows = Reader::new(row_data);
        while !rows.is_empty() {
            let before = whole(image(&mut rows, self.first, table, key)?, key)?;
            if let Some(second) = self.second {
                if layout.change == Change::PartialUpdate {
                    skip_partial_bits(&mut rows, table.json_columns)?;
                }
                let after = image(&mut rows, second, table, key)?;
                let after = after.into_iter().zip(&before);
                let after: Vec<KeyValue> = after
                    .map(|(after, before)| after.unwrap_or_else(|| before.clone()))
                    .collect();
                if after != before {
                    found(Key(after));
                }
            }
            found(Key(before));
        }
        Ok(())
    }
}

/// The key's values in one image; `None` for columns it does not have.
fn image(
    rows: &mut Reader<'_>,
    present: Bitmap<'_>,
    table: &TableMap,
    key: &[KeyColumn],
) -> Result<Vec<Option<KeyValue>>, StreamEnd> {
    let nulls = Bitmap::read(rows, present.count(table.columns.len()))?;
    let mut values: Vec<Option<KeyValue>> = vec![None; key.len()];
    let mut place = 0;
    for (ordinal, column) in table.columns.iter().enumerate() {
        if !present.has(ordinal) {
            continue;
        }
        let null = nulls.has(place);
        place += 1;
        let wanted = key
            .iter()
            .zip(&mut values)
            .find(|(key, _)| key.ordinal == ordinal);
        match wanted {
            Some(_) if null => return Err(not_understood("a key column is NULL in the binary log")),
            Some((key, value)) => *value = Some(value::read(key, *column, rows)?),
            None if null => {}
            None => column.skip(rows)?,
        }
    }
    Ok(values)
}

/// All values of the key, which the image that identifies a row must have.
fn whole(values: Vec<Option<KeyValue>>, key: &[KeyColumn]) -> Result<Vec<KeyValue>, StreamEnd> {
    let missing = || {
        let names: Vec<String> = key.iter().map(|column| column.name.to_string()).collect();
        not_understood(format!(
            "a row image does not have the key columns {}",
            names.join(", ")
        ))
    };
    values.into_iter().collect::<Option<_>>().ok_or_else(missing)
}

/// The head of an after image that may hold JSON differences: options, and a bit for every JSON column. A difference
/// has the same length prefix as a whole value.
fn skip_partial_bits(rows: &mut Reader<'_>, json_columns: usize) -> Result<(), StreamEnd> {
    let options = rows.lenenc()?;
    if options & 1 == 1 {
        Bitmap::read(rows, json_columns)?;
    }
    Ok(())
}

fn not_understood(text: impl Into<String>) -> StreamEnd {
    StreamEnd::NotUnderstood(text.into())
}
