//! Requests, and their redirects.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use reqwest::Client;
use url::Url;

use crate::{Lookup, Policy, ResolveError, SystemLookup, Target, resolve};

/// Redirects of one request.
const MAX_REDIRECTS: usize = 5;
const CONNECT: Duration = Duration::from_secs(10);

/// Makes requests to where customers say.
#[derive(Clone)]
pub struct Outbound {
    policy: Policy,
    lookup: Arc<dyn Lookup>,
    client: Arc<dyn Fn() -> reqwest::ClientBuilder + Send + Sync>,
    time_limit: Duration,
    most_bytes: usize,
}

/// One request. Its body is sent again where a redirect asks for that.
#[derive(Debug, Clone)]
pub struct Sent {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// No more than the limit of it.
    pub body: Bytes,
    /// Where the redirects ended.
    pub url: Url,
}

#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error("`{0}` leads from one address to the next, and to no end")]
    TooManyRedirects(String),
    #[error("a redirect leads nowhere: {0}")]
    BadRedirect(String),
    #[error("`{host}` does not answer: {cause}")]
    Failed { host: String, cause: reqwest::Error },
    #[error("`{host}` took longer than {} seconds", .limit.as_secs())]
    TimedOut { host: String, limit: Duration },
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

impl Outbound {
    /// `client` makes what requests are sent with: its certificates and its name. Where it connects to is not its to say.
    #[must_use]
    pub fn new(policy: Policy, client: impl Fn() -> reqwest::ClientBuilder + Send + Sync + 'static) -> Self {
        let client = Arc::new(client);
        Self { policy, lookup: Arc::new(SystemLookup), client, time_limit: Duration::from_secs(30), most_bytes: 1 << 20 }
    }

    /// How names become addresses.
    #[must_use]
    pub fn with_lookup(self, lookup: Arc<dyn Lookup>) -> Self {
        Self { lookup, ..self }
    }

    /// For a request with all its redirects, and for the body of its answer.
    #[must_use]
    pub fn with_limits(self, time_limit: Duration, most_bytes: usize) -> Self {
        Self { time_limit, most_bytes, ..self }
    }

    /// Sends a request, and follows where it is led, within the limits. Each address on the way is resolved once and judged.
    ///
    /// # Errors
    /// See [`OutboundError`]. An answer that says no, such as 404, is an answer.
    pub async fn send(&self, sent: Sent) -> Result<Answer, OutboundError> {
        let host = sent.url.host_str().unwrap_or_default().to_owned();
        match tokio::time::timeout(self.time_limit, self.follow(sent)).await {
            Ok(answer) => answer,
            Err(_) => Err(OutboundError::TimedOut { host, limit: self.time_limit }),
        }
    }

    async fn follow(&self, mut sent: Sent) -> Result<Answer, OutboundError> {
        let begin = sent.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let target = resolve(&sent.url, &self.policy, &*self.lookup).await?;
            let answer = self.once(&target, &sent).await?;
            let Some(next) = redirect(&sent, &answer)? else { return Ok(answer) };
            sent = next;
        }
        Err(OutboundError::TooManyRedirects(begin.host_str().unwrap_or_default().to_owned()))
    }

    async fn once(&self, target: &Target, sent: &Sent) -> Result<Answer, OutboundError> {
        let host = || sent.url.host_str().unwrap_or_default().to_owned();
        let failed = |cause: reqwest::Error| OutboundError::Failed { host: host(), cause: cause.without_url() };
        let client = self.client(target).map_err(failed)?;
        let request = client.request(sent.method.clone(), sent.url.clone()).headers(sent.headers.clone()).body(sent.body.clone());
        let mut response = request.send().await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.most_bytes {
                return Err(OutboundError::TooLong(self.most_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: body.into(), url: sent.url.clone() })
    }

    /// One for each target, so that no connection to one that was judged for another is used again.
    fn client(&self, target: &Target) -> Result<Client, reqwest::Error> {
        let builder = (self.client)().no_proxy().redirect(reqwest::redirect::Policy::none()).connect_timeout(CONNECT);
        let builder = match &target.name {
            Some(name) => {
                let addresses: Vec<SocketAddr> = target.addresses.iter().map(|address| SocketAddr::new(*address, target.port)).collect();
                builder.resolve_to_addrs(name, &addresses)
            }
            None => builder,
        };
        builder.build()
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").field("policy", &self.policy).field("time_limit", &self.time_limit).finish_non_exhaustive()
    }
}

/// Where an answer leads, if it leads on. What opens one host's doors is not shown to another.
fn redirect(sent: &Sent, answer: &Answer) -> Result<Option<Sent>, OutboundError> {
    let keeps_method = matches!(answer.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    let leads_on = keeps_method || matches!(answer.status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER);
    let Some(location) = answer.headers.get(header::LOCATION).filter(|_| leads_on) else { return Ok(None) };
    let bad = || OutboundError::BadRedirect(String::from_utf8_lossy(location.as_bytes()).chars().take(200).collect());
    let url = location.to_str().ok().and_then(|text| sent.url.join(text).ok()).ok_or_else(bad)?;
    if sent.url.scheme() == "https" && url.scheme() != "https" {
        return Err(bad());
    }
    let mut next = Sent { url, ..sent.clone() };
    if next.url.origin() != sent.url.origin() {
        for name in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION] {
            next.headers.remove(name);
        }
    }
    if !keeps_method && next.method != Method::HEAD {
        next.method = Method::GET;
        next.body = Bytes::new();
        next.headers.remove(header::CONTENT_TYPE);
        next.headers.remove(header::CONTENT_LENGTH);
    }
    Ok(Some(next))
}
