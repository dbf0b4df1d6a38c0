//! Floor 4. Params that clients of 2026-07-28 repeat in a header (protocol.md H-14).

use indexmap::IndexMap;

use super::{context::Context, rest};
use crate::{
    bridge::{Param, ParamSpec, Type},
    diag::{Code, Diagnostic},
    plan::Mirror,
    yaml::Pointer,
};

/// The headers that repeat params of a tool. A client drops a whole tool for one that it may not send.
pub(super) fn all(params: &IndexMap<String, Param>, at: &Pointer, context: &mut Context<'_>) -> Vec<Mirror> {
    let mut all: Vec<Mirror> = Vec::new();
    for (name, spec, header) in mirrored(params) {
        let at = at.at("params").at(name).at("mirror_header");
        let is_token = rest::is_token(header);
        let is_scalar = matches!(spec.kind, Some(Type::String | Type::Integer | Type::Boolean) | None);
        let message = if !is_token {
            Some(format!("`{header}` cannot be the end of a header's name"))
        } else if all.iter().any(|other| other.header.eq_ignore_ascii_case(header)) {
            Some(format!("two params are repeated in `Mcp-Param-{header}`"))
        } else if spec.from.is_some() {
            Some("a param that the server binds is not the client's to repeat".to_owned())
        } else if !is_scalar {
            Some("only a string, an integer or a boolean can be repeated in a header".to_owned())
        } else {
            None
        };
        match message {
            Some(message) => context.fault(Code::MirrorHeader, &at, message),
            None => all.push(Mirror { param: name.clone(), header: header.to_ascii_lowercase() }),
        }
    }
    all
}

/// Other methods have no such headers: the key would be ignored.
pub(super) fn refuse(params: &IndexMap<String, Param>, at: &Pointer, context: &mut Context<'_>) {
    for (name, _, _) in mirrored(params) {
        let span = context.key(&at.at("params").at(name).at("mirror_header"));
        context.push(Diagnostic::error(Code::ParamPlace, span, "`mirror_header` has a meaning for tools only"));
    }
}

fn mirrored(params: &IndexMap<String, Param>) -> impl Iterator<Item = (&String, &ParamSpec, &str)> {
    params.iter().filter_map(|(name, param)| match param {
        Param::Spec(spec) => Some((name, &**spec, spec.mirror_header.as_deref()?)),
        Param::Type(_) => None,
    })
}
