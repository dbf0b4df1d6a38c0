//! Floor 2. Text templates and typed trees, the only door to the Handlebars crate. `check` compiles
//! them and asks which variables they read; the engine renders them against one call.

mod compile;
mod format;
mod helpers;
mod path;
mod print;
mod scan;
mod value;

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Map, Value};

pub use format::render_table;
pub use helpers::describe_names;
pub use path::{Lookup, lookup};
pub use print::Escape;
pub use value::Tree;

/// Longest source of one template, in bytes.
pub const MAX_SOURCE: usize = 64 * 1024;

/// Longest result of one template, in bytes.
pub const MAX_OUTPUT: usize = 1024 * 1024;

/// A place a template looks its variables up in. The engine's call scope implements it.
pub trait Scope {
    /// The value of a top-level variable; `None` when it was not given.
    fn get(&self, name: &str) -> Option<Cow<'_, Value>>;
}

impl Scope for Map<String, Value> {
    fn get(&self, name: &str) -> Option<Cow<'_, Value>> {
        Map::get(self, name).map(Cow::Borrowed)
    }
}

/// Why a source is no template, in words for its author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong and what to write instead.
    pub message: String,
    /// The bytes of the source it is about.
    pub range: Range<usize>,
}

impl TemplateError {
    fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), range }
    }
}

/// Why a template could not be rendered with the values of one call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The text grew past [`MAX_OUTPUT`].
    #[error("the text would be longer than {MAX_OUTPUT} bytes")]
    TooLarge,
    /// The data has no such member, and the template neither tests nor defaults it.
    #[error("the data has no `{path}`")]
    Missing {
        /// The name as the template spells it.
        path: String,
    },
    /// A helper was given a value it cannot work with.
    #[error("`{helper}`: {message}")]
    Helper {
        /// Name of the helper.
        helper: &'static str,
        /// What it was given and what it takes.
        message: String,
    },
    /// The template engine refused for another reason.
    #[error("{0}")]
    Engine(String),
}

/// A name that a template reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The name split at its dots: `order.lines.[0].sku` is `order`, `lines`, `0`, `sku`.
    pub path: Vec<String>,
    /// The bytes of the source where it stands.
    pub range: Range<usize>,
}

/// A compiled text template.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    body: Body,
    escape: Escape,
    variables: Vec<Variable>,
    unchecked: Vec<Variable>,
    exact: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    /// Text and plain names, written without the Handlebars engine: most templates are this.
    Segments(Vec<Segment>),
    /// Helpers and blocks.
    Full(Box<compile::Program>),
}

#[derive(Clone, Debug, PartialEq)]
enum Segment {
    Raw(String),
    Value(Vec<String>),
}

impl Text {
    /// Compiles a source.
    ///
    /// # Errors
    /// The first fault of the source: faulty syntax, `{{{x}}}`, partials and decorators, an
    /// unknown helper or a wrong number of arguments, nesting or length past the limits.
    pub fn compile(source: &str, escape: Escape) -> Result<Self, TemplateError> {
        compile::text(source, escape)
    }

    /// Every top-level variable the template reads, in order. Block parameters, `this`, `@index`
    /// and names relative to an item of `#each` or `#with` are not among them.
    #[must_use]
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The names that are relative to an item of `#each` or `#with`: what they find depends on
    /// the data, so nobody can check them beforehand.
    #[must_use]
    pub fn unchecked(&self) -> &[Variable] {
        &self.unchecked
    }

    /// The path, when the source is exactly one `{{a.b}}`.
    #[must_use]
    pub fn as_exact(&self) -> Option<&[String]> {
        let variable = self.variables.first().filter(|_| self.exact)?;
        Some(&variable.path)
    }

    /// Whether the text is the same for every call.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        match &self.body {
            Body::Segments(segments) => segments.iter().all(|segment| matches!(segment, Segment::Raw(_))),
            Body::Full(_) => false,
        }
    }

    /// Writes the text with the values of one call. A variable that was not given is empty.
    ///
    /// # Errors
    /// [`RenderError`]: a name the data does not have, a helper's refusal, too long a text.
    pub fn render(&self, scope: &dyn Scope) -> Result<String, RenderError> {
        match &self.body {
            Body::Segments(segments) => self.render_segments(segments, scope),
            Body::Full(program) => program.render(scope),
        }
    }

    fn render_segments(&self, segments: &[Segment], scope: &dyn Scope) -> Result<String, RenderError> {
        let mut out = String::new();
        for segment in segments {
            match segment {
                Segment::Raw(text) => print::append(&mut out, text)?,
                Segment::Value(path) => match lookup(scope, path) {
                    Lookup::Found(value) => print::append_value(&mut out, &value, self.escape)?,
                    Lookup::Absent => print::append_value(&mut out, &Value::Null, self.escape)?,
                    Lookup::Missing => {
                        return Err(RenderError::Missing { path: path.join(".") });
                    }
                },
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
