//! Floor 5. Goes from page to page: finds where the next one is, never leaves the source, and
//! puts the items of all pages into the first one (rest.md §8, 4).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header::LINK};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::{Answer, ContentKind, RestCall, RestUpstream};
use crate::{
    plan::{Next, Paginate, rest::Request},
    select::Path,
    upstream::{FailureClass, UpstreamError},
};

/// Bytes of all pages of one call together.
const BYTES_MAX: usize = 16 << 20;
/// The next page is not begun with less time than this.
const LEAST_LEFT: Duration = Duration::from_millis(250);
/// The longest address or cursor that is taken from an answer.
const PLACE_MAX: usize = 4096;

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// At this path and query of the source's origin.
    At(String),
    /// At this value of a query parameter.
    With(String, String),
}

/// Where an answer came from, and what its head says about the next page.
#[derive(Debug)]
pub struct Origin {
    /// The address that was asked, which may hold a key: never shown.
    pub(super) url: Url,
    /// The target of `Link: <…>; rel=next`.
    pub(super) link: Option<String>,
}

/// What makes the pages end before the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished(pub String);

impl RestUpstream {
    /// Fetches the pages that the author permits, as far as the time reaches.
    pub(super) async fn pages(
        &self,
        request: &Request,
        call: &RestCall<'_>,
        paginate: &Paginate,
    ) -> Result<Box<Answer>, UpstreamError> {
        let began = Instant::now();
        let mut first = self.carefully(request, call, None).await?;
        let Some(mut whole) = body_of(request, &first) else { return Ok(first) };
        let Some(mut count) = items(paginate, &whole).map(Vec::len) else { return Ok(first) };
        let mut place = self.next(paginate, &first, &whole, count)?;
        let page_size = count;
        let mut visited = Vec::new();
        let mut read = first.body.len();
        let mut slowest = began.elapsed();
        while let Some(at) = place {
            let left = call.deadline.saturating_duration_since(Instant::now());
            let stop = if visited.len() + 1 >= paginate.max_pages {
                Some(format!("only {} pages are fetched", paginate.max_pages))
            } else if count >= paginate.max_items {
                Some(format!("only {} items are fetched", paginate.max_items))
            } else if read >= BYTES_MAX {
                Some("the pages are larger than one result may be".into())
            } else if left < slowest.max(LEAST_LEFT) {
                Some("there was no time for more".into())
            } else if visited.contains(&at) {
                Some("the API names the same page again and again".into())
            } else {
                None
            };
            if let Some(reason) = stop {
                first.unfinished = Some(Unfinished(reason));
                break;
            }
            (call.tell)(&format!("page {}", visited.len() + 2));
            let asked = Instant::now();
            let (page, body) = match self.page(request, call, &at).await {
                Ok(page) => page,
                // What is there already is worth more than the failure of what is not.
                Err(reason) => {
                    first.unfinished = Some(Unfinished(format!("the next page could not be fetched: {reason}")));
                    break;
                }
            };
            slowest = slowest.max(asked.elapsed());
            read += page.body.len();
            let found = items(paginate, &body).cloned().unwrap_or_default();
            let short = page_size > found.len() && counts(&paginate.next);
            place = if found.is_empty() || short { None } else { self.next(paginate, &page, &body, found.len())? };
            count += found.len();
            if let Some(all) = items_mut(paginate, &mut whole) {
                all.extend(found);
            }
            visited.push(at);
        }
        if count > paginate.max_items
            && let Some(all) = items_mut(paginate, &mut whole)
        {
            all.truncate(paginate.max_items);
            let reason = format!("only {} items are fetched", paginate.max_items);
            first.unfinished.get_or_insert(Unfinished(reason));
        }
        if !visited.is_empty() || first.unfinished.is_some() {
            // Every value can be printed.
            first.body = Bytes::from(serde_json::to_vec(&whole).unwrap_or_default());
        }
        Ok(first)
    }

    /// Fetches one page, and tells where the next one begins.
    ///
    /// # Errors
    /// Those of [`RestUpstream::send`]; [`FailureClass::Refused`] when the API names a next page elsewhere.
    pub async fn one_page(
        &self,
        request: &Request,
        call: &RestCall<'_>,
        place: Option<&Place>,
    ) -> Result<(Box<Answer>, Option<Place>), UpstreamError> {
        let answer = self.carefully(request, call, place).await?;
        let Some(paginate) = &request.care.paginate else { return Ok((answer, None)) };
        let Some(body) = body_of(request, &answer) else { return Ok((answer, None)) };
        let next = match items(paginate, &body).map(Vec::len) {
            Some(count) if count > 0 => self.next(paginate, &answer, &body, count)?,
            Some(_) | None => None,
        };
        Ok((answer, next))
    }

    async fn page(&self, request: &Request, call: &RestCall<'_>, at: &Place) -> Result<(Box<Answer>, Value), String> {
        let answer = self.carefully(request, call, Some(at)).await.map_err(|error| error.public().to_owned())?;
        match body_of(request, &answer) {
            Some(body) => Ok((answer, body)),
            None => Err(format!("it was answered with status {}", answer.status)),
        }
    }

