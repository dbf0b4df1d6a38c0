//! Floor 6. Who is calling.

use serde_json::{Value, json};

use crate::plan::CallerPart;

/// How a caller identified itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identified {
    /// Not at all: the server has no keys.
    Anonymous,
    /// By an API key.
    ApiKey,
}

impl Identified {
    const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::ApiKey => "api_key",
        }
    }
}

/// Who is calling. Made once for each key, shared by all its requests.
#[derive(Debug)]
pub struct Principal {
    kind: Identified,
    name: String,
    workspace: Option<String>,
    /// The form that templates read.
    value: Value,
}

impl Principal {
    /// A caller that did not have to identify itself.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new(Identified::Anonymous, "anonymous".into(), None)
    }

    /// A caller with an API key.
    #[must_use]
    pub fn api_key(name: String, workspace: Option<String>) -> Self {
        Self::new(Identified::ApiKey, name, workspace)
    }

    fn new(kind: Identified, name: String, workspace: Option<String>) -> Self {
        let subject = match kind {
            Identified::Anonymous => Value::Null,
            Identified::ApiKey => json!(name),
        };
        let value = json!({ "kind": kind.name(), "subject": subject, "name": name, "workspace": workspace });
        Self { kind, name, workspace, value }
    }

    /// The name that logs show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A part of the identity. `None` when this caller has no such part: a tool that binds it
    /// must not run.
    #[must_use]
    pub fn part(&self, part: CallerPart) -> Option<&str> {
        match part {
            CallerPart::Kind => Some(self.kind.name()),
            CallerPart::Name => Some(&self.name),
            CallerPart::Subject => (self.kind != Identified::Anonymous).then_some(&self.name),
            CallerPart::Workspace => self.workspace.as_deref(),
        }
    }

    /// The form that templates read as `caller`.
    pub(super) fn value(&self) -> &Value {
        &self.value
    }
}

/// The caller's own request headers, for sources that pass a credential on. Whoever implements
/// it leaves out the header that carried the key of this server.
pub trait CallerHeaders: Sync {
    /// The value of a header, its name in lower case; `None` when there is not exactly one.
    fn get(&self, name: &str) -> Option<&[u8]>;
}
