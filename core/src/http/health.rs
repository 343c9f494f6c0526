//! Whether this process lives, whether it can serve, and a few figures for a scraper.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};

use crate::Platform;

/// Lives as long as it answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Ready while its database answers.
pub(super) async fn ready(State(platform): State<Platform>) -> Response {
    match platform.db.read().await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

/// Prometheus text, version 0.0.4.
pub(super) async fn metrics(State(platform): State<Platform>) -> Response {
    let uptime = (platform.now() - platform.started_at).num_seconds();
    let nodes = platform.fleet.connected();
    let statements = platform.db.statements();
    let text = format!(
        "# HELP slipway_uptime_seconds Seconds since this control plane started.\n\
         # TYPE slipway_uptime_seconds gauge\n\
         slipway_uptime_seconds {uptime}\n\
         # HELP slipway_nodes_connected Worker nodes whose agents are connected to this control plane.\n\
         # TYPE slipway_nodes_connected gauge\n\
         slipway_nodes_connected {nodes}\n\
         # HELP slipway_database_statements_total Statements run since this control plane started.\n\
         # TYPE slipway_database_statements_total counter\n\
         slipway_database_statements_total {statements}\n"
    );
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
