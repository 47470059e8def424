//! A group of three servers `a`, `b`, `c`, and what is seen of them.

use std::time::{Duration, Instant};

use alterego_engine::Flavor;

use super::super::accept::{Wish, accept};
use super::super::*;
use crate::health::report::{Channel, GroupMember, Identity, Look, Report, Sight};
use crate::health::transactions::{Missing, Transactions};

pub(super) const NAMES: [&str; 3] = ["a", "b", "c"];

/// `a:1-5,b:1`, with the servers' names for their UUIDs.
pub(super) fn gtids(text: &str) -> Transactions {
    Transactions::parse(Flavor::MySql, &with_uuids(text)).unwrap()
}

pub(super) fn uuid(name: &str) -> String {
    format!("{}-0000-0000-0000-000000000000", name.repeat(8))
}

fn with_uuids(text: &str) -> String {
    NAMES.iter().fold(text.to_owned(), |text, name| {
        text.replace(&format!("{name}:"), &format!("{}:", uuid(name)))
    })
}

/// The UUIDs' servers by name again.
pub(super) fn named(text: &str) -> String {
    NAMES
        .iter()
        .fold(text.to_owned(), |text, name| text.replace(&uuid(name), name))
}

/// A report in the making.
#[derive(Clone)]
pub(super) struct Server(Report);

/// A server that has `transactions`.
pub(super) fn server(name: &str, transactions: &str) -> Server {
    Server(Report {
        identity: Identity {
            unique: uuid(name),
            origin: uuid(name),
        },
        writable: false,
        closed: None,
        transactions: Some(gtids(transactions)),
        received: None,
        channels: Vec::new(),
        group: None,
    })
}

impl Server {
    pub(super) fn writable(mut self) -> Self {
        self.0.writable = true;
        self
    }

    pub(super) fn closed(mut self) -> Self {
        self.0.closed = Some("it is in offline_mode".to_owned());
        self
    }

    pub(super) fn without_gtids(mut self) -> Self {
        self.0.transactions = None;
        self
    }

    pub(super) fn received(mut self, transactions: &str) -> Self {
        self.0.received = Some(gtids(transactions));
        self
    }

    pub(super) fn in_group(mut self, state: &str, primary: bool, majority: bool) -> Self {
        self.0.group = Some(GroupMember {
            state: state.to_owned(),
            primary,
            majority,
        });
        self
    }

    /// It replicates from the member, and takes itself to be so far behind.
    pub(super) fn follows(mut self, source: &str, behind: Option<u64>) -> Self {
        self.0.channels.push(Channel {
            origin: uuid(source),
            receiving: true,
            applying: behind.is_some(),
            behind: behind.map(Duration::from_secs),
            ..Channel::default()
        });
        self
    }

    /// It was a replica once: the channel is there and stopped.
    pub(super) fn stopped(mut self, source: &str) -> Self {
        self.0.channels.push(Channel {
            origin: uuid(source),
            ..Channel::default()
        });
        self
    }
}

/// What is seen of the group. Each sight is a tenth of a second after the one before.
pub(super) struct Scene {
    pub(super) known: Known,
    pub(super) group: Group,
    pub(super) sights: Vec<Sight>,
    now: Instant,
}

impl Scene {
    pub(super) fn new() -> Self {
        let address = |name: &&str| Address {
            name: (*name).to_owned(),
            host: format!("host-{name}"),
            port: 3306,
        };
        Self {
            known: Known::default(),
            group: Group {
                name: "g".to_owned(),
                members: NAMES.iter().map(address).collect(),
                lag_limit: Some(Duration::from_secs(10)),
            },
            sights: vec![Sight::Unasked; 3],
            now: Instant::now(),
        }
    }

    pub(super) fn later(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// The member at `place` answers so; it took until now, and was asked before.
    pub(super) fn answers(&mut self, place: usize, server: Server, asked: Instant) {
        self.sights[place] = Sight::Answered(Box::new(Look {
            asked,
            answered: self.now,
            report: server.0,
        }));
        self.now += Duration::from_millis(100);
    }

    /// Each of these answers; whoever is not named keeps its last sight.
    pub(super) fn see(&mut self, servers: &[Server]) -> Decision {
        for server in servers {
            let name = named(&server.0.identity.unique);
            let place = NAMES.iter().position(|known| *known == name).unwrap();
            let asked = self.now;
            self.answers(place, server.clone(), asked);
        }
        self.decide()
    }

    pub(super) fn silent(&mut self, name: &str) -> Decision {
        let place = NAMES.iter().position(|known| *known == name).unwrap();
        self.sights[place] = Sight::Silent("no answer".to_owned());
        self.decide()
    }

    pub(super) fn decide(&mut self) -> Decision {
        decide(&mut self.known, &self.group, &self.sights)
    }

    pub(super) fn accept(&mut self, name: &str, without: &str) -> Result<String, String> {
        let wish = Wish {
            server: name.to_owned(),
            without: Missing::parse(&with_uuids(without)).unwrap(),
        };
        let (memory, lost) =
            accept(&self.known, &self.group, &self.sights, &wish).map_err(|error| named(&error))?;
        self.known.join(&memory, self.now);
        Ok(named(&lost.to_string()))
    }

    /// The proxy starts again with what it remembers.
    pub(super) fn restart(&mut self) {
        let memory = self.known.memory();
        let kept = crate::health::memory::Memory::decode(&memory.encode()).unwrap();
        self.known = Known::remembering(kept);
        self.sights = vec![Sight::Unasked; 3];
    }
}

/// `a` for a primary, or the reason why there is none.
pub(super) fn primary(decision: &Decision) -> String {
    match &decision.primary {
        Ok(place) => NAMES[*place].to_owned(),
        Err(reason) => named(reason),
    }
}

/// What the member at `place` is: `up`, or the reason why it is not.
pub(super) fn standing(decision: &Decision, name: &str) -> String {
    let place = NAMES.iter().position(|known| *known == name).unwrap();
    match &decision.members[place].standing {
        Standing::Up => "up".to_owned(),
        Standing::Down(reason) => format!("down: {reason}"),
        Standing::Withheld(reason) => format!("withheld: {}", named(reason)),
    }
}
