//! The file's tables as they are written. What their values mean is `check`'s.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use toml::Spanned;

use crate::cli::UpstreamMode;

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) user: Option<String>,
    pub(super) password_file: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pub(super) listener: Vec<Spanned<Listener>>,
    #[serde(default)]
    pub(super) group: Vec<Spanned<Group>>,
    #[serde(default)]
    pub(super) rule: Vec<Spanned<Rule>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listener {
    pub(super) name: Spanned<String>,
    pub(super) address: Option<Spanned<String>>,
    pub(super) socket: Option<PathBuf>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) name: Spanned<String>,
    pub(super) user: Option<String>,
    pub(super) password_file: Option<Spanned<PathBuf>>,
    pub(super) lag_limit: Option<Spanned<String>>,
    pub(super) ssl_mode: Option<Spanned<UpstreamMode>>,
    pub(super) ssl_ca: Option<Spanned<PathBuf>>,
    pub(super) ssl_cert: Option<Spanned<PathBuf>>,
    pub(super) ssl_key: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pub(super) server: Vec<Server>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) name: Option<Spanned<String>>,
    pub(super) address: Spanned<String>,
    pub(super) weight: Option<u32>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) listener: Option<Spanned<Names>>,
    pub(super) user: Option<Spanned<Names>>,
    pub(super) schema: Option<Spanned<Names>>,
    pub(super) source: Option<Spanned<Names>>,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) group: Spanned<String>,
    pub(super) role: Option<Role>,
}

#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Role {
    Primary,
    ReadOnly,
}

/// A string, or some.
#[derive(Debug)]
pub(super) struct Names(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Names, E> {
                Ok(Names(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = items.next_element()? {
                    names.push(name);
                }
                if names.is_empty() {
                    return Err(de::Error::custom("an empty array is met by nobody"));
                }
                Ok(Names(names))
            }
        }

        deserializer.deserialize_any(OneOrMore)
    }
}
