//! Floor 5. Keeps the credential of a source out of what the source answers: APIs write the key of
//! a query into the address of the next page, and repeat in errors what they were asked with
//! (auth.md §4.7).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use memchr::memmem::Finder;

use super::pairs::encoded;
use crate::{
    plan::{Auth, RestSource},
    secret::{SecretId, Vault},
};

/// What is shorter cannot be told from ordinary text.
const LEAST: usize = 8;

/// What stands in the place of a credential.
const CONCEALED: &[u8] = b"[redacted]";

/// The forms in which the credential of a source may come back.
#[derive(Default)]
pub(super) struct Veil(Vec<Finder<'static>>);

impl Veil {
    /// Looks for what never changes; what differs from call to call is known when it is sent.
    pub(super) fn over(source: &RestSource, vault: &Vault) -> Self {
        let exposed = |id: SecretId| vault.get(id).map_or("", |secret| secret.expose());
        match &source.auth {
            Auth::Bearer(id) | Auth::HeaderKey { value: id, .. } | Auth::QueryKey { value: id, .. } => {
                Self::of(&[exposed(*id)])
            }
            Auth::Basic { username, password } => {
                let password = exposed(*password);
                Self::of(&[password, &STANDARD.encode(format!("{username}:{password}"))])
            }
            Auth::None | Auth::Tokens(_) | Auth::Passthrough { .. } => Self::default(),
        }
    }

    fn of(secrets: &[&str]) -> Self {
        let mut forms: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
        forms.retain(|form| is_telling(form.as_bytes()));
        forms.sort_unstable();
        forms.dedup();
        // One form may be the beginning of another.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Self(forms.iter().map(|form| Finder::new(form).into_owned()).collect())
    }

    /// Takes the credential out of a text, and the one of this call that a header was sent with.
    pub(super) fn draw(&self, body: &mut Bytes, sent: Option<&HeaderValue>) {
        for secret in &self.0 {
            blot(body, secret);
        }
        if let Some(secret) = sent.map(|value| credential(value.as_bytes())).filter(|secret| is_telling(secret)) {
            blot(body, &Finder::new(secret));
        }
    }
}

/// A secret as it is, as it stands in an address, and as it stands in a JSON text.
fn forms(secret: &str) -> [String; 5] {
    let address = encoded(secret);
    let small = address.split('%').enumerate().map(|(at, part)| match part.split_at_checked(2) {
        Some((digits, rest)) if at > 0 => format!("%{}{rest}", digits.to_ascii_lowercase()),
        _ => part.to_owned(),
    });
    let small = small.collect();
    let json = serde_json::Value::from(secret).to_string();
    let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(secret).to_owned();
    let slashes = json.replace('/', "\\/");
    [secret.to_owned(), address, small, json, slashes]
}

/// The value of a header without its scheme.
fn credential(value: &[u8]) -> &[u8] {
    let at = value.iter().position(|byte| *byte == b' ').map_or(0, |at| at + 1);
    value.get(at..).unwrap_or(value)
}

/// Digits alone may be any number, and without them a document may be none any more.
fn is_telling(secret: &[u8]) -> bool {
    secret.len() >= LEAST && !secret.iter().all(u8::is_ascii_digit)
}

fn blot(body: &mut Bytes, secret: &Finder<'_>) {
    let mut places = secret.find_iter(body).peekable();
    if places.peek().is_none() {
        return;
    }
    let mut out = BytesMut::with_capacity(body.len());
    let mut from = 0;
    for at in places {
        out.extend_from_slice(body.get(from..at).unwrap_or_default());
        out.extend_from_slice(CONCEALED);
        from = at + secret.needle().len();
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    *body = out.freeze();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_found_in_every_form() {
        let veil = Veil::of(&["pa/ss+\"word\""]);
        for (text, expected) in [
            ("nothing", "nothing"),
            ("a pa/ss+\"word\" b pa/ss+\"word\"", "a [redacted] b [redacted]"),
            (r#"{"a":"pa/ss+\"word\""}"#, r#"{"a":"[redacted]"}"#),
            (r#"{"a":"pa\/ss+\"word\""}"#, r#"{"a":"[redacted]"}"#),
            ("?k=pa%2Fss%2B%22word%22&b", "?k=[redacted]&b"),
            ("?k=pa%2fss%2b%22word%22&b", "?k=[redacted]&b"),
            ("pa/ss+", "pa/ss+"),
        ] {
            let mut body = Bytes::copy_from_slice(text.as_bytes());
            veil.draw(&mut body, None);
            assert_eq!(body, expected, "{text}");
        }
    }

    #[test]
    fn what_could_be_anything_is_left_alone() {
        let veil = Veil::of(&["short", "1234567890", ""]);
        assert!(veil.0.is_empty());
        for (sent, expected) in [
            (HeaderValue::from_static("Bearer of-this-call"), "got [redacted]"),
            (HeaderValue::from_static("of-this-call"), "got [redacted]"),
            (HeaderValue::from_static("Bearer x"), "got of-this-call"),
            (HeaderValue::from_static("Bearer "), "got of-this-call"),
        ] {
            let mut body = Bytes::from_static(b"got of-this-call");
            veil.draw(&mut body, Some(&sent));
            assert_eq!(body, expected, "{sent:?}");
        }
    }
}
