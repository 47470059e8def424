//! What is remembered of a group, for good: who takes its writes, and what that server was seen to have.
//!
//! # Invariant
//! What was seen only grows, but for one thing: an operator's word that transactions are lost ([`Memory::accept`]). Each
//! such word counts one up. Of two memories the one with more words is right; with equally many both are.

use alterego_engine::Flavor;

use super::report::Identity;
use super::transactions::{Missing, Transactions};

/// The first line of the text form.
const TITLE: &str = "alterego group 1";

/// What is remembered of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// The server that takes the writes.
    pub(super) primary: Option<Remembered>,
    /// All transactions that the group's primaries were seen to have. `None` before the first, and without GTIDs.
    pub(super) seen: Option<Transactions>,
    /// What an operator has given up. Replicas may still have it, and must not bring it back as "seen".
    pub(super) waived: Option<Missing>,
    /// How often an operator has given up something.
    pub(super) words: u64,
}

/// A server that was the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) identity: Identity,
    /// Its name in the configuration, for messages.
    pub(super) name: String,
}

impl Memory {
    /// What of all that was seen is not among `transactions`.
    pub(super) fn missing_in(
        &self,
        identity: &Identity,
        transactions: Option<&Transactions>,
    ) -> Option<Missing> {
        let same = |known: &Remembered| known.identity == *identity;
        let missing = match (&self.primary, &self.seen, transactions) {
            (None, _, _) => return None,
            (Some(_), Some(seen), Some(transactions)) => seen.missing_in(transactions),
            // Without GTIDs a server can only be shown to be itself.
            (Some(known), _, _) if same(known) => return None,
            (Some(_), _, _) => Missing::Unknown,
        };
        Some(missing).filter(|missing| !missing.is_empty())
    }

    /// Whether this is the server that takes the writes.
    pub(super) fn is_primary(&self, identity: &Identity) -> bool {
        self.primary
            .as_ref()
            .is_some_and(|known| known.identity == *identity)
    }

    /// The server takes the writes, and has been shown to have all that was seen.
    pub(super) fn follow(&mut self, server: Remembered, transactions: Option<&Transactions>) {
        self.primary = Some(server);
        self.seen = match (self.seen.take(), transactions) {
            (Some(mut seen), Some(transactions)) => {
                seen.merge(transactions);
                Some(seen)
            }
            (_, transactions) => transactions.cloned(),
        };
    }

    /// What a replica's transactions show of the primary's: those that the primary was the first to write. It had them,
    /// or the replica could not have got them.
    pub(super) fn hearsay(&self, transactions: &Transactions) -> Option<Transactions> {
        let (primary, seen) = (self.primary.as_ref()?, self.seen.as_ref()?);
        let of_primary = transactions.of_origin(&primary.identity.origin);
        let told = match &self.waived {
            Some(waived) => of_primary.less(waived),
            None => of_primary,
        };
        (!told.missing_in(seen).is_empty()).then_some(told)
    }

    /// Takes down what the primary had besides what it was seen to have.
    pub(super) fn learn(&mut self, transactions: &Transactions) {
        if let Some(seen) = &mut self.seen {
            seen.merge(transactions);
        }
    }

    /// The server takes the writes from now on although it lacks `lost`: an operator's word.
    pub(super) fn accept(&mut self, server: Remembered, transactions: Option<&Transactions>, lost: &Missing) {
        self.primary = Some(server);
        self.seen = transactions.cloned();
        self.words = self.words.saturating_add(1);
        match &mut self.waived {
            Some(waived) => waived.merge(lost),
            None => self.waived = Some(lost.clone()),
        }
    }

