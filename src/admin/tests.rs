//! The endpoint with an ordinary client.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

use alterego_proxy::hooks::Grid;
use async_trait::async_trait;

use super::*;
use crate::cli::{Bind, Secret};

struct Two;

#[async_trait]
impl StatusSource for Two {
    async fn migrations(&self) -> Grid {
        Grid {
            columns: vec!["id".to_owned(), "phase".to_owned()],
            rows: vec![
                vec![Some("1".to_owned()), Some("row copy".to_owned())],
                vec![Some("2".to_owned()), None],
            ],
        }
    }

    fn routes(&self) -> Grid {
        one("route")
    }

    fn upstreams(&self) -> Grid {
        one("upstream")
    }

    async fn accept(&self, _: &str) -> Option<Result<String, String>> {
        None
    }
}

fn one(name: &str) -> Grid {
    Grid {
        columns: vec![name.to_owned()],
        rows: vec![vec![Some(format!("a {name}"))]],
    }
}

/// An endpoint on a free port, and how to reach it.
async fn endpoint() -> impl Fn(&str, &str) -> Opts {
    let bind = Bind::Tcp("127.0.0.1:0".parse().unwrap());
    let listener = Listener::bind(&bind, 0).await.unwrap();
    let port = match &listener {
        Listener::Tcp(tcp) => tcp.local_addr().unwrap().port(),
        Listener::Unix(..) => unreachable!("a TCP address was bound"),
    };
    let settings = AdminSettings {
        bind,
        user: "admin".to_owned(),
        password: Secret::new("sesame"),
    };
    tokio::spawn(Admin::new(settings, Arc::new(Two)).run(listener, std::future::pending()));
    move |user, password| {
        OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(port)
            .user(Some(user))
            .pass(Some(password))
            .prefer_socket(false)
            .into()
    }
}

#[tokio::test]
async fn a_client_logs_in_and_asks() {
    let opts = endpoint().await;
    let mut conn = Conn::new(opts("admin", "sesame")).await.unwrap();
    let rows: Vec<(String, Option<String>)> = conn.query("SHOW MIGRATIONS").await.unwrap();
    assert_eq!(
        rows,
        [
            ("1".to_owned(), Some("row copy".to_owned())),
            ("2".to_owned(), None)
        ]
    );
    for name in ["route", "upstream"] {
        let found: Option<String> = conn.query_first(format!("SHOW {name}S")).await.unwrap();
        assert_eq!(found, Some(format!("a {name}")));
    }
    let error = conn.query_drop("DROP TABLE t").await.unwrap_err();
    assert!(error.to_string().contains("HELP"), "{error}");
    let error = conn.exec_drop("SELECT 1", ()).await.unwrap_err();
    assert!(error.to_string().contains("prepared"), "{error}");
    conn.ping().await.unwrap();
    conn.reset().await.unwrap();
    assert_eq!(
        conn.query_first::<String, _>("SELECT 1")
            .await
            .unwrap()
            .as_deref(),
        Some("1")
    );
    conn.disconnect().await.unwrap();
}

#[tokio::test]
async fn others_stay_outside() {
    let opts = endpoint().await;
    for (user, password) in [("admin", "wrong"), ("admin", ""), ("root", "sesame")] {
        let error = Conn::new(opts(user, password)).await.unwrap_err();
        assert!(error.to_string().contains("1045"), "{error}");
    }
}

#[tokio::test]
async fn connections_are_bounded() {
    let opts = endpoint().await;
    let mut open = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        open.push(Conn::new(opts("admin", "sesame")).await.unwrap());
    }
    let error = Conn::new(opts("admin", "sesame")).await.unwrap_err();
    assert!(error.to_string().contains("1040"), "{error}");
    for mut conn in open {
        conn.ping().await.unwrap();
    }
}
