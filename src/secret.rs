//! Floor 0. Values that must never be seen: they say `…` wherever they are printed, and
//! are wiped when they are dropped.

use std::fmt;

use hmac::{Hmac, KeyInit as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// What stands wherever a secret would be printed.
pub const REDACTED: &str = "…";

/// A value that `Debug`, `Display` and `Serialize` never show.
#[derive(Clone, Default)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value. From here on only [`Secret::expose`] shows it.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that must send or hash it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl Secret<String> {
    /// Compares with a presented value in a time that tells nothing about where they differ.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl<T: Zeroize> fmt::Display for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl<T: Zeroize> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

/// What marks texts with a key, so that only who has it can make or check the mark.
#[must_use]
#[expect(clippy::missing_panics_doc, clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104 §2)")]
pub fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("any length")
}

/// Names one secret of a [`Vault`]. A plan holds these, never the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecretId(usize);

/// The secret values that a plan's ids stand for. They are read when a source is connected.
#[derive(Debug, Default)]
pub struct Vault(Vec<Secret<String>>);

impl Vault {
    /// A text with `***` in the place of every value that is kept here.
    #[must_use]
    pub fn masked(&self, text: &str) -> String {
        /// What is shorter is found in texts that have nothing to do with it.
        const SHORTEST: usize = 4;
        let secrets = self.0.iter().map(Secret::expose).filter(|secret| secret.len() >= SHORTEST);
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }

    /// Puts a value away and returns the name under which it is found.
    pub fn store(&mut self, value: Secret<String>) -> SecretId {
        self.0.push(value);
        SecretId(self.0.len() - 1)
    }

    /// The value an id of this vault stands for.
    #[must_use]
    pub fn get(&self, id: SecretId) -> Option<&Secret<String>> {
        self.0.get(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_of_printing_shows_the_value() {
        let secret = Secret::new("correct horse".to_owned());
        let json = serde_json::to_string(&secret).unwrap();
        for printed in [format!("{secret}"), format!("{secret:?}"), json] {
            assert!(!printed.contains("horse"), "{printed}");
        }
        assert!(secret.matches("correct horse") && !secret.matches("correct hors"));
    }
}
