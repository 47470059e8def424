//! The shapes of replies: one pure step per packet.
//!
//! *Invariant:* a step looks at a packet's first frame length and its head, never at a row's values. Whatever it does not
//! understand is `Step::Lost`: the relay then follows nothing any more and forwards blindly, which is always right.

use super::capabilities::{Capabilities, OPTIONAL_METADATA};
use super::frame::{FRAME_MAX_BYTES, Head};
use super::ok::{self, status};
use super::progress::is_progress;
use super::reader::Reader;

/// The kind of reply a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// One OK, EOF or ERR packet.
    Simple,
    /// One packet of plain text.
    Line,
    /// Replies to a text statement, also a request for a file.
    Query,
    /// Replies to a prepared statement, also an opened cursor.
    Execute,
    /// As `Execute`, without a cursor, where MySQL has opened one before: a statement whose first execution opened a cursor it
    /// answers with definitions and then an OK packet in the place of the rows, from then on.
    ExecuteAgain,
    /// A prepared statement's description.
    Prepare,
    /// Rows (or definitions) without a count before them.
    Rows,
    /// A command nobody knows: an error, or a shape nobody knows.
    Unknown,
    /// A stream with a protocol of its own.
    Endless,
}

/// Where within a reply the next packet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the beginning of a reply.
    First,
    /// Within `left` definitions; of a prepared statement, `then` more follow as a block of their own.
    Definitions { left: u64, then: Option<u64> },
    /// At the EOF behind definitions.
    DefinitionsEnd { then: Option<u64> },
    /// At the first row, or at an OK packet in the place of all rows.
    RowsOrOk,
    /// Within rows. One more reply follows though the end will not say so, if `then_more`.
    Rows { then_more: bool },
}

/// What a packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An OK packet that is a reply of its own.
    Ok,
    /// An error.
    Error,
    /// A progress report.
    Progress,
    /// A request for a file of the client's.
    LocalInfile,
    /// A prepared statement's first packet, with its id.
    Prepared { id: u32 },
    /// A row.
    Row,
    /// Anything else: counts, definitions, ends.
    Other,
}

/// What follows a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The reply goes on at this place.
    At(Place),
    /// The command is answered.
    Done,
    /// The command is answered, unless the next packet's number says that this one was a row.
    DoneOrRow,
    /// The packet fits no known shape.
    Lost,
}

/// One packet, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) kind: Kind,
    pub(crate) step: Step,
    /// The status flags it carried.
    pub(crate) status: Option<u16>,
}

impl Seen {
    fn new(kind: Kind, step: Step, status: Option<u16>) -> Self {
        Self { kind, step, status }
    }

    fn lost() -> Self {
        Self::new(Kind::Other, Step::Lost, None)
    }
}

/// Understands the packet at `place` of a reply of the kind `expect`.
pub(crate) fn step(expect: Expect, place: Place, head: &Head, capabilities: Capabilities) -> Seen {
    step_checked(expect, place, head, capabilities).unwrap_or_else(Seen::lost)
}

fn step_checked(expect: Expect, place: Place, head: &Head, capabilities: Capabilities) -> Option<Seen> {
    if head.first() == Some(0xff) && expect != Expect::Line {
        if capabilities.progress() && is_progress(head.bytes()) {
            return Some(Seen::new(Kind::Progress, Step::At(place), None));
        }
        return Some(Seen::new(Kind::Error, Step::Done, None));
    }
    match place {
        Place::First => first(expect, head, capabilities),
        Place::Definitions { left, then } => {
            let step = definitions(expect, left.saturating_sub(1), then, capabilities);
            Some(Seen::new(Kind::Other, step, None))
        }
        Place::DefinitionsEnd { then } => definitions_end(expect, then, head, capabilities),
        Place::RowsOrOk => rows_or_ok(head, capabilities),
        Place::Rows { then_more } => rows(then_more, head, capabilities),
    }
}

fn first(expect: Expect, head: &Head, capabilities: Capabilities) -> Option<Seen> {
    match expect {
        Expect::Simple => simple(head, capabilities),
        Expect::Line => Some(Seen::new(Kind::Other, Step::Done, None)),
        Expect::Query | Expect::Execute | Expect::ExecuteAgain => query(expect, head, capabilities),
        Expect::Prepare => prepare(head, capabilities),
        Expect::Rows => rows(false, head, capabilities),
        Expect::Unknown | Expect::Endless => None,
    }
}

fn simple(head: &Head, capabilities: Capabilities) -> Option<Seen> {
    let status = match head.first()? {
        0x00 => ok::Ok::parse(head.bytes())?.status,
        0xfe => end_status(head, capabilities)?,
        _ => return None,
    };
    Some(Seen::new(Kind::Ok, Step::Done, Some(status)))
}

