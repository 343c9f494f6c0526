//! What a page of somebody else can have a browser send: links, images and forms. Queries by GET have to show that they are none of
//! these; POST shows it by its media type, which no form has.

use http::{HeaderMap, HeaderName, HeaderValue, header};

pub(super) const ADVICE: &str = "Send queries by POST; or by GET from a script, or with an `Authorization` or `X-Requested-With` header.";

/// Only a script can set them, and one of another origin only if it is allowed to.
const OF_SCRIPTS: [HeaderName; 4] = [
    header::AUTHORIZATION,
    HeaderName::from_static("x-requested-with"),
    HeaderName::from_static("x-apollo-operation-name"),
    HeaderName::from_static("apollo-require-preflight"),
];
/// Set by the browser itself.
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

pub(super) fn is_ruled_out(headers: &HeaderMap) -> bool {
    let mode = headers.get(SEC_FETCH_MODE).map(HeaderValue::as_bytes);
    OF_SCRIPTS.iter().any(|name| headers.contains_key(name)) || matches!(mode, Some(b"cors" | b"same-origin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ruled_out(name: &'static str, value: &'static str) -> bool {
        is_ruled_out(&HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]))
    }

    #[test]
    fn what_links_images_and_forms_send_could_be_forged() {
        assert!(!is_ruled_out(&HeaderMap::new()));
        assert!(!ruled_out("sec-fetch-mode", "navigate"));
        assert!(!ruled_out("sec-fetch-mode", "no-cors"));
        assert!(!ruled_out("accept", "application/json"));
        assert!(ruled_out("sec-fetch-mode", "cors"));
        assert!(ruled_out("authorization", "Bearer x"));
        assert!(ruled_out("x-requested-with", "curl"));
    }
}
