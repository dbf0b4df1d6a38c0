//! Floor 7. Where people may be sent back to: which addresses clients may register, and which of an asked
//! one is registered (auth.md §3.5, T9; RFC 8252 §7).

use url::Url;

use crate::plan::{Registration, is_local};

/// Addresses of clients that are known to be theirs (auth.md §2.4).
const KNOWN: [&str; 9] = [
    "https://poke.com/api/v1/mcp/callback",
    "https://claude.ai/api/mcp/auth_callback",
    "https://claude.com/api/mcp/auth_callback",
    "https://chatgpt.com/connector_platform_oauth_redirect",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "https://vscode.dev/redirect",
    "https://insiders.vscode.dev/redirect",
    "https://grok.com/connectors-oauth-exchange-code/",
    "claude://claude.ai/mcp-auth-callback/sdk",
];
/// The same where the last part differs for each connection.
const KNOWN_PREFIX: &str = "https://chatgpt.com/connector/oauth/";
/// Schemes of programs that are known.
const SCHEMES: [&str; 4] = ["cursor", "vscode", "vscode-insiders", "claude"];
const LONGEST: usize = 1024;

/// What an address that a client wants to register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fitness {
    /// It is a known client's, one of this machine, or one that the author named.
    Known,
    /// It may be used when somebody says so.
    Unknown,
    /// Nobody is ever sent there.
    Never,
}

/// Looks at an address that a client wants to register.
pub(super) fn fitness(text: &str, registration: &Registration) -> Fitness {
    let plain = text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let Some(url) = Url::parse(text).ok().filter(|_| plain) else { return Fitness::Never };
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Fitness::Never;
    }
    // An address that is read in two ways is sent to two places.
    if text.get(..url.scheme().len()).is_none_or(|scheme| scheme != url.scheme()) {
        return Fitness::Never;
    }
    match url.scheme() {
        "https" if url.host().is_some() && text.get(..8) == Some("https://") => {
            let is_known = KNOWN.contains(&text)
                || registration.redirects.iter().any(|known| known == text)
                || text.strip_prefix(KNOWN_PREFIX).is_some_and(is_name)
                || is_local(&url);
            if is_known { Fitness::Known } else { Fitness::Unknown }
        }
        "http" if is_local(&url) && text.get(..7) == Some("http://") => Fitness::Known,
        "http" => Fitness::Never,
        scheme if SCHEMES.contains(&scheme) || registration.schemes.iter().any(|known| known == scheme) => {
            Fitness::Known
        }
        _ => Fitness::Never,
    }
}

/// A part of a path that is a name alone.
fn is_name(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Whether an asked address is a registered one: letter for letter, but for the port on the person's own
/// machine, which programs cannot choose beforehand.
pub(super) fn is_registered(asked: &str, registered: &[String]) -> bool {
    registered
        .iter()
        .any(|known| known == asked || (without_port(known).is_some_and(|it| without_port(asked) == Some(it))))
}

/// An address of the person's own machine as it is written, in the parts around its port.
fn without_port(text: &str) -> Option<(&str, &str)> {
    if text.contains('\\') || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let rest = text.strip_prefix("http://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (place, path) = rest.split_at_checked(end)?;
    let host = match place.strip_prefix("[::1]") {
        Some(_) => place.get(..5)?,
        None => place.split(':').next()?,
    };
    if !["127.0.0.1", "localhost", "[::1]"].contains(&host) || path.contains('#') {
        return None;
    }
    let port = place.get(host.len()..)?;
    let fits = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| (1..=5).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()));
    fits.then_some((host, path))
}

