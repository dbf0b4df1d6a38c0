//! Floor 5. Tokens: `mcb_pat_`, an id that may be shown, a secret of 190 bits, and a checksum by
//! which scanners know one and a mistyped one is refused without a look-up (auth.md §4.8).

use sha2::{Digest, Sha256};

use crate::secret::Secret;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID: usize = 8;
const SECRET: usize = 32;
const CHECKSUM: usize = 6;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An API key.
    Key,
}

impl Kind {
    const ALL: [Self; 1] = [Self::Key];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Key => "mcb_pat_",
        }
    }
}

/// A token as it is presented: recognised, and not yet looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'t> {
    /// What it is for.
    pub kind: Kind,
    /// The part that may be shown.
    pub id: &'t str,
    /// By which it is found.
    pub digest: [u8; 32],
}

impl<'t> Token<'t> {
    /// Whether a text begins as tokens of this server do, whole or not: such a text is never
    /// another party's.
    #[must_use]
    pub fn is_ours(text: &[u8]) -> bool {
        text.starts_with(b"mcb_")
    }

    /// Reads a token. `None` unless its form and its checksum are right.
    #[must_use]
    pub fn parse(text: &'t str) -> Option<Self> {
        let kind = Kind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
        let (body, checksum) = text.split_at_checked(kind.prefix().len() + ID + 1 + SECRET)?;
        let (id, secret) = body.get(kind.prefix().len()..)?.split_once('_')?;
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let fits = id.len() == ID && secret.len() == SECRET && plain(id) && plain(secret);
        (fits && checksum == self::checksum(body)).then(|| Self { kind, id, digest: digest(text) })
    }
}

/// A new token. It is shown once and kept nowhere.
#[derive(Debug)]
pub struct TokenText {
    /// The part that may be shown.
    pub id: String,
    /// The whole.
    pub text: Secret<String>,
    /// What is kept of it.
    pub digest: [u8; 32],
}

impl TokenText {
    /// Makes a token from the system's random numbers.
    ///
    /// # Errors
    /// When the system has none.
    pub fn new(kind: Kind) -> Result<Self, getrandom::Error> {
        let id = random(ID)?;
        let body = format!("{}{id}_{}", kind.prefix(), random(SECRET)?);
        let text = format!("{body}{}", checksum(&body));
        let digest = digest(&text);
        Ok(Self { id, text: Secret::new(text), digest })
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Letters and digits that are all equally likely: bytes beyond a multiple of 62 are thrown away.
fn random(length: usize) -> Result<String, getrandom::Error> {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0_u8; 64];
        getrandom::fill(&mut bytes)?;
        let letters =
            bytes.into_iter().filter(|byte| *byte < 248).filter_map(|byte| ALPHABET.get(usize::from(byte % 62)));
        text.extend(letters.take(length - text.len()).copied().map(char::from));
    }
    Ok(text)
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = usize::try_from(rest % 62).ok().and_then(|at| ALPHABET.get(at)).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_form_that_scanners_look_for() {
        let form = regex::Regex::new(r"^mcb_(pat|at|rt|cs)_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}$").unwrap();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..200 {
            let made = TokenText::new(Kind::Key).unwrap();
            let text = made.text.expose();
            assert!(form.is_match(text), "{text}");
            let read = Token::parse(text).unwrap();
            assert_eq!((read.kind, read.id, read.digest), (Kind::Key, made.id.as_str(), made.digest));
            assert!(seen.insert(text.clone()), "a token came twice");
        }
    }

    #[test]
    fn the_checksum_of_a_known_token_is_known() {
        // CRC-32 of the text "mcb_pat_AbCd1234_" and 32 times "z", in base 62.
        let body = format!("mcb_pat_AbCd1234_{}", "z".repeat(32));
        assert_eq!(checksum(&body).len(), CHECKSUM);
        assert!(Token::parse(&format!("{body}{}", checksum(&body))).is_some());
    }

    #[test]
    fn a_token_that_was_changed_anywhere_is_none() {
        let made = TokenText::new(Kind::Key).unwrap();
        let text = made.text.expose();
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            let other = String::from_utf8(other).unwrap();
            assert!(Token::parse(&other).is_none(), "{at}");
        }
        for other in ["", "mcb_pat_", "mcb_", "mcb_pat_ä", &text[..text.len() - 1], &format!("{text}0")] {
            assert!(Token::parse(other).is_none(), "{other}");
        }
    }
}
