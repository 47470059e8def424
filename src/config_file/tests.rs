//! Files that are understood, and one file for each mistake.

use alterego_proxy::routing::Access;
use alterego_proxy::tls::SslMode;

use super::*;

const WHOLE: &str = r#"
user = "migrator"

[[listener]]
name = "app"
address = "0.0.0.0:3306"
socket = "/run/alterego/app.sock"

[[listener]]
name = "reports"
address = "[::1]:3307"

[[group]]
name = "main"
lag_limit = "10s"

[[group.server]]
name = "a"
address = "db-a:3310"

[[group.server]]
address = "db-b"
weight = 3

[[group]]
name = "archive"
user = "other"

[[group.server]]
address = "[fd00::7]"

[[rule]]
listener = "reports"
user = ["report", "bi_*"]
schema = "stats"
source = ["10.2.0.0/16", "unix"]
attributes = { program_name = "metabase*" }
group = "main"
role = "read-only"

[[rule]]
schema = "archive"
group = "archive"

[[rule]]
group = "main"
role = "primary"
"#;

fn tls() -> UpstreamSettings {
    UpstreamSettings {
        mode: SslMode::Preferred,
        authorities: None,
        identity: None,
    }
}

fn parsed(text: &str) -> Result<ConfigFile, String> {
    parse(text, &Account::default(), &tls())
}

#[test]
fn a_whole_file() {
    let file = parsed(WHOLE).unwrap();
    let places: Vec<_> = file
        .listeners
        .iter()
        .map(|listener| listener.address.unwrap().to_string())
        .collect();
    assert_eq!(places, ["0.0.0.0:3306", "[::1]:3307"]);
    let Routing { groups, rules } = file.routing;
    assert_eq!(groups[0].lag_limit, Some(Duration::from_secs(10)));
    let servers: Vec<String> = groups
        .iter()
        .flat_map(|group| &group.servers)
        .map(|server| {
            format!(
                "{} {} {}@{}",
                server.name, server.weight, server.address.user, server.address
            )
        })
        .collect();
    assert_eq!(
        servers,
        [
            "a 1 migrator@db-a:3310",
            "db-b:3306 3 migrator@db-b:3306",
            "[fd00::7]:3306 1 other@[fd00::7]:3306",
        ]
    );
    let ends: Vec<_> = rules.iter().map(|rule| (rule.group, rule.access)).collect();
    assert_eq!(
        ends,
        [(0, Access::ReadOnly), (1, Access::Primary), (0, Access::Primary)]
    );
    assert_eq!(
        (
            rules[0].users.len(),
            rules[0].sources.len(),
            rules[0].attributes.len()
        ),
        (2, 2, 1)
    );
}

#[test]
fn the_smallest_file() {
    let account = Account {
        user: Some("u".to_owned()),
        password: Some(Secret::new("p")),
    };
    let text = "[[group]]\nname = 'g'\n[[group.server]]\naddress = 'db'\n";
    let file = parse(text, &account, &tls()).unwrap();
    assert!(file.listeners.is_empty() && file.routing.rules[0].takes_all());
    assert_eq!(file.routing.groups[0].servers[0].address.password.expose(), "p");
}

/// What is wrong with the whole file once a line of it is another.
#[test]
fn every_mistake_has_its_line_and_key() {
    let check = |line: &str, wrong: &str, expected: &str| {
        assert!(WHOLE.contains(line), "{line}");
        let text = WHOLE.replacen(line, wrong, 1);
        let error = parsed(&text).unwrap_err();
        let number = WHOLE[..WHOLE.find(line).unwrap()].matches('\n').count() + 1;
        assert_eq!(error.lines().count(), 1, "{error}");
        let expected = format!("{number}: {expected}");
        assert!(error.starts_with(&expected), "{error}\nis not\n{expected}");
    };
    check(
        "user = \"migrator\"",
        "usr = \"migrator\"",
        "usr: unknown field `usr`",
    );
    check(
        "name = \"app\"",
        "name = 7",
        "name: invalid type: integer `7`, expected a string",
    );
    check(
        "name = \"reports\"",
        "name = \"app\"",
        "name: there is another listener 'app'",
    );
    check(
        "address = \"0.0.0.0:3306\"",
        "address = \"3306\"",
        "address: '3306' is not an address with a port",
    );
    check(
        "name = \"archive\"",
        "name = \"main\"",
        "name: there is another group 'main'",
    );
    check(
        "lag_limit = \"10s\"",
        "lag_limit = \"10\"",
        "lag_limit: a number with a unit is needed",
    );
    check(
        "address = \"db-a:3310\"",
        "address = \"u:pw@db\"",
        "address: it is not a host",
    );
    check(
        "address = \"db-a:3310\"",
        "address = \"db-a:99999\"",
        "address: it is not a host",
    );
    check("weight = 3", "weight = -3", "weight: invalid value");
    check(
        "weight = 3",
        "weight = \"3\"",
        "weight: invalid type: string \"3\", expected u32",
    );
    check(
        "weight = 3",
        "name = \"a\"",
        "name: the group has another server 'a'",
    );
    check("weight = 3", "wieght = 3", "wieght: unknown field `wieght`");
    check(
        "listener = \"reports\"",
        "listener = \"report\"",
        "listener: there is no listener 'report'",
    );
    check(
        "user = [\"report\", \"bi_*\"]",
        "user = []",
        "user: an empty array is met by nobody",
    );
    check(
        "user = [\"report\", \"bi_*\"]",
        "user = 7",
        "user: invalid type: integer `7`, expected a string or",
    );
    let sources = "source = [\"10.2.0.0/16\", \"unix\"]";
    check(
        sources,
        "source = \"10.2.0.0/33\"",
        "source: '10.2.0.0/33' is no network",
    );
    check(
        "role = \"read-only\"",
        "role = \"replica\"",
        "role: unknown variant `replica`",
    );
    check(
        "group = \"archive\"",
        "group = \"arhive\"",
        "group: there is no group 'arhive'",
    );
    check("group = \"archive\"", "group = archive", "group: ");
    check("schema = \"archive\"", "schema \"archive\"", "");
}

