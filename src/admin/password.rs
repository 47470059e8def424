//! Does the client know the password?
//!
//! Both methods are challenge and response: the client sends a scramble of the password and our nonce, we compute
//! the same and compare in constant time. The password itself never travels.

use mysql_common::auth::plugins::caching_sha2_password::scramble_sha256;
use mysql_common::auth::plugins::mysql_native_password::scramble_native;
use rand::RngExt;
use subtle::ConstantTimeEq;

use crate::cli::Secret;

pub(super) const NONCE_BYTES: usize = 20;

/// The challenge of one connection.
pub(super) type Nonce = [u8; NONCE_BYTES];

/// A random challenge without the bytes that end it early: the protocol writes it as a NUL-terminated string, and
/// old clients stop at `$`.
pub(super) fn nonce() -> Nonce {
    let mut rng = rand::rng();
    std::array::from_fn(|_| match rng.random_range(1..=126_u8) {
        b'$' => 127,
        other => other,
    })
}

/// How a client proves that it knows the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// `caching_sha2_password`, MySQL's default since 8.0 and the only one of the two in MySQL 9 clients.
    Sha2,
    /// `mysql_native_password`, which every older client and every MariaDB client has.
    Native,
}

impl Method {
    /// The method of this name.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        [Self::Sha2, Self::Native]
            .into_iter()
            .find(|method| method.name().as_bytes() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sha2 => "caching_sha2_password",
            Self::Native => "mysql_native_password",
        }
    }

    /// Whether `response` could be a scramble of this method at all.
    pub(super) fn fits(self, response: &[u8]) -> bool {
        response.len()
            == match self {
                Self::Sha2 => 32,
                Self::Native => 20,
            }
    }

    /// Whether `response` is the scramble of `password` under `nonce`. An empty password opens nothing.
    pub(super) fn accepts(self, nonce: &Nonce, password: &Secret, response: &[u8]) -> bool {
        let password = password.expose().as_bytes();
        match self {
            Self::Sha2 => {
                scramble_sha256(nonce, password).is_some_and(|expected| expected.ct_eq(response).into())
            }
            Self::Native => {
                scramble_native(nonce, password).is_some_and(|expected| expected.ct_eq(response).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_scramble_opens() {
        let (nonce, password) = (nonce(), Secret::new("secret"));
        for method in [Method::Sha2, Method::Native] {
            let right = match method {
                Method::Sha2 => scramble_sha256(&nonce, b"secret").unwrap().to_vec(),
                Method::Native => scramble_native(&nonce, b"secret").unwrap().to_vec(),
            };
            assert!(method.fits(&right) && method.accepts(&nonce, &password, &right));
            assert!(!method.accepts(&nonce, &Secret::new("other"), &right));
            assert!(!method.accepts(&nonce, &Secret::default(), &[]));
            assert!(!method.accepts(&nonce, &password, &right[1..]));
            assert!(!method.accepts(&nonce, &password, &[]));
        }
    }

    #[test]
    fn nonces_are_fresh_and_printable() {
        assert_ne!(nonce(), nonce());
        assert!((0..100).all(|_| nonce().iter().all(|byte| *byte != 0 && *byte != b'$')));
    }
}
