//! Floor 7. What of a plan the authorization server needs: its own names, and what scopes open.

use std::collections::BTreeMap;

use crate::plan::{ConsentMode, Implied, Lifetimes, Plan, Registration, RegistrationPolicy, Tool, with_implied};

/// What of a plan the authorization server needs.
#[derive(Debug)]
pub(super) struct Settings {
    /// Scheme and host, as they are told everywhere (auth.md T1).
    pub(super) issuer: String,
    /// The addresses of this server that tokens can be for; the first is for all bridges.
    pub(super) resources: Vec<String>,
    /// What a client may do that asks for nothing.
    pub(super) default_scopes: Vec<String>,
    pub(super) scopes_supported: Vec<String>,
    /// What each declared scope includes besides itself.
    implied: Implied,
    pub(super) registration: Registration,
    pub(super) consent: ConsentMode,
    pub(super) lifetimes: Lifetimes,
    titles: BTreeMap<String, String>,
    tools: Vec<Opened>,
}

/// A tool, as people see it before they agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) name: String,
    pub(super) changes: bool,
    needs: Vec<String>,
}

impl Settings {
    pub(super) fn new(plan: &Plan) -> Option<Self> {
        let (server, issuer) = (&plan.server, plan.server.public_url.clone()?);
        let authority = server.authority.as_ref()?;
        let mut resources = Vec::new();
        for path in ["/mcp", "/sse"] {
            resources.push(format!("{issuer}{path}"));
            let named = plan.bridges.iter().filter(|bridge| !bridge.name.is_empty());
            resources.extend(named.map(|bridge| format!("{issuer}{path}/{}", bridge.name)));
        }
        let opened = |tool: &Tool| Opened {
            name: tool.title.clone().unwrap_or_else(|| tool.name.clone()),
            changes: tool.writes(),
            needs: tool.admission.scopes.clone(),
        };
        Some(Self {
            issuer,
            resources,
            default_scopes: authority.default_scopes.clone(),
            scopes_supported: authority.scopes_supported.clone(),
            implied: server.scopes.clone(),
            registration: authority.registration.clone(),
            consent: authority.consent,
            lifetimes: authority.lifetimes,
            titles: server.scope_titles.clone(),
            tools: plan.tools.iter().map(opened).collect(),
        })
    }

    /// Where people are, as they see it in the browser: the host, and the port where it is not the usual one.
    pub(super) fn place(&self) -> &str {
        self.issuer.split_once("://").map_or(&*self.issuer, |(_, place)| place)
    }

    /// Whether clients may register themselves.
    pub(super) fn registers(&self) -> bool {
        self.registration.policy != RegistrationPolicy::Off
    }

    /// Whether clients may be described by a document.
    pub(super) fn reads_documents(&self) -> bool {
        self.registration.documents != RegistrationPolicy::Off
    }

    /// Whether the server is reached over TLS, so that cookies need it.
    pub(super) fn is_secure(&self) -> bool {
        self.issuer.starts_with("https://")
    }

    /// Of the asked scopes those that are within what is allowed, in the order of the question.
    pub(super) fn within(&self, asked: &[String], allowed: &[String]) -> Vec<String> {
        let allowed = with_implied(&self.implied, allowed.iter().map(String::as_str));
        let mut within: Vec<String> = Vec::new();
        for scope in asked {
            if allowed.contains(scope.as_str()) && !within.contains(scope) {
                within.push(scope.clone());
            }
        }
        within
    }

    /// The address of this server that is meant, as it is written here (auth.md T2): with a slash at its end
    /// or not, and the server itself for all of it. `None` for any other.
    pub(super) fn resource(&self, asked: Option<&str>) -> Option<&str> {
        let all = self.resources.first()?;
        let Some(asked) = asked else { return Some(all) };
        let plain = asked.strip_suffix('/').unwrap_or(asked);
        if plain == self.issuer {
            return Some(all);
        }
        self.resources.iter().find(|known| *known == plain).map(String::as_str)
    }

    /// The words for a scope.
    pub(super) fn title(&self, scope: &str) -> Option<&str> {
        self.titles.get(scope).map(String::as_str)
    }

    /// The tools that scopes open, those that need none among them.
    pub(super) fn opened(&self, scopes: &[String]) -> Vec<&Opened> {
        let held = with_implied(&self.implied, scopes.iter().map(String::as_str));
        self.tools.iter().filter(|tool| tool.needs.iter().all(|scope| held.contains(scope.as_str()))).collect()
    }
}
