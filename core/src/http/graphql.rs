//! GraphQL over HTTP, as the draft of August 2026 says it: JSON by POST, queries alone by GET.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, FromRequestParts, Request, State, WebSocketUpgrade},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use serde_json::Value;

use super::socket;
use crate::{
    auth::Caller,
    error::Error,
    graphql::{Answer, Api, Kind, Payload},
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
    let media = match accepted(&parts.headers) {
        Some(media) => media,
        None => return plain(StatusCode::NOT_ACCEPTABLE, "Accept application/graphql-response+json or application/json."),
    };
    let payload = match parts.method {
        Method::POST => match read_body(&parts.headers, body).await {
            Ok(payload) => payload,
            Err((status, message)) => return reply(status, media, &Answer::refused("QUERY_REJECTED", &message)),
        },
        Method::GET => match read_query(parts.uri.query().unwrap_or_default()) {
            Ok(payload) => payload,
            Err(message) => return reply(StatusCode::BAD_REQUEST, media, &Answer::refused("QUERY_REJECTED", &message)),
        },
        _ => return not_allowed("GET, POST", media, "Send queries by GET or POST, mutations by POST."),
    };
    let caller = match caller(&api, &parts).await {
        Ok(caller) => caller,
        Err(response) => return response_of(response, media),
    };
    let prepared = match payload.prepare() {
        Ok(prepared) => prepared,
        Err(answer) => return reply(status_of_refusal(media), media, &answer),
    };
    match prepared.kind {
        Kind::Mutation if parts.method == Method::GET => {
            return not_allowed("POST", media, "A mutation is sent by POST.");
        }
        Kind::Subscription => {
            let answer = Answer::refused("QUERY_REJECTED", "Subscribe over the WebSocket, with the graphql-transport-ws protocol.");
            return reply(StatusCode::BAD_REQUEST, media, &answer);
        }
        Kind::Query | Kind::Mutation => {}
    }
    let answer = api.execute(prepared, caller).await;
    let status = if answer.executed { StatusCode::OK } else { status_of_refusal(media) };
    reply(status, media, &answer)
}

pub(super) async fn handle_socket(State(api): State<Api>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade_socket(api, parts, upgrade).await,
        Err(rejection) => rejection.into_response(),
    }
}

async fn upgrade_socket(api: Api, parts: Parts, upgrade: WebSocketUpgrade) -> Response {
    match caller(&api, &parts).await {
        Ok(caller) => socket::upgrade(api, caller, upgrade),
        Err(error) => response_of(error, JSON),
    }
}

async fn caller(api: &Api, parts: &Parts) -> Result<Caller, Error> {
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let caller = Caller::anonymous(address, text(header::USER_AGENT));
    match parts.headers.get(header::AUTHORIZATION) {
        None => Ok(caller),
        Some(value) => caller.authenticate(api.platform(), value.to_str().unwrap_or_default()).await,
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

/// The media type of the answer: the first that the client names and we know, JSON where it does not care.
fn accepted(headers: &HeaderMap) -> Option<&'static str> {
    let mut values = headers.get_all(header::ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return Some(JSON);
    }
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).find_map(|range| {
        match range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            RESPONSE_JSON => Some(RESPONSE_JSON),
            JSON | "application/*" | "*/*" => Some(JSON),
            _ => None,
        }
    })
}

/// Clients that take only `application/json` expect 200 for everything that GraphQL itself answers.
fn status_of_refusal(media: &str) -> StatusCode {
    if media == RESPONSE_JSON { INVALID_DOCUMENT } else { StatusCode::OK }
}

fn reply(status: StatusCode, media: &'static str, answer: &Answer) -> Response {
    let media = if media == RESPONSE_JSON { "application/graphql-response+json; charset=utf-8" } else { "application/json; charset=utf-8" };
    (status, [(header::CONTENT_TYPE, media)], answer.body.to_string()).into_response()
}

fn not_allowed(allow: &'static str, media: &'static str, message: &str) -> Response {
    let mut response = reply(StatusCode::METHOD_NOT_ALLOWED, media, &Answer::refused("QUERY_REJECTED", message));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

fn plain(status: StatusCode, message: &str) -> Response {
    (status, format!("{message}\n")).into_response()
}
