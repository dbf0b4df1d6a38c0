//! Floor 5. Tokens: a prefix such as `mcb_pat_`, an id that may be shown, a secret of 190 bits, and a checksum by
//! which scanners know one and a mistyped one is refused without a look-up (auth.md §4.8).

use hmac::Mac;
use sha2::{Digest, Sha256};

use crate::secret::{Secret, keyed};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID: usize = 8;
const SECRET: usize = 32;
const CHECKSUM: usize = 6;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An API key.
    Key,
    /// An access token that this server issued.
    Access,
    /// What a client gets a new access token with.
    Refresh,
    /// The secret of a client.
    ClientSecret,
    /// A code, between a person's consent and the first token.
    Code,
    /// A person's session in a browser.
    Session,
    /// A link that signs a person in, once.
    Link,
    /// A client's request, while a person looks at it.
    Request,
    /// A person's way to sign in elsewhere and back.
    Away,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Key,
        Self::Access,
        Self::Refresh,
        Self::ClientSecret,
        Self::Code,
        Self::Session,
        Self::Link,
        Self::Request,
        Self::Away,
    ];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Key => "mcb_pat_",
            Self::Access => "mcb_at_",
            Self::Refresh => "mcb_rt_",
            Self::ClientSecret => "mcb_cs_",
            Self::Code => "mcb_code_",
            Self::Session => "mcb_sess_",
            Self::Link => "mcb_link_",
            Self::Request => "mcb_req_",
            Self::Away => "mcb_away_",
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
        Ok(Self::of(kind, random(ID)?, &random(SECRET)?))
    }

    /// The token that follows another: always the same one, and nobody finds it who lacks either the
    /// token or the key. So an answer that was lost can be given again, and nothing kept gives it away.
    #[must_use]
    pub fn following(token: &Token<'_>, text: &str, key: &Secret<String>) -> Self {
        let mut secret = String::with_capacity(SECRET);
        let mut round = 0_u8;
        while secret.len() < SECRET {
            let mut mac = keyed(key.expose().as_bytes());
            mac.update(text.as_bytes());
            mac.update(&[round]);
            round = round.wrapping_add(1);
            let bytes = mac.finalize().into_bytes();
            secret.extend(letters(&bytes).take(SECRET - secret.len()));
        }
        Self::of(token.kind, token.id.to_owned(), &secret)
    }

    fn of(kind: Kind, id: String, secret: &str) -> Self {
        let body = format!("{}{id}_{secret}", kind.prefix());
        let text = format!("{body}{}", checksum(&body));
        let digest = digest(&text);
        Self { id, text: Secret::new(text), digest }
    }
}

/// Letters and digits that are all equally likely: bytes beyond a multiple of 62 are thrown away.
fn letters(bytes: &[u8]) -> impl Iterator<Item = char> {
    let fitting = bytes.iter().filter(|byte| **byte < 248);
    fitting.filter_map(|byte| ALPHABET.get(usize::from(byte % 62))).copied().map(char::from)
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// A text of letters and digits from the system's random numbers.
///
/// # Errors
/// When the system has none.
pub fn random(length: usize) -> Result<String, getrandom::Error> {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0_u8; 64];
        getrandom::fill(&mut bytes)?;
        text.extend(letters(&bytes).take(length - text.len()));
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
    fn a_token_leads_to_one_other_for_who_has_the_key() {
        let first = TokenText::new(Kind::Refresh).unwrap();
        let key = |text: &str| Secret::new(text.to_owned());
        let after = |text: &str, secret: &str| {
            let token = Token::parse(text).unwrap();
            TokenText::following(&token, text, &key(secret)).text.expose().clone()
        };
        let second = after(first.text.expose(), "k");
        assert_eq!(second, after(first.text.expose(), "k"));
        assert_eq!(Token::parse(&second).unwrap().id, first.id);
        for other in [after(first.text.expose(), "l"), after(&second, "k"), first.text.expose().clone()] {
            assert_ne!(second, other);
        }
    }

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
