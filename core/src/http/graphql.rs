//! GraphQL over HTTP, as the draft of August 2026 says it: JSON by POST, queries alone by GET.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequestParts, Request, State, WebSocketUpgrade},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use serde_json::Value;

use super::{address, forgery, graphiql, limits, socket};
use crate::{
    auth::{Allowance, Caller},
    error::Error,
    graphql::{Answer, Api, Kind, Payload, Prepared},
};

const MAX_BODY_BYTES: usize = 1024 * 1024;
/// For the whole of a request's body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// For a document that does not parse or is not valid, where the client takes `application/graphql-response+json`. Drafts
/// after this one say 422.
const INVALID_DOCUMENT: StatusCode = StatusCode::BAD_REQUEST;

const RESPONSE_JSON: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

pub(super) async fn handle(State(api): State<Api>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    if parts.method == Method::GET && parts.headers.contains_key(header::UPGRADE) {
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => upgrade_socket(api, parts, upgrade).await,
            Err(rejection) => rejection.into_response(),
        };
    }
    if graphiql::is_wanted(api.platform(), &parts) {
        return graphiql::page();
    }
    let media = match accepted(&parts.headers) {
        Some(media) => media,
        None => return plain(StatusCode::NOT_ACCEPTABLE, "Accept application/graphql-response+json or application/json."),
    };
    let anonymous = anonymous(&api, &parts);
    let (response, allowance) = match authenticated(&api, &parts, anonymous.clone()).await {
        Ok(caller) => respond(&api, &parts, body, media, caller).await,
        Err(error) => refused(&api, &anonymous, media, response_of(error, media)),
    };
    limits::tell(response, allowance, api.platform().now())
}

/// Answers somebody, and tells what they have left.
async fn respond(api: &Api, parts: &Parts, body: Body, media: &'static str, caller: Caller) -> (Response, Allowance) {
    // Who has nothing left is not read.
    if let Err(allowance) = api.spend(&caller, 0) {
        return (limits::exceeded(api, media, allowance), allowance);
    }
    let prepared = match prepare(api, parts, body, media).await {
        Ok(prepared) => prepared,
        Err(response) => return refused(api, &caller, media, response),
    };
    let answer = api.execute(prepared, caller.clone()).await;
    match answer.allowance {
        Some(allowance) if answer.is_rate_limited() => (limits::exceeded(api, media, allowance), allowance),
        Some(allowance) => {
            let status = if answer.executed { StatusCode::OK } else { status_of_refusal(media) };
            (reply(status, media, &answer), allowance)
        }
        None => refused(api, &caller, media, reply(status_of_refusal(media), media, &answer)),
    }
}

/// What is refused before its cost is known costs a point, so that nonsense is no cheaper than sense.
fn refused(api: &Api, caller: &Caller, media: &'static str, response: Response) -> (Response, Allowance) {
    match api.spend(caller, 1) {
        Ok(allowance) => (response, allowance),
        Err(allowance) => (limits::exceeded(api, media, allowance), allowance),
    }
}

/// Reads a request and has the guard look at it.
async fn prepare(api: &Api, parts: &Parts, body: Body, media: &'static str) -> Result<Prepared, Response> {
    let payload = match parts.method {
        Method::POST => read_body(&parts.headers, body).await,
        Method::GET if !(api.platform().config.development || forgery::is_ruled_out(&parts.headers)) => {
            Err((StatusCode::BAD_REQUEST, forgery::ADVICE.to_owned()))
        }
        Method::GET => read_query(parts.uri.query().unwrap_or_default()).map_err(|message| (StatusCode::BAD_REQUEST, message)),
        _ => return Err(not_allowed("GET, POST", media, "Send queries by GET or POST, mutations by POST.")),
    };
    let payload = payload.map_err(|(status, message)| reply(status, media, &Answer::refused("QUERY_REJECTED", &message)))?;
    let prepared = payload.prepare().map_err(|answer| reply(status_of_refusal(media), media, &answer))?;
    match prepared.kind {
        Kind::Mutation if parts.method == Method::GET => Err(not_allowed("POST", media, "A mutation is sent by POST.")),
        Kind::Subscription => {
            let answer = Answer::refused("QUERY_REJECTED", "Subscribe over the WebSocket, with the graphql-transport-ws protocol.");
            Err(reply(StatusCode::BAD_REQUEST, media, &answer))
        }
        Kind::Query | Kind::Mutation => Ok(prepared),
    }
}

pub(super) async fn handle_socket(State(api): State<Api>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade_socket(api, parts, upgrade).await,
        Err(rejection) => rejection.into_response(),
    }
}

