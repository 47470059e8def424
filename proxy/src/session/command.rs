//! Decides about the client's bytes, command by command: forward, wait, hold or catch.
//!
//! Only the front of a command is looked at unless its first word makes it interesting; then the whole text is waited for,
//! up to a bound. Everything else is forwarded as it arrives.

use std::sync::Arc;

use super::Session;
use super::names::{Learned, Names};
use super::statements::{PreparedChange, Statements};
use crate::gate::Moment;
use crate::hooks::{Done, ReadMode, Verdict, Way};
use crate::intercept::{Diagnostics, Functions, Opening, Show, Target, kill, locks, tracking, words};
use crate::protocol::capabilities::{Capabilities, MULTI_STATEMENTS};
use crate::protocol::command::{self as code, expected};
use crate::protocol::frame::{Frames, HEADER_BYTES, Header};
use crate::protocol::query;
use crate::protocol::reader::Reader;
use crate::protocol::reply::Watch;
use crate::protocol::shape::Expect;
use crate::routing::ids;

/// A longer command is never looked into.
const INSPECTED_MAX_BYTES: usize = 1 << 20;

/// What the client's next bytes are.
#[derive(Debug)]
pub(super) enum Phase {
    /// A command begins.
    Command,
    /// The rest of a frame of a command that was let through.
    Passing { left: usize, continued: bool },
    /// The next frame of a command that was let through.
    Continuation,
    /// The file the server asked for, up to an empty packet.
    LocalFile(Frames),
    /// Nothing is followed any more.
    Blind,
}

/// What is to be done before more bytes are decided about.
#[derive(Debug)]
pub(super) enum Step {
    /// More bytes must come.
    More,
    /// The command at the front is held at the gate.
    Hold { text: Option<Vec<u8>> },
    /// The command at the front is handled by the proxy, once everything before it is answered.
    Catch(Caught),
}

/// A command that is caught. It stays at the front of the undecided bytes until it is forwarded or consumed.
#[derive(Debug)]
pub(crate) struct Caught {
    pub(crate) header: Header,
    pub(crate) catch: Catch,
}

/// Why a command is caught.
#[derive(Debug)]
pub(crate) enum Catch {
    /// A change of user, whose packets are an exchange.
    ChangeUser,
    /// A text that may change a table.
    Change(String),
    /// A text that may be about what a schema change under way works on. `prepared` says that it is executed by its id.
    Bystander { sql: String, prepared: bool },
    /// The preparation of a text that may change a table.
    Prepare(String),
    /// The execution of a prepared one, by its id or by its name.
    Execute(Arc<PreparedChange>),
    /// A text that carries another one in a user variable, which has to be asked for.
    Learn(String),
    /// A text that prepares, or executes at once, another one that may change a table.
    Carrier(String),
    /// `SHOW MIGRATIONS`.
    Migrations,
    /// A kill by an id the proxy told a client.
    Kill(u32),
    /// `SHOW ROUTES`.
    Routes,
    /// `SHOW UPSTREAMS`.
    Upstreams,
    /// A statement on a table that was replaced after the transaction's snapshot.
    OldSnapshot(Expect, Suspicion),
    /// A question about diagnostics only the proxy has.
    Diagnostics(Diagnostics),
    /// A text of several statements, one of which may change a table.
    Several(String),
    /// A part of such a text, when the client's command was killed before it.
    Killed,
    /// A question of nothing but functions that tell of the statement before.
    Functions { text: String, asked: Functions },
}

/// What makes a statement suspicious of an old snapshot.
#[derive(Debug)]
pub(crate) struct Suspicion {
    /// No snapshot of the transaction is older.
    pub(crate) since: Moment,
    /// The statement, where its names mean what they mean now: a prepared one's may mean another schema's tables.
    pub(crate) text: Option<Vec<u8>>,
}

/// What is decided about the command at the front.
pub(super) enum Decision {
    More,
    Forward(Option<Expect>),
    Catch(Catch),
}

/// The command at the front of the undecided bytes, as far as it has come.
struct Front<'a> {
    header: Header,
    code: u8,
    body: &'a [u8],
    is_whole: bool,
}

