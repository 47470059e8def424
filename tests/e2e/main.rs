//! End to end: the binary in front of real servers, ordinary clients in front of the binary.
//!
//! Every case runs on both servers ([`both!`]). Each test has a private server and a private proxy. What a
//! migration leaves is compared with what the server's own ALTER leaves on a clone, on the same server.

mod adverse;
mod alter_classes;
mod alter_forms;
mod clients;
mod counter;
mod crash;
mod diff;
mod drain;
mod errors;
mod indexes;
mod keep_old;
mod key_types;
mod limits;
mod missing_writes;
mod owner_checks;
mod privileges;
mod proxy_protocol;
mod routing;
mod several;
mod snapshots;
mod stall;
mod statistics;
mod support;
mod terminal;
mod tls;
mod triggers;
mod unsupported;
mod verification;
mod ways;
mod workload;

/// Makes of each function over a `Flavor` two tests, one for each server.
macro_rules! both {
    ($($name:ident),+ $(,)?) => {
        mod mysql {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() -> anyhow::Result<()> {
                    super::$name(alterego_testkit::Flavor::MySql).await
                }
            )+
        }
        mod mariadb {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() -> anyhow::Result<()> {
                    super::$name(alterego_testkit::Flavor::MariaDb).await
                }
            )+
        }
    };
}
pub(crate) use both;