/// A group's own TLS goes before that of the command line.
#[test]
fn a_group_has_its_own_tls() {
    let group = |name: &str, keys: &str| {
        format!("[[group]]\nname = '{name}'\nuser = 'u'\n{keys}[[group.server]]\naddress = 'db'\n")
    };
    let all = "[[rule]]\ngroup = 'a'\n";
    let verified = "ssl_mode = 'VERIFY_IDENTITY'\nssl_ca = '/ca'\nssl_cert = '/c'\nssl_key = '/k'\n";
    let text = [
        &*group("a", ""),
        &group("b", verified),
        &group("c", "ssl_ca = '/ca'\n"),
        all,
    ]
    .concat();
    let groups = parsed(&text).unwrap().routing.groups;
    let found: Vec<_> = groups
        .iter()
        .map(|group| {
            (
                group.tls.mode,
                group.tls.authorities.is_some(),
                group.tls.identity.is_some(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (SslMode::Preferred, false, false),
            (SslMode::VerifyIdentity, true, true),
            (SslMode::VerifyCa, true, false),
        ]
    );
    assert!(
        groups
            .iter()
            .all(|group| group.servers[0].address.tls == group.tls)
    );
    let check = |keys: &str, expected: &str| {
        let error = parsed(&group("a", keys)).unwrap_err();
        assert!(error.starts_with(expected), "{error}\nis not\n{expected}");
    };
    check(
        "ssl_mode = 'VERIFY_CA'\n",
        "4: ssl_mode: VERIFY_CA and VERIFY_IDENTITY need",
    );
    check("ssl_mode = 'SOMEHOW'\n", "4: ssl_mode: unknown variant `SOMEHOW`");
    check(
        "ssl_cert = '/c'\n",
        "4: ssl_cert: ssl_cert and ssl_key go together",
    );
    check(
        "ssl_ca = '/ca'\nssl_mode = 'REQUIRED'\n",
        "5: ssl_mode: ssl_ca is of use with",
    );
}

#[test]
fn what_is_missing_is_said_where_it_would_be() {
    let check = |text: &str, expected: &str| {
        let error = parsed(text).unwrap_err();
        assert!(error.starts_with(expected), "{error}\nis not\n{expected}");
        assert_eq!(error.lines().count(), 1, "{error}");
    };
    let server = "[[group.server]]\naddress = 'db'\n";
    check("", "1: there is no [[group]]");
    check(
        "[[group]]\nname = 'g'\nuser = 'u'\n",
        "1: [[group]]: group 'g' has no [[group.server]]",
    );
    check(
        &format!("\n[[group]]\nuser = 'u'\n{server}"),
        "2: [[group]]: missing field `name`",
    );
    check(
        &format!("[[group]]\nname = 'g'\n{server}"),
        "1: [[group]]: alterego's own account",
    );
    let group = |name: &str| format!("[[group]]\nname = '{name}'\nuser = 'u'\n{server}");
    check(
        &[group("a"), group("b")].concat(),
        "1: there are several groups and no [[rule]]",
    );
    check(
        &format!("{}[[rule]]\nuser = 'u'\n", group("a")),
        "6: [[rule]]: missing field `group`",
    );
    let all = "[[rule]]\ngroup = 'a'\n";
    check(
        &[&group("a"), all, all].concat(),
        "8: [[rule]]: it is never reached",
    );
    check(
        &format!("{}[[listener]]\nname = 'l'\n", group("a")),
        "6: [[listener]]: it needs an address",
    );
    check(
        "password_file = '/nonexistent/x'\n",
        "1: password_file: cannot read the password file",
    );
}

#[test]
fn a_rule_behind_one_for_another_listener_is_reached() {
    let of = |name: &str| format!("[[rule]]\nlistener = '{name}'\ngroup = 'main'\n");
    let before = WHOLE.find("[[rule]]").unwrap();
    let text = |rules: &[String]| format!("{}{}", &WHOLE[..before], rules.concat());
    assert!(parsed(&text(&[of("app"), of("reports")])).is_ok());
    assert!(parsed(&text(&[of("app"), "[[rule]]\ngroup = 'main'\n".to_owned()])).is_ok());
    assert!(
        parsed(&text(&[of("app"), of("app")]))
            .unwrap_err()
            .contains("never reached")
    );
}
