//! Tells a client what it has left, in the headers of the IETF's draft: `RateLimit-Limit`, `-Remaining` and `-Reset`.

use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use slipway_model::Timestamp;

use super::graphql::reply;
use crate::{
    auth::Allowance,
    graphql::{Answer, Api},
};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

pub(super) fn tell(mut response: Response, allowance: Allowance, now: Timestamp) -> Response {
    let headers = response.headers_mut();
    headers.insert(LIMIT, allowance.limit.into());
    headers.insert(REMAINING, allowance.remaining.into());
    headers.insert(RESET, allowance.seconds_to_reset(now).into());
    response
}

/// 429: nothing was done, and may be tried again when the minute is over.
pub(super) fn exceeded(api: &Api, media: &'static str, allowance: Allowance) -> Response {
    let seconds = allowance.seconds_to_reset(api.platform().now());
    let mut response = reply(StatusCode::TOO_MANY_REQUESTS, media, &Answer::rate_limited(allowance, seconds));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
