//! Groups of real servers that replicate, are killed, lose writes and come back.

mod arithmetic;
mod failover;
mod group;
mod reading;
mod rig;

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
use both;
