//! Floor 2. Documents that are not JSON, read as JSON values: XML, comma-separated values, lines
//! of JSON and event streams, in whatever charset they come. The only door to their readers.

mod charset;
mod csv;
mod lines;
mod xml;

pub use charset::Charset;
pub use csv::{CsvForm, csv};
pub use lines::{events, ndjson};
pub use xml::{XmlForm, xml};

/// Why a document could not be read. It says where and not what stands there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DocumentError(String);
