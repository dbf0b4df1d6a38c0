//! Floor 7. What the authorization server is asked, and what it answers, without the words of HTTP.

use std::{net::IpAddr, time::Duration};

use serde_json::{Value, json};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// A client sends a person to agree.
    Authorize,
    /// The page on which people sign in.
    SignIn,
    /// A person signs in.
    SigningIn,
    /// A person comes back from the provider that signs in.
    Returned,
    /// The page of a link that signs in.
    Link,
    /// A person follows it.
    Linking,
    /// The page on which people agree.
    Consent,
    /// A person agrees, or does not.
    Consenting,
    /// A client asks for a token.
    Token,
    /// A client registers itself.
    Register,
    /// A client gives a token back.
    Revoke,
    /// A client asks what a token is worth.
    Introspect,
}

impl Route {
    /// Where each is, and whether something is sent there.
    const ALL: [(&'static str, Option<Self>, Option<Self>); 9] = [
        ("/oauth/authorize", Some(Self::Authorize), None),
        ("/oauth/sign-in", Some(Self::SignIn), Some(Self::SigningIn)),
        ("/oauth/callback", Some(Self::Returned), None),
        ("/oauth/link", Some(Self::Link), Some(Self::Linking)),
        ("/oauth/consent", Some(Self::Consent), Some(Self::Consenting)),
        ("/oauth/token", None, Some(Self::Token)),
        ("/oauth/register", None, Some(Self::Register)),
        ("/oauth/revoke", None, Some(Self::Revoke)),
        ("/oauth/introspect", None, Some(Self::Introspect)),
    ];

    /// What is asked for at a path by looking, and by sending; `None` where nothing is.
    #[must_use]
    pub fn at(path: &str) -> Option<(Option<Self>, Option<Self>)> {
        Self::ALL.iter().find(|(known, ..)| *known == path).map(|(_, looked, sent)| (*looked, *sent))
    }

    /// Whether programs on pages of any site may ask here: no cookie counts.
    #[must_use]
    pub fn is_for_programs(path: &str) -> bool {
        Self::at(path).is_some_and(|(looked, _)| looked.is_none())
    }
}

/// A request to the authorization server.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry<'a> {
    /// What is asked for.
    pub route: Route,
    /// The query of the address.
    pub query: &'a [u8],
    /// What was sent.
    pub body: &'a [u8],
    /// The one `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `Cookie` headers.
    pub cookies: &'a [&'a str],
    /// The page that sends.
    pub origin: Option<&'a str>,
    /// How far away that page is (`Sec-Fetch-Site`).
    pub site: Option<&'a str>,
    /// Where it comes from.
    pub address: IpAddr,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// As it was meant to.
    Fine,
    /// Something was made.
    Created,
    /// The request is at fault.
    Faulty,
    /// The client is not who it says.
    Unknown,
    /// The person may not do this.
    Forbidden,
    /// Too often; again after so long.
    TooOften(Duration),
    /// Not now.
    Unavailable,
}

/// What a browser is to remember.
#[derive(Debug)]
pub struct Cookie(pub(super) String);

impl Cookie {
    /// The header's value.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// An answer of the authorization server.
#[derive(Debug)]
pub enum Answer {
    /// A page for a person.
    Page {
        /// How it ended.
        class: Class,
        /// The page.
        html: String,
    },
    /// The person is sent on.
    To {
        /// Where.
        address: String,
        /// What the browser remembers from now on.
        cookie: Option<Cookie>,
    },
    /// A document for a program.
    Document {
        /// How it ended.
        class: Class,
        /// The document.
        json: String,
    },
}

/// A fault of OAuth, by its code on the wire (RFC 6749 §4.1.2.1, §5.2; RFC 7591 §3.2.2; RFC 8707 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) words: &'static str,
    pub(super) class: Class,
}

impl Fault {
    pub(super) const fn new(code: &'static str, words: &'static str) -> Self {
        Self { code, words, class: Class::Faulty }
    }

    pub(super) const TWICE: Self = Self::new("invalid_request", "a parameter came twice");
    pub(super) const CLIENT: Self = Self {
        code: "invalid_client",
        words: "the client is not known, or its secret is not right",
        class: Class::Unknown,
    };
    pub(super) const BUSY: Self = Self {
        code: "temporarily_unavailable",
        words: "this cannot be done just now; try again soon",
        class: Class::Unavailable,
    };

    pub(super) const fn too_often(wait: Duration) -> Self {
        Self { code: "temporarily_unavailable", words: "too many requests", class: Class::TooOften(wait) }
    }

    /// The document that a program reads.
    pub(super) fn document(self) -> Answer {
        document(self.class, &json!({ "error": self.code, "error_description": self.words }))
    }
}

impl From<super::form::Twice> for Fault {
    fn from(_: super::form::Twice) -> Self {
        Self::TWICE
    }
}

impl From<crate::state::RecordFault> for Fault {
    fn from(fault: crate::state::RecordFault) -> Self {
        tracing::warn!(%fault, "the authorization server could not use its state");
        Self::BUSY
    }
}

pub(super) fn document(class: Class, value: &Value) -> Answer {
    Answer::Document { class, json: value.to_string() }
}
