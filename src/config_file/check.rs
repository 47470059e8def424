//! What the file's values mean, and what cannot be meant.

use std::ops::Range;
use std::path::PathBuf;

use alterego_proxy::routing::{Access, Pattern, Rule, Source};
use toml::Spanned;

use super::mistake;
use super::raw;
use super::{Account, ConfigFile, GroupSettings, MemberSettings, Routing};
use crate::cli::{
    DEFAULT_PORT, ListenerSettings, Secret, ServerAddress, UpstreamMode, UpstreamSettings, UpstreamWords,
    duration, password_file, server_url,
};

/// The file, and what it is completed with.
pub(super) struct File<'a> {
    pub(super) text: &'a str,
    pub(super) account: &'a Account,
    pub(super) tls: &'a UpstreamSettings,
}

/// Refuses a name that another one of its kind has.
fn is_taken<'n>(mut names: impl Iterator<Item = &'n String>, name: &str) -> bool {
    names.any(|other| other == name)
}

impl File<'_> {
    fn wrong<T>(&self, span: &Range<usize>, message: impl AsRef<str>) -> Result<T, String> {
        Err(mistake::at(self.text, span, message.as_ref()))
    }

    pub(super) fn check(&self, raw: raw::File) -> Result<ConfigFile, String> {
        let listeners = self.listeners(raw.listener)?;
        let account = Account {
            user: raw.user.or_else(|| self.account.user.clone()),
            password: self.password(raw.password_file.as_ref(), self.account)?,
        };
        let groups = self.groups(raw.group, &account)?;
        let rules = self.rules(raw.rule, &listeners, &groups)?;
        Ok(ConfigFile {
            listeners,
            routing: Routing { groups, rules },
        })
    }

    fn password(&self, file: Option<&Spanned<PathBuf>>, or: &Account) -> Result<Option<Secret>, String> {
        let Some(file) = file else {
            return Ok(or.password.clone());
        };
        match password_file(file.get_ref()) {
            Ok(password) => Ok(Some(password)),
            Err(error) => self.wrong(&file.span(), error),
        }
    }

    fn listeners(&self, raw: Vec<Spanned<raw::Listener>>) -> Result<Vec<ListenerSettings>, String> {
        let mut listeners: Vec<ListenerSettings> = Vec::new();
        for raw in raw {
            let (span, raw) = (raw.span(), raw.into_inner());
            let name = raw.name.get_ref();
            if is_taken(listeners.iter().map(|listener| &listener.name), name) {
                return self.wrong(&raw.name.span(), format!("there is another listener '{name}'"));
            }
            if raw.address.is_none() && raw.socket.is_none() {
                return self.wrong(&span, "it needs an address, a socket, or both");
            }
            let address = match &raw.address {
                None => None,
                Some(text) => match text.get_ref().parse() {
                    Ok(address) => Some(address),
                    Err(_) => {
                        let message = format!(
                            "'{}' is not an address with a port, for example 0.0.0.0:3306",
                            text.get_ref()
                        );
                        return self.wrong(&text.span(), message);
                    }
                },
            };
            listeners.push(ListenerSettings {
                name: raw.name.into_inner(),
                address,
                socket: raw.socket,
            });
        }
        Ok(listeners)
    }

    fn groups(&self, raw: Vec<Spanned<raw::Group>>, account: &Account) -> Result<Vec<GroupSettings>, String> {
        if raw.is_empty() {
            return Err("1: there is no [[group]] of servers".to_owned());
        }
        let mut groups: Vec<GroupSettings> = Vec::new();
        for raw in raw {
            let (span, raw) = (raw.span(), raw.into_inner());
            let name = raw.name.get_ref();
            if is_taken(groups.iter().map(|group| &group.name), name) {
                return self.wrong(&raw.name.span(), format!("there is another group '{name}'"));
            }
            if raw.server.is_empty() {
                return self.wrong(&span, format!("group '{name}' has no [[group.server]]"));
            }
            let Some(user) = raw.user.or_else(|| account.user.clone()) else {
                return self.wrong(
                    &span,
                    format!("alterego's own account on the servers of group '{name}' is missing: user = '…'"),
                );
            };
            let tls = self.tls(
                [&raw.ssl_ca, &raw.ssl_cert, &raw.ssl_key],
                raw.ssl_mode.as_ref(),
                &span,
            )?;
            let own = ServerAddress {
                user,
                password: self
                    .password(raw.password_file.as_ref(), account)?
                    .unwrap_or_default(),
                host: String::new(),
                port: DEFAULT_PORT,
                tls: tls.clone(),
            };
            let lag_limit = match &raw.lag_limit {
                None => None,
                Some(text) => match duration::parse(text.get_ref()) {
                    Ok(limit) => Some(limit),
                    Err(error) => return self.wrong(&text.span(), error),
                },
            };
            groups.push(GroupSettings {
                servers: self.servers(raw.server, &own)?,
                name: raw.name.into_inner(),
                tls,
                lag_limit,
            });
        }
        Ok(groups)
    }

    /// A group's own TLS; what it does not say is as the command line has it. A mistake is shown at one of its keys.
    fn tls(
        &self,
        [ca, cert, key]: [&Option<Spanned<PathBuf>>; 3],
        mode: Option<&Spanned<UpstreamMode>>,
        group: &Range<usize>,
    ) -> Result<UpstreamSettings, String> {
        let path = |file: &Option<Spanned<PathBuf>>| file.as_ref().map(|file| file.get_ref().clone());
        let said = UpstreamWords {
            mode: mode.map(|mode| *mode.get_ref()),
            authorities: path(ca),
            certificate: path(cert),
            key: path(key),
        };
        self.tls.with(said).or_else(|misfit| {
            let files = [cert, key, ca].into_iter().flatten().map(Spanned::span);
            let span = mode.map(Spanned::span).into_iter().chain(files).next();
            self.wrong(&span.unwrap_or_else(|| group.clone()), misfit.of_keys())
        })
    }

    fn servers(&self, raw: Vec<raw::Server>, own: &ServerAddress) -> Result<Vec<MemberSettings>, String> {
        let mut servers: Vec<MemberSettings> = Vec::new();
        for raw in raw {
            let address = self.address(&raw.address, own)?;
            let span = raw.name.as_ref().map_or(raw.address.span(), Spanned::span);
            let name = raw.name.map_or_else(|| address.to_string(), Spanned::into_inner);
            if is_taken(servers.iter().map(|server| &server.name), &name) {
                return self.wrong(&span, format!("the group has another server '{name}'"));
            }
            servers.push(MemberSettings {
                name,
                weight: raw.weight.unwrap_or(1),
                address,
            });
        }
        Ok(servers)
    }

    fn address(&self, text: &Spanned<String>, own: &ServerAddress) -> Result<ServerAddress, String> {
        let parsed = server_url::parse(&format!("mysql://{}", text.get_ref())).ok();
        let host = parsed.as_ref().and_then(|url| url.host.clone());
        match (parsed, host) {
            (Some(url), Some(host)) if url.user.is_none() && url.password.is_none() => Ok(ServerAddress {
                host,
                port: url.port.unwrap_or(DEFAULT_PORT),
                ..own.clone()
            }),
            // Not repeated: who writes a URL here may have written a password.
            _ => self.wrong(
                &text.span(),
                "it is not a host with or without a port, for example db1:3306",
            ),
        }
    }

    fn rules(
        &self,
        raw: Vec<Spanned<raw::Rule>>,
        listeners: &[ListenerSettings],
        groups: &[GroupSettings],
    ) -> Result<Vec<Rule>, String> {
        if raw.is_empty() {
            return match groups {
                [_] => Ok(vec![Rule::everything_to(0, Access::Primary)]),
                _ => Err("1: there are several groups and no [[rule]] that says who goes where".to_owned()),
            };
        }
        let mut rules: Vec<Rule> = Vec::new();
        for raw in raw {
            let span = raw.span();
            let rule = self.rule(raw.into_inner(), listeners, groups)?;
            let takes_its = |earlier: &Rule| {
                let covers = rule.listeners.iter().all(|name| earlier.concerns(name));
                earlier.takes_all()
                    && (earlier.listeners.is_empty() || (covers && !rule.listeners.is_empty()))
            };
            if rules.iter().any(takes_its) {
                return self.wrong(
                    &span,
                    "it is never reached: a rule before it takes every connection",
                );
            }
            rules.push(rule);
        }
        Ok(rules)
    }

    fn rule(
        &self,
        raw: raw::Rule,
        listeners: &[ListenerSettings],
        groups: &[GroupSettings],
    ) -> Result<Rule, String> {
        let name = raw.group.get_ref();
        let Some(group) = groups.iter().position(|group| group.name == *name) else {
            return self.wrong(&raw.group.span(), format!("there is no group '{name}'"));
        };
        let mut sources = Vec::new();
        if let Some(raw) = &raw.source {
            for text in &raw.get_ref().0 {
                match text.parse::<Source>() {
                    Ok(source) => sources.push(source),
                    Err(error) => return self.wrong(&raw.span(), format!("'{text}' {error}")),
                }
            }
        }
        if let Some(raw) = &raw.listener {
            for name in &raw.get_ref().0 {
                if !is_taken(listeners.iter().map(|listener| &listener.name), name) {
                    return self.wrong(&raw.span(), format!("there is no listener '{name}'"));
                }
            }
        }
        let attributes = raw.attributes.into_iter();
        Ok(Rule {
            listeners: names(raw.listener),
            users: names(raw.user).into_iter().map(Pattern::new).collect(),
            schemas: names(raw.schema).into_iter().map(Pattern::new).collect(),
            sources,
            attributes: attributes
                .map(|(name, value)| (name, Pattern::new(value)))
                .collect(),
            group,
            access: match raw.role {
                Some(raw::Role::ReadOnly) => Access::ReadOnly,
                Some(raw::Role::Primary) | None => Access::Primary,
            },
        })
    }
}

fn names(raw: Option<Spanned<raw::Names>>) -> Vec<String> {
    raw.map_or_else(Vec::new, |names| names.into_inner().0)
}