impl Front<'_> {
    fn is_inspectable(&self) -> bool {
        self.header.length <= INSPECTED_MAX_BYTES
    }

    /// What a command touches that may touch tables.
    fn touches<'t>(
        &'t self,
        statements: &'t Statements,
        names: &'t Names,
        learned: Option<&'t Learned>,
        capabilities: Capabilities,
    ) -> Option<Touched<'t>> {
        match self.code {
            code::QUERY => {
                let text = query::text(self.body, capabilities).filter(|_| self.is_inspectable());
                Some(match text.filter(|text| words::executes(text)) {
                    Some(text) => names.touched(text, learned),
                    None => Touched {
                        text,
                        was_prepared: false,
                    },
                })
            }
            code::STMT_EXECUTE | code::STMT_BULK_EXECUTE => {
                let id = Reader::new(self.body).u32();
                let statement = id.and_then(|id| statements.get(id));
                Some(Touched {
                    text: statement.and_then(|statement| statement.text.as_deref()),
                    was_prepared: true,
                })
            }
            _ => None,
        }
    }
}

/// What the gate has to know of a command that may touch tables.
pub(super) struct Touched<'t> {
    /// The statement that is executed, if it is known.
    pub(super) text: Option<&'t [u8]>,
    /// It was prepared before, so its names may mean another schema's tables.
    pub(super) was_prepared: bool,
}

impl Session {
    /// Decides about as many of the client's bytes as there are.
    pub(super) fn decide(&mut self) -> Step {
        loop {
            let undecided = self.wire.up.undecided();
            match &mut self.phase {
                Phase::Blind => {
                    self.wire.up.approve_all();
                    return Step::More;
                }
                Phase::Passing { left, continued } => {
                    let passing = undecided.len().min(*left);
                    *left -= passing;
                    let is_over = *left == 0;
                    let next = if *continued {
                        Phase::Continuation
                    } else {
                        Phase::Command
                    };
                    self.wire.up.approve(passing);
                    if !is_over {
                        return Step::More;
                    }
                    self.phase = next;
                }
                Phase::Continuation => {
                    let Some(header) = Header::peek(undecided) else {
                        return Step::More;
                    };
                    self.wire.up.approve(HEADER_BYTES);
                    self.phase = Phase::Passing {
                        left: header.length,
                        continued: header.is_continued(),
                    };
                }
                Phase::LocalFile(frames) => {
                    let mut rest = undecided;
                    let ended = file_ended(frames, &mut rest);
                    let passed = undecided.len() - rest.len();
                    self.wire.up.approve(passed);
                    if !ended {
                        return Step::More;
                    }
                    self.phase = Phase::Command;
                }
                Phase::Command => {
                    if let Some(step) = self.decide_command() {
                        return step;
                    }
                }
            }
        }
    }

    /// Decides about the command at the front; `None` when it was let through.
    fn decide_command(&mut self) -> Option<Step> {
        if self.waits_for_part() {
            return Some(Step::More);
        }
        let undecided = self.wire.up.undecided();
        let Some(header) = Header::peek(undecided) else {
            return Some(Step::More);
        };
        if header.length == 0 {
            self.forward(header, Some(Expect::Unknown));
            return None;
        }
        let Some((code, body)) = undecided.get(HEADER_BYTES..).and_then(<[u8]>::split_first) else {
            return Some(Step::More);
        };
        if header.sequence != 0 {
            // A command with another number is the server's to refuse, and it closes the connection.
            self.forward(header, expected(*code));
            return None;
        }
        let body = body.get(..header.length - 1).unwrap_or(body);
        let is_whole = body.len() == header.length - 1 && !header.is_continued();
        let front = Front {
            header,
            code: *code,
            body,
            is_whole,
        };
        if self.series.as_ref().is_some_and(|series| series.is_killed()) {
            let catch = Catch::Killed;
            return Some(Step::Catch(Caught { header, catch }));
        }
        match self.judge(&front) {
            Decision::More => Some(Step::More),
            Decision::Catch(catch) => Some(Step::Catch(Caught { header, catch })),
            Decision::Forward(expect) => {
                let learned = self.learned.as_deref();
                if let Some(Touched { text, was_prepared }) =
                    front.touches(&self.statements, &self.names, learned, self.capabilities)
                {
                    if !self.visitor.passes(text, self.gate_passed) {
                        let text = text.map(<[u8]>::to_vec);
                        return Some(Step::Hold { text });
                    }
                    if let Some(expect) = expect
                        && let Some(text) = text
                        && let Some(since) = self.reads_too_early(text)
                    {
                        let text = (!was_prepared).then(|| text.to_vec());
                        let catch = Catch::OldSnapshot(expect, Suspicion { since, text });
                        return Some(Step::Catch(Caught { header, catch }));
                    }
                    self.snapshot.sent(text, self.shared.gate.now());
                }
                self.note(header);
                self.forward(header, expect);
                None
            }
        }
    }

