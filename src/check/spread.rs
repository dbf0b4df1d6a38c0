//! Floor 4. Where credentials and data could go that they should not (auth.md §4.10 and §6).

use url::Url;

use super::{
    Document,
    context::Context,
    source::{Known, Sources},
};
use crate::{
    diag::{Code, Diagnostic},
    plan::{Auth, Operation, Plan, RestSource, SourceId, SourceKind, Tool, is_local},
    secret::SecretId,
    yaml::Pointer,
};

/// Holds the sources and tools of a file against what is dangerous together.
pub(super) fn hold_against(plan: &Plan, (document, sources): (&Document, &Sources), context: &mut Context<'_>) {
    for name in document.file.sources.keys() {
        let Some(rest) = sources.known(name).and_then(|known| rest_of(plan, known)) else { continue };
        let at = Pointer::root().at("sources").at(name).at("rest").at("auth");
        if matches!(rest.auth, Auth::QueryKey { .. }) {
            let at = at.at("api_key").at("query");
            let message =
                format!("the key of `{name}` travels in addresses, which servers and proxies write to their logs");
            let advice = Diagnostic::warning(Code::KeyInQuery, context.key(&at), message);
            context.push(advice.help("send it in a header, if the API takes it there: `header: x-api-key`"));
        }
        let Some((secret, to)) = credential(rest) else { continue };
        // Those before it, of every file: each pair is told once.
        let before = sources.known(name).map_or(0, |known| known.id.index());
        let elsewhere = plan.sources.iter().take(before).find(|other| match &other.kind {
            SourceKind::Rest(other) => credential(other)
                .is_some_and(|(one, origin)| origin.origin() != to.origin() && context.is_same(one, secret)),
            SourceKind::Sql(_) => false,
        });
        if let Some(other) = elsewhere {
            let (other, to) = (&other.name, to.origin().ascii_serialization());
            let message = format!("the credential of `{other}` is sent to {to} too");
            let fault = Diagnostic::error(Code::CredentialSpread, context.key(&at), message);
            context.push(fault.help("give each API a credential of its own: whoever has this one can use it at both"));
        }
    }
    three_at_once(plan, (document, sources), context);
}

fn rest_of<'p>(plan: &'p Plan, known: &Known) -> Option<&'p RestSource> {
    match plan.sources.get(known.id.index()).map(|source| &source.kind)? {
        SourceKind::Rest(rest) => Some(rest),
        SourceKind::Sql(_) => None,
    }
}

/// The secret that a source is signed with, and where it goes.
fn credential(rest: &RestSource) -> Option<(SecretId, &Url)> {
    match &rest.auth {
        Auth::Bearer(secret) | Auth::Basic { password: secret, .. } => Some((*secret, &rest.base)),
        Auth::HeaderKey { value, .. } | Auth::QueryKey { value, .. } => Some((*value, &rest.base)),
        Auth::Tokens(request) => Some((request.client_secret, &request.url)),
        Auth::None | Auth::Passthrough { .. } => None,
    }
}

/// What a model could be talked into: it reads private data, it reads what strangers wrote, and it
/// can send something out. Each is fine alone (auth.md §4.10).
fn three_at_once(plan: &Plan, (document, sources): (&Document, &Sources), context: &mut Context<'_>) {
    let prefix = document.file.prefix.as_deref().unwrap_or_default();
    let of_file =
        |tool: &&Tool| tool.name.strip_prefix(prefix).is_some_and(|name| document.file.tools.contains_key(name));
    let tools: Vec<&Tool> = plan.tools.iter().filter(|tool| tool.bridge == sources.bridge).filter(of_file).collect();
    let kind = |id: SourceId| plan.sources.get(id.index()).map(|source| &source.kind);
    let is_private = |id: SourceId| match kind(id) {
        Some(SourceKind::Sql(_)) => true,
        Some(SourceKind::Rest(rest)) => !matches!(rest.auth, Auth::None),
        None => false,
    };
    let is_public = |id: SourceId| matches!(kind(id), Some(SourceKind::Rest(rest)) if matches!(rest.auth, Auth::None) && !is_local(&rest.base));
    let origin = |id: SourceId| match kind(id) {
        Some(SourceKind::Rest(rest)) => Some(rest.base.origin()),
        _ => None,
    };
    let reads = |fits: &dyn Fn(SourceId) -> bool| {
        tools.iter().find(|tool| !tool.writes() && tool.operation.sources().into_iter().any(fits)).copied()
    };
    let Some(private) = reads(&is_private) else { return };
    let Some(public) = reads(&is_public) else { return };
    // What goes back to where it was read carries nothing away.
    let homes: Vec<_> = [private, public].iter().flat_map(|tool| tool.operation.sources()).filter_map(origin).collect();
    let sends = tools
        .iter()
        .find(|tool| written_to(&tool.operation).into_iter().filter_map(origin).any(|to| !homes.contains(&to)));
    let Some(sends) = sends else { return };
    let bare = |tool: &Tool| tool.name.strip_prefix(prefix).unwrap_or(&tool.name).to_owned();
    let at = Pointer::root().at("tools").at(bare(sends));
    let message = format!(
        "text that `{}` reads could talk a model into sending what `{}` knows with `{}`",
        bare(public),
        bare(private),
        bare(sends)
    );
    let advice = Diagnostic::warning(Code::Exfiltration, context.key(&at), message);
    context.push(advice.help("put the three into bridges of their own, and connect a model to two of them at most"));
}

/// The sources that an operation changes something at.
fn written_to(operation: &Operation) -> Vec<SourceId> {
    match operation {
        Operation::Steps(steps) => {
            steps.all.iter().filter(|step| step.call.writes()).map(|step| step.call.source()).collect()
        }
        Operation::Rest(_) | Operation::Sql(_) | Operation::Transaction(_) if operation.writes() => operation.sources(),
        Operation::Rest(_) | Operation::Sql(_) | Operation::Transaction(_) | Operation::Reply(_) => Vec::new(),
    }
}
