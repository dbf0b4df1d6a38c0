//! Floor 7. The pages that people see: plain HTML that needs no program in the browser, fetches nothing from
//! anywhere, and shows what clients say of themselves as text.

use askama::Template;
use url::Url;

use super::{
    answer::{Answer, Class},
    settings::{Opened, Settings},
};
use crate::{
    plan::is_local,
    state::oauth::{Client, Origin, Request},
};

/// Tools that are listed by name; the others are counted.
const LISTED: usize = 40;

#[derive(Template)]
#[template(path = "notice.html", config = "src/authority/pages/askama.toml")]
struct Notice<'a> {
    title: &'a str,
    words: &'a str,
    command: Option<String>,
}

#[derive(Template)]
#[template(path = "sign_in.html", config = "src/authority/pages/askama.toml")]
struct SignIn<'a> {
    place: &'a str,
    request: &'a str,
    name: &'a str,
    fault: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "leave.html", config = "src/authority/pages/askama.toml")]
struct Leave<'a> {
    place: &'a str,
    provider: &'a str,
    request: &'a str,
    asked: Option<(&'a str, String)>,
    fault: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "link.html", config = "src/authority/pages/askama.toml")]
struct Link<'a> {
    place: &'a str,
    user: &'a str,
    token: &'a str,
}

#[derive(Template)]
#[template(path = "consent.html", config = "src/authority/pages/askama.toml")]
struct Consent<'a> {
    place: &'a str,
    request: &'a str,
    guard: &'a str,
    client: &'a str,
    is_verified: bool,
    document: Option<String>,
    host: String,
    is_program: bool,
    user: &'a str,
    workspace: Option<&'a str>,
    scopes: Vec<(&'a str, Option<&'a str>)>,
    tools: Vec<&'a Opened>,
    more: usize,
    changing: usize,
}

fn page(class: Class, template: &impl Template) -> Answer {
    match template.render() {
        Ok(html) => Answer::Page { class, html },
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            Answer::Page { class: Class::Unavailable, html: String::new() }
        }
    }
}

/// A page that says something.
pub(super) fn notice(class: Class, title: &str, words: &str) -> Answer {
    page(class, &Notice { title, words, command: None })
}

/// A page for a client that an administrator has not approved.
pub(super) fn pending(client: &Client) -> Answer {
    let words = format!(
        "{} has introduced itself, and an administrator of this server has to approve it first. They run:",
        client.name
    );
    let command = Some(format!("mcp-bridge clients approve {}", client.id));
    page(Class::Forbidden, &Notice { title: "Waiting for approval", words: &words, command })
}

/// The page on which people sign in.
pub(super) fn sign_in(settings: &Settings, class: Class, (request, name): (&str, &str), fault: Option<&str>) -> Answer {
    page(class, &SignIn { place: settings.place(), request, name, fault })
}

/// The page from which people go to sign in elsewhere, and for whom.
pub(super) fn leave(
    settings: &Settings,
    (class, fault): (Class, Option<&str>),
    provider: &str,
    (request, asked): (&str, Option<(&Request, &Client)>),
) -> Answer {
    let asked = asked.map(|(request, client)| (client.name.as_str(), place(&request.redirect).0));
    page(class, &Leave { place: settings.place(), provider, request, asked, fault })
}

/// The page of a link that signs a person in.
pub(super) fn link(settings: &Settings, user: &str, token: &str) -> Answer {
    page(Class::Fine, &Link { place: settings.place(), user, token })
}

/// Who is asked what.
pub(super) struct Asked<'a> {
    pub(super) request: &'a Request,
    pub(super) client: &'a Client,
    pub(super) user: &'a str,
    pub(super) workspace: Option<&'a str>,
    pub(super) scopes: &'a [String],
}

/// The page on which people agree.
pub(super) fn consent(settings: &Settings, asked: &Asked<'_>, (request, guard): (&str, &str)) -> Answer {
    let (host, is_program) = place(&asked.request.redirect);
    let mut tools = settings.opened(asked.scopes);
    let changing = tools.iter().filter(|tool| tool.changes).count();
    tools.sort_by_key(|tool| !tool.changes);
    let more = tools.len().saturating_sub(LISTED);
    tools.truncate(LISTED);
    page(
        Class::Fine,
        &Consent {
            place: settings.place(),
            request,
            guard,
            client: &asked.client.name,
            is_verified: asked.client.origin == Origin::Made,
            document: document(asked.client),
            host,
            is_program,
            user: asked.user,
            workspace: asked.workspace,
            scopes: asked.scopes.iter().map(|scope| (scope.as_str(), settings.title(scope))).collect(),
            tools,
            more,
            changing,
        },
    )
}

/// The host of the document about a client, where there is one.
fn document(client: &Client) -> Option<String> {
    let url = Url::parse(&client.id).ok().filter(|_| client.origin == Origin::Described)?;
    url.host_str().map(str::to_owned)
}

/// Where a person is sent back to, in words, and whether that is a program of their own machine.
fn place(redirect: &str) -> (String, bool) {
    match Url::parse(redirect) {
        Ok(url) if is_local(&url) => ("a program on this computer".into(), true),
        Ok(url) if url.scheme() == "https" => (url.host_str().unwrap_or_default().to_owned(), false),
        Ok(url) => (format!("the program for {}: links", url.scheme()), true),
        Err(_) => (String::new(), false),
    }
}