    /// The text that [`Memory::decode`] reads.
    pub(super) fn encode(&self) -> String {
        let mut text = format!("{TITLE}\nwords {}\n", self.words);
        if let Some(Remembered { identity, name }) = &self.primary {
            let name = name.replace(['\n', '\r'], " ");
            text += &format!(
                "primary {}\norigin {}\nname {name}\n",
                identity.unique, identity.origin
            );
        }
        if let Some(seen) = &self.seen {
            let flavor = match seen.flavor() {
                Flavor::MySql => "mysql",
                Flavor::MariaDb => "mariadb",
            };
            text += &format!("seen {flavor} {seen}\n");
        }
        if let Some(waived) = &self.waived {
            text += &format!("waived {waived}\n");
        }
        text + "end\n"
    }

    /// Reads what [`Memory::encode`] wrote.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let body = text.strip_prefix(TITLE)?.strip_suffix("\nend\n")?;
        let field = |name: &str| {
            let mut lines = body.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        };
        let primary = match field("primary") {
            None => None,
            Some(unique) => Some(Remembered {
                identity: Identity {
                    unique: unique.to_owned(),
                    origin: field("origin")?.to_owned(),
                },
                name: field("name")?.to_owned(),
            }),
        };
        let seen = match field("seen").map(|seen| seen.split_once(' ')) {
            None => None,
            Some(seen) => Some(decode_seen(seen?)?),
        };
        let waived = match field("waived") {
            None => None,
            Some(text) => Some(Missing::parse(text).ok()?),
        };
        Some(Self {
            primary,
            seen,
            waived,
            words: field("words")?.parse().ok()?,
        })
    }
}

fn decode_seen((flavor, text): (&str, &str)) -> Option<Transactions> {
    let flavor = match flavor {
        "mysql" => Flavor::MySql,
        "mariadb" => Flavor::MariaDb,
        _ => return None,
    };
    Transactions::parse(flavor, text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Transactions {
        Transactions::parse(Flavor::MariaDb, text).unwrap()
    }

    fn server(number: &str) -> Remembered {
        Remembered {
            identity: Identity {
                unique: format!("uid/{number}"),
                origin: number.to_owned(),
            },
            name: format!("server {number}"),
        }
    }

    #[test]
    fn it_is_written_and_read() {
        let check = |memory: &Memory| assert_eq!(Memory::decode(&memory.encode()).as_ref(), Some(memory));
        let mut memory = Memory::default();
        check(&memory);
        memory.follow(server("1"), None);
        check(&memory);
        memory.follow(server("1"), Some(&list("")));
        check(&memory);
        memory.follow(server("1"), Some(&list("0-1-5")));
        check(&memory);
        memory.accept(
            server("2"),
            Some(&list("0-1-4")),
            &list("0-1-5").missing_in(&list("0-1-4")),
        );
        check(&memory);
        let text = memory.encode();
        for length in 0..text.len() {
            assert_eq!(
                Memory::decode(&text[..length]),
                None,
                "a cut file is not half believed"
            );
        }
    }

    #[test]
    fn what_was_seen_only_grows_until_it_is_given_up() {
        let mut memory = Memory::default();
        memory.follow(server("1"), Some(&list("0-1-5")));
        let told = memory.hearsay(&list("0-1-7,0-2-9"));
        assert_eq!(
            told,
            Some(list("0-1-7")),
            "a replica's own writes are not the primary's"
        );
        memory.learn(&told.unwrap());
        let lacks = memory.missing_in(&server("2").identity, Some(&list("0-1-6")));
        let lost = lacks.unwrap();
        assert_eq!(lost.to_string(), "0-1-7");
        memory.accept(server("1"), Some(&list("0-1-6")), &lost);
        assert_eq!(
            memory.hearsay(&list("0-1-7")),
            None,
            "what is given up does not come back"
        );
        assert_eq!(memory.hearsay(&list("0-1-8")), Some(list("0-1-8")));
    }

    #[test]
    fn without_gtids_a_server_is_only_itself() {
        let mut memory = Memory::default();
        memory.follow(server("1"), None);
        assert_eq!(memory.missing_in(&server("1").identity, None), None);
        assert_eq!(
            memory.missing_in(&server("2").identity, None),
            Some(Missing::Unknown)
        );
    }
}
