//! Floor 3. How a result is shaped.

use crate::{
    schema::Output as Contract,
    select::{Path, Projection, Stream},
    template::Text,
};

/// How a result is shaped.
#[derive(Debug)]
pub struct Output {
    /// The part that is kept.
    pub select: Option<Path>,
    /// Whether equally long lists become a list of objects.
    pub zip: Zip,
    /// The members that are kept of every item.
    pub fields: Option<Projection>,
    /// What is blotted out before anything else is done.
    pub redact: Vec<Path>,
    /// What bytes are sent as.
    pub content: SentAs,
    /// The form of the text block.
    pub text: TextForm,
    /// Whether structured content is sent.
    pub structured: Structured,
    /// The author's schema, which every structured content is held to.
    pub contract: Option<Contract>,
    /// How JSON is selected and projected in one pass, where that is possible.
    pub stream: Option<Stream>,
    /// Items of a list at most.
    pub max_items: Option<usize>,
    /// Bytes of the text at most.
    pub max_bytes: usize,
}

impl Output {
    /// The same, with [`Output::stream`] made from what it says now.
    #[must_use]
    pub fn followed(self) -> Self {
        // What is blotted out or turned round must be there as a whole.
        let is_plain = self.zip == Zip::No && self.redact.is_empty();
        let stream = if is_plain { Stream::of(self.select.as_ref(), self.fields.as_ref()) } else { None };
        Self { stream, ..self }
    }

    /// Whether an answer of text is the whole result.
    #[must_use]
    pub fn shows_text(&self) -> bool {
        self.zip == Zip::No && matches!(self.text, TextForm::Json) && self.structured == Structured::Left
    }

    /// Whether a JSON body can be passed on without being looked into.
    #[must_use]
    pub fn passes_on(&self) -> bool {
        self.select.is_none()
            && self.zip == Zip::No
            && self.fields.is_none()
            && self.max_items.is_none()
            && self.redact.is_empty()
            && matches!(self.text, TextForm::Json)
            && self.structured == Structured::Left
    }
}

/// Whether an object of equally long lists becomes a list of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zip {
    /// It does.
    Yes,
    /// It stays as it is.
    No,
}

/// What the bytes of an answer are sent as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SentAs {
    /// By their content type.
    #[default]
    Auto,
    /// As text.
    Text,
    /// As a picture.
    Image,
    /// As a sound.
    Audio,
    /// As a file.
    File,
}

/// The form of the text block.
#[derive(Debug)]
pub enum TextForm {
    /// Compact JSON: the same as the structured content.
    Json,
    /// YAML.
    Yaml,
    /// A Markdown table of the items.
    Table,
    /// Comma-separated values of the items.
    Csv,
    /// JSON in which the names of the members stand once.
    Columnar,
    /// The value without quotes.
    Text,
    /// The author's template.
    Template(Text),
}

/// Whether structured content is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structured {
    /// It is, as the output schema says.
    Sent,
    /// Only the text is.
    Left,
}