    /// Since when there may be a snapshot, if the statement may read a table with it that was replaced later.
    fn reads_too_early(&self, text: &[u8]) -> Option<Moment> {
        let since = self.snapshot.since()?;
        (self.shared.gate.has_swapped_since(since, text) && !words::only_adds(text)).then_some(since)
    }

    fn judge(&self, front: &Front<'_>) -> Decision {
        match front.code {
            code::QUERY => self.judge_query(front),
            code::STMT_PREPARE => self.judge_prepare(front),
            code::STMT_EXECUTE | code::STMT_BULK_EXECUTE => self.judge_execute(front),
            code::CHANGE_USER if !front.is_inspectable() => Decision::Forward(Some(Expect::Unknown)),
            code::CHANGE_USER if !front.is_whole => Decision::More,
            code::CHANGE_USER => Decision::Catch(Catch::ChangeUser),
            // Whose number it is, is noted as it is let through.
            code::STMT_CLOSE | code::PROCESS_KILL | code::SET_OPTION
                if front.body.len() < 4 && !front.is_whole =>
            {
                Decision::More
            }
            code::PROCESS_KILL if self.server.upstream.is_some() && front.is_inspectable() => {
                if !front.is_whole {
                    return Decision::More;
                }
                let id = Reader::new(front.body).u32().filter(|id| ids::is_told(*id));
                id.map_or(Decision::Forward(expected(code::PROCESS_KILL)), |id| {
                    Decision::Catch(Catch::Kill(id))
                })
            }
            other => Decision::Forward(expected(other)),
        }
    }

    fn judge_query(&self, front: &Front<'_>) -> Decision {
        const FORWARD: Decision = Decision::Forward(Some(Expect::Query));
        if !front.is_inspectable() {
            return FORWARD;
        }
        let text = query::text(front.body, self.capabilities);
        if !front.is_whole {
            // A text that is surely nothing of ours passes as it arrives, unless what it says matters: at a gate, or to a
            // session that may have a snapshot, or that has statements it may prepare anew, or may send several in one text.
            let is_other = text.and_then(words::opening) == Some(Opening::Other);
            let is_free = self.shared.gate.is_idle()
                && self.snapshot.is_none()
                && self.names.is_empty()
                && self.left.is_none()
                && !self.multi;
            return if is_other && is_free {
                FORWARD
            } else {
                Decision::More
            };
        }
        let Some(text) = text else { return FORWARD };
        if let Some(decision) = self.judge_several(text) {
            return decision;
        }
        match words::opening_of_whole(text) {
            Opening::Change => {
                if let Some(text) = self.candidate(text) {
                    return Decision::Catch(Catch::Change(text));
                }
                return self.bystander(text, false).map_or(FORWARD, Decision::Catch);
            }
            Opening::Definition => {
                return self.bystander(text, false).map_or(FORWARD, Decision::Catch);
            }
            Opening::Show => match Show::parse(text) {
                Some(Show::Migrations) => return Decision::Catch(Catch::Migrations),
                Some(Show::Routes) => return Decision::Catch(Catch::Routes),
                Some(Show::Upstreams) => return Decision::Catch(Catch::Upstreams),
                Some(Show::Diagnostics(asked)) if self.kept.is_some() => {
                    return Decision::Catch(Catch::Diagnostics(asked));
                }
                _ => {}
            },
            Opening::Kill if self.server.upstream.is_some() => {
                if let Some(id) = kill::told_id(text) {
                    return Decision::Catch(Catch::Kill(id));
                }
            }
            Opening::Dynamic => return self.judge_dynamic(text),
            Opening::Other if self.left.is_some() => {
                if let Some(asked) = Functions::parse(text) {
                    let text = String::from_utf8_lossy(text).into_owned();
                    return Decision::Catch(Catch::Functions { text, asked });
                }
            }
            Opening::Kill | Opening::Locks | Opening::Setting | Opening::Boundary | Opening::Other => {}
        }
        FORWARD
    }

    fn judge_prepare(&self, front: &Front<'_>) -> Decision {
        const FORWARD: Decision = Decision::Forward(Some(Expect::Prepare));
        if !front.is_inspectable() {
            return FORWARD;
        }
        if !front.is_whole {
            return Decision::More;
        }
        match words::opening_of_whole(front.body) {
            Opening::Change => self
                .candidate(front.body)
                .map_or(FORWARD, |text| Decision::Catch(Catch::Prepare(text))),
            _ => FORWARD,
        }
    }

