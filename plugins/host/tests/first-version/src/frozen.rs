//! The C interface and the messages as they were in version 1, written down by hand. **Never changed**: plugins that were built against
//! them are still out there. A required field that is not sent any more, or an answer that is not understood any more, fails the test
//! that builds this.

use serde::{Deserialize, Serialize};

pub const ABI_VERSION: u32 = 1;
pub const MESSAGE_VERSION: u32 = 1;

#[repr(C)]
pub struct OwnedBuffer {
    pub data: *mut u8,
    pub len: usize,
    pub capacity: usize,
}

#[repr(C)]
pub struct PluginTable {
    pub size: usize,
    pub min_message_version: u32,
    pub max_message_version: u32,
    pub call: unsafe extern "C" fn(*const u8, usize, u32, *mut OwnedBuffer) -> i32,
    pub free: unsafe extern "C" fn(OwnedBuffer),
}

pub const OK: i32 = 0;
pub const ERROR: i32 = 1;
pub const BAD_REQUEST: i32 = 3;

#[derive(Serialize)]
pub struct PluginError {
    pub code: String,
    pub message: String,
    pub fix: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "to", content = "ask", rename_all = "snake_case")]
pub enum Request {
    Runtime(RuntimeRequest),
    Billing(BillingRequest),
    Ingress(IngressRequest),
    Configure(serde_json::Value),
}

#[derive(Serialize)]
#[serde(tag = "from", content = "answer", rename_all = "snake_case")]
pub enum Reply {
    Runtime(RuntimeReply),
    Billing(BillingReply),
    Ingress(IngressReply),
    Configured,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeRequest {
    Describe,
    Resolve { tool: String, constraint: String },
    Launch { memory_bytes: i64, cpu_millis: i64, version: String },
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeReply {
    Describe { slug: String, name: String, versions: Vec<RuntimeVersion>, tools: Vec<String>, detect_files: Vec<String>, default_port: u16 },
    Resolve { version: String, build_image: String, run_image: String, notices: Vec<String> },
    Launch { env: Vec<(String, String)> },
}

#[derive(Serialize)]
pub struct RuntimeVersion {
    pub version: String,
    pub build_image: String,
    pub run_image: String,
    pub is_default: bool,
    /// RFC 3339.
    pub end_of_life: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillingRequest {
    Rate { currency: String, usage: Vec<UsagePeriod> },
}

#[derive(Deserialize)]
pub struct UsagePeriod {
    pub key: String,
    /// RFC 3339.
    pub start: String,
    pub end: String,
    /// A decimal number, as text.
    pub hourly_rate: String,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BillingReply {
    Rate(Vec<Charge>),
}

#[derive(Serialize)]
pub struct Charge {
    pub key: String,
    pub amount: String,
    pub description: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IngressRequest {
    Render { applications: Vec<ApplicationRoute> },
    CheckDomain { hostname: String },
}

#[derive(Deserialize)]
pub struct ApplicationRoute {
    pub application: String,
    pub revision: String,
    pub hostnames: Vec<String>,
    pub backends: Vec<Backend>,
    pub tls: bool,
}

#[derive(Deserialize)]
pub struct Backend {
    pub instance: String,
    pub port: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IngressReply {
    Render { files: Vec<RouteFile> },
    CheckDomain { problem: Option<String> },
}

#[derive(Serialize)]
pub struct RouteFile {
    pub application: String,
    pub revision: String,
    pub name: String,
    pub content: String,
}
