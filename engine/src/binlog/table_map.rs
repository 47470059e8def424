//! TABLE_MAP events: which table the row events that follow are about.

use super::StreamEnd;
use super::column::{self, ColumnType};
use super::reader::{Reader, Truncated};

/// The head of a TABLE_MAP event, which every one is read of.
#[derive(Debug)]
pub(super) struct TableHead<'a> {
    pub(super) id: u64,
    pub(super) schema: &'a [u8],
    pub(super) table: &'a [u8],
    rest: Reader<'a>,
}

/// The columns of the source, as its last TABLE_MAP event tells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableMap {
    pub(super) columns: Vec<ColumnType>,
    /// How many of them are JSON.
    pub(super) json_columns: usize,
}

impl<'a> TableHead<'a> {
    pub(super) fn read(data: &'a [u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(data);
        let id = reader.little(6)?;
        reader.bytes(2)?;
        let schema = name(&mut reader)?;
        let table = name(&mut reader)?;
        Ok(Self {
            id,
            schema,
            table,
            rest: reader,
        })
    }

    /// The number of columns, and their types.
    pub(super) fn columns(mut self) -> Result<TableMap, StreamEnd> {
        let count = self.rest.lenenc_length()?;
        let codes = self.rest.bytes(count)?;
        let metadata_length = self.rest.lenenc_length()?;
        let mut metadata = Reader::new(self.rest.bytes(metadata_length)?);
        let columns = codes.iter().map(|code| ColumnType::read(*code, &mut metadata));
        Ok(TableMap {
            columns: columns.collect::<Result<_, _>>()?,
            json_columns: codes.iter().filter(|code| column::is_json(**code)).count(),
        })
    }
}

fn name<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Truncated> {
    let length = reader.length(1)?;
    let name = reader.bytes(length)?;
    reader.u8()?;
    Ok(name)
}