    fn judge_execute(&self, front: &Front<'_>) -> Decision {
        const FORWARD: Decision = Decision::Forward(Some(Expect::Execute));
        let (Some(id), flags) = (Reader::new(front.body).u32(), front.body.get(4)) else {
            return if front.is_whole { FORWARD } else { Decision::More };
        };
        if flags.is_none() && !front.is_whole {
            return Decision::More;
        }
        let statement = self.statements.get(id);
        let change = statement.and_then(|statement| statement.change.clone());
        if let Some(change) = change.filter(|_| self.executes_changes(front)) {
            return if front.is_whole {
                Decision::Catch(Catch::Execute(change))
            } else {
                Decision::More
            };
        }
        if statement.is_none() && self.statements.may_become_change(id) {
            return Decision::More;
        }
        let text = statement.and_then(|statement| statement.text.as_deref());
        if let Some(text) = text.filter(|text| front.is_inspectable() && words::changes_schemas(text))
            && front.code == code::STMT_EXECUTE
            && let Some(catch) = self.bystander(text, true)
        {
            return if front.is_whole {
                Decision::Catch(catch)
            } else {
                Decision::More
            };
        }
        let without_cursor = flags.is_some_and(|flags| flags & code::CURSOR == 0);
        if self.cursors && front.code == code::STMT_EXECUTE && without_cursor {
            return Decision::Forward(Some(Expect::ExecuteAgain));
        }
        FORWARD
    }

    /// Whether the server would execute a schema change by this command: none does in bulk or by one that is cut short, and
    /// MySQL not with a cursor.
    fn executes_changes(&self, front: &Front<'_>) -> bool {
        // One that is too long to be waited for is the server's, too.
        if !front.is_inspectable() || front.is_whole && front.body.len() < code::EXECUTE_MIN_BYTES {
            return false;
        }
        let flags = front.body.get(4).copied().unwrap_or_default();
        front.code == code::STMT_EXECUTE && (self.server.is_mariadb || flags & code::CURSOR == 0)
    }

    /// A statement of the server's that may have to wait for a schema change under way.
    pub(super) fn bystander(&self, text: &[u8], prepared: bool) -> Option<Catch> {
        let text = str::from_utf8(text).ok()?;
        self.shared.hooks.may_concern(text).then(|| Catch::Bystander {
            sql: text.to_owned(),
            prepared,
        })
    }

    /// The text, if the hooks may want it in any mode the session could be reading it in. Which one it is costs a
    /// question to the server, so it is asked for these only.
    pub(super) fn candidate(&self, text: &[u8]) -> Option<String> {
        let text = str::from_utf8(text).ok().or_else(|| {
            tracing::info!("left to the server, because the statement is not valid UTF-8");
            None
        })?;
        let mut reason = None;
        for mode in ReadMode::of_text(text) {
            match self.shared.hooks.inspect(text, mode) {
                Verdict::Ask(_) => return Some(text.to_owned()),
                Verdict::Native { reason: found } => reason = Some(found),
                Verdict::Unrelated => {}
            }
        }
        // Of a text of several statements it has been said.
        if let Some(reason) = reason.filter(|_| !self.is_left_whole) {
            tracing::info!(
                connection = self.server.connection_id,
                "left to the server, because {reason}"
            );
        }
        None
    }

    /// A schema change that is the server's, whatever it is asked.
    fn native_change(&self, text: &[u8]) -> Option<Box<Done>> {
        let sql = str::from_utf8(text).ok()?;
        let native = |mode| match self.shared.hooks.inspect(sql, mode) {
            Verdict::Native { reason } => Some((mode, reason)),
            Verdict::Ask(_) | Verdict::Unrelated => None,
        };
        let (mode, reason) = ReadMode::of_text(sql).find_map(native)?;
        let way = Way::Own { reason, record: None };
        Some(Box::new(self.done_change(sql, mode, None, way)))
    }

    /// What the hooks hear of a schema change that the server did.
    pub(crate) fn done_change(&self, sql: &str, mode: ReadMode, schema: Option<String>, way: Way) -> Done {
        Done {
            sql: sql.to_owned(),
            mode,
            schema,
            way,
            upstream: self.server.upstream.clone(),
        }
    }

