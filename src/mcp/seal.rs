//! Floor 7. What this server hands out and is shown again later: marked, so that a change of it
//! is noticed.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::secret::keyed;

/// Marks of one purpose. The key is never shown, and a mark of one purpose is none of another.
#[derive(Clone)]
pub(super) struct Seal(Hmac<Sha256>);

/// Bytes of a mark.
pub(super) const MARK: usize = 16;

impl Seal {
    /// The marks that a secret makes for a purpose.
    pub(super) fn new(secret: &[u8], purpose: &str) -> Self {
        let derived = keyed(secret).chain_update(purpose.as_bytes()).finalize().into_bytes();
        Self(keyed(&derived))
    }

    /// Marks that nobody else can make, and no other process; `None` when the system has no randomness.
    pub(super) fn random() -> Option<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).ok().map(|()| Self(keyed(&secret)))
    }

    /// The mark of these parts, in this order: what belongs to which part is part of the mark.
    pub(super) fn mark(&self, parts: &[&[u8]]) -> [u8; MARK] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let mut mark = [0; MARK];
        mark.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(mark, byte)| *mark = byte);
        mark
    }

    /// Whether the parts are as they were when they got their mark.
    pub(super) fn holds(&self, parts: &[&[u8]], mark: &[u8]) -> bool {
        self.mark(parts).ct_eq(mark).into()
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Seal(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_fits_its_parts_its_purpose_and_its_secret_only() {
        let seal = Seal::new(b"secret", "test");
        let mark = seal.mark(&[b"ab", b"c"]);
        assert!(Seal::new(b"secret", "test").holds(&[b"ab", b"c"], &mark));
        for (other, parts, mark) in [
            (seal.clone(), [&b"a"[..], b"bc"], &mark[..]),
            (seal.clone(), [b"ab", b"d"], &mark),
            (seal.clone(), [b"ab", b"c"], &mark[..8]),
            (Seal::new(b"secret", "other"), [b"ab", b"c"], &mark),
            (Seal::new(b"another", "test"), [b"ab", b"c"], &mark),
        ] {
            assert!(!other.holds(&parts, mark), "{parts:?}");
        }
    }
}
