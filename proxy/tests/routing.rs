//! Placing by views that change while the proxy runs.

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use alterego_proxy::routing::{
    Access, ForwardAll, Group, GroupView, MemberView, NoPrimary, Offer, Pattern, Plan, Role, Router, Rule,
    Seen, State,
};
use alterego_proxy::tls::UpstreamTls;
use alterego_proxy::{Gate, Listeners, ProxyConfig, Upstream, run_routed};
use alterego_testkit::{Flavor, Server, client_opts};
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use support::{BASE, Raw, query, response, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

fn upstream(server: &Server) -> Upstream {
    Upstream {
        host: "127.0.0.1".to_owned(),
        port: server.port(),
    }
}

fn member(name: &str, server: &Server, role: Role) -> MemberView {
    MemberView {
        name: name.to_owned(),
        upstream: upstream(server),
        weight: 1,
        role,
        state: State::Up,
        lag: None,
        transactions: String::new(),
        differing: None,
    }
}

/// A proxy before a group whose view the test publishes; user `reader` reads, everybody else writes.
struct Routed {
    port: u16,
    view: watch::Sender<Arc<GroupView>>,
    task: JoinHandle<()>,
}

impl Drop for Routed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Routed {
    async fn start(view: GroupView, seen: &[&Server]) -> Result<Self> {
        let mut greetings = Vec::new();
        for server in seen {
            let seen = Seen::of(&upstream(server), Duration::from_secs(60)).await;
            greetings.push(seen.map_err(anyhow::Error::msg)?);
        }
        let offer = Offer::of(&greetings)?;
        let (sender, receiver) = watch::channel(Arc::new(view));
        let group = Group {
            name: "main".to_owned(),
            tls: UpstreamTls::default(),
            view: receiver,
            hooks: ForwardAll::alone(),
            gate: Gate::default(),
        };
        let readers = Rule {
            users: vec![Pattern::new("reader")],
            ..Rule::everything_to(0, Access::ReadOnly)
        };
        let rules = vec![readers, Rule::everything_to(0, Access::Primary)];
        let offers = HashMap::from([("app".to_owned(), offer)]);
        let router = Arc::new(Router::new(Plan { rules, offers }, vec![group]));
        let tcp = TcpListener::bind("127.0.0.1:0").await?;
        let port = tcp.local_addr()?.port();
        let listeners = Listeners {
            name: "app".into(),
            tcp: Some(tcp),
            unix: None,
        };
        let running = run_routed(
            vec![listeners],
            ProxyConfig::routed(),
            router,
            std::future::pending(),
        );
        Ok(Self {
            port,
            view: sender,
            task: tokio::spawn(running),
        })
    }

    /// The port of the server that a new connection of this user is on, or what it is told.
    async fn place(&self, user: &str) -> std::result::Result<u16, String> {
        let mut conn = self.connect(user).await.map_err(|error| error.to_string())?;
        port_of(&mut conn).await.map_err(|error| error.to_string())
    }

    async fn connect(&self, user: &str) -> mysql_async::Result<Conn> {
        Conn::new(OptsBuilder::from_opts(client_opts(self.port, user, "", None))).await
    }

    fn change(&self, change: impl FnOnce(&mut GroupView)) {
        let mut view = GroupView::clone(&self.view.borrow());
        change(&mut view);
        self.view.send_replace(Arc::new(view));
    }
}

async fn port_of(conn: &mut Conn) -> Result<u16> {
    conn.query_first("SELECT @@port").await?.context("no port")
}

#[tokio::test]
async fn new_connections_follow_the_view() -> Result<()> {
    for flavor in Flavor::ALL {
        let (a, b, c) = tokio::try_join!(server(flavor), server(flavor), server(flavor))?;
        for server in [&a, &b, &c] {
            server.create_user("reader", "", None, &[]).await?;
        }
        let view = GroupView {
            name: "main".to_owned(),
            lag_limit: Some(Duration::from_secs(10)),
            primary: Ok(0),
            members: vec![
                member("a", &a, Role::Primary),
                member("b", &b, Role::Replica),
                member("c", &c, Role::Replica),
            ],
        };
        let routed = Routed::start(view, &[&a, &b, &c]).await?;
        let mut writer = routed.connect("root").await?;
        ensure!(port_of(&mut writer).await? == a.port());

        // Too far behind, and not any more.
        routed.change(|view| view.members[1].lag = Some(Duration::from_secs(11)));
        for _ in 0..8 {
            ensure!(routed.place("reader").await == Ok(c.port()));
        }
        routed.change(|view| {
            view.members[1].lag = Some(Duration::from_secs(10));
            view.members[2].state = State::Withheld("it has transactions of its own".to_owned());
        });
        for _ in 0..8 {
            ensure!(routed.place("reader").await == Ok(b.port()));
        }
        routed.change(|view| view.members[1].lag = Some(Duration::from_secs(3600)));
        let told = routed
            .place("reader")
            .await
            .err()
            .context("a late replica is read from")?;
        for part in [
            "1429",
            "'b' is 3600 s behind, more than 10 s",
            "transactions of its own",
        ] {
            ensure!(told.contains(part), "{told}\nwithout {part}");
        }

        // A failover: who is connected stays, who comes goes to the new primary.
        let reason = "a is gone, and b lacks 3 of its transactions";
        routed.change(|view| view.primary = Err(NoPrimary(reason.to_owned())));
        let told = routed.place("root").await.err().context("there is no primary")?;
        ensure!(told.contains("1429") && told.contains(reason), "{told}");
        routed.change(|view| {
            view.primary = Ok(2);
            view.members[0].role = Role::Replica;
            view.members[2].role = Role::Primary;
        });
        ensure!(routed.place("root").await == Ok(c.port()));
        ensure!(routed.place("reader").await == Ok(a.port()));
        ensure!(port_of(&mut writer).await? == a.port());
    }
    Ok(())
}

/// A server that has become another since the greeting was made.
#[tokio::test]
async fn a_server_that_can_less_is_refused() -> Result<()> {
    let (mysql, mariadb) = tokio::try_join!(server(Flavor::MySql), server(Flavor::MariaDb))?;
    let view = GroupView {
        name: "main".to_owned(),
        lag_limit: None,
        primary: Ok(0),
        members: vec![member("a", &mariadb, Role::Primary)],
    };
    let routed = Routed::start(view, &[&mysql]).await?;
    let told = routed
        .place("root")
        .await
        .err()
        .context("another server will do")?;
    ensure!(
        told.contains("1429") && told.contains("has changed since alterego was started"),
        "{told}"
    );
    Ok(())
}

/// Packets of clients that are no driver's.
#[tokio::test]
async fn odd_clients() -> Result<()> {
    const PLUGIN_AUTH: u32 = 0x0008_0000;
    for flavor in Flavor::ALL {
        let server = server(flavor).await?;
        let view = GroupView {
            name: "main".to_owned(),
            lag_limit: Some(Duration::from_secs(10)),
            primary: Ok(0),
            members: vec![member("a", &server, Role::Primary)],
        };
        let routed = Routed::start(view, &[&server]).await?;
        let address = ([127, 0, 0, 1], routed.port).into();
        // Every bit there is, offered or not.
        let mut raw = Raw::connect(address, BASE, 0).await?;
        ensure!(raw.one(&[0x0e]).await?[0] == 0);
        // Without plugins nobody can be asked anew.
        let (mut raw, _) = Raw::greeted(address).await?;
        let mut packet = response(BASE & !PLUGIN_AUTH, 0);
        packet.extend(b"root\0\0app\0");
        raw.send(1, &packet).await?;
        let (sequence, told) = raw.packet().await?;
        ensure!(
            sequence == 2 && told.starts_with(b"\xff\xe3\x04#08004"),
            "{told:?}"
        );
        // A response that is cut short.
        let (mut raw, _) = Raw::greeted(address).await?;
        raw.send(1, &response(BASE, 0)).await?;
        let (_, told) = raw.packet().await?;
        ensure!(told.first() == Some(&0xff), "{told:?}");
        // A kill by the command of its own, which MySQL 9 has no more.
        if flavor == Flavor::MariaDb {
            let mut killer = Raw::connect(address, BASE, 0).await?;
            let mut victim = Raw::connect(address, BASE, 0).await?;
            let packet = [&[0x0c], &victim.connection_id.to_le_bytes()[..]].concat();
            ensure!(killer.one(&packet).await?[0] == 0);
            let dead = victim.one(&[0x0e]).await;
            ensure!(
                dead.is_err() || dead.is_ok_and(|packet| packet[0] == 0xff),
                "it lives on"
            );
            // The dying session is found for a moment longer: killed again, and the server says OK.
            let gone = tokio::time::timeout(Duration::from_secs(60), async {
                loop {
                    let told = killer.one(&packet).await?;
                    if told[0] != 0 {
                        return anyhow::Ok(told);
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
            let told = gone.await.context("it is still there")??;
            ensure!(told.starts_with(b"\xff\x46\x04"), "{told:?}");
        }
        // Two greetings never have the same challenge.
        let (one, other) = (Raw::greeted(address).await?, Raw::greeted(address).await?);
        ensure!(one.1 != other.1 && one.0.connection_id != other.0.connection_id);
        // Commands sent behind the response, before anybody has been asked.
        let (mut raw, _) = Raw::greeted(address).await?;
        let mut packet = response(BASE, 0);
        packet.extend(b"root\0\0app\0mysql_native_password\0");
        raw.send(1, &packet).await?;
        let (sequence, switch) = raw.packet().await?;
        ensure!(sequence == 2 && switch[0] == 0xfe, "{switch:?}");
        raw.send(3, b"").await?;
        raw.send(0, &query("DO 1")).await?;
        ensure!(raw.packet().await?.1[0] == 0 && raw.packet().await?.1[0] == 0);
    }
    Ok(())
}

/// A server that takes the client's first answer for given, which it has not got, and asks for the password.
#[tokio::test]
async fn a_server_that_does_not_ask_anew_is_left() -> Result<()> {
    let server = server(Flavor::MySql).await?;
    let impostor = TcpListener::bind("127.0.0.1:0").await?;
    let mut view = member("a", &server, Role::Primary);
    view.upstream = Upstream {
        host: "127.0.0.1".to_owned(),
        port: impostor.local_addr()?.port(),
    };
    let view = GroupView {
        name: "main".to_owned(),
        lag_limit: None,
        primary: Ok(0),
        members: vec![view],
    };
    let routed = Routed::start(view, &[&server]).await?;
    let port = server.port();
    let heard = tokio::spawn(async move {
        let (mut proxy, _) = impostor.accept().await?;
        // It greets as the server it stands before.
        let mut real = TcpStream::connect(("127.0.0.1", port)).await?;
        let mut greeting = vec![0; 4 << 10];
        let length = real.read(&mut greeting).await?;
        proxy.write_all(&greeting[..length]).await?;
        let mut response = vec![0; 4 << 10];
        let length = proxy.read(&mut response).await?;
        let text = String::from_utf8_lossy(&response[..length]).into_owned();
        ensure!(
            text.contains("alterego_asks_anew") && !text.contains("first answer"),
            "{text}"
        );
        proxy.write_all(b"\x02\0\0\x02\x01\x04").await?;
        let mut rest = Vec::new();
        proxy.read_to_end(&mut rest).await?;
        Ok(rest)
    });
    let (mut raw, _) = Raw::greeted(([127, 0, 0, 1], routed.port).into()).await?;
    let mut packet = response(BASE & !8, 0);
    packet.extend(b"root\0\x0cfirst answercaching_sha2_password\0");
    raw.send(1, &packet).await?;
    ensure!(
        raw.packet().await.is_err(),
        "the client is asked for its password"
    );
    ensure!(heard.await??.is_empty());
    Ok(())
}
