//! Floor 3. Who may see and call a tool, and which parts of a caller's identity it is bound to.

use std::{borrow::Cow, time::Duration};

/// Who may see and call a tool, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// The caller has every one of these scopes.
    pub scopes: Vec<String>,
    /// Every one of these holds.
    pub require: Vec<Requirement>,
    /// How often one caller may call it.
    pub rate: Option<Rate>,
}

impl Admission {
    /// Whether every caller may see and call the tool.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.scopes.is_empty() && self.require.is_empty()
    }
}

/// What a part of the caller's identity must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The part. Of a list one item must fit.
    pub part: CallerPart,
    /// The values that fit.
    pub any_of: Vec<String>,
}

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many times; also how many at once.
    pub count: u32,
    /// In how long.
    pub per: Duration,
}

/// A param that the server binds from the caller's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The param.
    pub param: String,
    /// The part of the caller's identity.
    pub part: CallerPart,
}

/// A part of the caller's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerPart {
    /// How the caller identified itself.
    Kind,
    /// Who the caller is.
    Subject,
    /// The caller's name.
    Name,
    /// The caller's workspace.
    Workspace,
    /// What the caller may do.
    Scopes,
    /// The program that calls.
    ClientId,
    /// The person behind the caller.
    EndUser,
    /// A claim of the caller's token.
    Claim(String),
}

impl CallerPart {
    /// The names that follow `caller.`; `claims` is followed by the name of a claim.
    pub const NAMES: [&'static str; 8] =
        ["kind", "subject", "name", "workspace", "scopes", "client_id", "end_user", "claims"];

    /// The part of a name that follows `caller.`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "kind" => Self::Kind,
            "subject" => Self::Subject,
            "name" => Self::Name,
            "workspace" => Self::Workspace,
            "scopes" => Self::Scopes,
            "client_id" => Self::ClientId,
            "end_user" => Self::EndUser,
            _ => Self::Claim(name.strip_prefix("claims.").filter(|claim| !claim.is_empty())?.to_owned()),
        })
    }

    /// The name that follows `caller.`.
    #[must_use]
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Kind => "kind".into(),
            Self::Subject => "subject".into(),
            Self::Name => "name".into(),
            Self::Workspace => "workspace".into(),
            Self::Scopes => "scopes".into(),
            Self::ClientId => "client_id".into(),
            Self::EndUser => "end_user".into(),
            Self::Claim(claim) => format!("claims.{claim}").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CallerPart;

    #[test]
    fn every_part_is_read_as_it_is_named() {
        for name in CallerPart::NAMES.into_iter().filter(|name| *name != "claims").chain(["claims.a", "claims.a.b"]) {
            assert_eq!(CallerPart::parse(name).map(|part| part.name().into_owned()).as_deref(), Some(name));
        }
        for name in ["", "claims", "claims.", "Workspace", "workspace.id"] {
            assert_eq!(CallerPart::parse(name), None, "{name}");
        }
    }
}
