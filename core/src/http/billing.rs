//! `GET /billing/invoices/<id>.pdf` and `GET /billing/<organization>/ledger.csv`: what is read by people and spreadsheets.

use axum::{
    extract::{Path, Query, Request, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use serde::Deserialize;
use slipway_model::{InvoiceId, OrganizationId, Permission, Timestamp, Viewer};

use super::graphql::{anonymous, authenticated};
use crate::{
    billing::{export, invoices, month_of},
    error::{Error, Result},
    graphql::Api,
};

/// What a document costs, in points: it is read by people now and then.
const POINTS: u32 = 50;

pub(super) async fn invoice(State(api): State<Api>, Path(name): Path<String>, request: Request) -> Response {
    let found = async {
        let viewer = viewer(&api, request).await?;
        let id = name.strip_suffix(".pdf").and_then(|id| id.parse::<InvoiceId>().ok()).ok_or(Error::NotFound)?;
        let invoice = invoices::find(api.platform(), &viewer, id).await?.ok_or(Error::NotFound)?;
        permitted(&viewer, invoice.organization_id)?;
        let name = invoices::number(&invoice).unwrap_or_else(|| "draft".to_owned());
        Ok((format!("{name}.pdf"), "application/pdf", invoices::pdf(&invoice)?))
    };
    respond(found.await)
}

/// The month so far, unless something else is asked.
#[derive(Debug, Deserialize)]
pub(super) struct Span {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

pub(super) async fn ledger(State(api): State<Api>, Path(id): Path<String>, Query(span): Query<Span>, request: Request) -> Response {
    let written = async {
        let viewer = viewer(&api, request).await?;
        let id = id.parse::<OrganizationId>().map_err(|_| Error::NotFound)?;
        permitted(&viewer, id)?;
        let now = api.platform().now();
        let (from, to) = (span.from.unwrap_or_else(|| month_of(now)), span.to.unwrap_or(now));
        let text = export::ledger(api.platform(), &viewer, id, from, to).await?;
        Ok((format!("ledger-{}.csv", from.format("%Y-%m-%d")), "text/csv; charset=utf-8", text.into_bytes()))
    };
    respond(written.await)
}

async fn viewer(api: &Api, request: Request) -> Result<Viewer> {
    let (parts, _) = request.into_parts();
    let caller = authenticated(api, &parts, anonymous(api, &parts)).await?;
    if api.spend(&caller, POINTS).is_err() {
        return Err(Error::RateLimited { retry_after_seconds: 60 });
    }
    caller.viewer.ok_or(Error::Unauthenticated)
}

/// Whoever does not belong there learns nothing of it.
fn permitted(viewer: &Viewer, organization: OrganizationId) -> Result<()> {
    match viewer.role_in(organization) {
        None => Err(Error::NotFound),
        Some(_) if viewer.may(organization, Permission::BillingRead) => Ok(()),
        Some(_) => Err(Error::Forbidden),
    }
}

fn respond(outcome: Result<(String, &'static str, Vec<u8>)>) -> Response {
    let error = match outcome {
        Ok((name, kind, bytes)) => {
            let headers = [
                (header::CONTENT_TYPE, kind.to_owned()),
                (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
                (header::CACHE_CONTROL, "no-store".to_owned()),
            ];
            return (headers, bytes).into_response();
        }
        Err(error) => error,
    };
    let status = match &error {
        Error::User(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Unauthenticated => StatusCode::UNAUTHORIZED,
        Error::Forbidden => StatusCode::FORBIDDEN,
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(cause) => {
            tracing::error!(?cause, "a document of billing could not be made");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    (status, format!("{error}\n")).into_response()
}
