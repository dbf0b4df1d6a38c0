//! Floor 5. From the arguments of a call to the values that are bound. Serves every engine: which
//! value a slot takes is the same for all, how it is sent is not.

use serde_json::{Map, Value};

use crate::{
    plan::sql::{Arguments, Form, Slot},
    upstream::error::{FailureClass, UpstreamError},
};

/// The arguments of a call, as rendering sees them.
pub(super) struct Given<'a>(pub(super) &'a Map<String, Value>);

impl Arguments for Given<'_> {
    fn present(&self, param: &str) -> bool {
        self.0.get(param).is_some_and(|value| !value.is_null())
    }

    fn choice(&self, param: &str) -> Option<&str> {
        self.0.get(param).and_then(Value::as_str)
    }

    fn list_len(&self, param: &str) -> Option<usize> {
        self.0.get(param).and_then(Value::as_array).map(Vec::len)
    }
}

/// A value in one of the forms that every engine can take.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bindable {
    Null,
    Integer(i64),
    Real(f64),
    /// A text, a LIKE pattern, or an array or object as JSON text.
    Text(String),
}

/// The values of all slots, in order.
///
/// # Errors
///
/// When an integer is larger than 64 bits with a sign hold.
pub(super) fn values(slots: &[Slot], arguments: &Map<String, Value>) -> Result<Vec<Bindable>, UpstreamError> {
    slots.iter().map(|slot| bindable(slot, arguments.get(slot.param.as_ref()))).collect()
}

/// The value of one slot. `value` is that of its param.
///
/// # Errors
///
/// As for [`values`].
pub(super) fn bindable(slot: &Slot, value: Option<&Value>) -> Result<Bindable, UpstreamError> {
    let value = match slot.form {
        Form::Whole | Form::Like(_) => value,
        Form::Item(index) => value.and_then(Value::as_array).and_then(|list| list.get(index)),
    };
    Ok(match (value, slot.form) {
        (None | Some(Value::Null), _) => Bindable::Null,
        (Some(Value::String(text)), Form::Like(kind)) => Bindable::Text(kind.pattern(text)),
        (Some(Value::String(text)), Form::Whole | Form::Item(_)) => Bindable::Text(text.clone()),
        (Some(value), Form::Like(kind)) => Bindable::Text(kind.pattern(&value.to_string())),
        (Some(Value::Bool(flag)), _) => Bindable::Integer(i64::from(*flag)),
        (Some(Value::Number(number)), _) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Bindable::Integer(number),
            (None, Some(float)) if number.is_f64() => Bindable::Real(float),
            (None, _) => return Err(unfit(slot, "is larger than the database can hold")),
        },
        (Some(value @ (Value::Array(_) | Value::Object(_))), _) => Bindable::Text(value.to_string()),
    })
}

#[cold]
fn unfit(slot: &Slot, what: &str) -> UpstreamError {
    UpstreamError::new(FailureClass::Arguments, format!("`{}` {what}", slot.param))
}
