//! Floor 5. Fetches a document that the person at the terminal named, such as the description of an API:
//! from anywhere, because it is their own command, but bounded in size, time and redirects.

use std::time::Duration;

use http::header::ACCEPT;
use reqwest::{Client, Response, redirect::Policy};
use url::Url;

/// Bytes of a document at most, after decompression. The largest in the wild have 50 MB.
const LARGEST: usize = 64 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_mins(1);
const REDIRECTS: usize = 5;

/// A document, and where it was found in the end.
#[derive(Debug)]
pub struct Downloaded {
    /// Its text.
    pub text: String,
    /// Its address after redirects.
    pub url: Url,
}

/// Fetches a document.
///
/// # Errors
/// A sentence without a full stop.
pub async fn download(url: &Url) -> Result<Downloaded, String> {
    let client = client(Policy::limited(REDIRECTS), (CONNECT_TIMEOUT, TIMEOUT))?;
    let request = client.get(url.clone()).header(ACCEPT, "application/json, application/yaml, */*");
    let response = request.send().await.map_err(|error| in_words(&error))?;
    if !response.status().is_success() {
        return Err(format!("the answer has the status {}", response.status().as_u16()));
    }
    let url = response.url().clone();
    let body = whole(response, LARGEST).await?.ok_or_else(|| format!("it has more than {} MiB", LARGEST >> 20))?;
    let text = String::from_utf8(body).map_err(|_| "it is not UTF-8 text".to_owned())?;
    Ok(Downloaded { text, url })
}

/// A client for what a person named: how far it follows, and how long it waits for a connection and for all.
pub(super) fn client(redirects: Policy, (connect, all): (Duration, Duration)) -> Result<Client, String> {
    let builder = Client::builder().redirect(redirects).referer(false).connect_timeout(connect).timeout(all);
    let built = builder.user_agent(concat!("mcp-bridge/", env!("CARGO_PKG_VERSION"))).build();
    built.map_err(|error| in_words(&error))
}

/// The body of an answer; `None` when it has more bytes than these.
pub(super) async fn whole(mut response: Response, largest: usize) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| in_words(&error))? {
        if body.len() + chunk.len() > largest {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The innermost cause of a failure, which says most.
pub(super) fn in_words(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        words = inner.to_string();
        cause = inner.source();
    }
    words
}
