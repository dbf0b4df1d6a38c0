//! Floor 3. A REST request as it is built: every part compiled, nothing joined from strings.

mod body;
mod header;

pub use body::{Body, Effect, Encoding, Form, Graphql, Parameter, Part, Separator, Style};
pub use header::Reserved;

use serde_json::Value;

use super::{Care, SourceId};
use crate::{
    document::{CsvForm, XmlForm},
    select::Path,
    template::{Text, Tree},
};

/// One request.
#[derive(Debug)]
pub struct Request {
    /// The source, whose base is put before the path.
    pub source: SourceId,
    /// The method.
    pub method: Method,
    /// The path below the base.
    pub path: PathTemplate,
    /// Query parameters, in the author's order.
    pub query: Vec<Parameter>,
    /// Headers: lower-case names with their values.
    pub headers: Vec<(String, Tree)>,
    /// Cookies: names with their values.
    pub cookies: Vec<(String, Tree)>,
    /// The body.
    pub body: Option<Body>,
    /// How the answer is read.
    pub parse: Parse,
    /// The statuses that are not errors.
    pub success: Vec<StatusRange>,
    /// What makes an answer with such a status an error all the same.
    pub error_when: Option<ErrorWhen>,
    /// What the model is told for a status; the first that matches counts.
    pub errors: Vec<(StatusRange, Text)>,
    /// Params that `args` leaves out, because they are placed elsewhere or hidden.
    pub placed: Vec<String>,
    /// When it is sent again.
    pub care: Care,
}

impl Request {
    /// Whether the request only reads: by its method, or because it is a GraphQL query.
    #[must_use]
    pub const fn reads(&self) -> bool {
        match &self.body {
            Some(Body::Graphql(graphql)) => matches!(graphql.effect, Effect::Reads),
            _ => self.method.is_safe(),
        }
    }

    /// Whether a status is no error.
    #[must_use]
    pub fn succeeds(&self, status: u16) -> bool {
        self.success.iter().any(|range| range.holds(status))
    }
}

/// The methods a tool can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or does.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
    /// Asks for the headers only.
    Head,
}

impl Method {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
        }
    }

    /// Whether the method only reads (RFC 9110 §9.2.1).
    #[must_use]
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }

    /// Whether twice is the same as once (RFC 9110 §9.2.2).
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        !matches!(self, Self::Post | Self::Patch)
    }
}

/// A path such as `/grid/{office}/{x},{y}/forecast`.
#[derive(Debug, Default)]
pub struct PathTemplate {
    /// The text between slashes, one after the other.
    pub segments: Vec<Segment>,
    /// The template as written, for messages: it names no value.
    pub source: String,
}

/// What stands between two slashes.
#[derive(Debug)]
pub enum Segment {
    /// Text and values, each value percent-encoded whole.
    Pieces(Vec<Piece>),
    /// A value of several segments: it is split at its slashes.
    Rest(String),
}

/// A part of a segment.
#[derive(Debug)]
pub enum Piece {
    /// The author's text, already encoded.
    Literal(String),
    /// The value of a param.
    Param(String),
}

/// How an answer is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parse {
    /// By its content type.
    Auto,
    /// As JSON.
    Json,
    /// As XML, which becomes JSON.
    Xml(XmlForm),
    /// As comma-separated values, which become JSON.
    Csv(CsvForm),
    /// As lines of JSON or an event stream, which become a list.
    Lines,
    /// As a page.
    Html,
    /// As text.
    Text,
    /// As bytes.
    Binary,
}

/// What makes an answer an error although its status is none.
#[derive(Debug)]
pub struct ErrorWhen {
    /// Where to look.
    pub path: Path,
    /// What to look for.
    pub test: ErrorTest,
}

/// What makes an answer an error.
#[derive(Debug)]
pub enum ErrorTest {
    /// This value stands there.
    Equals(Value),
    /// Anything but null stands there.
    Exists,
    /// Nothing stands there, or null.
    Absent,
}

/// Statuses from `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    /// The first status.
    pub first: u16,
    /// The last status.
    pub last: u16,
}

impl StatusRange {
    /// Whether the status is one of them.
    #[must_use]
    pub const fn holds(self, status: u16) -> bool {
        self.first <= status && status <= self.last
    }
}
