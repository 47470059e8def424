//! How many files the process may have open, which bounds how many clients it can have: each takes two, its own connection
//! and the server's.

use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Clients if nobody says how many.
const USUAL_CLIENTS: u32 = 10_000;
/// The smallest number worth starting with.
const FEWEST_CLIENTS: u64 = 10;
/// What everything else may need: listeners, the log, migrations, and clients that are being turned away.
const OTHER_FILES: u64 = 256;

/// Raises the limit as far as the process may, and says how many clients there can be.
///
/// # Errors
/// There cannot be as many as were asked for.
pub(crate) fn provide_for(asked: Option<u32>) -> anyhow::Result<usize> {
    let limit = raise();
    let clients = usize::try_from(clients(asked, limit)?)?;
    if asked.is_none() && clients < USUAL_CLIENTS as usize {
        let files = limit.unwrap_or_default();
        warn!("{clients} clients at most, because the process may open {files} files only (RLIMIT_NOFILE)");
    }
    Ok(clients)
}

/// The limit after raising it; none is none.
fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let highest = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, highest) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

fn clients(asked: Option<u32>, limit: Option<u64>) -> anyhow::Result<u32> {
    let files = |clients: u32| OTHER_FILES + 2 * u64::from(clients);
    let Some(limit) = limit else {
        return Ok(asked.unwrap_or(USUAL_CLIENTS));
    };
    match asked {
        Some(clients) if files(clients) > limit => bail!(
            "--max-clients {clients} needs {} open files and the process may have {limit}: raise the hard limit \
             (LimitNOFILE= of the service, ulimit -Hn) or ask for fewer clients",
            files(clients)
        ),
        Some(clients) => Ok(clients),
        None => {
            let possible = (limit.saturating_sub(OTHER_FILES) / 2).max(FEWEST_CLIENTS);
            Ok(u32::try_from(possible).map_or(USUAL_CLIENTS, |possible| possible.min(USUAL_CLIENTS)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_fit_into_the_limit() {
        let check = |asked: Option<u32>, limit: Option<u64>, expected: Option<u32>| {
            assert_eq!(clients(asked, limit).ok(), expected, "{asked:?} {limit:?}");
        };
        check(None, None, Some(10_000));
        check(None, Some(1 << 20), Some(10_000));
        check(None, Some(1024), Some(384));
        check(None, Some(100), Some(10));
        check(Some(384), Some(1024), Some(384));
        check(Some(385), Some(1024), None);
        check(Some(50_000), None, Some(50_000));
        check(Some(1), Some(1 << 20), Some(1));
    }
}