async fn upgrade_socket(api: Api, parts: Parts, upgrade: WebSocketUpgrade) -> Response {
    let anonymous = anonymous(&api, &parts);
    let (refusal, allowance) = match authenticated(&api, &parts, anonymous.clone()).await {
        Ok(caller) => match api.spend(&caller, 0) {
            Ok(_) => return socket::upgrade(api, caller, upgrade),
            Err(allowance) => (limits::exceeded(&api, JSON, allowance), allowance),
        },
        Err(error) => refused(&api, &anonymous, JSON, response_of(error, JSON)),
    };
    limits::tell(refusal, allowance, api.platform().now())
}

pub(super) fn anonymous(api: &Api, parts: &Parts) -> Caller {
    let address = address::of(parts, &api.platform().config.trusted_proxies);
    Caller::anonymous(address, parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()))
}

pub(super) async fn authenticated(api: &Api, parts: &Parts, anonymous: Caller) -> Result<Caller, Error> {
    match parts.headers.get(header::AUTHORIZATION) {
        None => Ok(anonymous),
        Some(value) => anonymous.authenticate(api.platform(), value.to_str().unwrap_or_default()).await,
    }
}

fn response_of(error: Error, media: &'static str) -> Response {
    match error {
        Error::Unauthenticated => {
            let answer = Answer::refused("UNAUTHENTICATED", "This token is not valid, or no longer. Sign in again.");
            let mut response = reply(StatusCode::UNAUTHORIZED, media, &answer);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
        error => {
            tracing::error!(?error, "could not look up a token");
            reply(StatusCode::SERVICE_UNAVAILABLE, media, &Answer::refused("UNAVAILABLE", "Try again in a moment."))
        }
    }
}

async fn read_body(headers: &HeaderMap, body: Body) -> Result<Payload, (StatusCode, String)> {
    if !is_json(headers) {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send the request as application/json in UTF-8.".to_owned()));
    }
    let read = tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, MAX_BODY_BYTES)).await;
    let bytes: Bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err((StatusCode::PAYLOAD_TOO_LARGE, "The request's body is larger than 1 MiB, or broke off.".to_owned())),
        Err(_) => return Err((StatusCode::REQUEST_TIMEOUT, "The request's body did not arrive within 30 seconds.".to_owned())),
    };
    let json: Value = serde_json::from_slice(&bytes).map_err(|error| (StatusCode::BAD_REQUEST, format!("Not JSON: {error}.")))?;
    Payload::from_json(json).map_err(|message| (StatusCode::BAD_REQUEST, message))
}

fn read_query(query: &str) -> Result<Payload, String> {
    let mut body = serde_json::Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "query" | "operationName" => Value::String(value.into_owned()),
            "variables" | "extensions" if value.is_empty() => Value::Null,
            "variables" | "extensions" => serde_json::from_str(&value).map_err(|error| format!("`{name}` is not JSON: {error}."))?,
            _ => continue,
        };
        body.insert(name.into_owned(), value);
    }
    Payload::from_json(Value::Object(body))
}

/// `application/json`, in UTF-8 if it says so.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let mut parts = value.split(';').map(str::trim);
    parts.next().is_some_and(|media| media.eq_ignore_ascii_case(JSON))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => value.trim_matches('"').eq_ignore_ascii_case("utf-8"),
            _ => true,
        })
}

/// The media type of the answer: of those we know, the one that the client likes best; JSON where it does not care.
fn accepted(headers: &HeaderMap) -> Option<&'static str> {
    let mut ranges =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).peekable();
    if ranges.peek().is_none() {
        return Some(JSON);
    }
    let mut best: Option<(f32, &'static str)> = None;
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let media = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            RESPONSE_JSON => RESPONSE_JSON,
            JSON | "application/*" | "*/*" => JSON,
            _ => continue,
        };
        let quality = parts.find_map(|parameter| parameter.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
        if quality > best.map_or(0.0, |(best, _)| best) {
            best = Some((quality, media));
        }
    }
    best.map(|(_, media)| media)
}

/// Clients that take only `application/json` expect 200 for everything that GraphQL itself answers.
fn status_of_refusal(media: &str) -> StatusCode {
    if media == RESPONSE_JSON { INVALID_DOCUMENT } else { StatusCode::OK }
}

pub(super) fn reply(status: StatusCode, media: &'static str, answer: &Answer) -> Response {
    let media = if media == RESPONSE_JSON { "application/graphql-response+json; charset=utf-8" } else { "application/json; charset=utf-8" };
    (status, [(header::CONTENT_TYPE, media)], answer.to_json()).into_response()
}

fn not_allowed(allow: &'static str, media: &'static str, message: &str) -> Response {
    let mut response = reply(StatusCode::METHOD_NOT_ALLOWED, media, &Answer::refused("QUERY_REJECTED", message));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

fn plain(status: StatusCode, message: &str) -> Response {
    (status, format!("{message}\n")).into_response()
}
