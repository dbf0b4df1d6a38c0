//! Floor 2. Selects and projects while the bytes of a document go by, without a tree: values that
//! nobody asked for are passed over, and those that are kept are copied as they are written, so
//! that numbers keep every digit. What only a tree can decide is left to it.

mod fill;
mod run;

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::{Convert, Field, Path, Projection, Segment, Selector, scan::Scanner};
use fill::Node;
use run::Run;

/// A selection and projection that one pass over the bytes can do.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// What leads to what is kept.
    steps: Vec<Step>,
    /// Whether what is found is one value, and not a list of all that is found.
    is_singular: bool,
    /// The fields of every item; without them items are kept whole.
    fields: Option<Fields>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(String),
    Names(Vec<String>),
    Index(usize),
    Every,
}

/// The fields of an item, by where they stand in it.
#[derive(Clone, Debug, PartialEq)]
struct Fields {
    root: Node,
    all: Vec<Kept>,
}

/// What is written for one field.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    /// `"name":`
    key: String,
    /// Whether its path names one place, and not all that it finds.
    is_singular: bool,
    convert: Option<Convert>,
    /// What stands there when nothing is found.
    default: Option<String>,
}

/// What one pass has kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streamed {
    /// Compact JSON: one value, or items with commas between them.
    pub json: Vec<u8>,
    /// Where each item ends, when what was kept is a list.
    pub ends: Option<Vec<usize>>,
    /// How many items there were, kept or not.
    pub total: usize,
}

impl Stream {
    /// A selection and projection as a stream: paths of names, positions from the start and `[*]`;
    /// in a selection lists of names too. `None` when only a tree can do it.
    #[must_use]
    pub fn of(select: Option<&Path>, fields: Option<&Projection>) -> Option<Self> {
        let steps = match select {
            None => Vec::new(),
            Some(path) => steps(path)?,
        };
        let fields = match fields {
            None => None,
            Some(projection) => Some(Fields::of(projection)?),
        };
        Some(Self { steps, is_singular: select.is_none_or(Path::is_singular), fields })
    }

    /// Selects and projects; of a list at most `max_items` items are kept. `None` when this is no
    /// JSON, or holds what only a tree can decide: a name that stands twice, half of a surrogate
    /// pair, a number out of range, or values deeper in each other than 120.
    #[must_use]
    pub fn run(&self, document: &[u8], max_items: usize) -> Option<Streamed> {
        // What is copied must be text.
        let text = std::str::from_utf8(document).ok()?;
        Run::new(self, text.as_bytes(), max_items).whole()
    }
}

impl Streamed {
    /// What was kept, as a tree. Whole numbers that it cannot hold are texts in it, so that no
    /// digit is lost.
    #[must_use]
    pub fn value(&self) -> Option<Value> {
        if self.ends.is_none() {
            return Scanner::new(&self.json).value();
        }
        Scanner::new(&[b"[", &*self.json, b"]"].concat()).value()
    }
}

impl Fields {
    fn of(projection: &Projection) -> Option<Self> {
        let mut root = Node::default();
        let mut all = Vec::with_capacity(projection.fields.len());
        for (slot, field) in projection.fields.iter().enumerate() {
            root.place(&steps(&field.path)?, slot)?;
            all.push(Kept::of(field));
        }
        root.is_narrow().then_some(Self { root, all })
    }
}

impl Kept {
    fn of(field: &Field) -> Self {
        Self {
            key: format!("{}:", Value::from(field.name.as_str())),
            is_singular: field.path.is_singular(),
            convert: field.convert,
            default: field.default.as_ref().map(ToString::to_string),
        }
    }
}

fn steps(path: &Path) -> Option<Vec<Step>> {
    let name = |selector: &Selector| match selector {
        Selector::Name(name) => Some(name.clone()),
        _ => None,
    };
    let step = |segment: &Segment| match segment {
        Segment::Child(selectors) => match selectors.as_slice() {
            [Selector::Name(name)] => Some(Step::Name(name.clone())),
            [Selector::Index(index)] => usize::try_from(*index).ok().map(Step::Index),
            [Selector::Wildcard] => Some(Step::Every),
            all => all.iter().map(name).collect::<Option<_>>().map(Step::Names),
        },
        Segment::Descendant(_) => None,
    };
    path.segments.iter().map(step).collect()
}
