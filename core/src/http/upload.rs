//! `PUT /uploads/<ticket>`: an archive, streamed to disk.

use std::time::Duration;

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use http::{HeaderMap, StatusCode, header};
use serde_json::json;

use crate::{
    Platform,
    error::Error,
    plugins,
    uploads::{self, Refused},
};

/// Between two pieces of an archive.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn receive(State(platform): State<Platform>, Path(ticket): Path<String>, headers: HeaderMap, body: Body) -> Response {
    match uploads::receive(&platform, &ticket, length(&headers), pieces(body)).await {
        Ok(upload) => Json(json!({"id": upload.id, "sizeBytes": upload.size_bytes.map(|size| size.to_string())})).into_response(),
        Err(refused) => refusal(&refused),
    }
}

/// `PUT /plugin-archives/<ticket>`: a plugin, in the same way.
pub(super) async fn receive_plugin(
    State(platform): State<Platform>,
    Path(ticket): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match plugins::archives::receive(&platform, &ticket, length(&headers), pieces(body)).await {
        Ok(()) => Json(json!({"received": true})).into_response(),
        Err(refused) => refusal(&refused),
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok())
}

fn pieces(body: Body) -> impl futures::Stream<Item = Result<bytes::Bytes, ()>> + Send {
    tokio_stream::StreamExt::timeout(body.into_data_stream(), SILENCE_LIMIT).map(|piece| match piece {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(_)) | Err(_) => Err(()),
    })
}

fn refusal(refused: &Refused) -> Response {
    let (status, code) = match refused {
        Refused::Unknown => (StatusCode::NOT_FOUND, "NOT_FOUND"),
        Refused::Used => (StatusCode::CONFLICT, "UPLOAD_USED"),
        Refused::Expired => (StatusCode::GONE, "UPLOAD_EXPIRED"),
        Refused::LengthMissing => (StatusCode::LENGTH_REQUIRED, "LENGTH_REQUIRED"),
        Refused::TooLong { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "TOO_LONG"),
        Refused::TooShort { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "TOO_SHORT"),
        Refused::OtherContent => (StatusCode::UNPROCESSABLE_ENTITY, "DIGEST_MISMATCH"),
        Refused::Broken => (StatusCode::BAD_REQUEST, "BROKEN"),
        Refused::Failed(Error::Unavailable(_)) => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
        Refused::Failed(error) => {
            tracing::error!(?error, "an upload could not be stored");
            (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL")
        }
    };
    (status, Json(json!({"code": code, "message": refused.to_string()}))).into_response()
}
