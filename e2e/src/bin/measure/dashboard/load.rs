//! Requests from several connections at once.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::sample::Sample;

pub const CONNECTIONS: usize = 16;
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(8);

pub struct Load {
    client: reqwest::Client,
    url: String,
    body: Option<Value>,
    token: Option<String>,
}

pub struct Measured {
    latencies: Sample,
    requests: usize,
    took: Duration,
    bytes: usize,
}

impl Measured {
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |share| self.latencies.quantile(share).as_secs_f64() * 1000.0;
        let (median, late) = (millis(0.5), millis(0.99));
        write!(f, "{:.0} requests/s, median {median:.1} ms, p99 {late:.1} ms, {} bytes each", self.per_second(), self.bytes)
    }
}

impl Load {
    /// A `POST` of that body, or a `GET`.
    pub fn new(url: String, body: impl Into<Option<Value>>, token: Option<&str>) -> Self {
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(CONNECTIONS).build().expect("a client");
        Self { client, url, body: body.into(), token: token.map(str::to_owned) }
    }

    pub async fn once(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&self.bytes().await?)?)
    }

    async fn bytes(&self) -> Result<Vec<u8>> {
        let mut request = match &self.body {
            Some(body) => self.client.post(&self.url).json(body),
            None => self.client.get(&self.url),
        };
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await?;
        ensure!(answer.status().is_success(), "{}: {}", answer.status(), answer.text().await?);
        Ok(answer.bytes().await?.to_vec())
    }

    pub async fn run(&self) -> Result<Measured> {
        self.for_a_while(WARM_UP).await?;
        self.for_a_while(MEASURED).await
    }

    async fn for_a_while(&self, limit: Duration) -> Result<Measured> {
        let begin = Instant::now();
        let one = async || -> Result<(Vec<Duration>, usize)> {
            let (mut latencies, mut bytes) = (Vec::new(), 0);
            while begin.elapsed() < limit {
                let sent = Instant::now();
                bytes = self.bytes().await?.len();
                latencies.push(sent.elapsed());
            }
            Ok((latencies, bytes))
        };
        let all = futures::future::try_join_all((0..CONNECTIONS).map(|_| one())).await?;
        let took = begin.elapsed();
        let bytes = all[0].1;
        let latencies: Vec<Duration> = all.into_iter().flat_map(|(latencies, _)| latencies).collect();
        Ok(Measured { requests: latencies.len(), latencies: Sample::new(latencies), took, bytes })
    }
}
