//! What the host asks a plugin, and what it answers. Version 2 added billing's quotes, standings and invoices.

mod billing;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use billing::{
    BillingReply, BillingRequest, Charge, InvoiceItem, InvoiceLayout, InvoiceLine, InvoiceRequest, Quote, QuoteRequest, RateRequest,
    Standing, StandingRequest, UsageKind, UsagePeriod,
};

/// A typed refusal: an expected outcome that a person should read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct PluginError {
    /// Stable, such as `VERSION_UNAVAILABLE`.
    pub code: String,
    pub message: String,
    /// What to do about it.
    #[serde(default)]
    pub fix: Option<String>,
}

impl PluginError {
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), fix: None }
    }

    /// The same refusal, with what to do about it.
    #[must_use]
    pub fn with_fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

/// One request, tagged by kind of plugin and then by question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "to", content = "ask", rename_all = "snake_case")]
pub enum Request {
    Runtime(RuntimeRequest),
    Billing(BillingRequest),
    Ingress(IngressRequest),
    /// Hands over the administrator's settings (validated against the manifest's schema) before any other call.
    Configure(serde_json::Value),
}

/// The answer to the request of the same name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", content = "answer", rename_all = "snake_case")]
pub enum Reply {
    Runtime(RuntimeReply),
    Billing(BillingReply),
    Ingress(IngressReply),
    Configured,
}

// ---- runtime ---------------------------------------------------------------------------------------------------------

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeRequest {
    Describe,
    Resolve(ResolveRequest),
    Launch(LaunchRequest),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeReply {
    Describe(RuntimeDescription),
    Resolve(Resolution),
    Launch(LaunchSettings),
}

/// What a runtime plugin brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeDescription {
    /// The runtime's slug, which is also its buildpack's id: `node`, `python`, `php`, `docker`.
    pub slug: String,
    pub name: String,
    pub versions: Vec<RuntimeVersion>,
    /// Tools that [`RuntimeRequest::Resolve`] answers for, such as `["node"]`.
    pub tools: Vec<String>,
    /// Files whose presence suggests this runtime, for people to read.
    pub detect_files: Vec<String>,
    pub default_port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeVersion {
    /// Such as `22` or `3.13`.
    pub version: String,
    pub build_image: String,
    pub run_image: String,
    /// The one taken where an app asks for none.
    pub is_default: bool,
    pub end_of_life: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolveRequest {
    pub tool: String,
    /// In the language's own syntax.
    pub constraint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    pub version: String,
    pub build_image: String,
    pub run_image: String,
    /// Sentences for the build log, such as an end-of-life notice.
    #[serde(default)]
    pub notices: Vec<String>,
}

/// Which settings suit an instance of this size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchRequest {
    pub memory_bytes: i64,
    pub cpu_millis: i64,
    pub version: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSettings {
    /// Environment variables that are set unless the customer sets them.
    pub env: Vec<(String, String)>,
}

// ---- ingress ---------------------------------------------------------------------------------------------------------

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IngressRequest {
    Render(RouteTable),
    CheckDomain { hostname: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IngressReply {
    Render(RenderedRoutes),
    CheckDomain { problem: Option<String> },
}

/// Every route of one node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    pub applications: Vec<ApplicationRoute>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationRoute {
    /// The application's id: letters, digits and `_`; names the file.
    pub application: String,
    /// Names the version of this route. The rendered configuration must make the proxy add the response header
    /// `x-slipway-route: <revision>` so that the agent can see that it is in force.
    pub revision: String,
    pub hostnames: Vec<String>,
    /// Instance ids and ports. The agent puts the address in the place of `@<instance id>@` when it writes the file.
    pub backends: Vec<Backend>,
    /// `false`: plain HTTP only.
    pub tls: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    pub instance: String,
    pub port: u16,
}

/// One file per application; every `@<instance id>@` in it stands for that instance's IP address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedRoutes {
    pub files: Vec<RouteFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteFile {
    /// The application's id.
    pub application: String,
    pub revision: String,
    /// File name without directories, such as `app_01h….toml`.
    pub name: String,
    pub content: String,
}