fn query(expect: Expect, head: &Head, capabilities: Capabilities) -> Option<Seen> {
    match head.first()? {
        0x00 => {
            let status = ok::Ok::parse(head.bytes())?.status;
            Some(Seen::new(Kind::Ok, after_reply(status, false), Some(status)))
        }
        0xfb if expect == Expect::Query => Some(Seen::new(Kind::LocalInfile, Step::At(Place::First), None)),
        _ => {
            let mut reader = Reader::new(head.bytes());
            let count = reader.lenenc()?;
            let follow = !capabilities.metadata_flag() || reader.u8()? != 0;
            let step = definitions(expect, if follow { count } else { 0 }, None, capabilities);
            Some(Seen::new(Kind::Other, step, None))
        }
    }
}

fn prepare(head: &Head, capabilities: Capabilities) -> Option<Seen> {
    let mut reader = Reader::new(head.bytes());
    if reader.u8()? != 0 {
        return None;
    }
    let id = reader.u32()?;
    let columns = u64::from(reader.u16()?);
    let parameters = u64::from(reader.u16()?);
    reader.take(3)?;
    let follow = !capabilities.has(OPTIONAL_METADATA) || reader.u8().is_none_or(|flag| flag != 0);
    // A block whose definitions are left out still has its EOF; no block at all has none.
    let block = |count: u64| (count > 0).then_some(if follow { count } else { 0 });
    let step = match (block(parameters), block(columns)) {
        (Some(left), then) => definitions(Expect::Prepare, left, then, capabilities),
        (None, Some(left)) => definitions(Expect::Prepare, left, None, capabilities),
        (None, None) => Step::Done,
    };
    Some(Seen::new(Kind::Prepared { id }, step, None))
}

/// Where a block with `left` definitions to come goes on.
fn definitions(expect: Expect, left: u64, then: Option<u64>, capabilities: Capabilities) -> Step {
    if left > 0 {
        Step::At(Place::Definitions { left, then })
    } else if capabilities.deprecate_eof() {
        after_definitions(expect, then, false, capabilities)
    } else {
        Step::At(Place::DefinitionsEnd { then })
    }
}

fn after_definitions(expect: Expect, then: Option<u64>, then_more: bool, capabilities: Capabilities) -> Step {
    match (expect, then) {
        (Expect::Prepare, None) => Step::Done,
        (Expect::Prepare, Some(left)) => definitions(expect, left, None, capabilities),
        (Expect::ExecuteAgain, _) if capabilities.deprecate_eof() => Step::At(Place::RowsOrOk),
        _ => Step::At(Place::Rows { then_more }),
    }
}

fn definitions_end(
    expect: Expect,
    then: Option<u64>,
    head: &Head,
    capabilities: Capabilities,
) -> Option<Seen> {
    if expect == Expect::ExecuteAgain && head.first()? == 0 {
        let status = ok::Ok::parse(head.bytes())?.status;
        return Some(Seen::new(Kind::Other, after_reply(status, false), Some(status)));
    }
    if head.first()? != 0xfe {
        return None;
    }
    let status = end_status(head, capabilities)?;
    let cursor = expect == Expect::Execute && status & status::CURSOR_EXISTS != 0;
    let step = if cursor {
        after_reply(status, false)
    } else {
        // MySQL says only here, and not at the end of the row, that an OK still follows OUT parameters.
        after_definitions(expect, then, status & status::OUT_PARAMS != 0, capabilities)
    };
    Some(Seen::new(Kind::Other, step, Some(status)))
}

fn rows(then_more: bool, head: &Head, capabilities: Capabilities) -> Option<Seen> {
    // A row may begin with 0xfe when its first value has 16 MiB or more; then its first frame is full.
    if head.first() != Some(0xfe) || head.length == FRAME_MAX_BYTES {
        return Some(Seen::new(Kind::Row, Step::At(Place::Rows { then_more }), None));
    }
    let status = end_status(head, capabilities)?;
    Some(Seen::new(
        Kind::Other,
        after_reply(status, then_more),
        Some(status),
    ))
}

/// A row of a prepared statement begins with the byte of an OK packet, too, and a row of a few short values can be read as one
/// (a TINYINT of 0 and an INT of 2). The OK packet is all zeros but for its status flags, and what it tells of the session.
fn rows_or_ok(head: &Head, capabilities: Capabilities) -> Option<Seen> {
    const OK_BYTES: usize = 7;
    let status = ok::Ok::parse(head.bytes()).map_or(0, |ok| ok.status);
    let is_ok = head.bytes().starts_with(&[0, 0, 0])
        && (head.length == OK_BYTES || head.length > OK_BYTES && status & status::SESSION_STATE_CHANGED != 0);
    if !is_ok {
        return rows(false, head, capabilities);
    }
    let step = match after_reply(status, false) {
        Step::Done => Step::DoneOrRow,
        other => other,
    };
    Some(Seen::new(Kind::Other, step, Some(status)))
}

fn after_reply(status: u16, then_more: bool) -> Step {
    if status & status::MORE_RESULTS != 0 || then_more {
        Step::At(Place::First)
    } else {
        Step::Done
    }
}

/// The status flags of the packet with header `0xfe` that ends something.
fn end_status(head: &Head, capabilities: Capabilities) -> Option<u16> {
    if capabilities.deprecate_eof() && head.length >= 7 {
        return ok::Ok::parse(head.bytes()).map(|ok| ok.status);
    }
    ok::eof_status(head.bytes())
}