    /// Remembers what the command at the front changes in the session, when it is let through.
    pub(crate) fn note(&mut self, header: Header) {
        let Some((code, body)) = self
            .wire
            .up
            .undecided()
            .get(HEADER_BYTES..)
            .and_then(<[u8]>::split_first)
        else {
            return;
        };
        let body = body.get(..header.length.saturating_sub(1)).unwrap_or(body);
        let (mut found, mut native) = (None, None);
        match *code {
            code::PROCESS_KILL => found = Reader::new(body).u32(),
            code::QUERY => {
                (self.kept, self.left) = (None, None);
                let text = query::text(body, self.capabilities);
                if let Some(text) = text.filter(|_| header.length <= INSPECTED_MAX_BYTES) {
                    let opening = words::opening_of_whole(text);
                    match opening {
                        Opening::Locks => self.locks = locks::change(text).unwrap_or(self.locks),
                        Opening::Setting => self.tracked |= tracking::is_asked_for(text),
                        Opening::Kill => found = kill::target(text),
                        Opening::Change if self.native.is_none() => native = self.native_change(text),
                        _ => {}
                    }
                    if opening == Opening::Dynamic || !self.names.is_empty() {
                        self.names.sent(text, self.learned.as_deref());
                    }
                } else {
                    self.names.clear();
                }
            }
            code::STMT_PREPARE => {
                (self.kept, self.left) = (None, None);
                let is_whole = body.len() == header.length - 1;
                self.statements.announce(Some(body).filter(|_| is_whole), None);
            }
            code::STMT_EXECUTE | code::STMT_BULK_EXECUTE => {
                (self.kept, self.left) = (None, None);
                if !self.names.is_empty() {
                    let statement = Reader::new(body).u32().and_then(|id| self.statements.get(id));
                    self.names
                        .executed(statement.and_then(|statement| statement.text.as_deref()));
                }
                let flags = body.get(4).copied().unwrap_or_default();
                self.cursors |=
                    !self.server.is_mariadb && *code == code::STMT_EXECUTE && flags & code::CURSOR != 0;
            }
            code::SET_OPTION => match Reader::new(body).u16() {
                Some(code::MULTI_STATEMENTS_ON) => self.multi = true,
                Some(code::MULTI_STATEMENTS_OFF) => self.multi = false,
                _ => {}
            },
            code::STMT_CLOSE => {
                if let Some(id) = Reader::new(body).u32() {
                    self.statements.close(id);
                }
            }
            code::RESET_CONNECTION | code::CHANGE_USER => {
                (self.kept, self.left) = (None, None);
                self.locks = false;
                self.tracked = false;
                self.cursors = false;
                self.statements.clear();
                self.names.clear();
                // What an option that was set becomes is the server's to know.
                self.multi &= self.capabilities.has(MULTI_STATEMENTS);
            }
            _ => {}
        }
        self.native = self.native.take().or(native);
        // Of kills sent one behind the other the first is heard of.
        if let Some(id) = found
            && self.kills.is_none()
        {
            let upstream = self.server.upstream.clone();
            self.kills = Some(Box::new(Target { upstream, id }));
        }
    }

    /// Lets the command at the front through, and announces its reply.
    pub(crate) fn forward(&mut self, header: Header, expect: Option<Expect>) {
        self.gate_passed = false;
        self.learned = None;
        self.is_left_whole = false;
        if let Some(expect) = expect {
            self.tracker.expect(expect);
        }
        if let Some(series) = &mut self.series {
            series.is_asked = true;
        }
        if self.kills.is_some() && !self.tracker.watches(Watch::Kill) {
            self.tracker.watch_last(Watch::Kill);
        }
        if let Some(change) = self.native.take()
            && self.tracker.watch_last(Watch::Change)
        {
            self.natives.push_back(*change);
        }
        self.wire.up.approve(HEADER_BYTES);
        self.phase = Phase::Passing {
            left: header.length,
            continued: header.is_continued(),
        };
    }

    /// What the server answers the command at the front with.
    pub(crate) fn expected_at_front(&self) -> Option<Expect> {
        expected(*self.wire.up.undecided().get(HEADER_BYTES)?)
    }

    /// The command at the front, with what came behind it.
    pub(crate) fn front_mut(&mut self) -> &mut [u8] {
        self.wire.up.undecided_mut()
    }

    /// Takes the command at the front away: it has been answered.
    pub(crate) fn consume(&mut self, header: Header) {
        self.gate_passed = false;
        self.learned = None;
        self.is_left_whole = false;
        self.wire.up.discard(HEADER_BYTES + header.length);
        self.part_consumed();
    }
}

/// Follows a file's packets to the empty one that ends it.
fn file_ended(frames: &mut Frames, rest: &mut &[u8]) -> bool {
    while let Some(head) = frames.next(rest) {
        if head.length == 0 {
            return true;
        }
    }
    false
}
