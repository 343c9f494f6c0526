//! A browser says which page a request comes from; a page of somebody else is not let in.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use url::Url;

use crate::Platform;

pub(super) async fn refuse_foreign(State(platform): State<Platform>, request: Request, next: Next) -> Response {
    if is_foreign(request.headers(), &platform.config.public_url) {
        return (StatusCode::FORBIDDEN, "This API does not answer pages of other origins.\n").into_response();
    }
    next.run(request).await
}

/// Whether an `Origin` is given that is neither the platform's public one nor the host that was asked.
fn is_foreign(headers: &HeaderMap, public_url: &Url) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let Some(origin) = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok()) else { return true };
    if origin.origin() == public_url.origin() {
        return false;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = match (origin.host_str(), origin.port()) {
        (Some(name), Some(port)) => format!("{name}:{port}"),
        (Some(name), None) => name.to_owned(),
        (None, _) => return true,
    };
    host.is_none_or(|host| !host.eq_ignore_ascii_case(&authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(origin: Option<&'static str>, host: &'static str) -> bool {
        let mut headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        is_foreign(&headers, &Url::parse("https://slipway.example/").unwrap())
    }

    #[test]
    fn only_pages_of_the_platform_itself_are_let_in() {
        assert!(!foreign(None, "slipway.example"));
        assert!(!foreign(Some("https://slipway.example"), "10.0.0.1:8080"));
        assert!(!foreign(Some("http://localhost:8080"), "localhost:8080"));
        assert!(foreign(Some("http://localhost:8081"), "localhost:8080"));
        assert!(foreign(Some("https://evil.example"), "slipway.example"));
        assert!(foreign(Some("https://slipway.example.evil.example"), "slipway.example"));
        assert!(foreign(Some("null"), "slipway.example"));
    }
}
