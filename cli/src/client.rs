//! GraphQL over HTTP.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};
use slipway_model::Secret;
use url::Url;

use crate::Global;
use crate::credentials;
use crate::exit::Failure;

pub struct Client {
    http: reqwest::Client,
    pub url: Url,
    pub token: Secret,
}

impl Client {
    pub fn new(global: &Global) -> Result<Self> {
        let credentials = credentials::load(global)?;
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("slipway/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, url: credentials.url, token: credentials.token })
    }

    /// Runs a query or a mutation and returns its `data`. Top-level errors are failures.
    pub async fn run(&self, document: &str, variables: Value) -> Result<Value> {
        let response = self
            .http
            .post(self.url.join("graphql")?)
            .bearer_auth(self.token.expose())
            .timeout(Duration::from_secs(60))
            .json(&json!({ "query": document, "variables": variables }))
            .send()
            .await
            .map_err(|error| unreachable(&self.url, &error))?;
        let status = response.status();
        let body: Value = response.json().await.with_context(|| format!("{} answered {status} without JSON", self.url))?;
        if let Some(error) = body.pointer("/errors/0") {
            let code = error.pointer("/extensions/code").and_then(Value::as_str).unwrap_or("ERROR");
            let message = error.get("message").and_then(Value::as_str).unwrap_or("the control plane gave no reason");
            let failure = Failure::new(code, message);
            return Err(if code == "UNAUTHENTICATED" { failure.fix("`slipway login` with a valid token").into() } else { failure.into() });
        }
        body.get("data").cloned().ok_or_else(|| anyhow!("{} answered {status} without data", self.url))
    }

    /// Runs a mutation and returns its payload. User errors are a failure that names each.
    pub async fn mutate(&self, field: &str, input_type: &str, input: Value, selection: &str) -> Result<Value> {
        let document =
            format!("mutation($input: {input_type}!) {{ {field}(input: $input) {{ {selection} errors {{ code message path }} }} }}");
        let mut data = self.run(&document, json!({ "input": input })).await?;
        let payload = data.get_mut(field).map(Value::take).unwrap_or_default();
        let errors = payload.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
        let Some(first) = errors.first() else { return Ok(payload) };
        let sentences: Vec<String> = errors.iter().map(sentence).collect();
        let code = first.get("code").and_then(Value::as_str).unwrap_or("INVALID");
        Err(Failure::new(code, sentences.join("; ")).into())
    }

    /// Sends a file to a one-time upload address.
    pub async fn upload(&self, address: &str, body: reqwest::Body, length: u64) -> Result<()> {
        let response = self
            .http
            .put(self.url.join(address)?)
            .header("content-type", "application/gzip")
            .header("content-length", length)
            .body(body)
            .send()
            .await
            .map_err(|error| unreachable(&self.url, &error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let body: Value = response.json().await.unwrap_or_default();
        let message = body.pointer("/error/message").or(body.get("message")).and_then(Value::as_str).unwrap_or("no reason was given");
        Err(Failure::new("UPLOAD_REFUSED", format!("the upload was refused ({status}): {message}")).into())
    }
}

fn sentence(error: &Value) -> String {
    let message = error.get("message").and_then(Value::as_str).unwrap_or("refused without a reason");
    let path: Vec<&str> = error.get("path").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if path.is_empty() { message.to_owned() } else { format!("{}: {message}", path.join(".")) }
}

fn unreachable(url: &Url, error: &reqwest::Error) -> Failure {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    Failure::new("UNREACHABLE", format!("the control plane at {url} cannot be reached: {error}; {cause}"))
        .fix("check that `slipway up` or `slipway server` runs there, and SLIPWAY_URL")
}
