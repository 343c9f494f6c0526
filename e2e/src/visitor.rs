//! A visitor of an application: requests through the ingress, by host name.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// One request to `http://host/path`, sent to the ingress whatever DNS says of `host`.
///
/// # Errors
/// When the ingress does not answer.
pub async fn visit(ingress: SocketAddr, host: &str, path: &str) -> Result<Answer> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build()?;
    let response = client.get(format!("http://{ingress}{path}")).header("host", host).send().await?;
    let status = response.status().as_u16();
    Ok(Answer { status, body: response.text().await? })
}

/// What the proxy in between says it is: its header `server`.
///
/// # Errors
/// When the ingress does not answer.
pub async fn served_by(ingress: SocketAddr, host: &str) -> Result<Option<String>> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build()?;
    let response = client.get(format!("http://{ingress}/")).header("host", host).send().await?;
    Ok(response.headers().get("server").and_then(|value| value.to_str().ok()).map(str::to_owned))
}

/// Visits until the answer is as wanted.
///
/// # Errors
/// With the last answer, when it is not so within `limit`.
pub async fn visit_until(ingress: SocketAddr, host: &str, limit: Duration, wanted: impl Fn(&Answer) -> bool) -> Result<Answer> {
    let begin = Instant::now();
    loop {
        let answer = visit(ingress, host, "/").await;
        match &answer {
            Ok(answer) if wanted(answer) => return Ok(answer.clone()),
            _ if begin.elapsed() > limit => bail!("{host} did not answer as wanted within {limit:?}; last: {answer:?}"),
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
