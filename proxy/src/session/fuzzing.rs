//! A session without its connections, for tests of what it decides and reads.

use std::sync::Arc;
use std::time::Duration;

use super::command::Step;
use super::handshake::LoggedIn;
use super::names::Learned;
use super::side::ReplyReader;
use super::wire::{Pipe, Wire};
use super::{Catch, Caught, End, Entered, Session, Shared};
use crate::config::Upstream;
use crate::gate::Gate;
use crate::hooks::{Answer, Attempt, Grid, Held, Hooks, Question, ReadMode, Request, Verdict};
use crate::intercept::dynamic::Dynamic;
use crate::intercept::split::Split;
#[cfg(test)]
use crate::protocol::capabilities::MULTI_STATEMENTS;
use crate::protocol::capabilities::{Capabilities, PROTOCOL_41};
use crate::protocol::greeting::Greeting;
use crate::protocol::shape::Expect;
use crate::routing::Router;
use crate::session::PreparedChange;
use crate::stop::Stop;
use crate::stream::Stream;

/// The reply a side statement's reader makes of a stream that arrives in `pieces`, and what is left behind it.
pub(crate) fn read_aside(capabilities: Capabilities, pieces: &[&[u8]]) -> String {
    let mut pipe = Pipe::new();
    let mut reader = ReplyReader::new(capabilities);
    let mut found = None;
    for piece in pieces {
        pipe.arrive(piece);
        if found.is_none() {
            found = reader.read(&mut pipe).transpose();
        }
    }
    let left = found.is_some().then(|| pipe.undecided());
    format!("{found:?} {left:?}")
}

/// Hooks that take every ALTER for one of theirs.
struct Takes;

#[async_trait::async_trait]
impl Hooks for Takes {
    fn inspect(&self, sql: &str, _: ReadMode) -> Verdict {
        if !sql.contains("ALTER") {
            return Verdict::Unrelated;
        }
        Verdict::Ask(Question {
            schema: None,
            table: "t".to_owned(),
            first: Attempt {
                sql: sql.to_owned(),
                declined_codes: Vec::new(),
                declined_text: None,
            },
            second: None,
            afterwards: Vec::new(),
        })
    }

    async fn alter(&self, _: Request, _: Held) -> Answer {
        Answer::Native {
            reason: "nothing is carried out here".to_owned(),
            record: None,
        }
    }

    async fn migrations(&self) -> Grid {
        Grid::default()
    }
}

/// The session, and what it has let through.
pub(crate) struct Offline {
    session: Session,
    /// What was caught, in order.
    caught: Vec<String>,
    /// The session is over.
    ended: Option<End>,
}

impl Offline {
    pub(crate) fn new(capabilities: Capabilities, is_mariadb: bool) -> Self {
        let (hooks, gate) = (Arc::new(Takes), Gate::default());
        let nowhere = Upstream {
            host: "nowhere".to_owned(),
            port: 1,
        };
        let shared = Shared {
            router: Arc::new(Router::single(&nowhere, hooks.clone(), gate.clone())),
            hooks,
            gate,
            password_key: Arc::default(),
        };
        let capabilities = Capabilities {
            base: capabilities.base | PROTOCOL_41,
            ..capabilities
        };
        let logged_in = LoggedIn {
            greeting: Greeting::offline(is_mariadb),
            capabilities,
            status: 2,
        };
        let entered = Entered {
            logged_in,
            shared,
            guest: None,
            noted: None,
            upstream: None,
        };
        let wire = Wire::new(Stream::Closed, Stream::Closed);
        Self {
            session: Session::new(wire, entered, Arc::new(Stop::default()), Duration::MAX),
            caught: Vec::new(),
            ended: None,
        }
    }

    /// The client's next bytes.
    pub(crate) fn client_sends(&mut self, bytes: &[u8]) {
        self.session.wire.up.arrive(bytes);
        self.decide();
    }

    /// The server's next bytes. What the client sent meanwhile is decided about by `decide`.
    pub(crate) fn server_sends(&mut self, bytes: &[u8]) {
        self.session.wire.down.arrive(bytes);
        if self.ended.is_none() {
            self.ended = self.session.follow(bytes.len()).err();
        }
    }

    /// Whether the server has something to say.
    pub(crate) fn awaits_server(&self) -> bool {
        !self.session.tracker.is_idle() && self.ended.is_none()
    }

    /// A table is replaced, as at a cut-over.
    pub(crate) fn swap(&mut self, table: &str) {
        self.session.shared.gate.swapped("app", table);
    }

    /// Decides about what has come; a caught command is dealt with as the server's answers would have it dealt with.
    pub(crate) fn decide(&mut self) {
        while self.ended.is_none() {
            match self.session.decide() {
                Step::Catch(caught) if self.session.tracker.is_idle() => self.deal_with(caught),
                Step::More | Step::Catch(_) => return,
                Step::Hold { .. } => panic!("no table is watched"),
            }
        }
    }

