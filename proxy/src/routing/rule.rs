//! Rules: what is known of a connection when it logs in, and the first rule it is a case of.

use std::net::IpAddr;

use super::{Pattern, Source};

/// What is known of a connection before its server is chosen. Nothing of it is proven yet: a rule says where a login
/// is tried, and the server there decides whether it succeeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The listener it came by.
    pub listener: String,
    /// The client's address; none by unix socket.
    pub peer: Option<IpAddr>,
    /// The user it wants to be.
    pub user: String,
    /// The default schema it asks for.
    pub schema: Option<String>,
    /// What the client says of itself (`program_name` and the like).
    pub attributes: Vec<(String, String)>,
}

/// Which server of a group a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The one that takes writes.
    Primary,
    /// A replica.
    ReadOnly,
}

impl Access {
    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::ReadOnly => "read-only",
        }
    }
}

/// A rule: connections that are all of this go there. An empty list asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Names of listeners, one of which it came by.
    pub listeners: Vec<String>,
    /// One of these is the user.
    pub users: Vec<Pattern>,
    /// One of these is the default schema.
    pub schemas: Vec<Pattern>,
    /// It came from one of these.
    pub sources: Vec<Source>,
    /// It says each of these of itself.
    pub attributes: Vec<(String, Pattern)>,
    /// The place of the group in the configuration.
    pub group: usize,
    /// Which of the group's servers.
    pub access: Access,
}

impl Rule {
    /// A rule that sends every connection to a group.
    pub fn everything_to(group: usize, access: Access) -> Self {
        Self {
            listeners: Vec::new(),
            users: Vec::new(),
            schemas: Vec::new(),
            sources: Vec::new(),
            attributes: Vec::new(),
            group,
            access,
        }
    }

    /// Whether connections of a listener can be cases of it.
    pub fn concerns(&self, listener: &str) -> bool {
        asks_for(&self.listeners, |name| name == listener)
    }

    /// Whether it takes every connection of a listener that comes to it.
    pub fn takes_all(&self) -> bool {
        self.users.is_empty()
            && self.schemas.is_empty()
            && self.sources.is_empty()
            && self.attributes.is_empty()
    }

    fn matches(&self, facts: &Facts) -> bool {
        let says = |(name, wanted): &(String, Pattern)| {
            let mut said = facts.attributes.iter();
            said.any(|(key, value)| key == name && wanted.matches(value))
        };
        self.concerns(&facts.listener)
            && asks_for(&self.users, |user| user.matches(&facts.user))
            && asks_for(&self.schemas, |schema| {
                facts.schema.as_ref().is_some_and(|name| schema.matches(name))
            })
            && asks_for(&self.sources, |source| source.contains(facts.peer))
            && self.attributes.iter().all(says)
    }
}

fn asks_for<T>(wanted: &[T], is_met: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(is_met)
}

/// The first rule a connection is a case of.
pub fn find<'a>(rules: &'a [Rule], facts: &Facts) -> Option<&'a Rule> {
    rules.iter().find(|rule| rule.matches(facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            listener: "app".to_owned(),
            peer: Some("10.2.0.9".parse().unwrap()),
            user: "report".to_owned(),
            schema: Some("stats".to_owned()),
            attributes: vec![("program_name".to_owned(), "metabase".to_owned())],
        }
    }

    fn any() -> Rule {
        Rule::everything_to(0, Access::Primary)
    }

    #[test]
    fn every_condition_counts() {
        let check = |rule: Rule, expected: bool| assert_eq!(rule.matches(&facts()), expected, "{rule:?}");
        check(any(), true);
        let listeners = |name: &str| Rule {
            listeners: vec!["other".to_owned(), name.to_owned()],
            ..any()
        };
        check(listeners("app"), true);
        check(listeners("batch"), false);
        let users = |name: &str| Rule {
            users: vec![Pattern::new("x"), Pattern::new(name)],
            ..any()
        };
        check(users("rep*"), true);
        check(users("app"), false);
        let schemas = |name: &str| Rule {
            schemas: vec![Pattern::new(name)],
            ..any()
        };
        check(schemas("stats"), true);
        check(schemas("app"), false);
        let sources = |text: &str| Rule {
            sources: vec![text.parse().unwrap()],
            ..any()
        };
        check(sources("10.0.0.0/8"), true);
        check(sources("unix"), false);
        let attributes = |name: &str, value: &str| Rule {
            attributes: vec![(name.to_owned(), Pattern::new(value))],
            ..any()
        };
        check(attributes("program_name", "meta*"), true);
        check(attributes("program_name", "mysql"), false);
        check(attributes("_os", "*"), false);
        let two = Rule {
            users: vec![Pattern::new("report")],
            ..schemas("app")
        };
        check(two, false);
    }

    #[test]
    fn a_connection_without_a_schema_is_no_case_of_a_schema() {
        let rule = Rule {
            schemas: vec![Pattern::new("*")],
            ..any()
        };
        let without = Facts {
            schema: None,
            ..facts()
        };
        assert!(!rule.matches(&without) && rule.matches(&facts()));
    }

    #[test]
    fn the_first_rule_decides() {
        let first = Rule {
            users: vec![Pattern::new("report")],
            ..Rule::everything_to(1, Access::ReadOnly)
        };
        let rules = [first.clone(), any()];
        assert_eq!(find(&rules, &facts()), Some(&first));
        let other = Facts {
            user: "app".to_owned(),
            ..facts()
        };
        assert_eq!(find(&rules, &other), Some(&any()));
        assert_eq!(find(&rules[..1], &other), None);
    }
}
