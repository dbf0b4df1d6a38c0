//! Floor 7. An API document as it was found in the wild: looked into value by value, because a typed
//! reader refuses a whole document for one odd member.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// How many references lead on from one another at most.
const HOPS_MAX: usize = 32;

/// Which family of the specification a document belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Swagger 2.0.
    Swagger2,
    /// OpenAPI 3.0 and 3.1.
    OpenApi3,
}

/// A document with its family.
#[derive(Clone, Copy)]
pub(super) struct Document<'d> {
    pub(super) root: &'d Map<String, Value>,
    pub(super) family: Family,
}

impl<'d> Document<'d> {
    /// Looks at the version that the document names.
    pub(super) fn of(value: &'d Value) -> Result<Self, String> {
        let root = value.as_object().ok_or("this is no OpenAPI document: it is not a mapping")?;
        let version = |key: &str| match root.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let family = match (version("openapi"), version("swagger")) {
            (Some(version), _) if version == "3" || version.starts_with("3.") => Family::OpenApi3,
            (None, Some(version)) if version == "2" || version.starts_with("2.") => Family::Swagger2,
            (Some(version), _) => return Err(format!("OpenAPI {version} is not known: 3.0, 3.1 and Swagger 2.0 are")),
            (None, Some(version)) => {
                return Err(format!("Swagger {version} is not known: OpenAPI 3.0, 3.1 and Swagger 2.0 are"));
            }
            (None, None) => return Err("this is no OpenAPI document: it has neither `openapi` nor `swagger`".into()),
        };
        Ok(Self { root, family })
    }

    /// The value that a value stands for: itself, or what its `$ref`s lead to inside of the document.
    pub(super) fn follow(&self, mut value: &'d Value) -> Option<&'d Value> {
        for _ in 0..HOPS_MAX {
            match value.get("$ref").and_then(Value::as_str) {
                Some(target) => value = self.target(target)?,
                None => return Some(value),
            }
        }
        None
    }

    /// What a reference leads to, if that is in the document.
    pub(super) fn target(&self, reference: &str) -> Option<&'d Value> {
        let pointer = reference.strip_prefix("#/")?;
        let mut steps = pointer.split('/').map(|step| {
            let step = percent_decode_str(step).decode_utf8_lossy().into_owned();
            step.replace("~1", "/").replace("~0", "~")
        });
        let first = self.root.get(&steps.next()?)?;
        steps.try_fold(first, |value, step| match value {
            Value::Object(members) => members.get(&step),
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    pub(super) fn info(&self, key: &str) -> Option<&'d str> {
        text(self.root.get("info")?.get(key))
    }

    /// The named parts of the document: security schemes, for instance.
    pub(super) fn parts(&self, swagger2: &str, openapi3: &str) -> Option<&'d Map<String, Value>> {
        match self.family {
            Family::Swagger2 => self.root.get(swagger2)?.as_object(),
            Family::OpenApi3 => self.root.get("components")?.get(openapi3)?.as_object(),
        }
    }
}

/// A text that is not blank.
pub(super) fn text(value: Option<&Value>) -> Option<&str> {
    value?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// The items of a list; none for anything else.
pub(super) fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// The members of a mapping; none for anything else.
pub(super) fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

pub(super) fn is_true(value: Option<&Value>) -> bool {
    value.and_then(Value::as_bool) == Some(true)
}
