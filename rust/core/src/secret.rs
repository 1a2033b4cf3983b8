//! The secret of a redacted model: values under HMAC-SHA-256 (FIPS 198-1), cut to 128 bits.
//!
//! What a value is hashed under is a key of its column and of what it is there (`value`, `shape`), so that equal values
//! of two columns do not show. Whoever has the file and a list of words can test none of them without the key;
//! whoever has both can. Twin: `tests/oracle/keyed.py`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::{Error, Result};

/// Name of the hash in the manifest.
pub const HASH: &str = "hmac_sha256_128";
/// Bytes of the shortest secret.
pub const LEAST: usize = 16;

pub type Digest = [u8; 16];

#[derive(Clone)]
pub struct Secret(Box<Hmac<Sha256>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let short = || {
            Error::usage("key-unfit", format!("a key of {} bytes is too short: {LEAST} are needed", bytes.len()))
                .hint("32 random bytes are a good one")
        };
        if bytes.len() < LEAST {
            return Err(short());
        }
        Hmac::new_from_slice(bytes).map(|mac| Self(Box::new(mac))).map_err(|_| short())
    }

    /// Tells the right key from others, and says nothing else.
    pub fn check(&self) -> Digest {
        self.digest(b"tabad check")
    }

    /// The key of what a column holds.
    pub fn of(&self, what: &str, column: &str) -> Self {
        let own = self.whole(&[b"tabad ", what.as_bytes(), b"\0", column.as_bytes()]);
        // A key of 32 bytes always fits.
        Self::new(&own).unwrap_or_else(|_| self.clone())
    }

    pub fn digest(&self, value: &[u8]) -> Digest {
        let mut digest = Digest::default();
        digest.copy_from_slice(&self.whole(&[value])[..16]);
        digest
    }

    /// The bytes under a stream of this key and `start`; once more, and they are back.
    pub fn veil(&self, start: &Digest, bytes: &[u8]) -> Vec<u8> {
        let mut veiled = Vec::with_capacity(bytes.len());
        for (at, part) in (0_u64..).zip(bytes.chunks(32)) {
            let stream = self.whole(&[start, &at.to_le_bytes()]);
            veiled.extend(part.iter().zip(stream).map(|(byte, own)| byte ^ own));
        }
        veiled
    }

    fn whole(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mac = parts.iter().fold((*self.0).clone(), |mac, part| mac.chain_update(part));
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Secret {
        Secret::new(&[byte; 20]).unwrap()
    }

    #[test]
    fn a_digest_is_the_start_of_the_hmac_of_rfc_4231() {
        // Test case 1.
        assert_eq!(key(0x0b).digest(b"Hi There")[..8], [0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53]);
    }

    #[test]
    fn columns_keys_and_uses_are_told_apart() {
        let of = |key: &Secret, what, column| key.of(what, column).digest(b"FR");
        let one = key(1);
        assert_eq!(of(&one, "value", "a"), of(&one, "value", "a"));
        assert_ne!(of(&one, "value", "a"), of(&one, "value", "b"));
        assert_ne!(of(&one, "value", "a"), of(&one, "shape", "a"));
        assert_ne!(of(&one, "value", "a"), of(&key(2), "value", "a"));
        assert_ne!(one.check(), key(2).check());
    }

    #[test]
    fn a_veil_is_lifted_by_itself() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1_001).collect();
        let own = key(3).of("counts", "a");
        let veiled = own.veil(&own.digest(&bytes), &bytes);
        assert_eq!(own.veil(&own.digest(&bytes), &veiled), bytes);
        assert!(veiled.iter().zip(&bytes).filter(|(a, b)| a == b).count() < 30);
    }

    #[test]
    fn a_short_key_is_refused() {
        assert_eq!(Secret::new(&[1; 15]).map(|_| ()).map_err(|error| error.name), Err("key-unfit"));
    }
}
