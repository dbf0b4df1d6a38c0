//! Floor 2. The compiled schema, and its verdict in words. The only door to the validator crate.

use jsonschema::{
    PatternOptions, ValidationError, Validator,
    error::ValidationErrorKind as Kind,
    paths::{Location, LocationSegment},
};
use serde_json::Value;

use super::{ArgumentFault, FAULTS_MAX, SchemaError, coerce::Step, exact::Written, formats, words};

/// The most memory one compiled pattern may take, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A compiled JSON Schema 2020-12.
#[derive(Debug)]
pub(super) struct Compiled(Validator);

impl Compiled {
    /// Compiles a schema that [`super::walk::refuse_unsafe`] let pass.
    pub(super) fn new(schema: &Value) -> Result<Self, SchemaError> {
        jsonschema::draft202012::options()
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
            .with_format("date", formats::is_date)
            .with_format("date-time", formats::is_date_time)
            .with_format("time", formats::is_time)
            .with_format("byte", formats::is_base64)
            .with_format("decimal", |text: &str| Written::parse(text).is_some())
            .offline()
            .build(schema)
            .map(Self)
            .map_err(|error| SchemaError {
                message: schema_words(&error),
                pointer: error.instance_path().as_str().to_owned(),
            })
    }

    pub(super) fn accepts(&self, value: &Value) -> bool {
        self.0.is_valid(value)
    }

    /// What is wrong with `value`, in words taken from `schema`: the one that is published.
    pub(super) fn faults(&self, value: &Value, schema: &Value) -> Vec<ArgumentFault> {
        let mut faults = Vec::new();
        for error in self.0.iter_errors(value).take(FAULTS_MAX) {
            explain(&error, schema, &mut faults);
        }
        faults
    }
}

fn schema_words(error: &ValidationError<'_>) -> String {
    match error.kind() {
        Kind::Format { format } if format == "regex" => format!(
            "{} is not a pattern that runs in linear time: it is invalid, too large, or uses look-around or back-references",
            words::given(error.instance())
        ),
        _ => words::clipped_long(&error.to_string()),
    }
}

fn steps(location: &Location) -> Vec<Step> {
    location
        .segments()
        .map(|segment| match segment {
            LocationSegment::Property(name) => Step::Name(name.into_owned()),
            LocationSegment::Index(at) => Step::Index(at),
        })
        .collect()
}

fn explain(error: &ValidationError<'_>, schema: &Value, into: &mut Vec<ArgumentFault>) {
    let mut way = steps(error.instance_path());
    let path = words::path(&way);
    let stated = error.schema_path().as_str();
    let keyword = schema.pointer(stated);
    let owner = stated.rsplit_once('/').and_then(|(owner, _)| schema.pointer(owner));
    let mut inner = |name: &str| {
        way.push(Step::Name(name.to_owned()));
        let path = words::path(&way);
        way.pop();
        path
    };
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            for name in unexpected.iter().take(FAULTS_MAX) {
                let message = words::unknown(name, &path, owner);
                into.push(ArgumentFault { path: inner(name), message });
            }
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let missing = owner.and_then(|owner| owner.get("properties")?.get(name));
            let accepted = missing.map(|schema| format!(": give {}", words::accepted(schema)));
            let path = inner(name);
            let predicate = format!("is required{}.", accepted.unwrap_or_default());
            let message = words::about(&path, &predicate);
            into.push(ArgumentFault { path, message });
        }
        kind => {
            let predicate = predicate(kind, error.instance(), keyword, owner);
            into.push(ArgumentFault { message: words::about(&path, &predicate), path });
        }
    }
}

/// What to say about one value behind its name.
fn predicate(kind: &Kind, instance: &Value, keyword: Option<&Value>, owner: Option<&Value>) -> String {
    let given = words::given(instance);
    let (must, hint) = match kind {
        Kind::Type { .. } => (format!("be {}", owner.map_or_else(String::new, words::accepted)), String::new()),
        Kind::Enum { options } => {
            let stated = keyword.unwrap_or(options);
            let listed: Vec<&Value> = stated.as_array().into_iter().flatten().collect();
            (format!("be {}", words::options(&listed)), words::nearest_option(instance, stated))
        }
        Kind::Constant { expected_value } => (format!("be {}", words::given(expected_value)), String::new()),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
            let forms = keyword.map_or_else(String::new, words::any_form);
            (format!("be {forms}"), String::new())
        }
        Kind::OneOfMultipleValid { .. } => {
            let forms = keyword.map_or_else(String::new, words::any_form);
            (format!("be exactly one of: {forms}"), String::new())
        }
        Kind::Format { format } => {
            let text = words::example(format).map_or_else(|| format!("of the format `{format}`"), str::to_owned);
            (format!("be {text}"), String::new())
        }
        Kind::Pattern { pattern } => (format!("match the pattern `{}`", words::clipped_long(pattern)), String::new()),
        kind => (limit(kind), String::new()),
    };
    format!("must {must}, but {given} was given.{hint}")
}

/// The bound that a keyword sets, behind "must".
fn limit(kind: &Kind) -> String {
    match kind {
        Kind::Minimum { limit } => format!("be at least {limit}"),
        Kind::Maximum { limit } => format!("be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("be less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("be a multiple of {multiple_of}"),
        Kind::MinLength { limit } => {
            format!("be at least {} long", words::count(*limit, "character"))
        }
        Kind::MaxLength { limit } => {
            format!("be at most {} long", words::count(*limit, "character"))
        }
        Kind::MinItems { limit } => format!("have at least {}", words::count(*limit, "item")),
        Kind::MaxItems { limit } => format!("have at most {}", words::count(*limit, "item")),
        Kind::AdditionalItems { limit } => {
            let limit = u64::try_from(*limit).unwrap_or(u64::MAX);
            format!("have at most {}", words::count(limit, "item"))
        }
        Kind::MinProperties { limit } => {
            format!("have at least {}", words::count(*limit, "member"))
        }
        Kind::MaxProperties { limit } => format!("have at most {}", words::count(*limit, "member")),
        Kind::UniqueItems => "not hold the same item twice".to_owned(),
        Kind::UnevaluatedItems { .. } => "not have more items".to_owned(),
        Kind::Contains => "hold the items that are asked for".to_owned(),
        Kind::Not { .. } => "be something else".to_owned(),
        Kind::FalseSchema => "be left out".to_owned(),
        Kind::PropertyNames { .. } => "have allowed member names only".to_owned(),
        other => format!("satisfy `{}`", other.keyword()),
    }
}