/// Adds what the client is to be told to the address it is told at; an `iss` that stands there gives way.
pub(super) fn with(redirect: &str, told: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse(redirect) else { return redirect.to_owned() };
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| told.iter().all(|(other, _)| name != other))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(told);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::RegistrationPolicy;

    fn registration() -> Registration {
        Registration {
            policy: RegistrationPolicy::Allowlist,
            redirects: vec!["https://app.example.com/cb".into()],
            schemes: vec!["com.example.app".into()],
            scopes: Vec::new(),
            documents: RegistrationPolicy::Off,
            origins: Vec::new(),
        }
    }

    #[test]
    fn clients_register_addresses_that_are_theirs() {
        for (address, expected) in [
            ("https://poke.com/api/v1/mcp/callback", Fitness::Known),
            ("https://chatgpt.com/connector/oauth/abc-1_2", Fitness::Known),
            ("https://chatgpt.com/connector/oauth/a/../b", Fitness::Unknown),
            ("cursor://anysphere.cursor-mcp/oauth/callback", Fitness::Known),
            ("https://www.cursor.com/agents/mcp/oauth/callback", Fitness::Known),
            ("http://localhost:8787/callback", Fitness::Known),
            ("http://127.0.0.1/x", Fitness::Known),
            ("http://[::1]:1/x", Fitness::Known),
            ("https://app.example.com/cb", Fitness::Known),
            ("com.example.app:/cb", Fitness::Known),
            ("https://app.example.com/cb2", Fitness::Unknown),
            ("https://poke.com.evil.example/api/v1/mcp/callback", Fitness::Unknown),
            ("http://app.example.com/cb", Fitness::Never),
            ("http://localhost.evil.example/", Fitness::Never),
            ("https://poke.com@evil.example/", Fitness::Never),
            ("https://a.example/#x", Fitness::Never),
            ("javascript:alert(1)", Fitness::Never),
            ("JavaScript:alert(1)", Fitness::Never),
            ("data:text/html,x", Fitness::Never),
            ("HTTPS://poke.com/api/v1/mcp/callback", Fitness::Never),
            (" https://a.example/", Fitness::Never),
            ("https://a.example/\u{9}", Fitness::Never),
            ("https:a.example/", Fitness::Never),
            ("https:\\\\a.example/", Fitness::Never),
            ("/relative", Fitness::Never),
            ("", Fitness::Never),
        ] {
            assert_eq!(fitness(address, &registration()), expected, "{address}");
        }
    }

    /// What looks like a registered address, and is none.
    const MUTATIONS: [&str; 49] = [
        "HTTPS://a.example/cb",
        "https:/a.example/cb",
        "https:///a.example/cb",
        "https:a.example/cb",
        "//a.example/cb",
        "/cb",
        " https://a.example/cb",
        "https://a.example/cb ",
        "https://a.example/cb\t",
        "https://a.example/cb\n",
        "https://a.example/cb\r\nlocation: https://evil.example",
        "https://a.example/cb\0",
        "https://a.example/cb%00",
        "https://a.example/cb%0d%0a",
        "https://a.example/CB",
        "https://a.example//cb",
        "https://a.example/./cb",
        "https://a.example/x/../cb",
        "https://a.example/cb/../evil",
        "https://a.example/cb/..%2fevil",
        "https://a.example/cb;x=1",
        "https://a.example/cb?next=https://evil.example",
        "https://a.example/cb#https://evil.example",
        "https://a.example/cb&x=1",
        "https://a.example",
        "https://a.example\\cb",
        "https://a.example\\@evil.example/cb",
        "https://a.example%2f@evil.example/cb",
        "https://a.example:443@evil.example/cb",
        "https://user@a.example/cb",
        "https://user:pass@a.example/cb",
        "https://a.example.evil.example/cb",
        "https://evil-a.example/cb",
        "https://a.example:8443/cb",
        "https://\u{430}.example/cb",
        "https://xn--80a.example/cb",
        "https://a\u{ff0e}example/cb",
        "https://a\u{3002}example/cb",
        "javascript:alert(1)//a.example/cb",
        "data:text/html,https://a.example/cb",
        "http://localhost:-1/cb",
        "http://localhost:1e3/cb",
        "http://localhost:\u{661}/cb",
        "http://localhost:80:80/cb",
        "http://0.0.0.0:1/cb?x=1",
        "http://2130706433:1/cb?x=1",
        "http://0x7f000001:1/cb?x=1",
        "http://[::ffff:127.0.0.1]:1/cb?x=1",
        "http://[0:0:0:0:0:0:0:1]:9/cb",
    ];

    #[test]
    fn an_asked_address_is_a_registered_one_to_the_letter() {
        let registered =
            ["https://a.example/cb", "http://127.0.0.1:8787/cb?x=1", "http://localhost/cb", "http://[::1]:9/cb"];
        let registered = registered.map(str::to_owned);
        for (asked, expected) in [
            ("https://a.example/cb", true),
            ("http://127.0.0.1:1/cb?x=1", true),
            ("http://127.0.0.1/cb?x=1", true),
            ("http://localhost:65535/cb", true),
            ("http://[::1]/cb", true),
            ("https://a.example:443/cb", false),
            ("https://A.example/cb", false),
            ("https://a.example/cb/", false),
            ("https://a.example/cb?", false),
            ("https://a.example/cb#", false),
            ("https://a.example/%63b", false),
            ("https://a.example./cb", false),
            ("https://a.example@evil.example/cb", false),
            ("https://evil.example/cb", false),
            ("http://a.example/cb", false),
            ("http://127.0.0.1:1/cb", false),
            ("http://127.0.0.1:1/cb?x=2", false),
            ("http://127.0.0.1:1/cb?x=1#f", false),
            ("https://127.0.0.1:1/cb?x=1", false),
            ("http://127.1/cb?x=1", false),
            ("http://127.0.0.2/cb?x=1", false),
            ("http://localhost.evil.example/cb", false),
            ("http://localhost:80@evil.example/cb", false),
            ("http://localhost:80.evil.example/cb", false),
            ("http://localhost:/cb", false),
            ("http://localhost:123456/cb", false),
            ("http://LOCALHOST/cb", false),
            ("http://127.0.0.1/cb", false),
            ("http://[::1]evil.example/cb", false),
            ("http://[::1]:9\\@evil.example/cb", false),
            ("", false),
        ] {
            assert_eq!(is_registered(asked, &registered), expected, "{asked}");
        }
        for asked in MUTATIONS {
            assert!(!is_registered(asked, &registered), "{asked}");
        }
    }

    #[test]
    fn what_is_told_stands_once() {
        let told = with("https://a.example/cb?x=1&iss=evil", &[("code", "c d"), ("iss", "https://me")]);
        assert_eq!(told, "https://a.example/cb?x=1&code=c+d&iss=https%3A%2F%2Fme");
        assert_eq!(with("cursor://x/cb", &[("code", "c")]), "cursor://x/cb?code=c");
    }
}
