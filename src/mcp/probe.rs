//! Floor 7. A door to what reads the bytes of strangers, without a server around it. The fuzz
//! targets in `fuzz/` and their tests come through here, and nobody else.

use std::borrow::Cow;

use super::{
    Headers, Refusal, Revision,
    classify::{self, Era},
    dispatch::refuse,
    headers,
    wire::{self, Body, Kind},
};

/// What a message turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// It wants an answer.
    Request,
    /// It wants none.
    Notification,
    /// It is one.
    Response,
}

/// One message of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What it is.
    pub sort: Sort,
    /// Its id as it came; empty for a notification.
    pub id: String,
    /// Its method; empty for a response.
    pub method: String,
}

impl From<Kind<'_>> for Seen {
    fn from(kind: Kind<'_>) -> Self {
        match kind {
            Kind::Request(it) => Self { sort: Sort::Request, id: it.id.to_owned(), method: it.method.into_owned() },
            Kind::Notification(it) => {
                Self { sort: Sort::Notification, id: String::new(), method: it.method.into_owned() }
            }
            Kind::Response(it) => Self { sort: Sort::Response, id: it.id.to_owned(), method: String::new() },
        }
    }
}

/// Reads a body, one message or a batch.
///
/// # Errors
///
/// What the sender of a body is told that is none.
pub fn body(bytes: &[u8]) -> Result<Vec<Seen>, Vec<u8>> {
    let refuse = |fault| printed(&refuse(fault));
    match wire::read(bytes).map_err(refuse)? {
        Body::One(kind) => Ok(vec![kind.into()]),
        Body::Many(items) => {
            items.into_iter().map(|item| wire::read_one(item).map(Seen::from).map_err(refuse)).collect()
        }
    }
}

fn printed(refusal: &Refusal) -> Vec<u8> {
    let mut out = Vec::new();
    refusal.print(&mut out);
    out
}

/// Decides the revision that a single request is answered in, or what its sender is told; `None`
/// for any other body.
#[must_use]
pub fn era(bytes: &[u8], headers: Headers<'_>) -> Option<Result<Revision, Vec<u8>>> {
    let Ok(Body::One(Kind::Request(request))) = wire::read(bytes) else { return None };
    let era = classify::request(&request, headers, Revision::ASSUMED);
    let revision = era.map(|(Era::Legacy(revision) | Era::Stateless(revision))| revision);
    Some(revision.map_err(|refusal| printed(&refusal.of(Some(request.id)))))
}

/// The text that the value of a header stands for; `None` where it cannot be decoded.
#[must_use]
pub fn header(value: &str) -> Option<Cow<'_, str>> {
    headers::decoded(value)
}