    /// Where the page after an answer begins; `None` after the last one.
    fn next(
        &self,
        paginate: &Paginate,
        answer: &Answer,
        body: &Value,
        count: usize,
    ) -> Result<Option<Place>, UpstreamError> {
        let Some(origin) = &answer.origin else { return Ok(None) };
        if let Some(more) = &paginate.more
            && more.find(body).first() != Some(&&Value::Bool(true))
        {
            return Ok(None);
        }
        Ok(match &paginate.next {
            Next::Link => match &origin.link {
                Some(address) => Some(self.below(origin, address)?),
                None => None,
            },
            Next::Address(path) => match text(path, body) {
                Some(address) => Some(self.below(origin, &address)?),
                None => None,
            },
            Next::Cursor { path, param } => text(path, body).map(|cursor| Place::With(param.clone(), cursor)),
            Next::Page { param, start } => {
                let page = number(&origin.url, param).unwrap_or(*start);
                page.checked_add(1).map(|next| Place::With(param.clone(), next.to_string()))
            }
            Next::Offset { param, size } => {
                let wanted = size.as_deref().and_then(|size| number(&origin.url, size));
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                let offset = number(&origin.url, param).unwrap_or(0);
                let next = offset.checked_add(count).filter(|_| wanted.is_none_or(|wanted| count >= wanted));
                next.map(|next| Place::With(param.clone(), next.to_string()))
            }
        })
    }

    /// The place an address stands for, if it is one of the source (auth.md §4.3).
    fn below(&self, origin: &Origin, address: &str) -> Result<Place, UpstreamError> {
        let elsewhere = || {
            let told = format!("`{}` names a next page that is not below its own base; it is not fetched.", self.name);
            UpstreamError::new(FailureClass::Refused, told)
        };
        if address.len() > PLACE_MAX {
            return Err(elsewhere());
        }
        let url = self.frame.page(&origin.url, address).ok_or_else(elsewhere)?;
        Ok(Place::At(url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))))
    }
}

/// Whether the end shows in a page that is shorter than the first.
const fn counts(next: &Next) -> bool {
    matches!(next, Next::Page { .. } | Next::Offset { .. })
}

/// The body of an answer that is no error and can have pages.
fn body_of(request: &Request, answer: &Answer) -> Option<Value> {
    let json = request.succeeds(answer.status) && answer.kind == ContentKind::Json;
    json.then(|| serde_json::from_slice(&answer.body).ok()).flatten()
}

/// The items of a page: where the author says, or the answer itself, or the only list among its members.
fn items<'v>(paginate: &Paginate, body: &'v Value) -> Option<&'v Vec<Value>> {
    match (&paginate.items, body) {
        (Some(names), body) => names.iter().try_fold(body, |value, name| value.get(name))?.as_array(),
        (None, Value::Array(items)) => Some(items),
        (None, Value::Object(members)) => {
            let mut lists = members.values().filter_map(Value::as_array);
            lists.next().filter(|_| lists.next().is_none())
        }
        (None, _) => None,
    }
}

fn items_mut<'v>(paginate: &Paginate, body: &'v mut Value) -> Option<&'v mut Vec<Value>> {
    match (&paginate.items, body) {
        (Some(names), body) => names.iter().try_fold(body, |value, name| value.get_mut(name))?.as_array_mut(),
        (None, Value::Array(items)) => Some(items),
        (None, Value::Object(members)) => members.values_mut().find_map(Value::as_array_mut),
        (None, _) => None,
    }
}

/// The text or number that a path finds; nothing for null, an empty text and anything else.
fn text(path: &Path, body: &Value) -> Option<String> {
    match path.find(body).first()? {
        Value::String(text) if !text.is_empty() && text.len() <= PLACE_MAX => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(url: &Url, param: &str) -> Option<u64> {
    url.query_pairs().find(|(name, _)| name == param).and_then(|(_, value)| value.parse().ok())
}

/// The target of the link to the next page (RFC 8288).
pub(super) fn next_link(headers: &HeaderMap) -> Option<String> {
    headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(|value| {
        let mut rest = value;
        while let Some((_, after)) = rest.split_once('<') {
            let (target, params) = after.split_once('>')?;
            // Up to the next link: a comma outside of quotes.
            let mut quoted = false;
            let end = params.find(|it: char| {
                quoted ^= it == '"';
                it == ',' && !quoted
            });
            let own = params.get(..end.unwrap_or(params.len()))?;
            let is_next = own.split(';').filter_map(|param| param.split_once('=')).any(|(name, value)| {
                let relations = value.trim().trim_matches('"');
                name.trim().eq_ignore_ascii_case("rel")
                    && relations.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
            });
            if is_next {
                return Some(target.trim().to_owned());
            }
            rest = params.get(end?..)?;
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_is_found_among_others() {
        for (written, expected) in [
            ("<https://a/2>; rel=\"next\", <https://a/9>; rel=\"last\"", Some("https://a/2")),
            ("<https://a/1>; rel=prev, </b?c=1,2>; title=\"x, <y>; rel=next\"; rel=\"last next\"", Some("/b?c=1,2")),
            ("<https://a/2>;REL=Next", Some("https://a/2")),
            ("<https://a/2>; rel=\"nextish\"", None),
            ("<https://a/2>; title=\"rel=next\"", None),
            ("https://a/2; rel=next", None),
            ("<https://a/2", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(LINK, written.parse().unwrap())]);
            assert_eq!(next_link(&headers).as_deref(), expected, "{written}");
        }
    }
}
