//! Passwords encrypted with RSA, as `caching_sha2_password` and `sha256_password` send them without TLS: OAEP with SHA-1 over
//! the password and its NUL, mixed with the challenge.
//!
//! The proxy has a key of its own for clients without TLS in front of a server with TLS: it answers their request for the
//! server's key, and hands the password on inside TLS. The key is made when the first such client comes and lives as long
//! as the process.
//!
//! *Invariant:* what cannot be decrypted becomes a password nobody has, so that whoever sends it hears from the server
//! what every wrong password hears, and nothing else.

use std::sync::Arc;

use rsa::pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding};
use rsa::rand_core::{OsRng, RngCore};
use rsa::{Oaep, RsaPrivateKey, RsaPublicKey};
use sha1::Sha1;
use tokio::sync::OnceCell;

const KEY_BITS: usize = 2048;

/// The proxy's RSA key.
#[derive(Debug, Default)]
pub(crate) struct PasswordKey(OnceCell<Option<Arc<Pair>>>);

/// The key and its public half as a client gets it.
pub(crate) struct Pair {
    private: RsaPrivateKey,
    public_pem: String,
}

impl PasswordKey {
    /// The key, made now if this is the first time; `None` if the system gave no randomness.
    pub(crate) async fn pair(&self) -> Option<Arc<Pair>> {
        let made = self.0.get_or_init(|| async {
            let made = tokio::task::spawn_blocking(Pair::new).await;
            made.ok().flatten().map(Arc::new)
        });
        made.await.clone()
    }
}

impl Pair {
    fn new() -> Option<Self> {
        let private = RsaPrivateKey::new(&mut OsRng, KEY_BITS).ok()?;
        let public_pem = private.to_public_key().to_public_key_pem(LineEnding::LF).ok()?;
        Some(Self { private, public_pem })
    }

    /// The public key in PEM form.
    pub(crate) fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// The password in a client's block, with its NUL.
    pub(crate) fn decrypt(&self, block: &[u8], nonce: &[u8]) -> Vec<u8> {
        let opened = self
            .private
            .decrypt_blinded(&mut OsRng, Oaep::new::<Sha1>(), block);
        let mut password = match opened {
            Ok(mixed) => mix(&mixed, nonce),
            Err(_) => nobodys_password(),
        };
        if password.last() != Some(&0) {
            password.push(0);
        }
        password
    }
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

fn nobodys_password() -> Vec<u8> {
    let mut bytes = [0; 32];
    OsRng.fill_bytes(&mut bytes);
    // A NUL would end it early, and the empty password is somebody's.
    bytes.iter().map(|byte| byte | 1).collect()
}

/// The block in which the server takes a password; `None` if its key is unusable, or too short for this password.
pub(crate) fn encrypt(password: &[u8], nonce: &[u8], key_pem: &[u8]) -> Option<Vec<u8>> {
    let key =
        RsaPublicKey::from_public_key_pem(std::str::from_utf8(key_pem).ok()?.trim_end_matches('\0')).ok()?;
    let terminated = match password {
        [.., 0] => password.to_vec(),
        _ => [password, &[0]].concat(),
    };
    key.encrypt(&mut OsRng, Oaep::new::<Sha1>(), &mix(&terminated, nonce))
        .ok()
}

fn mix(bytes: &[u8], nonce: &[u8]) -> Vec<u8> {
    if nonce.is_empty() {
        return bytes.to_vec();
    }
    bytes
        .iter()
        .zip(nonce.iter().cycle())
        .map(|(byte, mask)| byte ^ mask)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_goes_there_and_back() {
        let key = PasswordKey::default();
        let pair = key.pair().await.unwrap();
        let pem = pair.public_pem().as_bytes();
        for password in [&b"s3cret"[..], b"s3cret\0", b"", b"\0", &[b'x'; 213]] {
            let block = encrypt(password, b"a nonce", pem).unwrap();
            assert_eq!(block.len(), KEY_BITS / 8);
            let expected = [password.strip_suffix(b"\0").unwrap_or(password), &[0]].concat();
            assert_eq!(pair.decrypt(&block, b"a nonce"), expected);
        }
        assert!(encrypt(&[b'x'; 214], b"n", pem).is_none(), "too long for the key");
        assert!(Arc::ptr_eq(&pair, &key.pair().await.unwrap()), "made once");
    }

    #[tokio::test]
    async fn what_is_no_block_is_nobodys_password() {
        let pair = PasswordKey::default().pair().await.unwrap();
        for wrong in [&b""[..], b"x", &[0; 256], &[255; 256], &[7; 300]] {
            let (one, other) = (pair.decrypt(wrong, b"n"), pair.decrypt(wrong, b"n"));
            assert!(one != other && one.len() == 33 && one.iter().filter(|byte| **byte == 0).count() == 1);
        }
    }

    #[test]
    fn a_servers_key_may_be_anything() {
        for key in [
            &b""[..],
            b"\xff",
            b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
            b"-----BEGIN PUBLIC KEY-----\nMCQwDQYJKoZIhvcNAQEBBQADEwAwEAIJAL0v\n-----END PUBLIC KEY-----\n",
        ] {
            assert_eq!(encrypt(b"s3cret", b"n", key), None);
        }
    }
}
