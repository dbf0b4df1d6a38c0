//! Floor 3. The person's word before a tool runs: what is asked, and the argument that clients give
//! in its place that cannot ask.

use serde_json::Value;

use crate::{schema::Arguments, template::Text};

/// What a person must agree to before a tool runs.
#[derive(Debug)]
pub struct Confirmation {
    /// What the person is asked, with the values of the call.
    pub sentence: Text,
    /// What the model decides by where the client cannot ask: it is to ask by itself.
    pub description: String,
    /// The schema that is published where the client cannot ask: the tool's own, and
    /// [`Self::ARGUMENT`], which must be given.
    pub input_schema: Value,
    /// What reads the arguments there. A call without the argument gets past it, to be refused with
    /// the sentence.
    pub arguments: Arguments,
}

impl Confirmation {
    /// The argument by which a model says that the person agreed.
    pub const ARGUMENT: &'static str = "confirm";
}