    fn deal_with(&mut self, caught: Caught) {
        let session = &mut self.session;
        self.caught.push(format!("{:?}", caught.catch));
        let header = caught.header;
        match caught.catch {
            Catch::Change(_) | Catch::Bystander { .. } | Catch::Execute(_) => {
                let expect = session.expected_at_front();
                session.note(header);
                session.forward(header, expect);
            }
            Catch::Learn(variable) => {
                let text = match variable.len() % 3 {
                    0 => Some("ALTER TABLE t ADD a INT".to_owned()),
                    1 => Some("SELECT id FROM t".to_owned()),
                    _ => None,
                };
                session.learned = Some(Box::new(Learned(text)));
            }
            Catch::Carrier(text) => {
                session.names.sent(text.as_bytes(), session.learned.as_deref());
                if let Some(Dynamic::Prepare { name, source }) =
                    Dynamic::parse(text.as_bytes(), ReadMode::default())
                {
                    let learned = session.learned.as_deref();
                    let sql = source.text(learned.and_then(|Learned(text)| text.as_deref()));
                    let change = PreparedChange {
                        sql: sql.unwrap_or_default().to_owned(),
                        ..PreparedChange::default()
                    };
                    session.names.put_change(name, change);
                }
                session.consume(header);
            }
            Catch::Prepare(text) => {
                let change = Some(Arc::new(PreparedChange {
                    sql: text.clone(),
                    ..PreparedChange::default()
                }));
                session.statements.announce(Some(text.as_bytes()), change);
                session.forward(header, Some(Expect::Prepare));
            }
            Catch::Several(text) => {
                let split = Split::in_any_mode(&text);
                let split = split.unwrap_or_else(|| Split::new(&text, ReadMode::default()));
                if session.wants_any(&text, &split) {
                    let killable = session.may_be_killed();
                    session.begin_series(header, &text, split, killable);
                } else {
                    session.is_left_whole = true;
                }
            }
            Catch::ChangeUser => {
                session.note(header);
                session.consume(header);
            }
            Catch::Kill(_)
            | Catch::Migrations
            | Catch::Routes
            | Catch::Upstreams
            | Catch::Killed
            | Catch::OldSnapshot(..)
            | Catch::Functions { .. }
            | Catch::Diagnostics(_) => session.consume(header),
        }
    }

    /// All that decides about what comes next, and what came out.
    pub(crate) fn summary(&self) -> String {
        if let Some(end) = self.ended {
            // What had come when it ended is a matter of the pieces.
            return format!(
                "{end} {:?} {:?}",
                self.session.wire.up.approved_bytes(),
                self.caught
            );
        }
        let Session {
            wire,
            tracker,
            phase,
            statements,
            locks,
            tracked,
            cursors,
            snapshot,
            names,
            learned,
            multi,
            series,
            ..
        } = &self.session;
        format!(
            "{:?} {:?} {tracker:?} {phase:?} {statements:?} {locks} {tracked} {cursors} {snapshot:?} {names:?} \
             {learned:?} {multi} {series:?} {:?}",
            wire.up.undecided().len(),
            wire.up.approved_bytes(),
            self.caught
        )
    }

    /// Lets what may leave leave; how many bytes that are.
    #[cfg(test)]
    pub(crate) fn leave(&mut self) -> usize {
        self.session.wire.up.leave()
    }

