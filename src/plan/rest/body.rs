//! Floor 3. What a request carries besides its path: parameters with their styles, and bodies.

use crate::template::{Text, Tree};

/// A parameter of a query, or a field of a form.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value; absent and null values are not sent.
    pub value: Tree,
    /// How a list or mapping is written.
    pub style: Style,
}

/// How a list or mapping is written as parameters (rest.md §9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `a=1&a=2`, and a mapping as its members: `x=1&y=2`.
    Repeated,
    /// `a=1,2`, and a mapping as `a=x,1,y,2`.
    Joined(Separator),
    /// `a[x]=1`; lists repeat their name, and are numbered where they hold more than scalars.
    Deep,
    /// `a[]=1`; mappings as with `Deep`.
    Brackets,
    /// As JSON.
    Json,
}

/// What stands between joined items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// `,`, which is not encoded; one inside of an item is.
    Comma,
    /// A space; an item cannot hold one.
    Space,
    /// `|`; an item cannot hold one.
    Pipe,
}

/// The body of a request.
#[derive(Debug)]
pub enum Body {
    /// JSON.
    Json(Tree),
    /// `application/x-www-form-urlencoded`
    Form(Form),
    /// `multipart/form-data`
    Multipart(Vec<Part>),
    /// Text of a type of its own.
    Text {
        /// The value of `Content-Type`.
        content_type: String,
        /// The text, with values escaped as the type asks for.
        template: Text,
    },
    /// GraphQL over HTTP.
    Graphql(Graphql),
}

/// A form.
#[derive(Debug)]
pub enum Form {
    /// Its fields, in the author's order.
    Fields(Vec<Parameter>),
    /// One mapping whose members are the fields.
    Members(Tree),
}

/// A part of a multipart body.
#[derive(Debug)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its value. A list makes a part of every item.
    pub value: Tree,
    /// The name of the file, where it is one.
    pub filename: Option<Tree>,
    /// Its content type.
    pub content_type: Option<String>,
    /// How the value holds the content.
    pub encoding: Encoding,
    /// Bytes of the content at most.
    pub max_bytes: usize,
}

/// How a value holds the content of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// It is the content.
    Text,
    /// Base64 or a data URI.
    Base64,
}

/// A GraphQL request.
#[derive(Debug)]
pub struct Graphql {
    /// The document, the same for every call.
    pub query: String,
    /// The values of its variables.
    pub variables: Option<Tree>,
    /// Which operation of the document is run.
    pub operation: Option<String>,
    /// What the document does.
    pub effect: Effect,
}

/// What a GraphQL document does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Reads,
    /// It may change something.
    Writes,
}

impl Body {
    /// Every tree that the body is made of.
    pub fn trees(&self) -> impl Iterator<Item = &Tree> {
        let (one, fields, parts): (Option<&Tree>, &[Parameter], &[Part]) = match self {
            Self::Json(tree) | Self::Form(Form::Members(tree)) => (Some(tree), &[], &[]),
            Self::Form(Form::Fields(fields)) => (None, fields, &[]),
            Self::Multipart(parts) => (None, &[], parts),
            Self::Graphql(graphql) => (graphql.variables.as_ref(), &[], &[]),
            Self::Text { .. } => (None, &[], &[]),
        };
        let of_parts = parts.iter().flat_map(|part| std::iter::once(&part.value).chain(&part.filename));
        one.into_iter().chain(fields.iter().map(|field| &field.value)).chain(of_parts)
    }
}
