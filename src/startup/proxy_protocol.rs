//! Does the server understand what it is to be told about clients?
//!
//! A server that does not takes the header for a broken packet and refuses every client. alterego's own connections have
//! none and would not notice.

use super::Finding;
use super::facts::Facts;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    match facts.proxy_networks.as_deref() {
        None => vec![Finding::fatal(
            "--upstream-proxy-protocol is set, and this server does not know the PROXY protocol as MariaDB does".to_owned(),
            "leave the option out",
        )],
        Some("") => vec![Finding::fatal(
            "--upstream-proxy-protocol is set, and the server takes PROXY headers from nobody".to_owned(),
            "SET GLOBAL proxy_protocol_networks = '<the address of this machine>', and the same in its option file",
        )],
        Some(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_must_be_believed() {
        let check = |networks: Option<&str>, fit: bool| {
            let facts = Facts {
                proxy_networks: networks.map(str::to_owned),
                ..Facts::default()
            };
            assert_eq!(super::check(&facts).is_empty(), fit, "{networks:?}");
        };
        check(None, false);
        check(Some(""), false);
        check(Some("10.2.0.0/16"), true);
    }
}
