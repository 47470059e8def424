//! Logging in, up to and including the OK.
//!
//! # Why not by opensrv
//! opensrv's login is one round trip, which is mysql_native_password and nothing else; MySQL 9's own clients no longer
//! have that method. Doing it here costs one file and works with all of them.
//!
//! # Invariant
//! [`run`] returns a [`Client`] only if its scramble matched: nothing else of this endpoint ever sees a
//! stream that is not logged in.

use std::io;

use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncWrite};

use super::greeting::{self, Client};
use super::packet::{self, Refusal};
use super::password::{self, Method, Nonce};
use crate::cli::AdminSettings;

/// The greeting, then whatever the client's method takes.
pub(super) async fn run<S>(stream: &mut S, account: &AdminSettings, connection_id: u32) -> io::Result<Client>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let nonce = password::nonce();
    packet::write(stream, 0, &greeting::payload(connection_id, &nonce)).await?;
    let Some(mut client) = Client::parse(&packet::read(stream, 1).await?) else {
        return refuse(stream, 2, packet::BAD_HANDSHAKE).await;
    };
    let (method, sequence) = settle_method(stream, &mut client, &nonce).await?;
    // Both are always computed, so that the time taken does not tell a wrong name from a wrong password.
    let known = bool::from(account.user.as_bytes().ct_eq(&client.user));
    if !(method.accepts(&nonce, &account.password, &client.response) & known) {
        return deny(stream, sequence, &client).await;
    }
    if client.schema.is_some() {
        return refuse(stream, sequence, packet::NO_SCHEMAS).await;
    }
    let sequence = match method {
        Method::Sha2 => {
            packet::write(stream, sequence, FAST_AUTHENTICATION_SUCCEEDED).await?;
            sequence + 1
        }
        Method::Native => sequence,
    };
    packet::write(stream, sequence, &packet::ok_payload()).await?;
    Ok(client)
}

const FAST_AUTHENTICATION_SUCCEEDED: &[u8] = &[1, 3];

/// Finds the method the client's scramble is of, asking for another scramble where it sent none we can use. Returns
/// the sequence id of our next packet, too.
async fn settle_method<S>(stream: &mut S, client: &mut Client, nonce: &Nonce) -> io::Result<(Method, u8)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let named = Method::named(&client.method);
    if let Some(method) = named
        && method.fits(&client.response)
    {
        return Ok((method, 2));
    }
    let method = named.unwrap_or(Method::Sha2);
    let mut switch = vec![0xfe];
    switch.extend(method.name().as_bytes());
    switch.push(0);
    switch.extend(nonce);
    switch.push(0);
    packet::write(stream, 2, &switch).await?;
    client.response = packet::read(stream, 3).await?;
    Ok((method, 4))
}

async fn deny<S: AsyncWrite + Unpin>(stream: &mut S, sequence: u8, client: &Client) -> io::Result<Client> {
    let text = format!(
        "Access denied for user '{}' (using password: {})",
        String::from_utf8_lossy(&client.user).escape_default(),
        if client.response.is_empty() { "NO" } else { "YES" },
    );
    packet::write(stream, sequence, &packet::error_payload(1045, "28000", &text)).await?;
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

async fn refuse<S: AsyncWrite + Unpin>(stream: &mut S, sequence: u8, refusal: Refusal) -> io::Result<Client> {
    packet::write(stream, sequence, &refusal.payload()).await?;
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("{refusal:?}")))
}

/// Tells a client that the endpoint is full, in place of a greeting.
pub(super) async fn turn_away<S: AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    packet::write(stream, 0, &packet::TOO_MANY_CONNECTIONS.payload()).await
}