    /// What was caught, in order.
    #[cfg(test)]
    pub(crate) fn caught(&self) -> &[String] {
        &self.caught
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intercept::Target;

    fn query(text: &str) -> Vec<u8> {
        let length = u8::try_from(text.len() + 1).unwrap();
        let mut packet = vec![length, 0, 0, 0, 3];
        packet.extend(text.as_bytes());
        packet
    }

    const IN_TRANSACTION: &[u8] = b"\x07\0\0\x01\0\0\0\x03\0\0\0";

    /// A statement that arrives in two pieces is caught as one that arrives whole.
    #[test]
    fn an_old_snapshot_is_noticed_at_every_cut() {
        let read = query("SELECT id FROM t");
        let begins = ["BEGIN", "START TRANSACTION WITH CONSISTENT SNAPSHOT"];
        for begin in begins.map(query) {
            for cut in 1..begin.len().max(read.len()) {
                let mut session = Offline::new(Capabilities::default(), false);
                let mut send = |packet: &[u8]| {
                    let (front, rest) = packet.split_at(cut.min(packet.len()));
                    session.client_sends(front);
                    session.client_sends(rest);
                };
                send(&begin);
                session.server_sends(IN_TRANSACTION);
                if begin.len() < 20 {
                    session.client_sends(&query("SELECT 1 FROM other"));
                    session.server_sends(IN_TRANSACTION);
                }
                session.swap("t");
                let (front, rest) = read.split_at(cut.min(read.len()));
                session.client_sends(front);
                session.client_sends(rest);
                assert_eq!(session.caught().len(), 1, "{begin:?} cut at {cut}");
            }
        }
    }

    /// A prepared schema change whose execution is too long to be waited for is let through.
    #[test]
    fn a_long_execution_does_not_stop_the_session() {
        let mut session = Offline::new(Capabilities::default(), true);
        let mut prepare = query("ALTER TABLE t ADD a INT");
        prepare[4] = 0x16;
        session.client_sends(&prepare);
        session.server_sends(b"\x0c\0\0\x01\0\x07\0\0\0\0\0\0\0\0\0\0");
        session.client_sends(b"\x00\x00\x20\x00\x17\x07\0\0\0\0\x01\0\0\0");
        session.client_sends(&[0; 100]);
        assert_eq!(session.session.wire.up.undecided(), b"");
    }

    const OK: &[u8] = b"\x07\0\0\x01\0\0\0\x02\0\0\0";
    const SEVERAL: &str = "DO 1; ALTER TABLE t ADD a INT; DO 2";

    /// A session that may send several statements, has sent `SEVERAL` and another command, and what it lets through.
    fn with_several(cut: usize) -> Offline {
        let multi = Capabilities {
            base: MULTI_STATEMENTS,
            extended: 0,
        };
        let mut session = Offline::new(multi, false);
        let sent = [query(SEVERAL), query("DO 3")].concat();
        let (front, rest) = sent.split_at(cut);
        session.client_sends(front);
        session.client_sends(rest);
        session
    }

    fn let_through(session: &Offline, statements: &[&str]) {
        let expected: Vec<u8> = statements.iter().flat_map(|text| query(text)).collect();
        let found = session.session.wire.up.approved_bytes();
        assert_eq!(String::from_utf8_lossy(found), String::from_utf8_lossy(&expected));
    }

    fn answers(session: &mut Offline, packet: &[u8]) {
        session.server_sends(packet);
        session.decide();
    }

    #[test]
    fn parts_go_one_by_one_and_are_answered_as_one() {
        for cut in 1..SEVERAL.len() + 10 {
            let mut session = with_several(cut);
            let statements = ["DO 1", "ALTER TABLE t ADD a INT", "DO 2", "DO 3"];
            for sent in 1..=statements.len() {
                let_through(&session, &statements[..sent]);
                answers(&mut session, OK);
            }
            let more = |number| [&[7, 0, 0, number][..], b"\0\0\0\x0a\0\0\0"].concat();
            let last = b"\x07\0\0\x03\0\0\0\x02\0\0\0";
            assert_eq!(
                session.session.wire.down.approved_bytes(),
                [&more(1)[..], &more(2), last, OK].concat()
            );
            assert!(session.session.series.is_none());
        }
    }

    #[test]
    fn an_error_ends_the_text() {
        let mut session = with_several(20);
        answers(&mut session, b"\x0b\0\0\x01\xff\x7a\x04#42S02no");
        let_through(&session, &["DO 1", "DO 3"]);
    }

    #[test]
    fn a_kill_between_two_parts_is_heard() {
        let mut session = with_several(20);
        let (upstream, id) = (None, session.session.server.connection_id);
        let killables = session.session.shared.router.killables().clone();
        killables.kill(&Target { upstream, id });
        answers(&mut session, OK);
        assert_eq!(session.caught().last().map(String::as_str), Some("Killed"));
        assert!(
            !session
                .session
                .wire
                .up
                .approved_bytes()
                .windows(5)
                .any(|window| window == b"ALTER")
        );
    }

    #[test]
    fn a_syntax_error_is_kept_and_the_rest_is_read_by_the_server() {
        let error = b"\x0d\0\0\x01\xff\x28\x04#42000near";
        let mut session = with_several(20);
        answers(&mut session, OK);
        answers(&mut session, error);
        let rest = "ALTER TABLE t ADD a INT; DO 2";
        let_through(&session, &["DO 1", "ALTER TABLE t ADD a INT", rest]);
        // Nothing of it has reached the client, and what does now is numbered as if it never had been.
        assert_eq!(session.session.wire.down.approved_bytes().len(), OK.len());
        answers(&mut session, error);
        let_through(&session, &["DO 1", "ALTER TABLE t ADD a INT", rest, "DO 3"]);
        let told = session.session.wire.down.approved_bytes();
        assert_eq!(told[OK.len()..][..5], [0x0d, 0, 0, 2, 0xff]);
    }

    #[test]
    fn nothing_is_taken_apart_that_the_server_would_not() {
        let mut session = Offline::new(Capabilities::default(), false);
        session.client_sends(&query(SEVERAL));
        let_through(&session, &[SEVERAL]);
        let mut option = query("");
        option[0] = 3;
        option[4] = 0x1b;
        option.extend([0, 0]);
        answers(&mut session, OK);
        session.client_sends(&option);
        answers(&mut session, OK);
        session.client_sends(&query(SEVERAL));
        assert!(session.session.series.is_some());
    }
}
