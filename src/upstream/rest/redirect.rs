//! Floor 5. Redirects: refused, or followed within the origin of the source where its author says
//! so. A credential goes on below the base of the source and nowhere else (rest.md §9.5).

use http::header::LOCATION;
use url::Url;

use super::{
    RestUpstream,
    lane::{Reply, Stage},
    plain::Over,
    request::Outgoing,
};
use crate::{
    plan::{Redirects, rest::Request},
    upstream::{FailureClass, UpstreamError},
};

/// How often one request is sent on.
const MAX_HOPS: usize = 3;

impl RestUpstream {
    /// The answer that is no redirect any more.
    ///
    /// # Errors
    /// [`FailureClass::Refused`] for a redirect that is not followed.
    pub(super) async fn settled(
        &self,
        request: &Request,
        make: &(dyn Fn() -> Result<Box<Outgoing>, UpstreamError> + Sync),
        mut reply: Reply,
    ) -> Result<Reply, UpstreamError> {
        // Only reading requests are sent on: a redirect may turn a change into another one.
        let follows = self.redirects == Redirects::SameOrigin && request.method.is_safe();
        if is_answer(request, reply.status().as_u16(), follows) {
            return Ok(reply);
        }
        let first = make()?;
        let mut asked = first.url.clone();
        for hop in 0..=MAX_HOPS {
            if !redirects(&reply) {
                return Ok(reply);
            }
            let target = place(&reply, &asked);
            let is_ours = target.as_ref().is_some_and(|target| self.is_same_origin(target));
            let (true, true, Some(target)) = (follows && hop < MAX_HOPS, is_ours, target) else { break };
            let outgoing = self.frame.sent_on(&first, &target);
            asked.clone_from(&outgoing.url);
            let mut sent = self.lane.send(outgoing.clone(), Over::Any).await;
            if sent.as_ref().is_err_and(|fault| fault.stage == Stage::Stale) {
                sent = self.lane.send(outgoing, Over::New).await;
            }
            reply = sent.map_err(|fault| self.broken(request, fault))?;
        }
        Err(self.refused(&reply, &asked, follows))
    }

    fn is_same_origin(&self, target: &Url) -> bool {
        target.origin() == self.frame.base().origin() && target.username().is_empty() && target.password().is_none()
    }

    fn refused(&self, reply: &Reply, asked: &Url, follows: bool) -> UpstreamError {
        let whither = match place(reply, asked) {
            Some(target) if self.is_same_origin(&target) && follows => {
                let told = format!("`{}` answered with more redirects than are followed.", self.name);
                return UpstreamError::new(FailureClass::Refused, told);
            }
            Some(target) if self.is_same_origin(&target) => " to the same host",
            Some(_) => " to another host",
            None => "",
        };
        let told = format!("`{}` answered with a redirect{whither}, which is not followed.", self.name);
        UpstreamError::new(FailureClass::Refused, told).caused_by(format!("status {}", reply.status().as_u16()))
    }

    /// The path below the base that an answer names as the place of what was made; never more of
    /// an address than that.
    pub(super) fn location(&self, headers: &http::HeaderMap) -> Option<String> {
        let base = self.frame.base();
        let written = headers.get(LOCATION)?.to_str().ok()?;
        let target = base.join(written).ok().filter(|target| self.is_same_origin(target))?;
        let below = target.path().strip_prefix(base.path().trim_end_matches('/'))?;
        Some(below.to_owned()).filter(|path| path.starts_with('/'))
    }
}

/// Whether the author takes a redirect for a result, or has words for it.
fn is_answer(request: &Request, status: u16, follows: bool) -> bool {
    request.succeeds(status) || (!follows && request.errors.iter().any(|(range, _)| range.holds(status)))
}

/// 304 answers a question whether something changed and leads nowhere.
pub(super) fn redirects(reply: &Reply) -> bool {
    reply.status().is_redirection() && reply.status() != http::StatusCode::NOT_MODIFIED
}

fn place(reply: &Reply, asked: &Url) -> Option<Url> {
    let written = reply.headers().get(LOCATION).and_then(|value| value.to_str().ok())?;
    asked.join(written).ok()
}

impl super::request::Frame {
    /// A request to where a redirect leads, within the origin of the base. Below the base it is
    /// signed as the first one was; elsewhere nothing of what was declared goes along.
    fn sent_on(&self, first: &Outgoing, target: &Url) -> Box<Outgoing> {
        let mut url = target.clone();
        url.set_fragment(None);
        let is_below = self.is_below(&url);
        let query = self.unsigned(url.query().unwrap_or(""));
        let signed = match self.signature().filter(|_| is_below) {
            Some(pair) if query.is_empty() => pair.to_owned(),
            Some(pair) => format!("{query}&{pair}"),
            None => query,
        };
        url.set_query(Some(signed.as_str()).filter(|query| !query.is_empty()));
        let headers = if is_below { first.headers.clone() } else { Self::plain_headers() };
        Box::new(Outgoing { method: first.method.clone(), url, headers, body: None })
    }
}
