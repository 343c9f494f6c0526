//! GraphiQL, for whoever opens `/graphql` in a browser. In development only.
//!
//! Its parts come from a public content network, in fixed versions and with their digests: a browser runs nothing else.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, header, request::Parts};
use sha2::{Digest, Sha256};

use crate::Platform;

const PAGE: &str = include_str!("graphiql.html");
const SCRIPT: &str = include_str!("graphiql.js");
const NETWORK: &str = "https://cdn.jsdelivr.net";

/// Allows the page its own script, by its digest, and the parts that the page names.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let script = STANDARD.encode(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; script-src {NETWORK} 'sha256-{script}'; style-src {NETWORK} 'unsafe-inline'; font-src {NETWORK} data:; \
         img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// Whether a browser asks for a page, and may have one.
pub(super) fn is_wanted(platform: &Platform, parts: &Parts) -> bool {
    platform.config.development && parts.method == Method::GET && parts.uri.query().is_none() && takes_pages(&parts.headers)
}

fn takes_pages(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| range.split(';').next().unwrap_or_default().trim() == "text/html")
}

pub(super) fn page() -> Response {
    let page = PAGE.replace("/* script */", SCRIPT);
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response();
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
