//! Floor 4. How people sign in to the authorization server inside: at a provider, whose word decides who they
//! are, so whom it may be has to be said.

use super::{context::Context, oauth};
use crate::{
    bridge::{Allow, LoginMode, OauthServer, UpstreamOidc},
    diag::{Code, Diagnostic},
    plan::{AllowedPeople, ClaimNames, Issuer, Provider},
    yaml::Pointer,
};

/// What the provider is asked besides is ours to say.
const OURS: [&str; 12] = [
    "response_type",
    "response_mode",
    "client_id",
    "client_secret",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
];
const SCOPES: [&str; 2] = ["openid", "email"];
const GROUPS: &str = "groups";

/// Builds the provider, where people sign in at one.
pub(super) fn build(written: &OauthServer, at: &Pointer, context: &mut Context<'_>) -> Option<Box<Provider>> {
    let key = at.at("upstream_oidc");
    match (written.login, &written.upstream_oidc) {
        (Some(LoginMode::UpstreamOidc), Some(upstream)) => provider(upstream, &key, context),
        (Some(LoginMode::UpstreamOidc), None) => {
            if !context.is_lost(None::<&()>, &key) {
                let span = context.value(&at.at("login"));
                let fault = Diagnostic::error(Code::SignIn, span, "no provider is declared at which people sign in");
                context.push(
                    fault.help("add one: `upstream_oidc: { issuer: …, client_id: …, client_secret: …, allow: … }`"),
                );
            }
            None
        }
        (None | Some(LoginMode::Local), Some(_)) => {
            let fault =
                Diagnostic::error(Code::SignIn, context.key(&key), "people sign in here, and not at this provider");
            context.push(fault.help("say `login: upstream_oidc`, or take it away"));
            None
        }
        (None | Some(LoginMode::Local), None) => None,
    }
}

fn provider(written: &UpstreamOidc, at: &Pointer, context: &mut Context<'_>) -> Option<Box<Provider>> {
    let url = oauth::address(&written.issuer, &at.at("issuer"), context);
    let token_endpoint =
        written.token_endpoint.as_ref().map(|url| oauth::address(url, &at.at("token_endpoint"), context));
    let algorithms = oauth::algorithms(&written.algorithms, &at.at("algorithms"), context);
    if written.client_id.is_empty() {
        context.fault(Code::SignIn, &at.at("client_id"), "the provider knows no client without an id");
    }
    scopes(written, at, context);
    for name in written.extra_authorize.keys().filter(|name| OURS.contains(&name.as_str())) {
        let span = context.key(&at.at("extra_authorize").at(name.as_str()));
        let fault = Diagnostic::error(Code::SignIn, span, format!("`{name}` is said by this server"));
        context.push(fault.help("take it away: `extra_authorize` is for what a provider wants besides"));
    }
    let names = ClaimNames {
        subject: written.subject.clone().unwrap_or_else(|| "sub".into()),
        workspace: written.workspace.as_deref().map(oauth::workspace),
        scopes: written.scopes_from.clone(),
    };
    let allow = allowed(&written.allow, &at.at("allow"), context);
    let client_secret = context.store(&written.client_secret);
    let parameters = written.extra_authorize.iter().map(|(name, value)| (name.clone(), value.clone()));
    let issuer = Issuer {
        id: written.issuer.clone(),
        url: url?,
        audiences: vec![written.client_id.clone()],
        algorithms,
        jwks: None,
        introspection: None,
        claims: names,
        leeway: oauth::LEEWAY,
    };
    Some(Box::new(Provider {
        issuer,
        client_id: written.client_id.clone(),
        client_secret,
        token_endpoint: token_endpoint.flatten(),
        scopes: if written.scopes.is_empty() { SCOPES.map(str::to_owned).to_vec() } else { written.scopes.clone() },
        parameters: parameters.collect(),
        allow: allow?,
    }))
}

/// Without `openid` a provider says nothing of who signed in (OpenID Connect Core 1.0 §3.1.2.1).
fn scopes(written: &UpstreamOidc, at: &Pointer, context: &mut Context<'_>) {
    let at = at.at("scopes");
    for (index, scope) in written.scopes.iter().enumerate() {
        if scope.is_empty() || !scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
            context.fault(Code::SignIn, &at.at(index), "this is not one scope");
        }
    }
    if !written.scopes.is_empty() && !written.scopes.iter().any(|scope| scope == "openid") {
        let message = "without `openid` the provider does not say who signed in";
        let fault = Diagnostic::error(Code::SignIn, context.value(&at), message);
        context.push(fault.help("add it: `scopes: [openid, email]`"));
    }
}

fn allowed(written: &Allow, at: &Pointer, context: &mut Context<'_>) -> Option<AllowedPeople> {
    let everybody = written.everybody == Some(true);
    for (index, domain) in written.email_domains.iter().enumerate() {
        let fits = domain.contains('.')
            && domain.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
            && !domain.starts_with('.');
        if !fits {
            let span = context.value(&at.at("email_domains").at(index));
            let fault =
                Diagnostic::error(Code::SignIn, span, format!("`{domain}` is no domain that addresses end with"));
            context.push(fault.help("write what stands behind the `@`, in lower case: `example.com`"));
        }
    }
    let is_narrow = !written.email_domains.is_empty() || !written.groups.is_empty();
    if everybody && is_narrow {
        context.fault(Code::SignIn, &at.at("everybody"), "everybody is more than those who are named beside it");
    }
    if !everybody && !is_narrow && !context.is_faulty(at) {
        let message = "everybody with an account at the provider would come in";
        let fault = Diagnostic::error(Code::SignIn, context.value(at), message);
        context
            .push(fault.help("name them: `email_domains: [example.com]` or `groups: [eng]`; or say `everybody: true`"));
        return None;
    }
    Some(if everybody {
        AllowedPeople::Everybody
    } else {
        AllowedPeople::These {
            domains: written.email_domains.clone(),
            groups: written.groups.clone(),
            groups_from: written.groups_from.clone().unwrap_or_else(|| GROUPS.into()),
        }
    })
}
